"""Which login is meant: by what people call it, by whose it is, and by what was had before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore, MemoryStore
from codex_oauth.stores.find import find_logins, kept_as, kept_login, named_login, one_login, same_place
from codex_oauth_core import CODEX, Credential, ErrorKind, Record, Secret, SignInError
from tests.stores.logins import save
from tests.support import CLAIMS, jwt


def login_of(account: str | None, user: str | None, email: str | None = None, **changes: Any) -> Record:
    ids = {"chatgpt_account_id": account, "chatgpt_user_id": user}
    inner = {name: value for name, value in ids.items() if value is not None}
    token = Secret(jwt({CLAIMS: inner, **({} if email is None else {"email": email})}))
    credential = Credential(
        token, Secret(f"canary-{user}"), account, CODEX.issuer, CODEX.client_id, "2026-01-01T00:00:00Z"
    )
    return Record(attrs.evolve(credential, user_id=user, **changes))


ANNA = login_of("acct_team", "user-anna", "anna@example.com")
BERT = login_of("acct_team", "user-bert", "bert@example.com")
HOME = login_of(None, "user-anna", "Anna@Example.com")
"""Anna's personal login."""
OLD = attrs.evolve(ANNA, credential=attrs.evolve(ANNA.credential, user_id=None))
"""As an earlier release stored it."""


def put(store: Any, record: Record, place: str | None = None) -> str:
    name = place or record.credential.key
    save(store.slot(name), record, None)
    return name


def called(store: Any, named: str) -> list[str]:
    return [login.place for login in find_logins(store, named)]


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    for record in (ANNA, BERT, HOME):
        put(store, record)
    return store


def test_a_login_is_called_by_its_email_its_ids_and_its_key(store: MemoryStore) -> None:
    bert = [BERT.credential.key]
    for name in ("bert@example.com", "BERT@example.COM", "user-bert", *bert, bert[0][:12]):
        assert called(store, name) == bert, name
    assert called(store, "nobody") == called(store, "") == []


def test_the_beginning_of_another_name_will_do_if_none_is_called_so(store: MemoryStore) -> None:
    assert called(store, "bert@") == called(store, "user-b") == [BERT.credential.key]


@pytest.mark.parametrize(
    ("named", "count"),
    [("anna@example.com", 2), ("acct_team", 2), ("user-anna", 2), ("acct_", 2), ("user-", 3)],
)
def test_what_fits_several_is_never_decided(store: MemoryStore, named: str, count: int) -> None:
    assert len(called(store, named)) == count
    with pytest.raises(SignInError) as raised:
        one_login(store, named)
    error = raised.value
    assert (error.kind, error.details["reason"]) == (ErrorKind.INVALID_REQUEST, "ambiguous")
    assert sorted(line.split("  ")[0] for line in error.next_actions) == sorted(
        login.key for login in find_logins(store, named)
    )
    assert all("@" in line.lower() for line in error.next_actions)


def test_an_account_that_is_called_so_goes_before_one_that_begins_so() -> None:
    store = MemoryStore()
    one, longer = login_of("acct_1", "u", "a@example.com"), login_of("acct_12", "v", "b@example.com")
    put(store, longer)
    put(store, one)
    assert called(store, "acct_1") == [one.credential.key]
    assert len(called(store, "acct_")) == 2


def test_no_name_controls_a_terminal() -> None:
    store = MemoryStore()
    for user in ("a", "b"):
        put(store, login_of("acct_team", user, f"{user}\x1b]52;c;x\x07@example.com"))
    for named in ("acct_team", "\x1b[31m"):
        with pytest.raises(SignInError) as raised:
            one_login(store, named)
        told = (str(raised.value), *raised.value.next_actions, *map(str, raised.value.details.values()))
        assert all(text.isprintable() for text in told)


def test_nobody_of_that_name(store: MemoryStore) -> None:
    with pytest.raises(SignInError) as raised:
        one_login(store, "carl@example.com")
    assert raised.value.kind is ErrorKind.LOGIN_REQUIRED
    with pytest.raises(SignInError):
        named_login(store, "../../etc")


# -- former names ----------------------------------------------------------------------------------------


def test_a_login_of_an_earlier_release_is_called_as_all_others() -> None:
    store = MemoryStore()
    put(store, OLD, "acct_team")
    for name in ("anna@example.com", "acct_team", "user-anna", ANNA.credential.key, "acct_team-"):
        assert called(store, name) == ["acct_team"], name
        assert named_login(store, name).place == "acct_team"
    (login,) = find_logins(store, "acct_team")
    assert (login.key, login.place) == (ANNA.credential.key, "acct_team")


