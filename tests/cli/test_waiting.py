"""What a command says while it waits for the lock, the disk or the server, and has nothing else to show."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from codex_oauth import FileStore
from codex_oauth.cli.waiting import WaitNotice
from codex_oauth_core import CODEX, ErrorKind, Record, Wait, Why
from tests.bench.logins import credential
from tests.cli.at_terminal import at_terminal
from tests.cli.commands import environment, run_command

REFUSED = "127.0.0.1 refused the connection. The request is sent again."


def told(*waits: Wait, watched: bool = True) -> list[str]:
    said: list[str] = []
    notice = WaitNotice(said.append, watched=watched)
    for wait in waits:
        notice.wait(wait)
    return said


def retry(until: float, trouble: str | None = "example.com did not answer in 15 s") -> Wait:
    return Wait(until, Why.RETRY, cause=ErrorKind.NETWORK, trouble=trouble)


def test_a_request_that_is_sent_again_is_told_once_for_each_reason() -> None:
    other = retry(4.0, "example.com closed the connection")
    assert told(retry(1.0), retry(1.0), retry(2.0), other, other) == [
        "example.com did not answer in 15 s. The request is sent again.",
        "example.com closed the connection. The request is sent again.",
    ]


def test_a_server_that_asks_for_fewer_requests_is_told_of() -> None:
    limited = Wait(9.0, Why.RATE_LIMITED, cause=ErrorKind.RATE_LIMITED)
    assert told(limited, limited) == ["The server asks for fewer requests. The request is sent again."]


def test_the_lock_is_told_of_after_a_moment_also_after_a_request_that_failed() -> None:
    queued = [Wait(at, Why.QUEUED) for at in (10.0, 10.5, 11.0, 11.5)]
    assert told(retry(1.0), *queued) == [
        "example.com did not answer in 15 s. The request is sent again.",
        "Waiting for another program, which uses this login.",
    ]
    assert told(*queued[:2]) == []


def test_where_nobody_watches_the_error_at_the_end_is_enough() -> None:
    queued = [Wait(at, Why.QUEUED) for at in (10.0, 11.0)]
    assert told(retry(1.0), *queued, watched=False) == ["Waiting for another program, which uses this login."]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where a login has expired, whose server is not there."""
    with socket.socket() as taken:  # nobody listens there
        taken.bind(("127.0.0.1", 0))
        issuer = f"http://127.0.0.1:{taken.getsockname()[1]}"
        login = attrs.evolve(credential(CODEX.at(issuer), left=-5), obtained_at="2020-01-01T00:00:00Z")
        store = FileStore(tmp_path / "logins-of-the-test")
        held = store.slot(login.key).lock()
        assert held is not None
        with held:
            held.save(Record(login), None)
        store.select(login.key)
        yield tmp_path


COMMANDS = pytest.mark.parametrize("command", ["refresh", "token", "logout"])


@COMMANDS
def test_at_a_terminal_a_command_says_why_nothing_happens_for_some_seconds(home: Path, command: str) -> None:
    with closing(at_terminal(home, command, env=environment(home), dimensions=(24, 80))) as child:
        child.expect_exact(REFUSED)
        assert child.before == ""
        child.kill(signal.SIGKILL)


@COMMANDS
def test_elsewhere_a_command_says_it_at_the_end_alone(home: Path, command: str) -> None:
    assert "The request is sent again" not in run_command(home, command).err
