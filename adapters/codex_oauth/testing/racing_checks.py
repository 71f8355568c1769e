"""Checks of a store: callers that race.

Rules of this file: threads stand for processes; a check waits for them for a bounded time. A race that a
store loses only sometimes is run often enough to be seen.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import attrs

from codex_oauth.stores.store import LockedLogin, Saved, Slot, Store
from codex_oauth.testing.bounded import ELSEWHERE_LIMIT, Elsewhere, all_at_once
from codex_oauth.testing.checking import ACCOUNT, fail, locked, put, same, sample, settle, true

__all__ = ["RACING_CHECKS"]


def one_of_many_gets_the_lock(store: Store) -> None:
    slot = put(store, sample(1))

    def take(_: int) -> LockedLogin | None:
        return slot.lock()

    gained = [held for held in all_at_once(take, range(40), threads=8) if held is not None]
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

    all_at_once(update, range(12))
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

    all_at_once(work, range(20))
    same(store.names(), (ACCOUNT,), "the accounts after the race")


def readers_keep_the_lock_from_nobody(store: Store) -> None:
    slot = put(store, sample(1))
    store.select(ACCOUNT)
    over = threading.Event()

    def read(_: int) -> None:
        while not over.is_set():
            same(slot.load(), sample(1), "the login, while others read it and take its lock")
            store.names()
            store.current()

    reading = Elsewhere(lambda: all_at_once(read, range(4)))
    try:
        for _ in range(30):
            time.sleep(0.003)  # at some other moment of their reading
            locked(slot).release()
    finally:
        over.set()
    reading.result()


def logins_saved_at_once_are_all_kept(store: Store) -> None:
    accounts = [f"acct_{number}" for number in range(10, 22)]

    def keep(account_id: str) -> None:
        slot = put(store, sample(1, account_id))
        for number in (2, 3):
            with locked(slot) as held:
                held.reserve(sample(number - 1, account_id))
                held.save(sample(number, account_id), sample(number - 1).fingerprint)
        same(slot.load(), sample(3, account_id), "a login that was saved while others were")

    all_at_once(keep, accounts)
    same(store.names(), tuple(accounts), "the accounts that were saved at once")
    for account_id in accounts:
        same(
            store.slot(account_id).load(), sample(3, account_id), "one of the logins that were saved at once"
        )


def sign_ins_rescued_at_once_are_all_seen(store: Store) -> None:
    slot = put(store, sample(1))
    newest = 13
    with locked(slot) as held:
        rescuing = Elsewhere(
            lambda: all_at_once(lambda number: slot.rescue(sample(number)), range(newest, 1, -1))
        )
        for number in range(5):
            mark = sample(1, uncertain_at=float(number))
            same(held.save(mark, sample(1).fingerprint), Saved(), "the answer to a save while others rescue")
        rescuing.result()
        same(slot.load(), sample(newest), "the login for readers, after twelve sign-ins were rescued at once")
    same(settle(slot), sample(newest), "the login, after twelve sign-ins were rescued at once")


def _waited_for(slot: Slot) -> LockedLogin:
    give_up_at = time.monotonic() + ELSEWHERE_LIMIT
    while (held := slot.lock()) is None:
        true(time.monotonic() < give_up_at, "the lock must become free while others take and give it back")
        time.sleep(0.001)
    return held


RACING_CHECKS: Final = (
    one_of_many_gets_the_lock,
    no_update_is_lost_in_a_race,
    nobody_ever_sees_half_a_record,
    readers_keep_the_lock_from_nobody,
    logins_saved_at_once_are_all_kept,
    sign_ins_rescued_at_once_are_all_seen,
)
