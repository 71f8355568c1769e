"""What begins again in a forked child: locks that somebody else held, and work on threads that are gone."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Final

__all__ = ["in_every_child"]

_BEGIN: Final[set[weakref.WeakMethod[Callable[[], None]]]] = set()


def in_every_child(begin: Callable[[], None]) -> None:
    """Have the method `begin` called in every forked child, for as long as its object lives."""
    _BEGIN.add(weakref.WeakMethod(begin, _BEGIN.discard))


def _begin_again() -> None:
    for known in list(_BEGIN):
        begin = known()
        if begin is not None:
            begin()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_again)
