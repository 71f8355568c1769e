"""Ctrl-C, SIGTERM and a closed terminal while the real command renews: what was sent is stored. F3.

Rules of this file: the command is a process of its own, with a terminal or without; the signal comes when
the authority has the refresh token and has not answered yet, once or many times.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from tests.cli.commands import COMMAND, Done, environment, run_command
from tests.storm.logins import EXPIRED, MANDATORY, Ground, authority
from tests.storm.nursery import LIMIT
from tests.storm.tally import Row, Tally

__all__ = ["CASES", "Case", "interrupted"]

_DELAY: Final = 0.8
_PAUSE: Final = 0.03
INTERRUPTED: Final = 130


@attrs.frozen
class Case:
    """One signal, sent `times` times; `terminal`: to a command with one, from its keyboard if it can be."""

    number: signal.Signals
    times: int = 1
    terminal: bool = False
    left: float = EXPIRED

    def __str__(self) -> str:
        where = "a terminal" if self.terminal else "no terminal"
        return f"{self.number.name} x {self.times}, {where}, {self.left:.0f} s left"


CASES: Final = (
    Case(signal.SIGINT),
    Case(signal.SIGINT, terminal=True),
    Case(signal.SIGINT, times=8),
    Case(signal.SIGINT, times=8, terminal=True),
    Case(signal.SIGTERM),
    Case(signal.SIGTERM, times=8),
    Case(signal.SIGTERM, terminal=True),
    Case(signal.SIGHUP),
    Case(signal.SIGHUP, terminal=True),
    Case(signal.SIGINT, left=MANDATORY),
)


_HEAR: Final = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""
_HEARING: Final = (sys.executable, "-c", _HEAR)
"""The beginning of a command that hears every signal, also where the storm runs in the background."""


def interrupted(home: Path, cases: Sequence[Case] = CASES) -> Row:
    """`codex-oauth token` is interrupted after it has sent the refresh token."""
    tally = Tally("signals in the section, `codex-oauth token`", 1)
    with authority(delay=_DELAY) as server:
        for number, case in enumerate(cases):
            place = home / f"signal-{number}"
            place.mkdir()
            ground = Ground.of(server, place / "logins-of-the-test", case.left)
            done = _run(place, ground, case)
            tally.check(done.code == INTERRUPTED, f"{case}: {done}")
            tally.check(done.out == "", f"{case}: it printed something")
            tally.check("awaited and stored" in done.err, f"{case}: it said {done.err!r}")
            tally.check("Traceback" not in done.err and "ignored" not in done.err, f"{case}: {done.err}")
            stored = ground.stored
            renewed = stored is not None and stored.generation == 1 and not stored.in_doubt
            tally.check(renewed, f"{case}: the login is {stored}")
            tally.check(ground.leftovers() == set(), f"{case}: {ground.leftovers()} is left")
            again = run_command(place, "token")
            tally.check(again.code == 0 and ground.new != ground.old, f"{case}: then {again.err}")
            tally.check_one_exchange(ground, f"{case}:")
            tally.count(ground)
    return tally.row


def _run(home: Path, ground: Ground, case: Case) -> Done:
    """The command, and the signal at its time."""
    ours, theirs = pty.openpty() if case.terminal else (None, None)
    with subprocess.Popen(
        [*_HEARING, *([] if theirs is None else _on_terminal(theirs)), *COMMAND, "token"],
        env=environment(home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        ground.wait_for_refresh()
        for _ in range(case.times):
            _interrupt(process, case.number, ours)
            time.sleep(_PAUSE)
        out, err = process.communicate(timeout=LIMIT)
    if theirs is not None:
        os.close(theirs)
    if ours is not None and case.number is not signal.SIGHUP:
        os.close(ours)
    return Done(process.returncode, out, err)


def _on_terminal(fd: int) -> list[str]:
    """The beginning of a command that makes a terminal its own: whoever leads a session and opens one has it."""
    return ["sh", "-c", f'exec "$0" "$@" < {os.ttyname(fd)}']


def _interrupt(process: subprocess.Popen[str], number: signal.Signals, terminal: int | None) -> None:
    if terminal is not None and number is signal.SIGINT:
        os.write(terminal, b"\x03")
        return
    if terminal is not None and number is signal.SIGHUP:
        os.close(terminal)
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
