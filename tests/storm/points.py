"""Trace points: every place in a renewal at which a process can be killed, stopped or held.

Rules of this file: a point is before or after a step that somebody outside can notice: an effect of the
flow, a call that changes a file or a directory, a call that moves bytes of the request; a name that comes
again is counted, so that a name is one point, and every run reaches the same ones.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from codex_oauth import StoringWorld
from codex_oauth_core import Event, SendRequest, Wait
from codex_oauth_core.storage import StorageEffect

__all__ = ["PointedWorld", "Points", "Region", "patched", "region", "signing"]

_STORING: Final[tuple[tuple[Any, str], ...]] = (
    (os, "open"),
    (os, "fchmod"),
    (os, "posix_fallocate"),
    (os, "ftruncate"),
    (os, "write"),
    (os, "fsync"),
    (os, "replace"),
    (os, "unlink"),
    (os, "mkdir"),
    (fcntl, "flock"),
)
_SENDING: Final[tuple[tuple[Any, str], ...]] = (
    (socket.socket, "connect"),
    (socket.socket, "connect_ex"),
    (socket.socket, "send"),
    (socket.socket, "recv"),
)


@attrs.define(eq=False)
class Points:
    """The points that one run has reached: `act` is called at the one named `chosen`."""

    act: Callable[[str], None]
    chosen: str | None = None
    seen: list[str] = attrs.field(factory=list[str])
    _times: Counter[str] = attrs.field(factory=Counter[str], init=False)
    _inside: str | None = attrs.field(default=None, init=False)

    def reach(self, step: str) -> None:
        """Be at a point."""
        self._times[step] += 1
        times = self._times[step]
        if times > 1 and step.endswith("recv"):  # the network decides how many there are
            return
        name = step if times == 1 else f"{step} ({times})"
        self.seen.append(name)
        if name == self.chosen:
            inside, self._inside = self._inside, None  # what `act` does is no part of the run
            self.act(name)
            self._inside = inside

    @contextmanager
    def within(self, effect: str) -> Generator[None]:
        """One effect: its steps are points too."""
        self.reach(f"before {effect}")
        self._inside = effect
        try:
            yield
        finally:
            self._inside = None
        self.reach(f"after {effect}")

    def wrapped(self, name: str, real: Callable[..., Any], *, sending: bool) -> Callable[..., Any]:
        """A function whose calls are points, where they belong to the run."""

        def call(*args: Any, **options: Any) -> Any:
            effect = self._inside
            told = effect is not None and (effect == "SendRequest") == sending
            if told and name == "open" and not args[1] & os.O_CREAT:
                told = False
            if told:
                self.reach(f"{effect}: before {name}")
            result = real(*args, **options)
            if told:
                self.reach(f"{effect}: after {name}")
            return result

        return call


@contextmanager
def patched(points: Points) -> Generator[None]:
    """Have the steps noticed in this process."""
    steps: list[tuple[Any, str, bool]] = [
        *((where, name, False) for where, name in _STORING),
        *((where, name, True) for where, name in _SENDING),
    ]
    before = [(where, name, getattr(where, name)) for where, name, _ in steps]
    for where, name, sending in steps:
        setattr(where, name, points.wrapped(name, getattr(where, name), sending=sending))
    try:
        yield
    finally:
        for where, name, real in before:
            setattr(where, name, real)


class PointedWorld:
    """A world whose effects are points."""

    def __init__(self, world: StoringWorld, points: Points) -> None:
        self._world = world
        self._points = points

    def now(self) -> tuple[float, float]:
        """The world's clocks."""
        return self._world.now()

    def perform(self, effect: SendRequest | Wait | StorageEffect) -> Event:
        """Do what the effect asks."""
        with self._points.within(type(effect).__name__):
            return self._world.perform(effect)


@attrs.frozen
class Region:
    """Where a point lies: `sent` after the request may have left, `kept` after its answer is in a file."""

    sent: bool
    kept: bool

    @property
    def lost(self) -> bool:
        """Whether the answer is in nobody's hands but the process's."""
        return self.sent and not self.kept


def region(names: list[str], name: str) -> Region:
    """Where a point lies in a run through `names`."""
    place = names.index(name)
    sent = names.index("SendRequest: before send")
    return Region(sent=place > sent, kept=place >= names.index("Save: after write"))


def signing(names: list[str]) -> list[str]:
    """The points of a sign-in from its first effect to its last, which must be a look for a former login."""
    assert names[-1].startswith("after Find")
    return names
