"""Processes for the storms: forked from one warmed, single-threaded process, and never from the test's own.

Rules of this file: the nursery and its children end with the `with` block, stopped ones too; a child's work
is a function at the top of a module, `work(link, *arguments)`, and what it returns is sent back; a child
that is killed is an end of its link. Nobody waits longer than a limit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from socket import socketpair
from typing import Any, Final, Self

import attrs

__all__ = ["LIMIT", "LONGEST_LIFE", "Child", "Killed", "Link", "Nursery", "Work", "state_of"]

LIMIT: Final = 60.0
"""Seconds that anything may take on a busy machine."""

LONGEST_LIFE: Final = 100
"""Seconds after which a child ends, whoever has forgotten it."""

_GONE: Final = frozenset(("", "Z", "X"))

Link = Connection
Work = Callable[..., object]


class Killed(Exception):
    """The child ended without a result."""


@attrs.define(eq=False)
class Child:
    """A process of the nursery. `pid` names it, and `link` leads to it."""

    pid: int
    link: Link
    over: bool = False

    def hear(self, limit: float = LIMIT) -> Any:
        """The next thing it says. Raises Killed, TimeoutError, and AssertionError if its work failed."""
        if not self.link.poll(limit):
            raise TimeoutError(f"process {self.pid} said nothing for {limit} s")
        try:
            word, value = self.link.recv()
        except (EOFError, ConnectionResetError):
            self._end()
            raise Killed(f"process {self.pid}") from None
        if word == "failed":
            self._end()
            raise AssertionError(f"process {self.pid}:\n{value}")
        if word == "done":
            self._end()
        return value

    def tell(self, value: object = None) -> None:
        """Say something to it."""
        with contextlib.suppress(BrokenPipeError):
            self.link.send(value)

    def result(self, limit: float = LIMIT) -> Any:
        """What its work returned; everything that it says before is passed over."""
        give_up_at = time.monotonic() + limit
        while True:
            value = self.hear(max(0.0, give_up_at - time.monotonic()))
            if self.over:
                return value

    def gone(self, limit: float = LIMIT) -> None:
        """Wait until it was killed. Raises AssertionError if it ended in order."""
        try:
            value = self.result(limit)
        except Killed:
            return
        raise AssertionError(f"process {self.pid} was to be killed, and ended with {value}")

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if not self.over:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stopped(self, limit: float = LIMIT) -> None:
        """Wait until it is stopped."""
        give_up_at = time.monotonic() + limit
        while state_of(self.pid) != "T":
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"process {self.pid} was not stopped")
            time.sleep(0.001)

    def end(self) -> None:
        """Kill it, if it still lives."""
        if not self.over:
            self.send_signal(signal.SIGCONT)
            self.send_signal(signal.SIGKILL)
            self._end()

    def _end(self) -> None:
        """It has said its last: wait until it is gone, for what it marked counts as long as it lives."""
        self.over = True
        self.link.close()
        give_up_at = time.monotonic() + LIMIT
        while state_of(self.pid) not in _GONE:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"process {self.pid} did not end")
            time.sleep(0.001)


def state_of(pid: int) -> str:
    """The state of a process of this machine, as proc_pid_stat(5) names it; empty if there is none."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    return line.rpartition(b")")[2].split()[0].decode()


class Nursery:
    """Forks children. `before` is the command that starts it, `unshare` say. With `hurry` they renew logins in a
    database, and all times of a renewal are shorter by that factor.
    """

    def __init__(self, before: Sequence[str] = (), *, hurry: float = 0.0) -> None:
        ours, theirs = socketpair()
        path = os.pathsep.join(path for path in sys.path if path)
        with ours, theirs:
            self._process = subprocess.Popen(
                [*before, sys.executable, "-m", "tests.storm.nursery", str(theirs.fileno()), str(hurry)],
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "PYTHONPATH": path},
            )
            self._link = Connection(ours.detach())
        self._children: list[Child] = []
        assert self._link.poll(LIMIT)
        self._link.recv()  # it is warm

    def fork(self, work: Work, *arguments: object) -> Child:
        """A child that does `work`."""
        ours, theirs = socketpair()
        with theirs:
            self._link.send((work, arguments))
            send_handle(self._link, theirs.fileno(), self._process.pid)
        child = Child(self._link.recv(), Connection(ours.detach()))
        self._children = [each for each in self._children if not each.over]
        self._children.append(child)
        return child

    def run(self, work: Work, *arguments: object) -> Any:
        """What `work` returns, in a child."""
        return self.fork(work, *arguments).result()

    def close(self) -> None:
        """End everything."""
        end_all(self._children)
        self._link.close()
        self._process.wait(LIMIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def end_all(children: Iterable[Child]) -> None:
    """Kill those that still live."""
    for child in children:
        child.end()


_NEEDED: Final = (
    "encodings.idna",
    "filelock",
    "codex_oauth.cli.main",
    "codex_oauth.cli.stored",
    "codex_oauth.cli.output",
    "codex_oauth.cli.errors",
    "codex_oauth.cli.parser",
    "codex_oauth.cli.arguments",
    "codex_oauth.tokens.flight",
    "codex_oauth.cli.errors",
    "codex_oauth.cli.waiting",
    "codex_oauth.elsewhere",
    "codex_oauth.transport.httpx_messages",
    "codex_oauth.worlds.storing",
    "codex_oauth_core.flows.renewal",
    "tests.storm.commands",
    "codex_oauth_core.flows.finish_sign_in",
    "tests.storm.expiry",
    "tests.storm.work",
)


def warm() -> None:
    """Load what a renewal loads, so that a child begins with its work at once."""
    for name in _NEEDED:
        import_module(name)
    world = import_module("codex_oauth.worlds.httpx_world").HttpxWorld
    with world():
        pass


def main(link: Link, hurry: float) -> None:
    """Fork a child for each piece of work, until the other end is closed."""
    if hurry:
        import_module("tests.storm.hurry").hurry(hurry)
        import_module("tests.storm.database_work")
    warm()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead leave no zombie
    link.send("warm")
    while True:
        try:
            work, arguments = link.recv()
        except EOFError:
            return
        handle = recv_handle(link)
        pid = os.fork()
        if pid == 0:
            link.close()
            live(Connection(handle), work, arguments)
        os.close(handle)
        link.send(pid)


def live(link: Link, work: Work, arguments: tuple[object, ...]) -> None:
    """A child's whole life."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.alarm(LONGEST_LIFE)
    try:
        said: tuple[str, object] = ("done", work(link, *arguments))
    except BaseException:  # noqa: BLE001  # told to whoever waits
        said = ("failed", traceback.format_exc())
    with contextlib.suppress(BrokenPipeError):
        link.send(said)
    os._exit(0)


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])), float(sys.argv[2]))
