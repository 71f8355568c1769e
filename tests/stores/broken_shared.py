"""All the shared stores that are wrong, by what is wrong with them.

Rules of this file: they are opened by name, so that the processes which the checks start can open them too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.stores.broken_leases import LEASES
from tests.stores.broken_locks import LOCKS
from tests.stores.lease_store import LeaseStore

__all__ = ["BROKEN", "open_broken"]

BROKEN: Final = {**LOCKS, **LEASES}


def open_broken(what: str, path: Path) -> LeaseStore:
    """A store with that fault."""
    return LeaseStore(path, BROKEN[what].slot, BROKEN[what].held)
