"""U7, U11, U23, U24: whole sign-ins on a real terminal, narrow and wide, plain and in colour."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from codex_oauth.authority import Approve, Authority, AuthorityServer, Policy, serve
from tests.cli.commands import run_command
from tests.cli.person import Person
from tests.transport.servers import BUSY

ASK = Policy(approve=Approve.ASK, interval=1, lifetime=120, strict_pace=False)
COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-7]|4[0-7]|9[0-7])[;m]")


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=ASK)) as running:
        yield running


def signs_in(person: Person, server: AuthorityServer) -> None:
    """Type the code elsewhere, and see the end."""
    code = person.sees(r"[\sm]([A-Z0-9]{4}-[A-Z0-9]{4})[\s\x1b]")
    person.sees("Waiting")
    server.authority.decide(code, time.monotonic(), approve=True)
    assert person.leaves() == 0
    rows = [row.strip() for row in person.text.splitlines()]
    assert rows.count(code) == 1
    assert rows.count(f"{server.url}/codex/device") == 1
    assert "Never share this code." in " ".join(person.text.split())
    assert "Signed in as" in person.text


PLAIN: dict[str, tuple[tuple[str, ...], dict[str, str | None]]] = {
    "--accessible": (("--accessible",), {}),
    "ACCESSIBLE": ((), {"ACCESSIBLE": "1"}),
    "TERM=dumb": ((), {"TERM": "dumb"}),
    "no TERM": ((), {"TERM": None}),
    "all wishes": (("--accessible", "--qr"), {"NO_COLOR": "1", "LANG": "C"}),
}


@pytest.mark.parametrize("columns", [20, 200])
@pytest.mark.parametrize("wish", PLAIN)
def test_u24_not_one_escape_and_no_return_that_writes_over_a_line(
    tmp_path: Path, server: AuthorityServer, wish: str, columns: int
) -> None:
    arguments, extra = PLAIN[wish]
    person = Person(tmp_path, server, "--device", *arguments, columns=columns, **extra)
    signs_in(person, server)
    assert "\x1b" not in person.bytes
    assert "\r" not in person.bytes.replace("\r\n", "")  # those are the line discipline's
    assert person.bytes.isascii()


@pytest.mark.parametrize(("columns", "locale"), [(20, "C.UTF-8"), (80, "C"), (200, "C.UTF-8"), (20, "C")])
def test_u24_no_color_takes_the_colours_and_u23_the_locale_the_glyphs(
    tmp_path: Path, server: AuthorityServer, columns: int, locale: str
) -> None:
    person = Person(tmp_path, server, "--device", columns=columns, NO_COLOR="1", LANG=locale)
    signs_in(person, server)
    assert COLOUR.search(person.bytes) is None
    assert person.bytes.isascii() or locale != "C"
    assert person.screen[-1].strip()


def test_in_colour_the_code_stands_out_and_is_there_once(tmp_path: Path, server: AuthorityServer) -> None:
    person = Person(tmp_path, server, "--device", columns=200)
    signs_in(person, server)
    assert COLOUR.search(person.bytes)
    assert sum(bool(re.fullmatch(r" {4}[A-Z0-9]{4,5}-[A-Z0-9]{4,5}", row)) for row in person.screen) == 1
    assert "● Done" in person.screen


@pytest.mark.parametrize("columns", [20, 200])
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_u23_a_qr_code_is_whole_or_silently_not_there(
    tmp_path: Path, server: AuthorityServer, columns: int, locale: str
) -> None:
    person = Person(tmp_path, server, "--device", "--qr", columns=columns, LANG=locale)
    signs_in(person, server)
    rows = [row for row in person.screen if len(row) > 30 and set(row) <= set("█▀▄ ") and row[0] != " "]
    assert bool(rows) is (columns == 200 and locale == "C.UTF-8")
    assert not re.search(r"\bQR\b", person.text)  # a user code may have these letters
    assert len({len(row) for row in rows}) <= 1


def test_u11_in_ci_it_fails_at_once_and_names_the_ways_without_a_person(
    tmp_path: Path, server: AuthorityServer
) -> None:
    begun = time.monotonic()
    done = run_command(tmp_path, "login", "--issuer", server.url, CI="true")
    assert time.monotonic() - begun < BUSY
    assert (done.code, done.out) == (4, "")
    for way in ("CODEX_OAUTH_HOME", "import --from-codex", "login --device"):
        assert way in done.err
    assert not {"\x1b", "\r"} & set(done.err)
    assert server.authority.requests == []


def test_u11_in_ci_a_program_gets_the_same_as_an_event(tmp_path: Path, server: AuthorityServer) -> None:
    done = run_command(tmp_path, "login", "--issuer", server.url, "--json", CI="true")
    assert (done.code, done.err) == (4, "")
    (event,) = done.documents
    assert event["event"] == "error"
    assert len(event["error"]["next_actions"]) == 3


@pytest.mark.parametrize("ci", ["", "0", "false"])
def test_u11_without_a_terminal_nothing_is_asked_and_nothing_drawn(tmp_path: Path, ci: str) -> None:
    with serve(Authority(policy=Policy(approve=Approve.AUTO, interval=1, strict_pace=False))) as server:
        done = run_command(tmp_path, "login", "--issuer", server.url, CI=ci, TERM="xterm")
    assert done.code == 0
    assert not {"\x1b", "\r"} & set(done.err + done.out)
    assert "Waiting for your approval." in done.err
