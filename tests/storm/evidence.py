"""What the processes of the storm over a database wrote down, held against what the authority received.

Rules of this file: a refresh token that came twice has a cause for each of its senders but one, and a cause is one of
the windows that are documented, proven by the lines of that very sender; a process that was killed is no proof where
its answer was stored. All instants are of one monotonic clock.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from codex_oauth_core import renewal_times

__all__ = ["KILLED", "Evidence", "Line", "Stop", "Times", "read"]

KILLED: Final = "killed between the first byte and the durable copy"
STOPPED: Final = "stopped between the last look and the save for longer than others wait"
CUT_OFF: Final = "away from the database at the save for longer than saves are repeated"
ANSWER_LOST: Final = "the answer did not come in time"
OVER_ALREADY: Final = "the end of a login could not be noted"
"""The windows, by name."""

_STORED: Final = ("saved", "conflict")
_SLACK: Final = 15.0
"""Seconds that a caller may wait beside the renewal: two connections and a statement, on a busy machine."""


@attrs.frozen
class Times:
    """The times of a renewal, `hurry` times as short."""

    hurry: float

    @property
    def longest_stop(self) -> float:
        """From the last look on: who is stopped for longer may be taken for dead."""
        times = renewal_times
        return (times.INTENT_LIFE - times.SEND_BY - times.REQUEST_TIMEOUT) / self.hurry

    @property
    def save_within(self) -> float:
        return renewal_times.SAVE_WITHIN / self.hurry

    @property
    def intent_life(self) -> float:
        return renewal_times.INTENT_LIFE / self.hurry

    @property
    def longest_ask(self) -> float:
        """The longest that anybody waits for a token."""
        times = renewal_times
        return (times.WAIT_EXPIRED + times.REQUEST_TIMEOUT + times.SAVE_WITHIN) / self.hurry + _SLACK


@attrs.frozen
class Line:
    """What one process was about to do, or had done."""

    at: float
    pid: int
    what: str
    owner: str
    mark: str | None
    more: Mapping[str, Any] = attrs.field(factory=dict[str, Any])


@attrs.frozen
class Stop:
    """A process stood still."""

    pid: int
    since: float
    until: float


def read(logs: Iterable[Path]) -> list[Line]:
    """All lines, in order of time. A line that was cut short by a kill was not written."""
    found = list[Line]()
    for log in logs:
        for text in log.read_text(encoding="utf-8").splitlines():
            values = json.loads(text)
            known = {name: values.pop(name) for name in ("at", "pid", "what", "owner", "mark")}
            found.append(Line(**known, more=values))
    return sorted(found, key=lambda line: line.at)


@attrs.frozen
class Evidence:
    """`lines` of all, which processes were `killed`, and who stood still when."""

    lines: Sequence[Line]
    killed: Collection[int]
    stops: Sequence[Stop]
    times: Times

    # -- refresh tokens that came twice --------------------------------------------------------------------

    def causes(self, mark: str, count: int) -> list[str] | None:
        """Why the token `mark` was received `count` times: a cause for each time but the last; None if there are
        fewer.
        """
        senders = [line for line in self.lines if line.what == "looked" and line.mark == mark]
        found = [cause for each in senders if (cause := self._cause(each)) is not None]
        return sorted(found)[: count - 1] if len(found) >= count - 1 else None

    def _cause(self, looked: Line) -> str | None:
        """Which window the sender fell into that looked then."""
        after = list[Line]()
        for line in self.lines:
            if line.at > looked.at and (line.pid, line.mark) == (looked.pid, looked.mark):
                if line.what == "reserved":
                    break
                after.append(line)
        stored = next((line for line in after if line.what in _STORED), None)
        saving = next((line for line in after if line.what == "saving"), None)
        if stored is None and looked.pid in self.killed:
            return KILLED
        if saving is not None and saving.more["over"]:
            return OVER_ALREADY if stored is None else None
        if saving is not None and saving.more["lost"]:
            return ANSWER_LOST
        until = stored or saving
        if until is not None and self._stood_still(looked.pid, looked.at, until.at) > self.times.longest_stop:
            return STOPPED
        failed = [line for line in after if line.what == "unsaved"]
        if saving is not None and failed:
            given_up = (stored or failed[-1]).at - saving.at
            return CUT_OFF if given_up > self.times.save_within else None
        return None

    def _stood_still(self, pid: int, since: float, until: float) -> float:
        return sum(
            max(0.0, min(stop.until, until) - max(stop.since, since))
            for stop in self.stops
            if stop.pid == pid
        )

    # -- those who asked -----------------------------------------------------------------------------------

    def answers(self, lost: Collection[str]) -> tuple[Counter[str], list[str], float]:
        """How those who asked were answered, what was wrong about it, and the longest wait in seconds. `lost`: the
        owners whose logins are over.
        """
        counted, wrong, slowest = Counter[str](), list[str](), 0.0
        waiting = defaultdict[int, Line | None](lambda: None)
        for line in self.lines:
            asked = waiting[line.pid]
            if line.what == "ask":
                waiting[line.pid] = line
            elif line.what in ("served", "told") and asked is not None:
                waiting[line.pid] = None
                took = line.more["took"] - self._stood_still(line.pid, asked.at, line.at)
                slowest = max(slowest, took)
                counted[_answer(line)] += 1
                if (problem := self._problem(line, took, lost)) is not None:
                    wrong.append(problem)
        unanswered = {pid for pid, asked in waiting.items() if asked is not None}
        counted["ended with their process"] = len(unanswered & set(self.killed))
        wrong += [f"process {pid} asked, and had no answer" for pid in unanswered - set(self.killed)]
        return counted, wrong, slowest

    def _problem(self, line: Line, took: float, lost: Collection[str]) -> str | None:
        if took > self.times.longest_ask:
            return f"{line.owner} was answered after {took:.1f} s"
        if line.what == "served":
            dead = line.more["left"] is not None and line.more["left"] <= 0
            return f"{line.owner} was given a dead token" if dead else None
        kind = line.more["kind"]
        if kind == "login_required":
            return None if line.owner in lost else f"{line.owner} was told to sign in, and is signed in"
        true = kind in _TEMPORARY or line.more["reason"] in _DEAD_AT_BIRTH
        return None if true else f"{line.owner} was {_answer(line)}"


_TEMPORARY: Final = ("network", "auth_read_failed", "auth_write_failed")
_DEAD_AT_BIRTH: Final = (
    "expired_token",
)  # the process stood still for as long as a token of this storm lives


def _answer(line: Line) -> str:
    if line.what == "served":
        return "served"
    return f"told {line.more['reason'] or line.more['kind']}"
