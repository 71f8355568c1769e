"""A way in which a store of one's own comes out broken.

Rules of this file: a breakage is a function that stands in the place of one of the store in memory; it names
every check that is there to catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from codex_oauth import MemoryStore
from codex_oauth_core import Record


@attrs.frozen
class Broken:
    """`by` stands in the place of each of the `names` of `target`, and the checks `caught_by` fail."""

    target: Any
    names: tuple[str, ...]
    by: Any
    caught_by: tuple[str, ...]


BROKEN: dict[str, Broken] = {}
"""By what is wrong."""

_F = TypeVar("_F", bound=Callable[..., Any])


def breaks(target: Any, names: str, *caught_by: str) -> Callable[[_F], _F]:
    """What is decorated breaks a store."""

    def add(by: _F) -> _F:
        BROKEN[by.__name__] = Broken(target, tuple(names.split()), by, caught_by)
        return by

    return add


def stored_in(store: MemoryStore, account_id: str) -> Record | None:
    """What a store holds, whatever is broken."""
    return store.place(account_id).record()
