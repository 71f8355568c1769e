"""What every store does. A new store joins by one row in `MAKERS`, and changes no test."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest

from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.store import Conflict, Deleted, Saved, Store
from codex_oauth_core.record import Intent
from tests.stores.logins import login

MAKERS: dict[str, Callable[[Path], Store]] = {
    "files": lambda place: FileStore(place / "home"),
}
NO_ACCOUNT_IDS = ["", ".", "..", "../x", "a/b", "a\\b", "a.json", "a b", "a\n", "a\0", "é", "x" * 129]


@pytest.fixture(params=list(MAKERS.values()), ids=list(MAKERS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    make: Callable[[Path], Store] = request.param
    return make(tmp_path)


def test_a_new_store_is_empty(store: Store) -> None:
    assert (store.accounts(), store.current(), store.slot("acct_1").load()) == ((), None, None)


def test_preparing_changes_nothing_and_can_be_repeated(store: Store) -> None:
    store.prepare()
    assert (store.accounts(), store.current()) == ((), None)
    store.slot("acct_1").save(login(1), None)
    store.select("acct_1")
    store.prepare()
    assert store.slot("acct_1").load() == login(1)
    assert (store.accounts(), store.current()) == (("acct_1",), "acct_1")


def test_what_is_saved_is_loaded(store: Store) -> None:
    record = login(
        generation=3,
        parent="0" * 64,
        intent=Intent(1, "host", 1.5),
        spent=True,
        unknown={"color": "blue", "credential": {"plan": 1}},
    )
    assert store.slot("acct_1").save(record, None) == Saved()
    assert store.slot("acct_1").load() == record


def test_a_save_replaces_what_the_caller_expects(store: Store) -> None:
    slot = store.slot("acct_1")
    slot.save(login(1), None)
    assert slot.save(login(2), login(1).fingerprint) == Saved()
    assert slot.load() == login(2)


def test_the_same_refresh_token_may_be_saved_again_with_other_marks(store: Store) -> None:
    slot = store.slot("acct_1")
    slot.save(login(1), None)
    assert slot.save(login(1, uncertain_at=5.0), login(1).fingerprint) == Saved()
    assert slot.load() == login(1, uncertain_at=5.0)


@pytest.mark.parametrize("replace_corrupt", [False, True])
@pytest.mark.parametrize("expected", [None, login(2).fingerprint, "", "x"])
def test_a_save_over_something_else_is_a_conflict_and_changes_nothing(
    store: Store, expected: str | None, replace_corrupt: bool
) -> None:
    slot = store.slot("acct_1")
    slot.save(login(1), None)
    assert slot.save(login(3), expected, replace_corrupt=replace_corrupt) == Conflict(login(1))
    assert slot.load() == login(1)


def test_a_save_over_nothing_that_expects_something_is_a_conflict(store: Store) -> None:
    slot = store.slot("acct_1")
    assert slot.save(login(2), login(1).fingerprint) == Conflict(None)
    assert (slot.load(), store.accounts()) == (None, ())


def test_a_record_of_another_account_is_the_callers_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="another account"):
        store.slot("acct_1").save(login(1, "acct_2"), None)
    assert store.accounts() == ()


def test_what_is_deleted_is_gone(store: Store) -> None:
    slot = store.slot("acct_1")
    slot.save(login(1), None)
    assert slot.delete(login(1).fingerprint) == Deleted()
    assert (slot.load(), store.accounts()) == (None, ())


def test_deleting_what_is_gone_is_done(store: Store) -> None:
    assert store.slot("acct_1").delete(None) == Deleted()
    assert store.slot("acct_1").delete(login(1).fingerprint) == Conflict(None)


@pytest.mark.parametrize("expected", [None, login(2).fingerprint])
def test_deleting_something_else_is_a_conflict_and_keeps_it(store: Store, expected: str | None) -> None:
    slot = store.slot("acct_1")
    slot.save(login(1), None)
    assert slot.delete(expected) == Conflict(login(1))
    assert slot.load() == login(1)


def test_discarding_needs_no_knowledge_and_can_be_repeated(store: Store) -> None:
    slot = store.slot("acct_1")
    slot.save(login(1), None)
    assert [slot.discard(), slot.discard()] == [Deleted(), Deleted()]
    assert slot.load() is None


def test_a_deleted_login_is_not_saved_again_by_who_still_expects_it(store: Store) -> None:
    slot = store.slot("acct_1")
    slot.save(login(1), None)
    slot.discard()
    assert slot.save(login(2), login(1).fingerprint) == Conflict(None)
    assert store.accounts() == ()


def test_accounts_are_separate_and_in_order(store: Store) -> None:
    for account_id in ("b", "A-1", "a_2"):
        store.slot(account_id).save(login(1, account_id), None)
    store.slot("b").discard()
    assert store.accounts() == ("A-1", "a_2")
    assert store.slot("a_2").load() == login(1, "a_2")


@pytest.mark.parametrize("length", [1, 128])
def test_an_account_id_may_be_so_long(store: Store, length: int) -> None:
    account_id = "x" * length
    assert store.slot(account_id).save(login(1, account_id), None) == Saved()
    store.select(account_id)
    assert (store.accounts(), store.current()) == ((account_id,), account_id)


@pytest.mark.parametrize("account_id", NO_ACCOUNT_IDS)
def test_what_is_no_account_id_is_refused(store: Store, account_id: str) -> None:
    for refuse in (store.slot, store.select):
        with pytest.raises(ValueError, match="account id"):
            refuse(account_id)


def test_a_slot_tells_whose_it_is(store: Store) -> None:
    assert store.slot("acct_1").account_id == "acct_1"


def test_the_pointer_follows_the_last_selection(store: Store) -> None:
    for account_id in ("a", "b"):
        store.slot(account_id).save(login(1, account_id), None)
    seen = [store.current()]
    for choice in ("a", "b", None, "a"):
        store.select(choice)
        seen.append(store.current())
    assert seen == [None, "a", "b", None, "a"]


def test_a_save_moves_no_pointer(store: Store) -> None:
    store.slot("a").save(login(1, "a"), None)
    assert store.current() is None


def test_a_pointer_to_a_login_that_is_gone_points_to_nothing(store: Store) -> None:
    store.slot("a").save(login(1, "a"), None)
    store.select("a")
    store.slot("a").discard()
    assert store.current() is None
    store.slot("a").save(login(2, "a"), None)
    assert store.current() == "a"


def test_selecting_none_twice_is_no_failure(store: Store) -> None:
    store.select(None)
    store.select(None)
    assert store.current() is None


def test_answers_and_stores_show_no_secret(store: Store) -> None:
    slot = store.slot("acct_1")
    slot.save(login(1), None)
    texts = [repr(value) for value in (store, slot, slot.save(login(2), None), slot.load())]
    assert "canary" not in "".join(texts)


def test_concurrent_saves_never_tear(store: Store) -> None:
    slot = store.slot("acct_1")
    padded = [login(number, unknown={"padding": str(number % 10) * 20_000}) for number in range(1, 41)]
    slot.save(padded[0], None)

    def save(number: int) -> Saved | Conflict:
        stored = slot.load()
        assert stored is not None
        assert stored in padded
        return slot.save(padded[number], stored.fingerprint)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(save, range(1, 40)))
    assert Saved() in answers
    assert {type(answer) for answer in answers} <= {Saved, Conflict}
    assert slot.load() in padded
    assert store.accounts() == ("acct_1",)


def test_a_stored_record_is_a_value_of_its_own(store: Store) -> None:
    unknown = {"list": [1]}
    slot = store.slot("acct_1")
    slot.save(login(1, unknown=unknown), None)
    unknown["list"].append(2)
    stored = slot.load()
    assert stored is not None
    assert stored == attrs.evolve(login(1), unknown={"list": [1]})
