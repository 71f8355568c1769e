"""U17: what `codex-oauth doctor` finds about the network, the settings and the machine; each finding is made to appear."""

from __future__ import annotations

import shutil
import ssl
from email.utils import formatdate
from pathlib import Path

import certifi
import pytest

from codex_oauth.doctor import certificates, proxy, server
from codex_oauth.doctor.context import Area, Verdict
from codex_oauth_core import CODEX, Cancelled, Cause, Phase, RequestFailed, ResponseReceived
from tests.cli.doctoring import WALL, always, case, found, of, responding, verdicts

OK, WARN, PROBLEM, SKIPPED = Verdict.OK, Verdict.WARN, Verdict.PROBLEM, Verdict.SKIPPED
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *map(str.upper, PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR", *certificates._OTHERS):
        monkeypatch.delenv(name, raising=False)


# -- proxy --------------------------------------------------------------------------------------------


def test_no_proxy_is_fine() -> None:
    assert "no variable names one" in of(found(proxy.check, case()), "proxy").found


@pytest.mark.parametrize(
    ("settings", "winner"),
    [
        ({"HTTPS_PROXY": "http://one:1"}, "HTTPS_PROXY"),
        ({"ALL_PROXY": "http://one:1"}, "ALL_PROXY"),
        ({"ALL_PROXY": "http://two:2", "HTTPS_PROXY": "http://one:1"}, "HTTPS_PROXY"),
        ({"HTTP_PROXY": "http://two:2", "all_proxy": "http://one:1"}, "all_proxy"),
    ],
)
def test_the_variable_that_wins_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], winner: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    row = of(found(proxy.check, case()), "proxy")
    assert (row.verdict, row.subject, row.found) == (OK, winner, "http://one:1")


def test_a_proxys_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://canary-user:canary-password@proxy.example:3128/canary?canary")
    row = of(found(proxy.check, case()), "proxy")
    assert row.found == "http://proxy.example:3128, with credentials (not shown)"


def test_no_proxy_that_covers_the_server_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://one:1")
    monkeypatch.setenv("NO_PROXY", "openai.com")
    row = of(found(proxy.check, case()), "proxy")
    assert (row.verdict, row.subject) == (OK, "HTTPS_PROXY")
    assert "NO_PROXY" in row.found


def test_a_setting_that_is_no_proxy_is_a_problem_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://canary:canary@host")
    row = of(found(proxy.check, case()), "proxy")
    assert (row.verdict, row.subject, row.area) == (PROBLEM, "HTTPS_PROXY", Area.NETWORK)
    assert row.advice
    assert "canary" not in repr(row)


def test_a_socks_proxy_without_its_package_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://one:1")
    monkeypatch.setattr(proxy, "find_spec", always(None))
    row = of(found(proxy.check, case()), "proxy")
    assert (row.verdict, "httpx[socks]" in row.advice[0]) == (PROBLEM, True)
    monkeypatch.setattr(proxy, "find_spec", always(object()))
    assert of(found(proxy.check, case()), "proxy").verdict is OK


def test_two_spellings_that_differ_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://canary:canary@two:2")
    monkeypatch.setenv("https_proxy", "http://one:1")
    rows = found(proxy.check, case())
    assert of(rows, "proxy", "https_proxy").found == "http://one:1"
    assert of(rows, "proxy", "HTTPS_PROXY").verdict is WARN
    assert "canary" not in repr(rows)


# -- certificates -------------------------------------------------------------------------------------


def test_the_usual_certificates_are_counted() -> None:
    row = of(found(certificates.check, case()), "certificates")
    assert row.verdict is OK
    assert int(row.found.split()[0]) > 50


def test_no_authority_at_all_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "tls_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert of(found(certificates.check, case()), "certificates").verdict is PROBLEM


def test_certificates_that_cannot_be_loaded_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> ssl.SSLContext:
        raise FileNotFoundError

    monkeypatch.setattr(certificates, "tls_context", broken)
    assert of(found(certificates.check, case()), "certificates").verdict is PROBLEM


