"""The checks that every store passes: run them against a store of your own.

Rules of this file: no test framework; each check gets a new, empty store, and raises an `AssertionError`
that says what is wrong.

    check_store(lambda: MyStore(...))

or, a test for each check:

    @pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
    def test_my_store(check: StoreCheck, tmp_path: Path) -> None:
        check(MyStore(tmp_path))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from codex_oauth.stores.store import Store
from codex_oauth.testing.checking import told
from codex_oauth.testing.keeping_checks import KEEPING_CHECKS
from codex_oauth.testing.leftover_checks import LEFTOVER_CHECKS
from codex_oauth.testing.locking_checks import LOCKING_CHECKS

__all__ = ["STORE_CHECKS", "StoreCheck", "check_store"]


class StoreCheck(Protocol):
    """One check. Its name says what must hold."""

    __name__: str

    def __call__(self, store: Store, /) -> None:
        """Raises AssertionError if it does not hold of `store`, which must be new."""
        ...


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (*KEEPING_CHECKS, *LOCKING_CHECKS, *LEFTOVER_CHECKS)
"""In the order in which a new store is best built."""


def check_store(make: Callable[[], Store]) -> None:
    """Run every check, each against a new store from `make`.

    Raises AssertionError at the first that fails: its text names the check and says what is wrong. What a
    store raised, it has as its cause.
    """
    for check in STORE_CHECKS:
        store = make()
        try:
            check(store)
        except Exception as error:
            raise told(check, error) from error
