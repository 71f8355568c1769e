"""The checks that every store passes: run them against a store of your own.

Rules of this file: no test framework; each check gets a new, empty store, and raises an `AssertionError`
that says what is wrong.

    check_store(lambda: MyStore(...))

or, a test for each check:

    @pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
    def test_my_store(check: StoreCheck, tmp_path: Path) -> None:
        check(MyStore(tmp_path))

Checks of a store: what is saved, loaded, deleted and selected, by one process that waits for nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from codex_oauth.stores.store import Conflict, Deleted, Saved, Store
from codex_oauth.testing.bounded import STORE_CHECK_LIMIT, Elsewhere, limited, told
from codex_oauth.testing.checking import (
    ACCOUNT,
    TELLTALE,
    locked,
    put,
    refused,
    same,
    sample,
    settle,
    true,
)
from codex_oauth.testing.leftover_checks import LEFTOVER_CHECKS
from codex_oauth.testing.locking_checks import LOCKING_CHECKS
from codex_oauth.testing.racing_checks import RACING_CHECKS
from codex_oauth.testing.reserving_checks import RESERVING_CHECKS
from codex_oauth.testing.telling_checks import TELLING_CHECKS
from codex_oauth_core.record import Intent
from codex_oauth_core.secret import Secret

__all__ = ["KEEPING_CHECKS", "STORE_CHECKS", "StoreCheck", "check_store"]


_NO_ACCOUNT_IDS: Final = (
    "", ".", "..", "../x", "a/b", "a\\b", "a.json", "a b", " a", "a ", "a\n", "a\r", "\ta", "a\0", "é", "٣",
    "\uff41", "²", "a:b", "a'b", 'a"b', "a;b", "a%b", "a*b", "a+b", "a=b", "a@b", "a~", "x" * 129, "x" * 1000,
)  # fmt: skip
"""Letters and digits are those of ASCII."""

_ALIKE: Final = ("a", "a-", "a-1", "a-10", "a_2", "aX2", "-", "_", "-a", "10", "9", "B", "None", "null")
"""Names that a pattern, a prefix or a number could take for one another."""

_ONE_NAME_IN_FILES: Final = sys.platform in ("win32", "darwin")
"""Where names of files that differ in case alone are one, and a store of files cannot tell them apart."""


def a_new_store_is_empty(store: Store) -> None:
    same(store.names(), (), "the accounts of a new store")
    same(store.current(), None, "the current account of a new store")
    same(store.slot(ACCOUNT).load(), None, "the login in a new store")


def preparing_changes_nothing_and_can_be_repeated(store: Store) -> None:
    store.prepare()
    same((store.names(), store.current()), ((), None), "a store that was prepared")
    slot = put(store, sample())
    store.select(ACCOUNT)
    store.prepare()
    same(slot.load(), sample(), "the login after the store was prepared again")
    same((store.names(), store.current()), ((ACCOUNT,), ACCOUNT), "a store that was prepared again")
    slot.rescue(sample(3))
    with locked(put(store, sample(1, "a"))) as held:
        held.reserve(sample(1, "a"))
        before = store.slot("a").load()
        store.select(None)
        store.prepare()
        same(store.slot("a").load(), before, "a login with an intent, after the store was prepared")
        same(held.sending(), True, "whether a request may go out, after the store was prepared")
    same(
        (slot.load(), store.current()), (sample(3), None), "a store with a rescued sign-in that was prepared"
    )


def what_is_saved_is_loaded(store: Store) -> None:
    record = sample(
        generation=3,
        parent="0" * 64,
        intent=Intent(1, "host", 1.5),
        uncertain_at=5.0,
        spent=True,
        dead_code="refresh_token_expired",
        server_offset=-2.5,
    )
    same(put(store, record).load(), record, "the record that was saved")
    for number, (what, credential) in enumerate(_CREDENTIALS.items()):
        other = sample(credential=attrs.evolve(sample(1, f"other_{number}").credential, **credential))
        same(put(store, other).load(), other, f"the record that was saved, with {what}")


_CREDENTIALS: Final[dict[str, dict[str, Any]]] = {
    "no ID token": {"id_token": None},
    "no known end": {"expires_at": None},
    "an access token of 16,000 letters": {"access_token": Secret(TELLTALE + "x" * 15_992)},
    "a refresh token of 16,000 letters": {"refresh_token": Secret(TELLTALE + "y" * 15_992)},
    "a token with signs of other languages": {"refresh_token": Secret(f"{TELLTALE}'\"\\%${{}};--")},
}


def a_login_without_a_refresh_token_is_kept(store: Store) -> None:
    record = sample()
    borrowed = attrs.evolve(record, credential=attrs.evolve(record.credential, refresh_token=None))
    slot = put(store, borrowed)
    same(slot.load(), borrowed, "the record that was saved")
    put(store, record, borrowed.fingerprint)
    same(slot.load(), record, "the record that replaced it")
    other = attrs.evolve(
        borrowed, credential=attrs.evolve(borrowed.credential, access_token=Secret(f"{TELLTALE}-other"))
    )
    with locked(slot) as held:
        held.save(borrowed, record.fingerprint)
        answer = held.save(other, other.fingerprint)
        same(answer, Conflict(borrowed), "the answer to a save over another login without a refresh token")


def unknown_fields_survive(store: Store) -> None:
    record = sample(unknown={"color": "blue", "list": [1, {"a": None}], "credential": {"plan": 1}})
    same(put(store, record).load(), record, "a record with fields of a newer release")
    note = "ß \N{GRINNING FACE} \u2028 \0 \r\n '\"\\ %s"
    says = {"note": note, "count": 2**60, "part": 0.1, "long": "x" * 100_000}
    other = sample(1, "a", unknown=says)
    same(put(store, other).load() == other, True, "whether a record came back that is long and says anything")


def a_stored_record_is_a_value_of_its_own(store: Store) -> None:
    unknown = {"list": [1]}
    slot = put(store, sample(unknown=unknown))
    unknown["list"].append(2)
    same(slot.load(), sample(unknown={"list": [1]}), "the record, after a list in the saved one was changed")
    loaded = slot.load()
    true(loaded is not None, "the record must still be there")
    if loaded is not None:
        loaded.unknown["list"].append(3)
    same(slot.load(), sample(unknown={"list": [1]}), "the record, after a list in a loaded one was changed")


def two_slots_of_one_account_are_one_place(store: Store) -> None:
    put(store, sample())
    same(store.slot(ACCOUNT).load(), sample(), "the login in another slot of the account")


def a_save_replaces_what_the_caller_expects(store: Store) -> None:
    slot = put(store, sample(1))
    put(store, sample(2), sample(1).fingerprint)
    same(slot.load(), sample(2), "the login after the second save")


def the_same_refresh_token_may_be_saved_with_other_marks(store: Store) -> None:
    slot = put(store, sample(1))
    put(store, sample(1, uncertain_at=5.0), sample(1).fingerprint)
    same(slot.load(), sample(1, uncertain_at=5.0), "the login after its mark was saved")


def a_save_over_something_else_is_a_conflict_and_changes_nothing(store: Store) -> None:
    slot = put(store, sample(1))
    for expected in (None, sample(2).fingerprint, "", "x"):
        for replace_corrupt in (False, True):
            with locked(slot) as held:
                answer = held.save(sample(3), expected, replace_corrupt=replace_corrupt)
            what = f"the answer to a save that expects {expected!r} (replace_corrupt={replace_corrupt})"
            same(answer, Conflict(sample(1)), what)
            same(slot.load(), sample(1), "the login after a conflict")


def a_save_over_nothing_that_expects_something_is_a_conflict(store: Store) -> None:
    slot = store.slot(ACCOUNT)
    with locked(slot) as held:
        answer = held.save(sample(2), sample(1).fingerprint)
    same(answer, Conflict(None), "the answer to a save that expects what is not there")
    same((slot.load(), store.names()), (None, ()), "the store after a conflict")


def a_record_of_another_account_is_refused(store: Store) -> None:
    slot, other = store.slot(ACCOUNT), sample(1, "acct_2")
    with locked(slot) as held:
        refused(ValueError, "saving another account's record", held.save, other, None)
        refused(ValueError, "rescuing another account's record", slot.rescue, other)
        same(store.names(), (), "the accounts, after another account's record was refused")
        same(held.save(sample(1), None), Saved(), "the answer to the right save after a wrong one")
        expected = sample(1).fingerprint
        refused(ValueError, "saving another account's record over a login", held.save, other, expected)
    same((slot.load(), store.names()), (sample(1), (ACCOUNT,)), "the store, after wrong records were refused")


def what_is_deleted_is_gone(store: Store) -> None:
    slot = put(store, sample())
    with locked(slot) as held:
        same(held.delete(sample().fingerprint), Deleted(), "the answer to a deletion")
        same(held.load(), None, "the login under the lock, after its deletion")
    same((slot.load(), store.names()), (None, ()), "the store after a deletion")


def deleting_nothing_is_done_if_nothing_is_expected(store: Store) -> None:
    with locked(store.slot(ACCOUNT)) as held:
        same(held.delete(None), Deleted(), "the answer to deleting nothing")
        same(held.delete(sample().fingerprint), Conflict(None), "the answer to deleting what is not there")


def deleting_something_else_is_a_conflict_and_keeps_it(store: Store) -> None:
    slot = put(store, sample(1))
    for expected in (None, sample(2).fingerprint):
        for even_corrupt in (False, True):
            with locked(slot) as held:
                answer = held.delete(expected, even_corrupt=even_corrupt)
            what = f"the answer to a deletion that expects {expected!r} (even_corrupt={even_corrupt})"
            same(answer, Conflict(sample(1)), what)
            same(slot.load(), sample(1), "the login after a conflict")


def a_deleted_login_is_not_saved_again_by_who_still_expects_it(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        held.delete(sample(1).fingerprint)
    with locked(slot) as held:
        answer = held.save(sample(2), sample(1).fingerprint)
    same(answer, Conflict(None), "the answer to a save over a login that was deleted")
    same(store.names(), (), "the accounts after that")


def accounts_are_separate_and_in_order(store: Store) -> None:
    for account_id in ("b", "A-1", "a_2"):
        put(store, sample(1, account_id))
    with locked(store.slot("b")) as held:
        held.delete(sample(1).fingerprint)
    same(store.names(), ("A-1", "a_2"), "the accounts")
    same(store.slot("a_2").load(), sample(1, "a_2"), "the login beside a deleted one")


def names_that_look_alike_are_separate(store: Store) -> None:
    names = (*_ALIKE, *(() if _ONE_NAME_IN_FILES else ("b", "A")))
    records = {name: sample(number, name) for number, name in enumerate(names, 1)}
    for record in records.values():
        put(store, record)
    same(store.names(), tuple(sorted(names)), "the accounts, in order")
    for number, name in enumerate(("aX2", "a-1", "9", "B"), 50):
        records[name] = sample(number, name)
        store.slot(name).rescue(records[name])
    for name, record in records.items():
        same(store.slot(name).load(), record, f"the login {name!r} for readers, after some were rescued")
        same(settle(store.slot(name)), record, f"the login {name!r}, after some were rescued")
    for name in ("a", "a_2", "_", "9", "B"):
        with locked(store.slot(name)) as held:
            same(held.delete(records.pop(name).fingerprint), Deleted(), f"the answer to deleting {name!r}")
    for name, record in records.items():
        same(settle(store.slot(name)), record, f"the login {name!r}, after others were deleted")
    same(store.names(), tuple(sorted(records)), "the accounts that are left, in order")


def a_login_that_is_over_is_still_kept(store: Store) -> None:
    overs: tuple[dict[str, Any], ...] = (
        {"dead_code": "invalid_grant"},
        {"spent": True},
        {"uncertain_at": 5.0},
    )
    for number, over in enumerate(overs):
        name = f"acct_{number}"
        slot = put(store, sample(1, name, **over))
        store.select(name)
        same(slot.load(), sample(1, name, **over), "a login that is over")
        same((store.current(), store.names()[-1]), (name, name), "the store, with a login that is over")


def an_account_id_has_up_to_128_characters(store: Store) -> None:
    for account_id in ("x", "x" * 128):
        put(store, sample(1, account_id))
        store.select(account_id)
        same(store.current(), account_id, "the current account")
    same(store.names(), ("x", "x" * 128), "the accounts")


def what_is_no_account_id_is_refused(store: Store) -> None:
    for account_id in _NO_ACCOUNT_IDS:
        refused(ValueError, f"a slot for {account_id!r}", store.slot, account_id)
        refused(ValueError, f"selecting {account_id!r}", store.select, account_id)


def a_login_has_a_place_under_each_of_its_names(store: Store) -> None:
    record = sample(credential=attrs.evolve(sample().credential, user_id="user-1"))
    for number, name in enumerate(record.credential.identity.names, 1):
        slot = store.slot(name)
        with locked(slot) as held:
            same(type(held.save(record, None)).__name__, "Saved", f"the answer to a save under name {number}")
        same(slot.load(), record, f"the login under name {number}")
    same(store.names(), tuple(sorted(record.credential.identity.names)), "the names of the logins")


def two_people_of_one_account_are_two_logins(store: Store) -> None:
    anna, bert = (
        sample(number, credential=attrs.evolve(sample(number).credential, user_id=user))
        for number, user in ((1, "anna"), (2, "bert"))
    )
    for person, other in ((anna, bert), (bert, anna)):
        slot = store.slot(person.credential.key)
        refused(ValueError, "rescuing another person's record", slot.rescue, other)
        with locked(slot) as held:
            refused(ValueError, "saving another person's record", held.save, other, None)
            held.save(person, None)
    for person in (anna, bert):
        same(store.slot(person.credential.key).load(), person, "one of two people of one account")


def a_login_without_an_account_is_kept(store: Store) -> None:
    record = sample(credential=attrs.evolve(sample().credential, account_id=None))
    slot = store.slot(record.credential.key)
    with locked(slot) as held:
        held.save(record, None)
    same(slot.load(), record, "a login without an account")


def a_slot_tells_whose_it_is(store: Store) -> None:
    same(store.slot(ACCOUNT).key, ACCOUNT, "the key of a slot")


def the_pointer_follows_the_last_selection(store: Store) -> None:
    for account_id in ("a", "b"):
        put(store, sample(1, account_id))
    same(store.current(), None, "the current account, after saves and before any selection")
    for choice in ("a", "b", None, None, "a"):
        store.select(choice)
        same(store.current(), choice, "the current account, after it was selected")
        logins = [store.slot(account_id).load() for account_id in store.names()]
        same(logins, [sample(1, "a"), sample(1, "b")], f"the logins, after {choice!r} was selected")
    put(store, sample(1, "c"))
    same(store.current(), "a", "the current account, after another login was saved")


def a_selection_makes_no_login(store: Store) -> None:
    store.select("a")
    same((store.current(), store.names()), (None, ()), "the store, after a name without a login was selected")
    same(store.slot("a").load(), None, "the place that was selected without a login")
    put(store, sample(1, "b"))
    same((store.current(), store.names()), (None, ("b",)), "the store, after another login was saved")


def a_pointer_to_a_login_that_is_gone_points_to_nothing(store: Store) -> None:
    slot = put(store, sample(1, "a"))
    store.select("a")
    with locked(slot) as held:
        held.delete(sample(1).fingerprint)
    same(store.current(), None, "the current account, after its login was deleted")
    put(store, sample(2, "a"))
    same(store.current(), "a", "the current account, after a new login of it")


KEEPING_CHECKS: Final = (
    a_new_store_is_empty,
    preparing_changes_nothing_and_can_be_repeated,
    what_is_saved_is_loaded,
    a_login_without_a_refresh_token_is_kept,
    unknown_fields_survive,
    a_stored_record_is_a_value_of_its_own,
    two_slots_of_one_account_are_one_place,
    a_save_replaces_what_the_caller_expects,
    the_same_refresh_token_may_be_saved_with_other_marks,
    a_save_over_something_else_is_a_conflict_and_changes_nothing,
    a_save_over_nothing_that_expects_something_is_a_conflict,
    a_record_of_another_account_is_refused,
    what_is_deleted_is_gone,
    deleting_nothing_is_done_if_nothing_is_expected,
    deleting_something_else_is_a_conflict_and_keeps_it,
    a_deleted_login_is_not_saved_again_by_who_still_expects_it,
    accounts_are_separate_and_in_order,
    an_account_id_has_up_to_128_characters,
    what_is_no_account_id_is_refused,
    a_login_has_a_place_under_each_of_its_names,
    two_people_of_one_account_are_two_logins,
    a_login_without_an_account_is_kept,
    a_slot_tells_whose_it_is,
    the_pointer_follows_the_last_selection,
    a_pointer_to_a_login_that_is_gone_points_to_nothing,
    a_selection_makes_no_login,
    names_that_look_alike_are_separate,
    a_login_that_is_over_is_still_kept,
)
"""In the order in which a new store is best built."""


# -- all checks of a store -----------------------------------------------------------------------------


class StoreCheck(Protocol):
    """One check of a store. Its name says what must be true."""

    __name__: str

    def __call__(self, store: Store, /) -> None:
        """Run the check. Raises AssertionError if `store` fails it; `store` must be new."""
        ...


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = tuple(
    limited(check)
    for check in (
        *KEEPING_CHECKS,
        *LOCKING_CHECKS,
        *RESERVING_CHECKS,
        *LEFTOVER_CHECKS,
        *RACING_CHECKS,
        *TELLING_CHECKS,
    )
)
"""The checks, in the best order to build a new store. Each ends after `STORE_CHECK_LIMIT` seconds."""


def check_store(make: Callable[[], Store]) -> None:
    """Run every check, each with a new store from `make`.

    Raises AssertionError at the first check that fails: its text names the check and says what is wrong. Its
    cause is the exception that the store raised, if there is one. A check of a store that hangs ends after
    `STORE_CHECK_LIMIT` seconds.
    """
    for check in STORE_CHECKS:
        store = Elsewhere(make).result(STORE_CHECK_LIMIT)
        try:
            check(store)
        except Exception as error:
            raise told(check, error) from error
