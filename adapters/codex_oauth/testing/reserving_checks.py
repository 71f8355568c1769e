"""Checks of a store: the announcement of a renewal, its request, and the save of its answer.

Rules of this file: a check waits for a bounded time. Where time must pass, the clocks of this process are put
ahead for the moment of one call; a store that asks another clock is waited for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from itertools import product
from typing import Any, Final
from unittest.mock import patch

import attrs

from codex_oauth.stores.store import Conflict, Deleted, Saved, Slot, Store
from codex_oauth.testing.bounded import ELSEWHERE_LIMIT
from codex_oauth.testing.checking import (
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
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY

__all__ = ["RESERVING_CHECKS"]

_AT_ONCE: Final = 1.0  # seconds; a machine that is busy with tests is slow
_NO_PROCESS: Final = 2**22 + 7  # more than Linux counts
_REST = 1.0
"""Seconds that an intent still has to live."""
_LATE = 10.0
"""Seconds after its life in which a lock must be free: a store's clock may be another one than ours."""
_SEND_BY = SEND_BY
_SLACK: Final = 0.2


def a_reservation_announces_the_renewal(store: Store) -> None:
    slot = put(store, sample(1, unknown={"color": "blue"}))
    with locked(slot) as held:
        held.reserve(sample(1, unknown={"color": "blue"}))
        intent = _announced(slot)
        same(intent.pid, os.getpid(), "the process id of the intent")
        true(intent.host, "the intent must name a host")
        true(abs(time.time() - intent.at) < ELSEWHERE_LIMIT, "the intent's time must be now, in Unix seconds")
        marked = sample(1, unknown={"color": "blue"}, intent=intent)
        same((slot.load(), held.load()), (marked, marked), "the login, which an intent was marked in")


