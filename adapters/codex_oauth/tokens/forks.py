"""What a forked child does with what it has from its parent: it begins anew.

Rules of this file: an owner is known for as long as it lives, and is not kept alive by it.
"""

from __future__ import annotations

import os
import weakref
from typing import Final, Protocol

__all__ = ["begin_again_in_children"]


class Beginner(Protocol):
    """Something that can begin again."""

    def begin(self) -> None:
        """Forget what does not exist in a forked child."""


_OWNERS: Final = weakref.WeakSet[Beginner]()


def begin_again_in_children(owner: Beginner) -> None:
    """Have `owner.begin()` called in every forked child, for as long as `owner` lives."""
    _OWNERS.add(owner)


def _begin_again() -> None:
    for owner in list(_OWNERS):
        owner.begin()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_again)
