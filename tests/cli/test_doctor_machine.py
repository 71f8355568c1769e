"""U17: what `codex-oauth doctor` finds about this machine: versions, variables, ports, keyring; each finding is made to appear."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Generator
from importlib import metadata
from typing import Any

import attrs
import pytest

from codex_oauth.doctor import environment, keyring, ports, versions
from codex_oauth.doctor.context import Area, Verdict
from codex_oauth.listener import ports as listener_ports
from codex_oauth.stores import keyring_key
from codex_oauth_core import CODEX
from tests.cli.doctoring import always, case, found, of, verdicts, with_ports
from tests.house.tree import ROOT

OK, WARN, PROBLEM, SKIPPED = Verdict.OK, Verdict.WARN, Verdict.PROBLEM, Verdict.SKIPPED
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


# -- versions -----------------------------------------------------------------------------------------


def test_versions_are_told() -> None:
    rows = found(versions.check, case())
    assert verdicts(rows) == {OK}
    assert "httpx 0." in of(rows, "packages").found
    assert "keyring" in of(rows, "extra", "keyring").found
    for_people = set(metadata.metadata("codex-oauth").get_all("Provides-Extra") or ()) - {
        "bench",
        "dev",
        "docs",
    }
    assert {row.subject for row in rows if row.name == "extra"} == for_people


def test_a_missing_package_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "requires", always(["httpx>=0.28", "no-such-thing>=1"]))
    row = of(found(versions.check, case()), "packages")
    assert (row.verdict, row.found, row.area) == (PROBLEM, "missing: no-such-thing", Area.ITSELF)
    assert row.advice


def test_a_missing_extra_is_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "requires", always(["no-such-thing>=1; extra == 'cli'"]))
    row = of(found(versions.check, case()), "extra", "cli")
    assert (row.verdict, "codex-oauth[cli]" in row.found) == (OK, True)


def test_running_without_being_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "requires", absent)
    assert of(found(versions.check, case()), "packages").verdict is WARN


# -- environment --------------------------------------------------------------------------------------


def test_no_variable_is_one_finding() -> None:
    assert [row.verdict for row in found(environment.check, case(environment={"CODEX_OAUTH_HOME": ""}))] == [
        OK
    ]


def test_variables_are_told_with_what_they_do_and_a_token_without_its_value() -> None:
    variables = {
        "CODEX_OAUTH_HOME": "/somewhere",
        "CODEX_OAUTH_ACCOUNT": "acct_1",
        "CODEX_OAUTH_TOKEN": "canary-token",
        "CODEX_OAUTH_DEBUG": "1",
        "CODEX_OAUTH_HOEM": "canary-typo",
    }
    rows = found(environment.check, case(environment=variables))
    assert {row.subject: row.verdict for row in rows} == {
        "CODEX_OAUTH_HOME": OK,
        "CODEX_OAUTH_ACCOUNT": OK,
        "CODEX_OAUTH_TOKEN": OK,
        "CODEX_OAUTH_DEBUG": WARN,
        "CODEX_OAUTH_HOEM": WARN,
    }
    assert "/somewhere" in of(rows, "environment", "CODEX_OAUTH_HOME").found
    assert "canary" not in repr(rows)
    assert all(row.advice for row in rows if row.verdict is WARN)


@pytest.mark.parametrize(
    ("issuer", "verdict"),
    [
        ("http://127.0.0.1:8000", OK),
        ("https://login.example", OK),
        ("http://login.example", PROBLEM),
        ("canary", PROBLEM),
    ],
)
def test_the_issuer_that_is_named_is_told_and_what_is_none_is_a_problem(
    issuer: str, verdict: Verdict
) -> None:
    (row,) = found(environment.check, case(environment={"CODEX_OAUTH_ISSUER": issuer}))
    assert (row.verdict, row.subject) == (verdict, "CODEX_OAUTH_ISSUER")
    assert (issuer in row.found) is (verdict is OK)
    assert bool(row.advice) is (verdict is PROBLEM)


@pytest.mark.parametrize(("name", "verdict"), [("codex", OK), ("chatgpt", OK), ("canary", PROBLEM)])
def test_a_provider_that_login_would_not_take_is_a_problem(name: str, verdict: Verdict) -> None:
    (row,) = found(environment.check, case(environment={"CODEX_OAUTH_PROVIDER": name}))
    assert (row.verdict, name in row.found) == (verdict, verdict is OK)
    assert bool(row.advice) is (verdict is PROBLEM)


def test_every_variable_of_the_documentation_is_known_and_a_secret_one_is_not_shown() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(CODEX_OAUTH_[A-Z_]+)`", page, re.MULTILINE))
    assert {"CODEX_OAUTH_DSN", "CODEX_OAUTH_KEYS", "CODEX_OAUTH_HOME"} <= documented
    rows = found(environment.check, case(environment=dict.fromkeys(documented, "canary")))
    assert not [row for row in rows if "knows no such variable" in row.found]
    for name in ("CODEX_OAUTH_DSN", "CODEX_OAUTH_KEYS", "CODEX_OAUTH_TOKEN"):
        assert "canary" not in str([row for row in rows if row.subject == name])


# -- ports --------------------------------------------------------------------------------------------


@pytest.fixture
def taken() -> Generator[dict[str, socket.socket]]:
    """Foreign listeners on one port of both families, and on another of one family each."""
    with socket.create_server(("127.0.0.1", 0)) as four:
        port = four.getsockname()[1]
        with socket.create_server(("::1", port), family=socket.AF_INET6) as six:
            four.setblocking(False)
            six.setblocking(False)
            yield {"four": four, "six": six}


def free_port() -> int:
    bound = listener_ports.bind((0,), "/")
    bound.close()
    return bound.port


def test_free_ports_are_free_and_given_back() -> None:
    port = free_port()
    for _ in range(2):
        rows = found(ports.check, case(provider=with_ports(port)))
        assert [(row.subject, row.verdict) for row in rows] == [
            (f"127.0.0.1:{port}", OK),
            (f"[::1]:{port}", OK),
        ]
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_the_ports_are_those_of_the_provider() -> None:
    assert CODEX.redirect_ports == (1455, 1457)
    assert len({row.subject for row in found(ports.check, case(provider=CODEX))}) == 4


def test_all_ports_taken_is_a_problem_and_nobody_is_spoken_to(taken: dict[str, socket.socket]) -> None:
    port = taken["four"].getsockname()[1]
    rows = found(ports.check, case(provider=with_ports(port)))
    assert [row.verdict for row in rows] == [PROBLEM, PROBLEM]
    assert all(
        "in use" in row.found and str(port) in row.advice[1] and "--device" in row.advice[2] for row in rows
    )
    for sock in taken.values():
        with pytest.raises(BlockingIOError):
            sock.accept()


def test_one_port_taken_of_two_is_a_warning(taken: dict[str, socket.socket]) -> None:
    rows = found(ports.check, case(provider=with_ports(taken["four"].getsockname()[1], free_port())))
    assert [row.verdict for row in rows] == [WARN, WARN, OK, OK]


def test_a_port_that_is_taken_in_one_family_only_can_still_be_used() -> None:
    port = free_port()
    with socket.create_server(("::1", port), family=socket.AF_INET6):
        rows = found(ports.check, case(provider=with_ports(port)))
    assert [row.verdict for row in rows] == [OK, WARN]
    with socket.create_server(("127.0.0.1", port)):
        rows = found(ports.check, case(provider=with_ports(port)))
    assert [row.verdict for row in rows] == [PROBLEM, OK]


@pytest.mark.parametrize(
    ("errno_name", "expected"), [("EACCES", PROBLEM), ("EADDRNOTAVAIL", SKIPPED), ("EMFILE", PROBLEM)]
)
def test_a_port_that_the_system_forbids_or_does_not_have(
    monkeypatch: pytest.MonkeyPatch, errno_name: str, expected: Verdict
) -> None:
    import errno

    def refuse(address: str, port: int) -> socket.socket:
        raise OSError(getattr(errno, errno_name), "no")

    monkeypatch.setattr(listener_ports, "_listening", refuse)
    rows = found(ports.check, case(provider=with_ports(1455)))
    assert verdicts(rows) == {expected}


def test_a_machine_without_ipv4_can_use_the_other_family(monkeypatch: pytest.MonkeyPatch) -> None:
    real, (one, two) = listener_ports._listening, (free_port(), free_port())
    blocker = socket.create_server(("::1", two), family=socket.AF_INET6)

    def only_six(address: str, port: int) -> socket.socket:
        if address == "127.0.0.1":
            raise OSError(99, "no")
        return real(address, port)

    monkeypatch.setattr(listener_ports, "_listening", only_six)
    with blocker:
        rows = found(ports.check, case(provider=with_ports(one, two)))
    assert [row.verdict for row in rows] == [SKIPPED, OK, SKIPPED, WARN]


# -- keyring ------------------------------------------------------------------------------------------


@attrs.define
class Backend:
    """A keyring of the test's own."""

    work: Any
    written: list[str] = attrs.field(factory=list[str])

    def get_password(self, service: str, username: str) -> str | None:
        return self.work()  # type: ignore[no-any-return]  # of a test

    def set_password(self, service: str, username: str, password: str) -> None:
        self.written.append(password)


