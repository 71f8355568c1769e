"""A stored login: what is written is read again, and whatever else is read is a typed error."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import LONGEST_RECORD, Intent, Record, read_record, without_intent, write_record
from codex_oauth_core.secret import Secret
from tests.strategies import json_values

tokens = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40).map(Secret)
accounts = st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True)
texts = st.text(min_size=1, max_size=30).filter(str.isprintable)
naturals = st.integers(0, 10**15 - 1)
numbers = st.floats(-1e14, 1e14) | st.integers(-(10**14), 10**14)
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
json_finite = json_values.filter(
    lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value)
)
credential_names = frozenset(field.name for field in attrs.fields(Credential))
record_names = frozenset(field.name for field in attrs.fields(Record)) - {"unknown"} | {"schema_version"}
strangers = st.dictionaries(st.text(max_size=12), json_finite, max_size=3)

credentials = st.builds(
    Credential,
    access_token=tokens,
    refresh_token=st.none() | tokens,
    account_id=st.none() | accounts,
    user_id=st.none() | accounts,
    issuer=texts,
    client_id=texts,
    obtained_at=texts,
    id_token=st.none() | tokens,
    expires_at=st.none() | naturals,
    earliest_refresh_at=st.none() | naturals,
)


@st.composite
def unknown_fields(draw: st.DrawFn) -> dict[str, Any]:
    outer = {name: value for name, value in draw(strangers).items() if name not in record_names}
    inner = {name: value for name, value in draw(strangers).items() if name not in credential_names}
    return {**outer, "credential": inner} if inner else outer


records = st.builds(
    Record,
    credential=credentials,
    generation=naturals,
    parent=st.none() | hashes,
    intent=st.none() | st.builds(Intent, pid=naturals, host=texts, at=numbers, owner=st.just("") | texts),
    uncertain_at=st.none() | numbers,
    spent=st.booleans(),
    dead_code=st.none() | texts,
    server_offset=st.none() | numbers,
    unknown=unknown_fields(),
)


def is_object(value: object) -> bool:
    return isinstance(value, dict)


def plain(**changes: Any) -> dict[str, Any]:
    """A whole document, with members changed, or left out by `...`; `credential__x` is inside."""
    credential: dict[str, Any] = {
        "access_token": "canary-access",
        "refresh_token": "canary-refresh",
        "id_token": "canary-id",
        "key": "acct_1-qejalud2uhm3d3yt",
        "account_id": "acct_1",
        "user_id": None,
        "issuer": "https://auth.example",
        "client_id": "app_1",
        "obtained_at": "2027-01-15T08:00:07Z",
        "expires_at": 1_800_000_000_000,
        "kind": "subscription",
    }
    document: dict[str, Any] = {"schema_version": 1, "credential": credential}
    for name, value in changes.items():
        where, _, inner = name.rpartition("__")
        (document[where] if where else document)[inner] = value
    objects: list[dict[str, Any]] = [document, *filter(is_object, document.values())]
    for fields in objects:
        for name in [name for name, value in fields.items() if value is ...]:
            del fields[name]
    return document


def read(document: object) -> Record | SignInError:
    return read_record(json.dumps(document).encode())


def reason(data: bytes) -> object:
    found = read_record(data)
    assert isinstance(found, SignInError)
    assert found.kind is ErrorKind.CORRUPT_AUTH
    return found.details["reason"]


@given(records)
def test_what_is_written_is_read_again(record: Record) -> None:
    assert read_record(write_record(record)) == record


@given(records)
def test_a_rewrite_changes_no_byte(record: Record) -> None:
    once = write_record(record)
    again = read_record(once)
    assert isinstance(again, Record)
    assert write_record(again) == once


# F14
@given(st.binary(max_size=200))
def test_no_bytes_make_reading_raise(data: bytes) -> None:
    assert isinstance(read_record(data), Record | SignInError)


@given(st.dictionaries(st.sampled_from(sorted(record_names | {"x"})), json_values))
def test_no_json_object_makes_reading_raise(fields: dict[str, Any]) -> None:
    assert isinstance(read({"schema_version": 1, **fields}), Record | SignInError)


@given(st.dictionaries(st.sampled_from(sorted(credential_names | {"x"})), json_values))
def test_no_credential_makes_reading_raise(fields: dict[str, Any]) -> None:
    found = read(plain(credential={**plain()["credential"], **fields}))
    assert isinstance(found, Record | SignInError)


@given(st.data())
def test_what_is_read_can_be_written_and_read_again(data: st.DataObject) -> None:
    outer = {name: value for name, value in data.draw(strangers).items() if name not in record_names}
    inner = {name: value for name, value in data.draw(strangers).items() if name not in credential_names}
    document: dict[str, Any] = {**outer, **plain()}
    document["credential"] = {**inner, **document["credential"]}
    found = read(document)
    assert isinstance(found, Record)
    assert read_record(write_record(found)) == found


def test_the_least_that_is_a_record() -> None:
    found = read(plain(credential__id_token=..., credential__expires_at=..., credential__kind=...))
    assert isinstance(found, Record)
    assert found.credential.id_token is None
    assert found.credential.expires_at is None
    assert found.credential.kind == "subscription"
    rest = (found.generation, found.parent, found.intent, found.spent, found.unknown)
    assert rest == (0, None, None, False, {})


# R8, L6
def test_fields_of_a_newer_release_survive_a_rewrite_at_both_levels() -> None:
    document = plain(color="blue", unknown=[1], credential__plan={"tier": "pro"}, credential__unknown=2)
    found = read(document)
    assert isinstance(found, Record)
    renewed = attrs.evolve(
        found, generation=7, credential=attrs.evolve(found.credential, refresh_token=Secret("next"))
    )
    written = json.loads(write_record(renewed))
    assert (written["color"], written["unknown"], written["generation"]) == ("blue", [1], 7)
    inner = written["credential"]
    assert (inner["plan"], inner["unknown"], inner["refresh_token"]) == ({"tier": "pro"}, 2, "next")


WRONG: dict[str, tuple[Any, ...]] = {
    "schema_version": (..., None, "1", 1.0, True, 0, -1, [1]),
    "credential": (..., None, "x", [], 1),
    "credential.access_token": (..., None, 1, "", "a b", "a\n", "é", "x" * 16385, [], {}),
    "credential.refresh_token": (..., 1, "", "a b", "a\x7f", []),
    "credential.id_token": (1, "", "a b", {}),
    "credential.account_id": (..., 1, "", "a b", "x" * 256, "é", "a\n", []),
    "credential.user_id": (1, "", "a b", "x" * 256, "é", "a\n", []),
    "credential.issuer": (..., None, "", 1, "a\nb", "x" * 4097),
    "credential.client_id": (..., None, "", 1, "\x1b[31m"),
    "credential.obtained_at": (..., None, "", 1, []),
    "credential.expires_at": ("1", 1.5, True, -1, 10**15, 10**400, []),
    "credential.scopes": ("openid", [1], [""], ["a b"], [None], {}, ["x"] * 101, ["x" * 256]),
    "credential.earliest_refresh_at": ("1", 1.5, False, -1, {}),
    "credential.kind": (None, "api_key", 1, []),
    "generation": ("1", 1.5, True, -1, [], 10**400),
    "parent": (1, "", "abc", "A" * 64, "g" * 64, []),
    "intent": (1, "x", [], True),
    "intent.pid": (..., None, "1", 1.5, True, -1),
    "intent.host": (..., None, "", 1, "a\x00b"),
    "intent.at": (..., None, "1", True, [], 10**400),
    "intent.owner": ("", 1, True, [], "a\x00b", "x" * 4097),
    "uncertain_at": ("1", True, [], 10**15, -(10**15), 10**400),
    "spent": ("yes", 1, 0, [], "false"),
    "dead_code": (1, "", [], "a\x1bb", "x" * 4097),
    "server_offset": ("1", False, {}, 10**400),
}
WRONG_ROWS = [(field, value) for field, values in WRONG.items() for value in values]


@pytest.mark.parametrize(("field", "value"), WRONG_ROWS, ids=[f"{f}={str(v)[:12]!a}" for f, v in WRONG_ROWS])
def test_a_field_that_does_not_fit_is_named(field: str, value: Any) -> None:
    outer: dict[str, Any] = (
        {"intent": {"pid": 1, "host": "h", "at": 1.0}} if field.startswith("intent") else {}
    )
    document = plain(**{**outer, field.replace(".", "__"): value})
    assert reason(json.dumps(document).encode()) == field


def test_every_field_has_a_row_of_wrong_values() -> None:
    inside = {f"credential.{name}" for name in credential_names} | {
        f"intent.{field.name}" for field in attrs.fields(Intent)
    }
    assert set(WRONG) == record_names | inside


@pytest.mark.parametrize(
    "name",
    [
        "parent",
        "intent",
        "uncertain_at",
        "dead_code",
        "server_offset",
        "generation",
        "spent",
        "credential__expires_at",
    ],
)
def test_an_optional_field_may_be_null(name: str) -> None:
    assert isinstance(read(plain(**{name: None})), Record)


INTENT: dict[str, Any] = {"pid": 1, "host": "h", "at": 1.5}


def test_an_intent_says_whose_it_is() -> None:
    found = read(plain(intent={**INTENT, "owner": "0b5f2c"}))
    assert isinstance(found, Record)
    assert found.intent == Intent(1, "h", 1.5, "0b5f2c")
    assert json.loads(write_record(found))["intent"] == {**INTENT, "owner": "0b5f2c"}


@pytest.mark.parametrize("intent", [INTENT, {**INTENT, "owner": None}], ids=["none", "null"])
def test_an_earlier_releases_intent_has_no_owner_and_is_written_as_it_was(intent: dict[str, Any]) -> None:
    found = read(plain(intent=intent))
    assert isinstance(found, Record)
    assert found.intent == Intent(1, "h", 1.5)
    assert found.intent == Intent(1, "h", 1.5, "")
    assert json.loads(write_record(found))["intent"] == INTENT


def test_two_holds_of_one_process_are_two_owners() -> None:
    assert Intent(1, "h", 1.5, "first") != Intent(1, "h", 1.5, "second")


@pytest.mark.parametrize(("doubt", "since"), [(None, 1.5), (0.5, 0.5), (9.0, 9.0)])
def test_f2_without_its_intent_a_record_is_in_doubt_since_then(doubt: float | None, since: float) -> None:
    found = read(plain(intent=INTENT, uncertain_at=doubt))
    assert isinstance(found, Record)
    assert found.in_doubt
    assert without_intent(found) == attrs.evolve(found, intent=None, uncertain_at=since)
    assert without_intent(found).in_doubt


@pytest.mark.parametrize("doubt", [None, 0.5])
def test_a_record_without_an_intent_stays_as_it_is(doubt: float | None) -> None:
    found = read(plain(uncertain_at=doubt))
    assert isinstance(found, Record)
    assert without_intent(found) is found


WHOLE = json.dumps(plain()).encode()
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not_json"),
    "white space": (b" \n\t ", "not_json"),
    "truncated": (WHOLE[:-2], "not_json"),
    "two documents": (WHOLE + WHOLE, "not_json"),
    "binary": (bytes(range(256)), "not_json"),
    "zeros": (b"\0" * 4096, "not_json"),
    "a list": (b"[]", "not_an_object"),
    "a string": (b'"x"', "not_an_object"),
    "null": (b"null", "not_an_object"),
    "not a number": (WHOLE[:-1] + b', "x": NaN}', "not_json"),
    "infinity": (WHOLE[:-1] + b', "x": -Infinity}', "not_json"),
    "infinity by exponent": (WHOLE[:-1] + b', "x": 1e999}', "not_json"),
    "a number of 5000 digits": (WHOLE[:-1] + b', "x": ' + b"9" * 5000 + b"}", "not_json"),
    "a name twice": (WHOLE[:-1] + b', "spent": true, "spent": false}', "not_json"),
    "a name twice inside": (WHOLE[:-1] + b', "x": [{"a": 1, "a": 1}]}', "not_json"),
    "byte order mark": (b"\xef\xbb\xbf" + WHOLE, "not_json"),
    "UTF-16": (WHOLE.decode().encode("utf-16"), "not_json"),
    "UTF-32": (WHOLE.decode().encode("utf-32"), "not_json"),
    "latin-1": (WHOLE.replace(b"app_1", b"app_\xe9"), "not_json"),
    "100 000 lists": (b"[" * 100_000, "too_deep"),
    "lists too deep to write": (WHOLE[:-1] + b', "x": ' + b"[" * 40 + b"]" * 40 + b"}", "too_deep"),
    "objects too deep to write": (WHOLE[:-1] + b', "x": ' + b'{"a":' * 40 + b"1" + b"}" * 41, "too_deep"),
    "too big": (WHOLE[:-1] + b" " * LONGEST_RECORD + b"}", "too_big"),
}


# F14
@pytest.mark.parametrize(("data", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_document_that_is_none_is_a_typed_error(data: bytes, why: str) -> None:
    assert reason(data) == why


def test_the_longest_document_is_read() -> None:
    assert isinstance(read_record(WHOLE + b" " * (LONGEST_RECORD - len(WHOLE))), Record)


def test_a_document_just_shallow_enough_is_written_again() -> None:
    found = read_record(WHOLE[:-1] + b', "x": ' + b"[" * 31 + b"]" * 31 + b"}")
    assert isinstance(found, Record)
    assert read_record(write_record(found)) == found


@pytest.mark.parametrize("version", [2, 3, 10**12])
def test_a_newer_schema_is_named_whatever_else_is_in_it(version: int) -> None:
    found = read({"schema_version": version, "credential": "sealed"})
    assert isinstance(found, SignInError)
    assert found.details == {"reason": "schema_too_new", "schema_version": min(version, 10**9)}
    assert "newer release" in found.message


def test_no_text_form_shows_a_secret() -> None:
    found = read(plain(extra="canary-extra", credential__extra="canary-inner"))
    assert isinstance(found, Record)
    assert "canary" not in f"{found!r} {found} {found.credential!r}"


@pytest.mark.parametrize("field", sorted(WRONG))
def test_no_error_shows_a_value(field: str) -> None:
    where = field.replace(".", "__")
    outer: dict[str, Any] = (
        {"intent": {"pid": 1, "host": "h", "at": 1.0}} if field.startswith("intent") else {}
    )
    found = read(plain(**{**outer, where: "canary value\x1b"}))
    assert isinstance(found, SignInError)
    assert "canary" not in f"{found!r} {found} {found.to_dict()} {found.args}"


def test_the_fingerprint_is_the_refresh_tokens() -> None:
    found = read(plain())
    assert isinstance(found, Record)
    assert found.fingerprint == Secret("canary-refresh").fingerprint()


def test_a_borrowed_login_has_null_where_its_refresh_token_would_be() -> None:
    found = read(plain(credential__refresh_token=None))
    assert isinstance(found, Record)
    assert found.credential.refresh_token is None
    written = json.loads(write_record(found))["credential"]
    assert "refresh_token" in written
    assert written["refresh_token"] is None
    assert read_record(write_record(found)) == found


def test_a_record_without_the_member_refresh_token_is_corrupt() -> None:
    assert reason(json.dumps(plain(credential__refresh_token=...)).encode()) == "credential.refresh_token"


def test_the_fingerprint_of_a_borrowed_login_is_the_access_tokens() -> None:
    found = read(plain(credential__refresh_token=None))
    assert isinstance(found, Record)
    assert found.fingerprint == Secret("canary-access").fingerprint()
    assert found.fingerprint != Secret("canary-refresh").fingerprint()