def test_its_name_is_an_account_id_and_may_be_two_peoples() -> None:
    store = MemoryStore()
    put(store, OLD, "acct_team")
    put(store, BERT)
    assert len(called(store, "acct_team")) == 2
    assert called(store, "anna@example.com") == ["acct_team"]


def test_two_places_of_one_login_are_one_under_its_key() -> None:
    store = MemoryStore()
    put(store, OLD, "acct_team")
    key = put(store, ANNA)
    assert called(store, "anna@example.com") == [key]
    assert named_login(store, key).place == key


def test_a_login_of_an_unknown_issuer_answers_to_its_ids() -> None:
    store = MemoryStore()
    foreign = login_of("acct_team", "user-anna", "anna@example.com", issuer="http://evil.example")
    key = put(store, foreign)
    assert called(store, "user-anna") == called(store, key) == [key]
    assert called(store, "anna@example.com") == [], "only a known provider says what its tokens mean"


def test_what_cannot_be_read_is_called_by_its_name_alone(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    key = put(store, ANNA)
    store.slot(key).path.write_bytes(b"\0torn")
    assert called(store, "acct_team") == called(store, key) == [key]
    assert called(store, "anna@example.com") == []
    login = kept_login(store, key)
    assert isinstance(login.found, SignInError)
    assert (login.key, login.credential, login.profile.email) == (key, None, None)
    assert named_login(store, key).place == key


# -- what was had before ---------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [ANNA, OLD], ids=["now", "of an earlier release"])
@pytest.mark.parametrize(
    ("kept", "place"), [(ANNA, ANNA.credential.key), (OLD, "acct_team"), (ANNA, "acct_team")], ids=str
)
def test_a_login_that_was_had_is_found_where_it_is_kept_now(before: Record, kept: Record, place: str) -> None:
    store = MemoryStore()
    put(store, BERT)
    put(store, kept, place)
    assert same_place(store, before.credential) == (place, kept)


def test_another_persons_login_under_its_former_name_is_not_it() -> None:
    store = MemoryStore()
    old_bert = attrs.evolve(BERT, credential=attrs.evolve(BERT.credential, user_id=None))
    put(store, old_bert, "acct_team")
    assert same_place(store, ANNA.credential) is None
    assert kept_as(store, ANNA.credential) is None
    found = kept_as(store, BERT.credential)
    assert found is not None
    assert found.place == "acct_team"


def test_a_place_that_cannot_be_read_is_an_error_only_if_it_is_nowhere_else(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    put(store, OLD, "acct_team")
    store.slot("acct_team").path.write_bytes(b"\0torn")
    with pytest.raises(SignInError):
        same_place(store, ANNA.credential)
    key = put(store, ANNA)
    assert same_place(store, ANNA.credential) == (key, ANNA)


@pytest.mark.parametrize("kept", [HOME, OLD], ids=["her personal login", "of an unknown person"])
def test_a_login_of_which_less_is_known_is_not_what_was_had(kept: Record) -> None:
    store = MemoryStore()
    opaque = attrs.evolve(kept, credential=attrs.evolve(kept.credential, access_token=Secret("opaque")))
    put(store, opaque)
    assert same_place(store, ANNA.credential) is None
    assert same_place(store, opaque.credential) == (opaque.credential.key, opaque)


# -- what is there twice, or under a key of its own ------------------------------------------------------


def test_a_torn_file_does_not_hide_the_login_that_can_be_read(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    put(store, OLD, "acct_team")
    key = put(store, ANNA)
    store.slot(key).path.write_bytes(b"\0torn")
    assert called(store, "anna@example.com") == called(store, key) == ["acct_team"]
    assert named_login(store, key).place == "acct_team"
    store.slot("acct_team").path.write_bytes(b"\0torn")
    assert isinstance(named_login(store, key).found, SignInError)


def test_a_login_is_found_by_the_key_of_its_credential_whatever_its_tokens_say() -> None:
    """A provider from outside reads its own tokens in its own way, or not at all."""
    store, issuer = MemoryStore(), "https://home.example"
    record = login_of(None, "user-anna", "anna@example.com", issuer=issuer)
    record = attrs.evolve(record, credential=attrs.evolve(record.credential, user_id=None))
    key = put(store, record)
    assert key != find_logins(store, "user-anna")[0].key
    assert called(store, key) == [named_login(store, key).place] == [key]
    assert one_login(store, key).place == key


def test_a_whole_name_is_no_beginning(store: MemoryStore) -> None:
    assert find_logins(store, "bert@", whole=True) == ()
    (login,) = find_logins(store, "bert@example.com", whole=True)
    assert login.place == BERT.credential.key