def test_a_bundle_that_is_named_is_counted() -> None:
    row = of(found(certificates.check, case(environment={"SSL_CERT_FILE": certifi.where()})), "certificates")
    assert (row.verdict, row.subject) == (OK, "SSL_CERT_FILE")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_bundle_that_is_none_is_a_problem(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    row = of(found(certificates.check, case(environment={"SSL_CERT_FILE": str(path)})), "certificates")
    assert (row.verdict, str(path) in row.found, bool(row.advice)) == (PROBLEM, True, True)


def test_a_directory_of_certificates_is_looked_at(tmp_path: Path) -> None:
    examined = case(environment={"SSL_CERT_DIR": str(tmp_path)})
    assert of(found(certificates.check, examined), "certificates").verdict is PROBLEM
    (tmp_path / "0a1b2c3d.0").touch()
    assert of(found(certificates.check, examined), "certificates").verdict is PROBLEM
    shutil.copy(certifi.where(), tmp_path / "0a1b2c3d.0")
    assert of(found(certificates.check, examined), "certificates").verdict is OK
    gone = case(environment={"SSL_CERT_DIR": str(tmp_path / "gone")})
    assert of(found(certificates.check, gone), "certificates").verdict is PROBLEM


def test_a_bundle_for_other_programs_is_said_to_be_passed_over() -> None:
    examined = case(environment={"REQUESTS_CA_BUNDLE": "/ca.pem"})
    row = of(found(certificates.check, examined), "certificates", "REQUESTS_CA_BUNDLE")
    assert (row.verdict, "SSL_CERT_FILE" in row.advice[0]) == (WARN, True)


# -- server and clock ---------------------------------------------------------------------------------


def asked(transport: responding) -> tuple[Verdict, Verdict, str]:
    rows = found(server.check, case(offline=False, transport=transport))
    return of(rows, "server").verdict, of(rows, "clock").verdict, of(rows, "server").found


@pytest.mark.parametrize(
    ("off", "verdict"),
    [(0, OK), (59, OK), (-59, OK), (62, WARN), (-62, WARN), (299, WARN), (302, PROBLEM), (-302, PROBLEM)],
)
def test_the_clock_is_judged_by_how_far_it_is_off(off: float, verdict: Verdict) -> None:
    transport = responding.with_json(date=formatdate(WALL - off, usegmt=True), took=0.5)
    assert asked(transport)[:2] == (OK, verdict)


def test_which_way_the_clock_is_off_is_said() -> None:
    for off, said in ((400, "ahead of"), (-400, "behind")):
        transport = responding.with_json(date=formatdate(WALL - off, usegmt=True))
        row = of(found(server.check, case(offline=False, transport=transport)), "clock")
        assert said in row.found
        assert row.advice


def test_a_slow_answer_is_no_skew() -> None:
    assert asked(responding.with_json(date=formatdate(WALL - 80, usegmt=True), took=90.0))[1] is OK


@pytest.mark.parametrize("date", [None, "canary", "Tue, 99 Nov 2026 03:00:00 GMT"])
def test_an_answer_without_a_date_tells_nothing_about_the_clock(date: str | None) -> None:
    assert asked(responding.with_json(date=date))[:2] == (OK, SKIPPED)


def test_one_request_without_a_credential_goes_to_the_issuer_alone() -> None:
    transport = responding.with_json(404)
    assert asked(transport)[0] is OK
    (effect,) = transport.asked
    assert effect.request.method == "GET"
    assert effect.request.url.startswith(f"{CODEX.issuer}/")
    assert {name for name, _ in effect.request.headers} == {"Accept", "Accept-Encoding", "User-Agent"}
    assert effect.request.body.reveal() == b""


def test_offline_asks_nobody() -> None:
    transport = responding.with_json()
    rows = found(server.check, case(transport=transport))
    assert (verdicts(rows), transport.asked) == ({SKIPPED}, [])


@pytest.mark.parametrize(
    ("cause", "word"),
    [
        (Cause.DNS, "dns"),
        (Cause.CONNECT, "connect"),
        (Cause.PROXY, "proxy"),
        (Cause.TIMEOUT, "timeout"),
        (Cause.TLS_CERTIFICATE, "not trusted"),
    ],
)
def test_a_failure_of_the_network_is_a_problem_that_is_named(cause: Cause, word: str) -> None:
    reached, clock, said = asked(responding(RequestFailed(1.0, Phase.NOT_SENT, cause)))
    assert (reached, clock) == (PROBLEM, SKIPPED)
    assert word in said


def test_a_page_in_between_is_named_and_not_shown() -> None:
    page = ResponseReceived(
        1.0, 2.0, WALL, 200, {"content-type": "text/html", "date": formatdate(0.0)}, b"<html>canary-page"
    )
    reached, clock, said = asked(responding(page))
    assert (reached, clock) == (PROBLEM, SKIPPED)
    assert "web page" in said
    assert "canary" not in said


@pytest.mark.parametrize(
    ("status", "said"),
    [(302, "web page"), (407, "web page"), (429, "fewer requests"), (503, "answered with an error")],
)
def test_an_answer_that_says_nothing_is_a_problem(status: int, said: str) -> None:
    reached, clock, found_text = asked(responding.with_json(status, location="https://canary.example"))
    assert (reached, clock, said in found_text, "canary" in found_text) == (PROBLEM, SKIPPED, True, False)


def test_a_region_that_is_not_served_is_a_refusal() -> None:
    body = b'{"error": {"code": "unsupported_country_region_territory", "message": "canary"}}'
    answer = ResponseReceived(1.0, 2.0, WALL, 403, {"content-type": "application/json"}, body)
    row = of(found(server.check, case(offline=False, transport=responding(answer))), "server")
    assert (row.verdict, row.area) == (PROBLEM, Area.REFUSED)
    assert "canary" not in repr(row)


def test_a_request_that_was_cancelled_is_no_answer() -> None:
    assert asked(responding(Cancelled(1.0)))[:2] == (PROBLEM, SKIPPED)
