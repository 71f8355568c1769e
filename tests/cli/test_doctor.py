"""U17, U26, S1: `codex-oauth doctor` as a person and a program run it."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.authority import Authority, AuthorityServer, Fault, serve
from codex_oauth.cli import doctor
from codex_oauth.cli.errors import LOGIN_REQUIRED, OK, REFUSED, STORAGE, TEMPORARY, UNEXPECTED
from codex_oauth.doctor.checks import CHECKS, examine
from codex_oauth.doctor.context import Area, Context, Finding, Verdict
from tests.cli.commands import Done, run_command
from tests.cli.doctoring import case, of
from tests.cli.schemas import valid
from tests.cli.test_commands import AT_ONCE, hold, path_in_use
from tests.cli.transfers import write
from tests.house.tree import ROOT
from tests.support import account_token

PAGE = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=AT_ONCE)) as running:
        yield running


def examined(home: Path, server: AuthorityServer, *more: str, **extra: str) -> Done:
    return run_command(home, "doctor", "--issuer", server.url, *more, **extra)


def rows(done: Done) -> list[dict[str, Any]]:
    (document,) = valid("doctor", done)
    found: list[dict[str, Any]] = document["findings"]
    return found


def row(found: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    (one,) = [each for each in found if each["name"] == name]
    return one


# -- what is said, and to whom ------------------------------------------------------------------------


def test_each_finding_is_a_line_that_begins_with_a_word(tmp_path: Path, server: AuthorityServer) -> None:
    hold(tmp_path)
    done = examined(tmp_path, server, "-v")
    assert done.code in (OK, TEMPORARY), done.out  # another program may hold the ports of this machine
    rows = [line for line in done.out.splitlines() if re.match(r"  \S", line)]
    words = {line.split()[0] for line in rows}
    assert words <= {"ok", "warning", "PROBLEM", "skipped"}
    assert {"This program", "Network", "Storage", "Logins"} <= set(done.out.splitlines())
    assert "\x1b" not in done.out
    assert f"  ok      server        {server.url}: answers" in done.out
    assert "  ok      clock         as the server's, within 60 s" in done.out


def test_where_all_is_well_it_is_one_line_and_the_way_to_the_rest(tmp_path: Path) -> None:
    hold(tmp_path)
    with serve() as server:
        done = examined(tmp_path, server)
    if done.code == OK and "warning" not in done.out:  # another program may hold the ports of this machine
        assert re.fullmatch(r"No problems found \(\d+ checks passed(?:, \d+ skipped)?\)\.\n", done.out)
        assert "codex-oauth doctor -v" in " ".join(done.err.split())


def test_two_columns_wrap_by_word_at_the_width_of_the_window(tmp_path: Path) -> None:
    def words(text: str) -> str:
        return re.sub(r"[\d,]+ MiB", "MiB", " ".join(text.split()))  # what others do meanwhile

    wide = run_command(tmp_path, "doctor", "--offline", "-v", COLUMNS="100").out
    for columns in (60, 80):
        text = run_command(tmp_path, "doctor", "--offline", "-v", COLUMNS=str(columns)).out
        long = [line for line in text.splitlines() if len(line) > columns]
        assert all(len(line.split()) <= 4 for line in long), long  # a path or a command, which stays whole
        assert words(text) == words(wide)


def test_json_is_what_its_schema_says(tmp_path: Path, server: AuthorityServer) -> None:
    found = rows(examined(tmp_path, server, "--json"))
    assert row(found, "server")["verdict"] == "ok"
    assert row(found, "login")["verdict"] == "warn"
    assert row(found, "lock")["verdict"] == "skipped"


def test_quiet_shows_only_what_somebody_should_know(tmp_path: Path, server: AuthorityServer) -> None:
    done = examined(tmp_path, server, "--quiet")
    rows = [line for line in done.out.splitlines() if re.match(r"  \S", line)]
    assert {line.split()[0] for line in rows} <= {"warning", "PROBLEM"}
    assert "nobody is signed in" in done.out
    assert done.err == ""


def test_colour_only_where_it_is_asked_for(tmp_path: Path) -> None:
    assert "\x1b[" in run_command(tmp_path, "doctor", "--offline", "--color", "always").out


@pytest.mark.parametrize("arguments", [("--issuer", "http://example.com"), ("--color", "red"), ("--ofline",)])
def test_a_wrong_argument_is_a_mistake_of_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run_command(tmp_path, "doctor", *arguments).code == 2


# -- who is asked -------------------------------------------------------------------------------------


def test_only_the_issuer_is_asked_once_and_without_a_token(tmp_path: Path, server: AuthorityServer) -> None:
    hold(tmp_path)
    done = examined(tmp_path, server, "-v")  # any other host would be the proxy's, where nobody is
    assert done.out.count("answers, in") == 1
    assert [(each.endpoint, each.method, each.fields) for each in server.authority.requests] == [
        ("other", "GET", {})
    ]


def test_offline_asks_nobody(tmp_path: Path, server: AuthorityServer) -> None:
    found = rows(examined(tmp_path, server, "--offline", "--json"))
    assert {row(found, "server")["verdict"], row(found, "clock")["verdict"]} == {"skipped"}
    assert not server.authority.requests


def test_a_portals_page_is_named_and_not_shown(tmp_path: Path) -> None:
    fault = Fault(
        endpoint="any", status=200, body="<html>canary \x1b[31m</html>", headers={"Content-Type": "text/html"}
    )
    with serve(Authority(policy=AT_ONCE, faults=(fault,))) as server:
        done = examined(tmp_path, server)
    assert done.code == TEMPORARY
    assert "captive portal" in done.out
    assert "canary" not in done.out + done.err


def test_an_unreachable_server_is_temporary(tmp_path: Path) -> None:
    done = run_command(tmp_path, "doctor", "--json")  # through a proxy that is not there
    assert done.code == TEMPORARY
    assert "proxy" in row(rows(done), "server")["found"]


# -- the exit code ------------------------------------------------------------------------------------


def finding(area: Area, verdict: Verdict = Verdict.PROBLEM) -> Finding:
    return Finding("x", area, verdict, "")


@pytest.mark.parametrize(
    ("areas", "code"),
    [
        ([], OK),
        ([Area.ITSELF], UNEXPECTED),
        ([Area.NETWORK, Area.ITSELF], TEMPORARY),
        ([Area.NETWORK, Area.REFUSED], REFUSED),
        ([Area.REFUSED, Area.LOGIN, Area.NETWORK], LOGIN_REQUIRED),
        (list(Area), STORAGE),
    ],
)
def test_the_gravest_problem_gives_the_exit_code(areas: list[Area], code: int) -> None:
    assert doctor.code_of([finding(area) for area in areas]) == code
    others = [verdict for verdict in Verdict if verdict is not Verdict.PROBLEM]
    assert doctor.code_of([finding(area, verdict) for area in areas for verdict in others]) == OK


def test_a_login_that_is_over_and_one_that_is_damaged(tmp_path: Path, server: AuthorityServer) -> None:
    hold(tmp_path, refresh_token=None, expires_at=1000)
    assert examined(tmp_path, server).code == LOGIN_REQUIRED
    path_in_use(tmp_path).write_text("canary-damaged")
    done = examined(tmp_path, server)
    assert (done.code, "canary" in done.out) == (STORAGE, False)


@pytest.mark.parametrize("named", ["nobody@example.com", "acct_"])
def test_an_account_that_the_environment_names_in_vain(
    tmp_path: Path, server: AuthorityServer, named: str
) -> None:
    hold(tmp_path)
    hold(tmp_path, account_id="acct_2")
    done = examined(tmp_path, server, CODEX_OAUTH_ACCOUNT=named)
    assert done.code == LOGIN_REQUIRED
    assert "  PROBLEM login         in use: " in done.out


def test_an_account_that_the_environment_names_is_the_one_in_use(
    tmp_path: Path, server: AuthorityServer
) -> None:
    hold(tmp_path, refresh_token=None, expires_at=1000)
    hold(tmp_path, account_id="acct_2")
    assert examined(tmp_path, server, CODEX_OAUTH_ACCOUNT="acct_2").code in (OK, TEMPORARY)
    assert examined(tmp_path, server, CODEX_OAUTH_ACCOUNT="acct_1").code == LOGIN_REQUIRED


def test_a_check_with_a_bug_hides_no_other_one() -> None:
    def broken(examined: Context) -> Iterable[Finding]:
        yield finding(Area.LOGIN)
        raise LookupError("canary")

    def sound(examined: Context) -> Iterable[Finding]:
        yield Finding("sound", Area.LOGIN, Verdict.OK, "")

    found = list(examine(case(), [("broken", broken), ("sound", sound)]))
    assert [each.name for each in found] == ["x", "broken", "sound"]
    bug = of(found, "broken")
    assert (bug.verdict, bug.area, "LookupError" in bug.found) == (Verdict.PROBLEM, Area.ITSELF, True)
    assert "canary" not in repr(found)


# -- nothing that is secret, nothing that a terminal obeys --------------------------------------------

CANARIES = {
    "HTTPS_PROXY": "http://canary-user:canary-password@127.0.0.1:9/canary-path",
    "https_proxy": "http://canary-user2:canary-password2@127.0.0.1:9",
    "ALL_PROXY": "ftp://canary-user3:canary-password3@127.0.0.1:9",
    "CODEX_OAUTH_TOKEN": "canary-token-of-the-environment",
    "CODEX_OAUTH_SECRET": "canary-unknown-variable",
    "OPENAI_API_KEY": "canary-key",
}


@pytest.mark.parametrize("more", [(), ("--json",), ("--verbose",)])
@pytest.mark.parametrize("of_the_server", [True, False])
def test_no_secret_is_ever_shown(tmp_path: Path, more: tuple[str, ...], *, of_the_server: bool) -> None:
    token = account_token("acct_1", marker="access")
    hold(tmp_path, access_token=_secret(token), refresh_token=_secret("canary-refresh-of-the-cli"))
    hold(tmp_path, account_id="acct_2", refresh_token=_secret("canary-second"))
    (tmp_path / ".codex").mkdir()
    write(tmp_path / ".codex" / "auth.json", OPENAI_API_KEY="canary-key")
    (tmp_path / ".langchain").mkdir()
    (tmp_path / ".langchain" / "chatgpt-auth.json").write_text(json.dumps({"refresh": "canary-second"}))
    fault = Fault(
        endpoint="any", status=403, body={"error": {"code": "canary"}}, headers={"Date": "canary-date"}
    )
    with serve(Authority(policy=AT_ONCE, faults=(fault,))) as server:
        where = ("--issuer", server.url) if of_the_server else ()
        done = run_command(tmp_path, "doctor", *where, *more, **CANARIES)
    assert done.code == LOGIN_REQUIRED  # which it shares
    assert "the same login as acct_1" in done.out
    assert "the same login as acct_2" in done.out
    for text in (done.out, done.err):
        assert "canary" not in text
        assert token not in text
        assert token.split(".")[1] not in text


def _secret(text: str) -> Any:
    from codex_oauth import Secret

    return Secret(text)


def test_what_a_terminal_would_obey_is_escaped() -> None:
    hostile = "\x1b]0;x\x07\r\u202e\n"
    lines = doctor._lines(
        Finding("x", Area.LOGIN, Verdict.WARN, hostile, (hostile,), hostile), 80, colour=False
    )
    text = "\n".join(lines)
    assert not set(text) & set("\x1b\x07\r\u202e")
    assert len(text.splitlines()) == 2


# -- the page -----------------------------------------------------------------------------------------


def test_the_page_names_every_finding_and_every_exit_code() -> None:
    for name in _names():
        assert f"| `{name}` |" in PAGE
    for _, code in doctor._WORST_FIRST:
        assert f"| {code} |" in PAGE


def _names() -> set[str]:
    examined = case(environment={})
    return {finding.name for finding in examine(examined)} | {"file", "leftover", "directory"}


def test_every_check_is_in_the_table() -> None:
    folder = ROOT / "adapters" / "codex_oauth" / "doctor"
    modules = {path.stem for path in folder.glob("*.py") if "def check(context: Context)" in path.read_text()}
    assert modules == {name for name, _ in CHECKS}


def test_what_is_advised_offline_stays_offline(tmp_path: Path) -> None:
    done = run_command(tmp_path, "doctor", "--offline")
    assert "See all checks: codex-oauth doctor --offline -v" in done.err


def test_a_command_about_a_path_names_the_path(tmp_path: Path) -> None:
    hold(tmp_path)
    place = path_in_use(tmp_path).parent
    place.chmod(0o777)
    for command in (["doctor", "--offline"], ["logout", "--local"]):
        done = run_command(tmp_path, *command)
        assert f"chmod go-rwx {place}" in " ".join((done.out + done.err).split()), command


def test_a_file_in_place_of_a_store_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_command(tmp_path, "status", "--store", str(tmp_path / "file"))
    assert done.code == STORAGE
    assert "Name a directory: with CODEX_OAUTH_HOME, or with --store." in done.err
