"""A way in which a store of one's own comes out broken.

Rules of this file: a breakage is a function that stands in the place of one of a right store: of the one in memory,
the one in a single file, or the one in tables of docs/stores.md; it names every check that is there to catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from codex_oauth import MemoryStore
from codex_oauth_core import Record
from tests.stores.one_file_store import OneFileStore
from tests.stores.table_store import TABLE

__all__ = ["BROKEN", "Broken", "breaks", "in_memory", "in_one_file", "in_tables", "stored_in"]


def in_memory(place: Path) -> Any:
    """A store of the kind that most of them break."""
    return MemoryStore()


def in_one_file(place: Path) -> Any:
    """A store that is one JSON file."""
    return OneFileStore(place / "one file")


def in_tables(place: Path) -> Any:
    """The store of docs/stores.md."""
    return TABLE.TableStore(place / "tables")


@attrs.frozen
class Broken:
    """`by` stands in the place of each of the `names` of `target`, and the checks `caught_by` fail for a store that
    `make` makes in a folder.
    """

    target: Any
    names: tuple[str, ...]
    by: Any
    caught_by: tuple[str, ...]
    make: Callable[[Path], Any]


BROKEN: Final[dict[str, Broken]] = {}
"""By what is wrong."""

_F = TypeVar("_F", bound=Callable[..., Any])


def breaks(
    target: Any, names: str, *caught_by: str, make: Callable[[Path], Any] = in_memory
) -> Callable[[_F], _F]:
    """What is decorated breaks a store."""

    def add(by: _F) -> _F:
        if by.__name__ in BROKEN:
            raise ValueError(f"two broken stores are called {by.__name__}")
        BROKEN[by.__name__] = Broken(target, tuple(names.split()), by, caught_by, make)
        return by

    return add


def stored_in(store: MemoryStore, account_id: str) -> Record | None:
    """What a store holds, whatever is broken."""
    return store.place(account_id).record()