@pytest.fixture
def _a_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")


def examined_keyring(work: Any, limit: float = 3.0) -> Any:
    backend = Backend(work)
    (row,) = found(keyring.check, case(keyring=backend, keyring_limit=limit))
    assert backend.written == []
    return row


def test_a_keyring_that_answers_works_and_what_it_keeps_is_not_shown() -> None:
    row = examined_keyring(lambda: "canary-kept")
    assert (row.verdict, "canary" in repr(row)) == (OK, False)


def test_a_keyring_that_hangs_is_left_after_its_limit() -> None:
    ended = threading.Event()
    row = examined_keyring(ended.wait, limit=0.1)
    ended.set()
    assert (row.verdict, "did not answer" in row.found, bool(row.advice)) == (WARN, True, True)
    assert case().keyring_limit == 3.0


def test_a_keyring_that_fails_is_none() -> None:
    def fail() -> None:
        raise LookupError("canary")

    row = examined_keyring(fail)
    assert (row.verdict, "canary" in repr(row)) == (SKIPPED, False)


@pytest.mark.usefixtures("_a_bus")
def test_the_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "keyring", None)
    (row,) = found(keyring.check, case())
    assert (row.verdict, "extra" in row.found) == (SKIPPED, True)


def test_no_keyring_is_started_where_none_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring_key, "_needs_a_bus", lambda: True)
    monkeypatch.setattr(keyring_key, "_has_a_bus", lambda: False)
    (row,) = found(keyring.check, case())
    assert (row.verdict, "none found" in row.found) == (SKIPPED, True)
