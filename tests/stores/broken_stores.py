"""All the broken stores, by what is wrong with them."""

from __future__ import annotations

from tests.stores import (
    broken_files,
    broken_keeping,
    broken_leftovers,
    broken_locking,
    broken_registrations,
    broken_tables,
)
from tests.stores.breakage import BROKEN, Broken

__all__ = [
    "BROKEN",
    "Broken",
    "broken_files",
    "broken_keeping",
    "broken_leftovers",
    "broken_locking",
    "broken_registrations",
    "broken_tables",
]