def an_intent_that_nothing_was_saved_over_is_taken_back(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
    same(slot.load(), sample(1), "the login, after a reservation was not used")
    with locked(slot) as held:
        held.reserve(sample(1))
        before = _announced(slot)
        same(type(held.save(sample(3), sample(2).fingerprint)), Conflict, "the answer to a wrong save")
        same(_announced(slot), before, "the intent, after a save that was a conflict")
    same(settle(slot), sample(1), "the login, after a reservation was used for nothing")


def an_intent_stays_after_an_exception(store: Store) -> None:
    for account_id, how in (("a", KeyError), ("b", KeyboardInterrupt)):
        slot = put(store, sample(1, account_id))
        with suppress(how), locked(slot) as held:
            held.reserve(sample(1, account_id))
            raise how
        stored = slot.load()
        stays = stored is not None and stored.intent is not None
        true(stays, f"the intent must stay where {how.__name__} ended the block: nobody says what was sent")
        # not `locked`: where locks do not end with their process, the intent of an earlier hold keeps
        # everybody out for its life, its own process too
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
    with locked(slot) as held:
        held.reserve(sample(2))
        held.reserve(sample(2))
        same(held.sending(), True, "whether a request may go out that was reserved for twice")
    same(slot.load(), sample(2), "the login, after two reservations were not used")


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
    with locked(slot) as held:
        held.reserve(sample(1))
        refused(SignInError, "a second reservation, for what is not stored", held.reserve, sample(2))
    same(slot.load(), sample(1), "the login, after a reservation that was not used, and one that was refused")


def a_deletion_after_a_reservation_is_final(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        same(held.delete(sample(1).fingerprint), Deleted(), "the answer to a deletion after a reservation")
        same(slot.load(), None, "the login that was deleted after a reservation, under the lock")
    same(
        (slot.load(), store.names()),
        (None, ()),
        "the store, after the lock of a deleted login was given back",
    )


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
    slot = put(store, sample(1, "a"))
    _interrupted(slot)
    for what in ("was taken and given back", "was taken again"):
        with locked(slot):
            pass
        stored = slot.load()
        in_doubt = stored is not None and stored.in_doubt
        true(in_doubt, f"that an earlier renewal was interrupted must stay noted, after the lock {what}")


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
    slot = store.slot("a")
    with locked(slot) as held:
        for what in ("the first save of a sign-in", "the same save once more"):
            same(held.save(sample(1, "a"), None), Saved(), f"the answer to {what}")
    with locked(slot) as held:
        same(held.save(sample(1, "a"), None), Saved(), "the answer to the same save under a later lock")
        same(held.save(sample(2, "a"), None), Conflict(sample(1, "a")), "the answer to another first save")


def an_intent_keeps_others_out_for_its_life(store: Store) -> None:
    for number, (age, where) in enumerate(product((0.0, 60.0, INTENT_LIFE - 10.0), ("here", "elsewhere"))):
        account_id = f"acct_{number}"
        slot = put(store, sample(1, account_id))
        with locked(slot) as held:
            held.reserve(sample(1, account_id))
            ours = _announced(slot)
            theirs = attrs.evolve(
                ours, pid=os.getppid() or 1, at=time.time() - age, owner=f"{ours.owner}-other"
            )
            if where == "elsewhere":
                theirs = attrs.evolve(theirs, host="elsewhere", pid=_NO_PROCESS)
            held.save(sample(1, account_id, intent=theirs), sample(1).fingerprint)
        begun = time.monotonic()
        same(slot.lock(), None, f"the lock of a login with an intent of {age:.0f} s, of a process {where}")
        true(time.monotonic() - begun < _AT_ONCE, "lock() must answer at once where it meets an intent")


def a_lock_that_an_intent_refused_is_free_after_it(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        at = time.time() - INTENT_LIFE + _REST
        theirs = attrs.evolve(_announced(slot), pid=os.getppid() or 1, at=at, owner="another hold")
        held.save(sample(1, intent=theirs), sample(1).fingerprint)
    if (early := slot.lock()) is not None:
        true(time.time() >= at + INTENT_LIFE, "the lock must not be had while somebody's intent is young")
        early.release()
        return  # so slow is this machine that the intent's life was over
    with _later(_REST + 1.0):
        held_later = slot.lock()
    give_up_at = time.monotonic() + _REST + _LATE
    while held_later is None and time.monotonic() < give_up_at:
        time.sleep(0.05)
        held_later = slot.lock()
    if held_later is None:
        fail("the lock must be free after the life of the intent that it was refused for")
    held_later.release()


def a_request_does_not_go_out_late(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        since = time.monotonic()
        same(held.sending(), True, "whether a request may go out right after its reservation")
        with _later(_SEND_BY + 1.0):
            late = held.sending()
        if late:  # its clock is none of this process: so that much time passes
            time.sleep(max(0.0, since + _SEND_BY + _SLACK - time.monotonic()))
            late = held.sending()
        same(late, False, f"whether a request may go out more than {_SEND_BY:g} s after its reservation")


def _interrupted(slot: Slot) -> Record:
    """The login as a process left it that was interrupted, longer ago than anybody waits for it."""
    with locked(slot) as held:
        intent = Intent(os.getppid() or 1, "elsewhere", time.time() - INTENT_LIFE - 1, "an earlier hold")
        interrupted = sample(1, slot.key, intent=intent)
        held.save(interrupted, sample(1).fingerprint)
    return interrupted


def _announced(slot: Slot) -> Intent:
    stored = slot.load()
    if stored is None or stored.intent is None:
        fail("a reservation must mark an intent in the stored record, for others to see")
    return stored.intent


@contextmanager
def _later(seconds: float) -> Generator[None]:
    """Inside, the clocks of this process are ahead: most stores ask one of them, and no time passes."""
    with ExitStack() as ahead:
        for name, unit in (("time", 1), ("monotonic", 1), ("time_ns", 10**9), ("monotonic_ns", 10**9)):
            ahead.enter_context(patch.object(time, name, _ahead(getattr(time, name), seconds * unit)))
        for name, unit in (("clock_gettime", 1), ("clock_gettime_ns", 10**9)):
            if hasattr(time, name):
                ahead.enter_context(patch.object(time, name, _ahead(getattr(time, name), seconds * unit)))
        yield


def _ahead(clock: Callable[..., Any], step: float) -> Callable[..., Any]:
    def ahead(*which: Any) -> Any:
        at = clock(*which)
        return at + type(at)(step)

    return ahead


RESERVING_CHECKS: Final = (
    a_reservation_announces_the_renewal,
    an_intent_that_nothing_was_saved_over_is_taken_back,
    an_intent_stays_after_an_exception,
    a_save_after_a_reservation_stores_exactly_the_record,
    a_reservation_may_be_repeated,
    a_reservation_for_something_else_is_refused,
    a_deletion_after_a_reservation_is_final,
    a_living_processs_young_intent_is_busy,
    an_intent_keeps_others_out_for_its_life,
    an_intent_of_another_hold_has_another_owner,
    a_request_may_go_out_after_its_reservation_only,
    a_save_that_is_repeated_is_saved,
    an_intent_is_forgotten_after_its_life,
    a_lock_that_an_intent_refused_is_free_after_it,
    an_old_doubt_outlives_a_reservation_that_is_taken_back,
    a_save_over_an_old_intent_stores_exactly_the_record,
    a_request_does_not_go_out_late,
)
