"""Checks of a store: what was kept beside a login finds its place, and nothing that is gone comes back."""

from __future__ import annotations

from typing import Final

import attrs

from codex_oauth.stores.store import Conflict, Deleted, Saved, Store
from codex_oauth.testing.checking import ACCOUNT, locked, put, renewed, same, sample, settle

__all__ = ["LEFTOVER_CHECKS"]


def a_rescued_sign_in_is_seen_where_nothing_is_stored(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    record = sample(1, generation=2, uncertain_at=5.0, server_offset=1.5, unknown={"color": "blue"})
    slot.rescue(record)
    same(slot.load(), record, "the login in a place where only a sign-in was rescued")
    same(store.names(), (ACCOUNT,), "the accounts, of which one has a rescued sign-in only")
    store.select(ACCOUNT)
    same(store.current(), ACCOUNT, "the current account, which has a rescued sign-in only")
    same(settle(slot), record, "the login, after the lock was taken")


def a_rescued_sign_in_is_seen_where_the_login_is_over(store: Store) -> None:
    for account_id, mark in (("a", {"dead_code": "invalid_grant"}), ("b", {"spent": True})):
        slot = put(store, sample(1, account_id, **mark))
        with locked(slot):
            slot.rescue(sample(2, account_id))
            same(slot.load(), sample(2, account_id), "the login, after a new sign-in was rescued")
        same(settle(slot), sample(2, account_id), "the login, after the lock was taken")


def a_rescued_sign_in_can_be_saved_over(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    slot.rescue(sample(1))
    put(store, renewed(sample(1), 2), sample(1).fingerprint)
    same(settle(slot), renewed(sample(1), 2), "the login, after the rescued one was renewed")


def a_rescue_needs_no_lock_and_waits_for_the_next_one(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        slot.rescue(sample(2))
        same(held.load(), sample(1), "the login, for whoever has the lock while a sign-in is rescued")
        held.reserve(sample(1))
    with locked(slot) as held:
        same(held.load(), sample(2), "the login, after the lock was taken again")
    same(settle(slot), sample(2), "the login, after that")


def an_older_rescued_sign_in_changes_nothing(store: Store) -> None:
    slot = put(store, sample(3))
    slot.rescue(sample(2))
    same(slot.load(), sample(3), "the login for readers, while an older sign-in is beside it")
    same(settle(slot), sample(3), "the login, after an older sign-in was rescued")


def readers_change_nothing(store: Store) -> None:
    slot = put(store, sample(1))
    store.select(ACCOUNT)
    with locked(slot) as held:
        slot.rescue(sample(2))
        for _ in range(2):
            same(slot.load(), sample(2), "the login for readers, while a sign-in is beside it")
        same(
            (store.names(), store.current()),
            ((ACCOUNT,), ACCOUNT),
            "the store, while a sign-in is beside a login",
        )
        same(held.load(), sample(1), "the login for whoever has the lock, after others have read it")
        same(slot.lock(), None, "a lock, after others have read the login")
        answer = held.save(renewed(sample(1), 3), sample(1).fingerprint)
        same(
            answer, Saved(), "the answer to a save for whoever has the lock, after others have read the login"
        )
    same(settle(slot), sample(2), "the login, after others have read it")


def a_rescue_is_kept_while_a_reservation_is_taken_back(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        slot.rescue(sample(2))
    same(settle(slot), sample(2), "the login that was rescued between a reservation and its end")


def a_rescued_sign_in_is_stored_for_whoever_locks_next(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    slot.rescue(sample(1))
    with locked(slot) as held:
        same(held.save(sample(2), None), Conflict(sample(1)), "the answer to a save over a rescued sign-in")
        same(held.load(), sample(1), "the login under the lock, where a sign-in was rescued")
    slot = put(store, sample(1, "a"))
    slot.rescue(sample(2, "a"))
    slot.rescue(sample(2, "a"))  # who does not know whether it was kept keeps it again
    with locked(slot) as held:
        answer = held.save(renewed(sample(2, "a"), 3), sample(1).fingerprint)
        same(answer, Conflict(sample(2, "a")), "the answer to a renewal of what a sign-in has replaced")
        answer = held.save(renewed(sample(2, "a"), 3), sample(2).fingerprint)
        same(answer, Saved(), "the answer to a renewal of the rescued sign-in")
    same(
        settle(slot),
        renewed(sample(2, "a"), 3),
        "the login, after a sign-in that was rescued twice was renewed",
    )


def a_deletion_drops_what_was_rescued(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    slot.rescue(renewed(sample(1), 2))
    with locked(slot) as held:
        same(held.delete(None), Deleted(), "the answer to a deletion where a renewal of nothing is beside")
    put(store, sample(1))
    same(settle(slot), sample(1), "a later login, whose renewal was deleted before")
    slot = put(store, sample(1, "a"))
    with locked(slot) as held:
        slot.rescue(renewed(sample(1, "a"), 2))
        same(
            held.delete(sample(1).fingerprint),
            Deleted(),
            "the answer to a deletion of a login and its renewal",
        )
        same(slot.load(), None, "the login for readers, after it was deleted with its renewal")
    same(
        (settle(slot), store.names()),
        (None, (ACCOUNT,)),
        "the store, after a login was deleted with its renewal",
    )
    put(store, sample(1, "a"))
    same(settle(slot), sample(1, "a"), "a later login, after one was deleted with its renewal")


def a_rescued_sign_in_is_seen_by_readers_at_once(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot):
        slot.rescue(sample(2))
        same(slot.load(), sample(2), "the login for readers, while a sign-in is beside it")
    same(slot.load(), sample(2), "the login for readers, before the lock is taken again")


def a_rescued_renewal_is_seen_by_readers_at_once(store: Store) -> None:
    slot = put(store, sample(1))
    slot.rescue(renewed(sample(1), 2))
    same(slot.load(), renewed(sample(1), 2), "the login for readers, while its renewal is beside it")
    slot.rescue(renewed(sample(7), 8))
    same(
        slot.load(), renewed(sample(1), 2), "the login for readers, while another one's renewal is beside it"
    )


def a_rescued_sign_in_wins_over_a_renewal_of_the_old_login(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.reserve(sample(1))
        slot.rescue(sample(3))
        held.save(renewed(sample(1), 2), sample(1).fingerprint)
    same(settle(slot), sample(3), "the login, after a sign-in was rescued during a renewal")


def the_newest_rescued_sign_in_wins(store: Store) -> None:
    for account_id, order in (("a", (2, 3)), ("b", (3, 2))):
        slot = put(store, sample(1, account_id))
        for number in order:
            slot.rescue(sample(number, account_id))
        same(settle(slot), sample(3, account_id), "the login, after two sign-ins were rescued")


def a_rescued_renewal_of_what_is_stored_wins(store: Store) -> None:
    slot = put(store, sample(1))
    slot.rescue(renewed(sample(1), 2))
    same(settle(slot), renewed(sample(1), 2), "the login, after its renewal was rescued")


def a_rescued_renewal_of_something_else_is_dropped(store: Store) -> None:
    slot = put(store, sample(1))
    slot.rescue(renewed(sample(7), 8))
    same(settle(slot), sample(1), "the login, after another one's renewal was rescued")
    put(store, sample(7), sample(1).fingerprint)
    same(settle(slot), sample(7), "a later login, which a dropped record was a renewal of")


def a_rescued_renewal_at_another_server_is_dropped(store: Store) -> None:
    slot = put(store, sample(1))
    renewal = renewed(sample(1), 2)
    for credential in (
        attrs.evolve(renewal.credential, issuer="https://other.example"),
        attrs.evolve(renewal.credential, client_id="app_2"),
    ):
        slot.rescue(attrs.evolve(renewal, credential=credential))
        same(settle(slot), sample(1), "the login, after a renewal elsewhere was rescued")


def a_rescued_renewal_of_nothing_is_no_login(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    slot.rescue(renewed(sample(1), 2))
    same((slot.load(), store.names()), (None, ()), "the store, with only a renewal of nothing rescued")
    store.select(ACCOUNT)
    same(store.current(), None, "the current account, of which only a renewal of nothing was rescued")
    same(settle(slot), None, "the login, after a renewal of nothing was rescued")


def a_rescued_renewal_waits_for_what_it_was_exchanged_for(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    slot.rescue(renewed(sample(1), 2))
    settle(slot)
    put(store, sample(1))  # as a backup brings it back
    same(settle(slot), renewed(sample(1), 2), "the login that came back, and was renewed meanwhile")


def a_rescued_renewal_follows_its_rescued_sign_in(store: Store) -> None:
    slot = put(store, sample(1))
    slot.rescue(renewed(sample(2), 3))
    slot.rescue(sample(2))
    same(settle(slot), renewed(sample(2), 3), "the login, after a sign-in and its renewal were rescued")


def what_was_rescued_counts_once(store: Store) -> None:
    slot = put(store, sample(1))
    slot.rescue(sample(2))
    same(settle(slot), sample(2), "the login, after a sign-in was rescued")
    put(store, renewed(sample(2), 3), sample(2).fingerprint)
    same(settle(slot), renewed(sample(2), 3), "the login that was saved after the rescued one")
    put(store, sample(1), renewed(sample(2), 3).fingerprint)
    same(settle(slot), sample(1), "the login that was saved last")


def a_sign_in_rescued_since_the_lock_was_taken_is_not_deleted(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        slot.rescue(sample(2))
        answer = held.delete(sample(1).fingerprint)
        same(answer, Conflict(sample(2)), "the answer to a deletion during which somebody signed in")
    same(settle(slot), sample(2), "the login of whoever signed in during a deletion")


def a_sign_in_rescued_after_a_deletion_is_kept(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.delete(sample(1).fingerprint)
        slot.rescue(sample(2))
    same(settle(slot), sample(2), "the login that was rescued after a deletion")


def a_rescue_touches_no_other_account(store: Store) -> None:
    other = put(store, sample(1, "b"))
    store.slot("a").rescue(sample(2, "a"))
    same(settle(other), sample(1, "b"), "the login of another account than the rescued one")
    same(store.names(), ("a", "b"), "the accounts")


LEFTOVER_CHECKS: Final = (
    a_rescued_sign_in_is_seen_where_nothing_is_stored,
    a_rescued_sign_in_is_seen_where_the_login_is_over,
    a_rescued_sign_in_can_be_saved_over,
    a_rescue_needs_no_lock_and_waits_for_the_next_one,
    a_rescued_sign_in_is_seen_by_readers_at_once,
    a_rescued_renewal_is_seen_by_readers_at_once,
    a_rescued_sign_in_wins_over_a_renewal_of_the_old_login,
    the_newest_rescued_sign_in_wins,
    a_rescued_renewal_of_what_is_stored_wins,
    a_rescued_renewal_of_something_else_is_dropped,
    a_rescued_renewal_at_another_server_is_dropped,
    a_rescued_renewal_of_nothing_is_no_login,
    a_rescued_renewal_waits_for_what_it_was_exchanged_for,
    a_rescued_renewal_follows_its_rescued_sign_in,
    what_was_rescued_counts_once,
    a_sign_in_rescued_since_the_lock_was_taken_is_not_deleted,
    a_sign_in_rescued_after_a_deletion_is_kept,
    a_rescue_touches_no_other_account,
    an_older_rescued_sign_in_changes_nothing,
    readers_change_nothing,
    a_rescue_is_kept_while_a_reservation_is_taken_back,
    a_rescued_sign_in_is_stored_for_whoever_locks_next,
    a_deletion_drops_what_was_rescued,
)
