"""The limit of the checks: a store that hangs ends its check, and neither the run nor the process waits for it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from codex_oauth import MemoryStore
from codex_oauth.stores.memory_store import MemoryHeld, MemorySlot
from codex_oauth.testing import bounded, leftover_checks, locking_checks, racing_checks, store_checks
from codex_oauth.testing.bounded import all_at_once, elsewhere, limited

LIMIT = 0.3


@pytest.fixture
def hang() -> Any:
    """Waits until the test is over."""
    over = threading.Event()

    def wait(*_: object, **__: object) -> None:
        over.wait(60)

    yield wait
    over.set()


@pytest.mark.parametrize(
    ("target", "name", "check", "line"),
    [
        (MemoryStore, "names", store_checks.a_new_store_is_empty, "store.names()"),
        (MemorySlot, "lock", locking_checks.the_lock_of_another_account_is_free, "slot.lock()"),
        (MemorySlot, "load", leftover_checks.readers_change_nothing, "slot.load()"),
        (MemorySlot, "rescue", leftover_checks.what_was_rescued_counts_once, "slot.rescue(sample(2))"),
        (MemoryHeld, "save", store_checks.what_is_saved_is_loaded, "held.save(record, expected)"),
        (MemoryHeld, "release", store_checks.what_is_saved_is_loaded, "with locked(slot) as held:"),
    ],
)
def test_it_is_told_what_has_not_come_back(
    target: Any,
    name: str,
    check: Callable[[Any], None],
    line: str,
    hang: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hanging(*_: object, **__: object) -> None:
        hang()

    monkeypatch.setattr(target, name, hanging)
    with pytest.raises(AssertionError) as failed:
        limited(check, LIMIT)(MemoryStore())
    assert line in str(failed.value)
    assert "hanging" in str(failed.value) or name == "release"
    assert str(failed.value).endswith("had not come back after 0.3 s")


def test_what_hangs_in_a_thread_of_a_check_is_told_too(
    hang: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = MemorySlot.lock

    def hanging(self: MemorySlot) -> Any:
        return lock(self) if threading.current_thread() is threading.main_thread() else hang()

    monkeypatch.setattr(MemorySlot, "lock", hanging)
    result: Any = vars(bounded.Elsewhere)["result"]
    monkeypatch.setattr(result, "__defaults__", (LIMIT,))
    with pytest.raises(
        AssertionError, match=r"slot\.lock\(\)`, in .*hanging, had not come back after 0\.3 s"
    ):
        racing_checks.one_of_many_gets_the_lock(MemoryStore())


def test_a_check_that_ends_in_time_tells_what_it_found() -> None:
    class Unfinished(MemoryStore):
        def names(self) -> tuple[str, ...]:
            raise KeyError("a text of somebody else's")

    with pytest.raises(KeyError):
        limited(store_checks.a_new_store_is_empty)(Unfinished())
    limited(store_checks.a_new_store_is_empty)(MemoryStore())
    assert limited(store_checks.a_new_store_is_empty).__name__ == "a_new_store_is_empty"


def test_ctrl_c_in_a_check_comes_out_of_it() -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        limited(interrupted)(None)


def test_work_elsewhere_is_done_in_another_thread_and_in_order() -> None:
    assert elsewhere(threading.get_ident) != threading.get_ident()
    assert all_at_once(lambda number: number * 2, range(50), threads=8) == [*range(0, 100, 2)]
    with pytest.raises(ZeroDivisionError):
        all_at_once(lambda number: 1 // number, [1, 0, 1])


def test_the_process_ends_although_a_store_hangs() -> None:
    code = """
import threading
from codex_oauth.stores.memory_store import MemorySlot, MemoryStore
from codex_oauth.testing import bounded, racing_checks, store_checks
MemorySlot.lock = lambda self: threading.Event().wait()
bounded.Elsewhere.result.__defaults__ = (0.3,)
for check in (racing_checks.one_of_many_gets_the_lock, store_checks.what_is_saved_is_loaded):
    try:
        bounded.limited(check, 1.0)(MemoryStore())
    except AssertionError as error:
        print("ended")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\nended\n", "")
