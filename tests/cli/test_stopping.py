"""U10: Ctrl-C at each stage of a sign-in, on a real terminal: it ends, soon, and leaves everything as it was."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, Policy, serve
from tests.cli.person import Person
from tests.transport.servers import BUSY

ASK = Policy(approve=Approve.ASK, interval=1, lifetime=120, strict_pace=False, any_redirect_port=True)
AUTO = Policy(approve=Approve.AUTO, interval=1, strict_pace=False)
BROWSER = ("--browser", "--no-open", "--port", "0")

Arrives = Callable[[Person, AuthorityServer], object]


def asked(endpoint: str) -> Arrives:
    """Once a request is on its way."""

    def wait(person: Person, server: AuthorityServer) -> None:
        give_up = time.monotonic() + 120
        while not server.authority.received(endpoint):
            assert time.monotonic() < give_up
            time.sleep(0.02)

    return wait


def shown(pattern: str) -> Arrives:
    return lambda person, server: person.sees(pattern)


STAGES: dict[str, tuple[tuple[str, ...], tuple[Fault, ...], Arrives]] = {
    "it asks for a code": (("--device",), (Fault(endpoint="usercode", delay=60),), asked("usercode")),
    "it waits between polls": (("--device",), (), shown("Waiting")),
    "a poll is on its way": (("--device",), (Fault(endpoint="poll", delay=60),), asked("poll")),
    "lines": (("--device", "--accessible"), (), shown("Waiting")),
    "it waits for the browser": (BROWSER, (), shown("Waiting")),
    "it waits for a paste": ((*BROWSER, "--paste"), (), shown("Waiting")),
}


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_ends_it_within_a_second_and_leaves_the_terminal_as_it_was(tmp_path: Path, stage: str) -> None:
    arguments, faults, arrives = STAGES[stage]
    with serve(Authority(policy=ASK, faults=faults)) as server:
        person = Person(tmp_path, server, *arguments)
        arrives(person, server)
        code, seconds = person.stops()
    assert code == 130
    assert "Traceback" not in person.text
    assert person.modes_after == person.modes
    assert FileStore(tmp_path / "logins-of-the-test").names() == ()
    _is_closed(person.text)
    assert seconds < 1 + BUSY


def _is_closed(text: str) -> None:
    """No port that the page named is listened on any more."""
    for port in re.findall(r"localhost%3A(\d+)", text.replace("\r\n", "")):
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", int(port)), 1).close()


def test_the_second_ctrl_c_stops_at_once_though_tokens_are_on_their_way(tmp_path: Path) -> None:
    with serve(Authority(policy=AUTO, faults=[Fault(endpoint="exchange", delay=60)])) as server:
        person = Person(tmp_path, server, "--device")
        asked("exchange")(person, server)
        person.presses_ctrl_c()
        person.sees("when the answer of the server has come")
        code, seconds = person.stops()
    assert code == 130
    assert seconds < 1 + BUSY
    assert "Traceback" not in person.text
    assert person.modes_after == person.modes
