"""Checks of a store: the lock, who has it, and what changes under it.

Rules of this file: threads stand for processes; a check waits for them for a bounded time.
"""

from __future__ import annotations

import time
from typing import Final

from codex_oauth.stores.store import Saved, SaveFailed, Store
from codex_oauth.testing.bounded import elsewhere
from codex_oauth.testing.checking import ACCOUNT, locked, put, refused, renewed, same, sample, settle, true
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["LOCKING_CHECKS"]

_AT_ONCE: Final = 1.0  # seconds; a machine that is busy with tests is slow


def the_lock_is_exclusive_and_never_waited_for(store: Store) -> None:
    first, second = store.slot(ACCOUNT), store.slot(ACCOUNT)
    with locked(first):
        begun = time.monotonic()
        same(second.lock(), None, "a lock that another slot holds")
        true(time.monotonic() - begun < _AT_ONCE, "lock() must answer at once where the lock is held")
    with locked(second):
        same(first.lock(), None, "a lock that another slot holds")


def the_lock_of_another_account_is_free(store: Store) -> None:
    with locked(store.slot("a")):
        locked(store.slot("b")).release()


def the_lock_holds_for_other_threads_and_moves_between_them(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    held = locked(slot)
    same(elsewhere(slot.lock), None, "a lock that another thread holds")
    elsewhere(held.release)
    theirs = elsewhere(locked, slot)
    same(slot.lock(), None, "a lock that another thread took")
    theirs.release()
    locked(slot).release()


def a_lock_given_back_twice_is_given_back_once(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    first = locked(slot)
    first.release()
    first.release()
    with locked(slot):
        first.release()
        same(slot.lock(), None, "a lock whose former holder gives it back again")
    with locked(slot) as held:
        held.release()
    locked(slot).release()


def a_former_holder_takes_nothing_from_the_next(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as former:
        former.reserve(sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        before = slot.load()
        for what, again in (
            ("release()", former.release),
            ("the end of its block", lambda: former.__exit__(None, None, None)),
        ):
            again()
            same(
                slot.load(), before, f"the login with the intent of its holder, after {what} of a former one"
            )
            same(slot.lock(), None, f"a lock, after {what} of a former holder")
            same(held.sending(), True, f"whether the holder may send, after {what} of a former one")
    same(slot.load(), sample(1), "the login after that")


class _Boom(Exception):
    """What goes wrong inside a `with` block."""


class _Stop(BaseException):
    """What ends a `with` block as Ctrl-C does, or a task that is cancelled."""


def a_with_block_gives_the_lock_back_however_it_ends(store: Store) -> None:
    slot = store.slot(ACCOUNT)

    def stumble(how: type[BaseException]) -> None:
        with locked(slot) as held:
            same(held.load(), None, "the login under the lock of an empty place")
            raise how

    refused(_Boom, "an exception in a `with` block", stumble, _Boom)
    locked(slot).release()
    refused(_Stop, "what ends a `with` block as Ctrl-C does", stumble, _Stop)
    locked(slot).release()
    for _ in range(2):
        with locked(slot):
            pass


def what_was_given_back_changes_nothing_any_more(store: Store) -> None:
    slot = put(store, sample(1))
    old = locked(slot)
    old.release()
    expected = sample(1).fingerprint
    with locked(slot):
        failed = refused(SaveFailed, "a save without the lock", old.save, sample(2), expected)
        same(failed.error.kind, ErrorKind.AUTH_WRITE_FAILED, "the kind of the error")
        error = refused(SignInError, "a reservation without the lock", old.reserve, sample(1))
        found = (error.kind, error.details.get("reason"))
        wanted = (ErrorKind.AUTH_WRITE_FAILED, "lock_lost")
        same(found, wanted, "the kind and reason of the error of a reservation without the lock")
        refused(SignInError, "a deletion without the lock", old.delete, expected)
        same(slot.load(), sample(1), "the login, which nobody with the lock has changed")
    same(settle(slot), sample(1), "the login after that")


def reading_needs_no_lock(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        same(slot.load(), sample(1), "the login, while its lock is held")
        same((held.load(), store.names()), (sample(1), (ACCOUNT,)), "the store, while a lock is held")
        store.select(ACCOUNT)
        same(store.current(), ACCOUNT, "the current account, while its lock is held")
        same(slot.lock(), None, "a lock, after the login was read while it is held")
        store.prepare()
        same(slot.lock(), None, "a lock, after the store was prepared while it is held")


def the_login_under_the_lock_follows_each_change(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    with locked(slot) as held:
        for number, expected in ((1, None), (2, sample(1).fingerprint)):
            held.save(sample(number), expected)
            same(held.load(), sample(number), f"the login under the lock, after save number {number}")
        held.save(sample(4), sample(3).fingerprint)
        same(held.load(), sample(2), "the login under the lock, after a save that was a conflict")
        held.save(sample(2, spent=True), sample(2).fingerprint)
        same(held.load(), sample(2, spent=True), "the login under the lock, after a mark was saved")
        held.delete(sample(2).fingerprint)
        same(held.load(), None, "the login under the lock, after it was deleted")


def a_place_that_was_only_looked_at_is_not_there(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    slot.load()
    with locked(slot) as held:
        held.load()
        held.save(sample(2), sample(1).fingerprint)
        refused(SignInError, "a reservation for what is not stored", held.reserve, sample(1))
        held.delete(None)
    same((slot.load(), store.names()), (None, ()), "the store, after an empty place was locked")


def a_login_is_the_same_for_every_thread(store: Store) -> None:
    slot = elsewhere(put, store, sample(1))
    same(slot.load(), sample(1), "the login that another thread has saved")
    elsewhere(store.prepare)
    elsewhere(store.select, ACCOUNT)
    same(store.current(), ACCOUNT, "the current account, which another thread has selected")
    elsewhere(slot.rescue, sample(2))
    same(elsewhere(slot.load), sample(2), "the login that another thread has rescued, read in a third one")
    same(
        (elsewhere(store.names), elsewhere(store.current)),
        ((ACCOUNT,), ACCOUNT),
        "the store in another thread",
    )
    with locked(slot) as held:
        elsewhere(held.reserve, sample(2))
        same(elsewhere(held.sending), True, "whether another thread may send for the holder of the lock")
        answer = elsewhere(held.save, renewed(sample(2), 3), sample(2).fingerprint)
        same(answer, Saved(), "the answer to a save by another thread, for the holder of the lock")
    same(slot.load(), renewed(sample(2), 3), "the login that another thread saved for the holder of the lock")


LOCKING_CHECKS: Final = (
    the_lock_is_exclusive_and_never_waited_for,
    the_lock_of_another_account_is_free,
    the_lock_holds_for_other_threads_and_moves_between_them,
    a_lock_given_back_twice_is_given_back_once,
    a_with_block_gives_the_lock_back_however_it_ends,
    what_was_given_back_changes_nothing_any_more,
    reading_needs_no_lock,
    the_login_under_the_lock_follows_each_change,
    a_place_that_was_only_looked_at_is_not_there,
    a_login_is_the_same_for_every_thread,
    a_former_holder_takes_nothing_from_the_next,
)
