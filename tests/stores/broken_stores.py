"""All the broken stores, by what is wrong with them."""

from __future__ import annotations

from tests.stores import broken_keeping, broken_leftovers, broken_locking, broken_registrations
from tests.stores.breakage import BROKEN, Broken

__all__ = ["BROKEN", "Broken", "broken_keeping", "broken_leftovers", "broken_locking", "broken_registrations"]
