"""The command on a real terminal: what a person sees, and Ctrl-C at each stage."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from codex_oauth import FileStore
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, Policy, serve
from tests.cli.at_terminal import at_terminal
from tests.cli.commands import environment
from tests.transport.servers import BUSY

ASK = Policy(approve=Approve.ASK, interval=1, lifetime=120, strict_pace=False)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SGR = r"(?:\x1b\[[0-9;]*m)*"


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=ASK)) as running:
        yield running


def spawn(home: Path, server: AuthorityServer, extra: dict[str, str] | None = None, columns: int = 80) -> Any:
    arguments = ("login", "--device", "--issuer", server.url)
    env = environment(home, **{"TERM": "xterm", **(extra or {})})
    return at_terminal(home, *arguments, env=env, dimensions=(24, columns))


def code_of(child: Any) -> str:
    """The code that stands alone on its line."""
    child.expect(rf"\n{SGR}    {SGR}(\w{{4}}-\w{{4}}){SGR}\r\n")
    return found(child)


def found(child: Any) -> str:
    """What the first group of the last `expect` matched."""
    return str(child.match[1])


def ended(child: Any) -> int:
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus is not None, child.signalstatus
    return int(child.exitstatus)


def test_the_code_stands_alone_and_the_time_left_counts_down(tmp_path: Path, server: AuthorityServer) -> None:
    child = spawn(tmp_path, server)
    user_code = code_of(child)
    child.expect(r"(\d+:\d\d)  Waiting")
    first = found(child)
    child.expect(rf"(?!{first})\d+:\d\d  Waiting")
    server.authority.decide(user_code, time.monotonic(), approve=True)
    child.expect(r"Signed in as somebody@example\.com")
    assert ended(child) == 0


def test_ctrl_c_while_it_waits_ends_within_a_second(tmp_path: Path, server: AuthorityServer) -> None:
    child = spawn(tmp_path, server)
    child.expect("Waiting")
    begun = time.monotonic()
    child.sendintr()
    assert ended(child) == 130
    assert time.monotonic() - begun < BUSY
    text = ANSI.sub("", child.before or "")
    assert "Traceback" not in text
    assert FileStore(tmp_path / "logins-of-the-test").names() == ()


def test_ctrl_c_during_a_request_cuts_it(tmp_path: Path) -> None:
    with serve(Authority(policy=ASK, faults=[Fault(endpoint="usercode", delay=30)])) as server:
        child = spawn(tmp_path, server)
        wait_for(server, "usercode")
        begun = time.monotonic()
        child.sendintr()
        assert ended(child) == 130
        assert time.monotonic() - begun < BUSY


def test_ctrl_c_during_the_exchange_does_not_lose_the_login(tmp_path: Path) -> None:
    policy = Policy(approve=Approve.AUTO, interval=1, strict_pace=False)
    with serve(Authority(policy=policy, faults=[Fault(endpoint="exchange", delay=1.5)])) as server:
        child = spawn(tmp_path, server)
        wait_for(server, "exchange")
        child.sendintr()
        child.expect("Signed in as")
        assert ended(child) == 0
    assert len(FileStore(tmp_path / "logins-of-the-test").names()) == 1


@pytest.mark.parametrize("columns", [20, 200])
def test_the_live_line_never_wraps(tmp_path: Path, server: AuthorityServer, columns: int) -> None:
    child = spawn(tmp_path, server, columns=columns)
    child.expect(r"\r([^\r\n]*Waiting[^\r\n]*)\x1b\[K")
    line = ANSI.sub("", found(child))
    child.sendintr()
    ended(child)
    assert len(line) < columns


@pytest.mark.parametrize("extra", [{"TERM": "dumb"}, {"ACCESSIBLE": "1"}])
def test_where_a_line_cannot_be_redrawn_lines_are_appended(
    tmp_path: Path, server: AuthorityServer, extra: dict[str, str]
) -> None:
    child = spawn(tmp_path, server, extra)
    child.expect(r"Waiting for your approval\.")
    seen = (child.before or "") + (child.after if isinstance(child.after, str) else "")
    child.sendintr()
    ended(child)
    assert "\x1b" not in seen
    assert "\r" not in seen.replace("\r\n", "")


def test_plain_ascii_is_enough(tmp_path: Path, server: AuthorityServer) -> None:
    child = spawn(tmp_path, server, {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"})
    child.expect("Waiting")
    assert (child.before or "").isascii()
    child.sendintr()
    assert ended(child) == 130


def wait_for(server: AuthorityServer, endpoint: str) -> None:
    give_up = time.monotonic() + 120
    while not server.authority.received(endpoint):
        assert time.monotonic() < give_up
        time.sleep(0.02)
