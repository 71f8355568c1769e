"""Checks of a store: the lock, the announcement of a renewal, and callers that race.

Rules of this file: threads stand for processes; a check waits for them for a bounded time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import attrs

from codex_oauth.stores.store import Conflict, LockedLogin, Saved, SaveFailed, Slot, Store
from codex_oauth.testing.checking import (
    ACCOUNT,
    fail,
    locked,
    put,
    refused,
    renewed,
    same,
    sample,
    settle,
    true,
)
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import Intent, Record, without_intent
from codex_oauth_core.renewal_times import INTENT_LIFE

__all__ = ["LOCKING_CHECKS"]

_AT_ONCE: Final = 1.0  # seconds; a machine that is busy with tests is slow
_PATIENCE: Final = 30.0  # seconds for a race to end


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
    with ThreadPoolExecutor(1) as pool:
        held = locked(slot)
        same(pool.submit(slot.lock).result(_PATIENCE), None, "a lock that another thread holds")
        pool.submit(held.release).result(_PATIENCE)
        theirs = pool.submit(lambda: locked(slot)).result(_PATIENCE)
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


class _Boom(Exception):
    """What goes wrong inside a `with` block."""


def a_with_block_gives_the_lock_back_however_it_ends(store: Store) -> None:
    slot = store.slot(ACCOUNT)

    def stumble() -> None:
        with locked(slot) as held:
            same(held.load(), None, "the login under the lock of an empty place")
            raise _Boom

    refused(_Boom, "an exception in a `with` block", stumble)
    locked(slot).release()


def what_was_given_back_changes_nothing_any_more(store: Store) -> None:
    slot = put(store, sample(1))
    old = locked(slot)
    old.release()
    expected = sample(1).fingerprint
    with locked(slot):
        failed = refused(SaveFailed, "a save without the lock", old.save, sample(2), expected)
        same(failed.error.kind, ErrorKind.AUTH_WRITE_FAILED, "the kind of the error")
        refused(SignInError, "a reservation without the lock", old.reserve, sample(1))
        refused(SignInError, "a deletion without the lock", old.delete, expected)
        same(slot.load(), sample(1), "the login, which nobody with the lock has changed")
    same(settle(slot), sample(1), "the login after that")


def reading_needs_no_lock(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        same(slot.load(), sample(1), "the login, while its lock is held")
        same((held.load(), store.names()), (sample(1), (ACCOUNT,)), "the store, while a lock is held")


def a_reservation_announces_the_renewal(store: Store) -> None:
    slot = put(store, sample(1, unknown={"color": "blue"}))
    with locked(slot) as held:
        held.reserve(sample(1, unknown={"color": "blue"}))
        intent = _announced(slot)
        same(intent.pid, os.getpid(), "the process id of the intent")
        true(intent.host, "the intent must name a host")
        true(abs(time.time() - intent.at) < _PATIENCE, "the intent's time must be now, in Unix seconds")
        marked = sample(1, unknown={"color": "blue"}, intent=intent)
        same((slot.load(), held.load()), (marked, marked), "the login, which an intent was marked in")


def an_intent_that_nothing_was_saved_over_is_taken_back(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
    same(slot.load(), sample(1), "the login, after a reservation was not used")
    with locked(slot) as held:
        held.reserve(sample(1))
        same(type(held.save(sample(3), sample(2).fingerprint)), Conflict, "the answer to a wrong save")
    same(settle(slot), sample(1), "the login, after a reservation was used for nothing")


def an_intent_stays_after_an_exception(store: Store) -> None:
    slot = put(store, sample(1))
    with suppress(KeyError), locked(slot) as held:
        held.reserve(sample(1))
        raise KeyError("whatever ends a driver")
    true(_announced(slot).host, "the intent must stay where nobody says what was sent")
    # not `locked`: where locks do not end with their process, the intent of an earlier hold keeps everybody
    # out for its life, its own process too
    if (again := slot.lock()) is not None:
        again.release()


def a_save_after_a_reservation_stores_exactly_the_record(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        same(held.save(renewed(sample(1), 2), sample(1).fingerprint), Saved(), "the answer to a save")
        same(slot.load(), renewed(sample(1), 2), "the login before the lock is given back")
    same(settle(slot), renewed(sample(1), 2), "the login after the lock was given back")


def a_reservation_may_be_repeated(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        held.reserve(sample(1))
        held.save(sample(2), sample(1).fingerprint)
        held.reserve(sample(2))
    same(slot.load(), sample(2), "the login, after the last reservation was not used")


def a_reservation_for_something_else_is_refused(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        error = refused(SignInError, "a reservation for what is not stored", held.reserve, sample(2))
    found = (error.kind, error.details.get("reason"))
    same(found, (ErrorKind.AUTH_WRITE_FAILED, "changed"), "the kind and reason of the error")
    same(slot.load(), sample(1), "the login, after a reservation was refused")
    with locked(store.slot("a")) as held:
        error = refused(SignInError, "a reservation for nothing", held.reserve, sample(2, "a"))
    same(error.kind, ErrorKind.AUTH_WRITE_FAILED, "the kind of the error")
    same(store.slot("a").load(), None, "the place that a reservation was refused for")


def a_living_processs_young_intent_is_busy(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        ours = _announced(slot)
        theirs = attrs.evolve(ours, pid=os.getppid() or 1, at=time.time(), owner=f"{ours.owner}-other")
        held.save(sample(1, intent=theirs), sample(1).fingerprint)
    same(slot.lock(), None, "the lock of a login that another process has just announced a renewal of")
    same(slot.load(), sample(1, intent=theirs), "the login with its intent")


def an_intent_is_forgotten_after_its_life(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        theirs = attrs.evolve(_announced(slot), pid=os.getppid() or 1, at=time.time() - INTENT_LIFE - 1)
        held.save(sample(1, intent=theirs), sample(1).fingerprint)
    locked(slot).release()


def an_old_doubt_outlives_a_reservation_that_is_taken_back(store: Store) -> None:
    slot = put(store, sample(1))
    old = _interrupted(slot)
    with locked(slot) as held:
        held.reserve(without_intent(old))
    stored = slot.load()
    true(stored is not None and stored.in_doubt, "that an earlier renewal was interrupted must stay noted")


def a_save_over_an_old_intent_stores_exactly_the_record(store: Store) -> None:
    slot = put(store, sample(1))
    _interrupted(slot)
    with locked(slot) as held:
        same(held.save(sample(2), sample(1).fingerprint), Saved(), "the answer to a save over an old intent")
    same(slot.load(), sample(2), "the login that was saved over one with an old intent")


def an_intent_of_another_hold_has_another_owner(store: Store) -> None:
    slot = put(store, sample(1))
    owners: set[str] = set()
    for _ in range(3):
        with locked(slot) as held:
            held.reserve(sample(1))
            owners.add(_announced(slot).owner)
    true(len(owners) == 3 and "" not in owners, "each hold of the lock must draw an owner for its intents")


def a_request_may_go_out_after_its_reservation_only(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        same(held.sending(), False, "whether a request may go out without a reservation")
        refused(SignInError, "a reservation for what is not stored", held.reserve, sample(2))
        same(held.sending(), False, "whether a request may go out after a reservation was refused")
        held.reserve(sample(1))
        same(
            (held.sending(), held.sending()),
            (True, True),
            "whether a request may go out that was reserved for",
        )
    same(held.sending(), False, "whether a request may go out after the lock was given back")
    with locked(slot) as other:
        other.reserve(sample(1))
        same(held.sending(), False, "whether a request may go out while somebody else has reserved")


def a_save_that_is_repeated_is_saved(store: Store) -> None:
    slot = put(store, sample(1))
    record = renewed(sample(1), 2)
    with locked(slot) as held:
        held.reserve(sample(1))
        held.save(record, sample(1).fingerprint)
        same(held.save(record, sample(1).fingerprint), Saved(), "the answer to the same save once more")
        other = held.save(renewed(sample(1), 3), sample(1).fingerprint)
        same(other, Conflict(record), "the answer to another save over what is not stored any more")
    same(settle(slot), record, "the login that was saved twice")


def one_of_many_gets_the_lock(store: Store) -> None:
    slot = put(store, sample(1))

    def take(_: int) -> LockedLogin | None:
        return slot.lock()

    with ThreadPoolExecutor(8) as pool:
        gained = [held for held in pool.map(take, range(40)) if held is not None]
    same(len(gained), 1, "how many of 40 callers have the lock")
    gained[0].release()


def no_update_is_lost_in_a_race(store: Store) -> None:
    slot = put(store, sample(1))

    def update(_: int) -> None:
        with _waited_for(slot) as held:
            stored = held.load() or fail("the login is gone")
            time.sleep(0.001)  # as a renewal takes time
            after = attrs.evolve(sample(stored.generation + 2), generation=stored.generation + 1)
            same(held.save(after, stored.fingerprint), Saved(), "the answer to a save under the lock")

    _all_at_once(update, 12)
    stored = slot.load()
    same(stored and stored.generation, 12, "the generation after 12 renewals that raced")


def nobody_ever_sees_half_a_record(store: Store) -> None:
    records = [sample(number, unknown={"padding": str(number % 10) * 20_000}) for number in range(1, 21)]
    slot = put(store, records[0])

    def read(_: int) -> None:
        true(slot.load() in records, "a reader must see a whole record")

    def work(number: int) -> None:
        read(number)
        with _waited_for(slot) as held:
            stored = held.load() or fail("the login is gone")
            held.save(records[number], stored.fingerprint)
        read(number)

    _all_at_once(work, 20)
    same(store.names(), (ACCOUNT,), "the accounts after the race")


def _interrupted(slot: Slot) -> Record:
    """The login as a process left it that was interrupted, longer ago than anybody waits for it."""
    with locked(slot) as held:
        intent = Intent(os.getppid() or 1, "elsewhere", time.time() - INTENT_LIFE - 1, "an earlier hold")
        interrupted = sample(1, intent=intent)
        held.save(interrupted, sample(1).fingerprint)
    return interrupted


def _announced(slot: Slot) -> Intent:
    stored = slot.load()
    if stored is None or stored.intent is None:
        fail("a reservation must mark an intent in the stored record, for others to see")
    return stored.intent


def _waited_for(slot: Slot) -> LockedLogin:
    give_up_at = time.monotonic() + _PATIENCE
    while (held := slot.lock()) is None:
        true(time.monotonic() < give_up_at, "the lock must become free while others take and give it back")
        time.sleep(0.001)
    return held


def _all_at_once(work: Callable[[int], None], times: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(times)))


LOCKING_CHECKS: Final = (
    the_lock_is_exclusive_and_never_waited_for,
    the_lock_of_another_account_is_free,
    the_lock_holds_for_other_threads_and_moves_between_them,
    a_lock_given_back_twice_is_given_back_once,
    a_with_block_gives_the_lock_back_however_it_ends,
    what_was_given_back_changes_nothing_any_more,
    reading_needs_no_lock,
    a_reservation_announces_the_renewal,
    an_intent_that_nothing_was_saved_over_is_taken_back,
    an_intent_stays_after_an_exception,
    a_save_after_a_reservation_stores_exactly_the_record,
    a_reservation_may_be_repeated,
    a_reservation_for_something_else_is_refused,
    a_living_processs_young_intent_is_busy,
    an_intent_of_another_hold_has_another_owner,
    a_request_may_go_out_after_its_reservation_only,
    a_save_that_is_repeated_is_saved,
    an_intent_is_forgotten_after_its_life,
    an_old_doubt_outlives_a_reservation_that_is_taken_back,
    a_save_over_an_old_intent_stores_exactly_the_record,
    one_of_many_gets_the_lock,
    no_update_is_lost_in_a_race,
    nobody_ever_sees_half_a_record,
)
