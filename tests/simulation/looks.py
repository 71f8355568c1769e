"""A store for code that reads: what it sees was looked at before, step by step, so that others act in between.

Rules of this file: the code that reads is run again from its beginning for each look that it has not had yet; so
it must do nothing but read, and always ask for the same. A look is one step of a file system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import attrs

from codex_oauth.stores.store import LockedLogin
from codex_oauth_core import ErrorKind, Record, SignInError
from codex_oauth_core.leftovers import best_leftover
from tests.simulation.disk import Disk, Home

__all__ = ["SeenSlot", "SeenStore", "Unseen"]

_T = TypeVar("_T")


class Unseen(BaseException):
    """Nobody has had that look yet; nothing on the way takes it for a failure."""

    def __init__(self, look: Callable[[], object]) -> None:
        super().__init__()
        self.look = look


@attrs.define(eq=False)
class SeenStore:
    """`home`, as `answers` tell it. `rescued`: the names beside which something was to be kept."""

    home: Home
    answers: list[object]
    rescued: list[str] = attrs.field(factory=list[str])
    _next: int = 0

    def look(self, look: Callable[[], _T]) -> _T:
        """The answer of the next look. Raises Unseen, if it was not had yet, and what the look has raised."""
        if self._next == len(self.answers):
            raise Unseen(lambda: _tried(look))
        answer = self.answers[self._next]
        self._next += 1
        if isinstance(answer, SignInError):
            raise answer
        return cast("_T", answer)

    def names(self) -> tuple[str, ...]:
        """See `Store.names`."""
        return self.look(self._names)

    def current(self) -> str | None:
        """See `Store.current`."""
        selected = self.look(lambda: self.home.selected)
        return selected if selected in self.names() else None

    def slot(self, key: str) -> SeenSlot:
        """See `Store.slot`."""
        return SeenSlot(self, key)

    def _names(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, disk in self.home.places.items() if _is_there(disk)))

    def select(self, key: str | None) -> None:
        """Nothing that reads does this."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Nothing that reads does this."""
        raise NotImplementedError


@attrs.frozen(eq=False)
class SeenSlot:
    """One place of a `SeenStore`."""

    _store: SeenStore
    key: str

    def load(self) -> Record | None:
        """See `Slot.load`."""
        return self._store.look(lambda: _loaded(self._store.home.place(self.key)))

    def lock(self) -> LockedLogin | None:
        """Nothing that reads does this."""
        raise NotImplementedError

    def rescue(self, record: Record) -> None:
        """Note where the record was to be kept."""
        self._store.rescued.append(self.key)


def _tried(look: Callable[[], object]) -> object:
    try:
        return look()
    except SignInError as error:
        return error


def _is_there(disk: Disk) -> bool:
    return disk.main is not None or any(copy.rescued for copy in disk.copies.values())


def _loaded(disk: Disk) -> Record | None:
    if disk.unreadable:
        raise SignInError.of(ErrorKind.AUTH_READ_FAILED, reason="io_error")
    rescued = [copy.record for copy in disk.copies.values() if copy.rescued and copy.record]
    return best_leftover(disk.main, rescued) or disk.main
