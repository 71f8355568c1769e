"""The Codex CLI's `auth.json`: what is read of it, what is written, and that no value of it shows."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.auth_json import (
    LONGEST_AUTH_JSON,
    read_auth_json,
    without_tokens,
    write_auth_json,
)
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.secret import Secret
from tests.strategies import json_values
from tests.support import CLAIMS, account_token, jwt

EXP = 1_800_000_000
ACCESS = account_token(exp=EXP, iat=EXP - 864_000)
ID_TOKEN = account_token(marker="id")


def plain(**changes: Any) -> dict[str, Any]:
    """A file as the Codex CLI writes it, with members changed, or left out by `...`; `tokens__x` is inside."""
    tokens: dict[str, Any] = {
        "id_token": ID_TOKEN,
        "access_token": ACCESS,
        "refresh_token": "canary-refresh-of-the-cli",
        "account_id": "acct_fake",
    }
    document: dict[str, Any] = {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": tokens,
        "last_refresh": "2026-11-20T08:09:10.123456789Z",
    }
    for name, value in changes.items():
        where, _, inner = name.rpartition("__")
        fields = document[where] if where else document
        fields[inner] = value
        if value is ...:
            del fields[inner]
    return document


def read(document: object) -> Credential | SignInError:
    return read_auth_json(Secret(json.dumps(document).encode()))


def login(**changes: Any) -> Credential:
    found = read(plain(**changes))
    assert isinstance(found, Credential), found
    return found


def reason(content: bytes) -> object:
    found = read_auth_json(Secret(content))
    assert isinstance(found, SignInError)
    assert found.kind is ErrorKind.CORRUPT_AUTH
    assert set(found.details) == {"reason"}
    return found.details["reason"]


def refusal(**changes: Any) -> object:
    return reason(json.dumps(plain(**changes)).encode())


# -- reading -------------------------------------------------------------------------------------------


def test_a_file_of_the_codex_cli_is_a_login() -> None:
    assert login() == Credential(
        access_token=Secret(ACCESS),
        refresh_token=Secret("canary-refresh-of-the-cli"),
        account_id="acct_fake",
        issuer=CODEX.issuer,
        client_id=CODEX.client_id,
        obtained_at="2026-11-20T08:09:10Z",
        id_token=Secret(ID_TOKEN),
        expires_at=EXP * 1000,
    )


@pytest.mark.parametrize("value", [..., None, ""])
def test_without_a_refresh_token_a_login_is_borrowed(value: object) -> None:
    assert login(tokens__refresh_token=value).refresh_token is None


@pytest.mark.parametrize("value", [..., None, ""])
def test_an_id_token_may_be_missing(value: object) -> None:
    assert login(tokens__id_token=value).id_token is None


@pytest.mark.parametrize("value", [..., None])
def test_without_an_account_id_the_tokens_name_the_account(value: object) -> None:
    assert login(tokens__account_id=value).account_id == "acct_fake"
    other = login(tokens__account_id=value, tokens__access_token=jwt({"iat": EXP}))
    assert other.account_id == "acct_fake"  # by the id token


def test_without_claims_the_file_names_the_account() -> None:
    found = login(tokens__access_token="opaque", tokens__id_token=..., tokens__account_id="acct_of_the_file")
    assert (found.account_id, found.expires_at) == ("acct_of_the_file", None)


@pytest.mark.parametrize("value", [..., None])
def test_without_last_refresh_the_token_says_when_it_was_issued(value: object) -> None:
    assert login(last_refresh=value).obtained_at == "2027-01-05T08:00:00Z"


@pytest.mark.parametrize("mode", [..., None, "chatgpt", "chatgptAuthTokens", "apikey", "of a newer release"])
def test_tokens_count_whatever_the_mode_is(mode: object) -> None:
    assert login(auth_mode=mode) == login()


def test_what_is_not_known_is_ignored() -> None:
    assert login(agent_identity={"x": 1}, OPENAI_API_KEY="canary-key", tokens__more=[1]) == login()


# -- hostile files -------------------------------------------------------------------------------------

HUGE = "x" * 16385
WRONG: dict[str, tuple[Any, ...]] = {
    "auth_mode": (1, True, [], {}),
    "OPENAI_API_KEY": (1, False, ["canary"], {}),
    "tokens": ("canary", 1, [], True, ["access_token"]),
    "tokens.access_token": (..., None, "", 1, [], {}, "a b", "a\r\nX: y", "é", "\ud800", HUGE),
    "tokens.refresh_token": (1, True, [], {}, " ", "a b", "a\x00", HUGE),
    "tokens.id_token": (1, False, [], {}, "a b", "\x1b[31m", HUGE),
    "tokens.account_id": ("", 1, True, [], "../x", "a b", "a\r\nX: y", "é", "x" * 129),
    "last_refresh": (
        "",
        "yesterday",
        1,
        True,
        [],
        "2026-11-20",
        "2026-11-20T08:09:10",
        "1970-01-01T00:00:00Z",
    ),
}
ROWS = [(field, value) for field, values in WRONG.items() for value in values]


@pytest.mark.parametrize(("field", "value"), ROWS, ids=[f"{f}={str(v)[:12]!a}" for f, v in ROWS])
def test_f14_a_member_that_does_not_fit_is_named(field: str, value: Any) -> None:
    assert refusal(**{field.replace(".", "__"): value}) == field


def test_without_any_time_last_refresh_is_missing() -> None:
    access = account_token(exp=EXP)
    assert refusal(last_refresh=None, tokens__access_token=access) == "last_refresh"


def test_without_any_account_the_account_is_missing() -> None:
    assert (
        refusal(tokens__account_id=None, tokens__access_token="x", tokens__id_token=...)
        == "tokens.account_id"
    )


def test_an_account_that_the_tokens_contradict_is_refused() -> None:
    assert refusal(tokens__account_id="acct_other") == "account_mismatch"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tokens": None, "OPENAI_API_KEY": "canary-key"}, "api_key_only"),
        ({"tokens": ..., "OPENAI_API_KEY": "canary-key", "auth_mode": "apikey"}, "api_key_only"),
        ({"tokens": None}, "no_tokens"),
        ({"tokens": ..., "OPENAI_API_KEY": "", "auth_mode": ...}, "no_tokens"),
        ({"tokens": ..., "OPENAI_API_KEY": ..., "auth_mode": ..., "last_refresh": ...}, "no_tokens"),
    ],
)
def test_a_file_without_a_login_says_what_it_has(changes: dict[str, Any], why: str) -> None:
    found = read(plain(**changes))
    assert isinstance(found, SignInError)
    assert found.details == {"reason": why}
    assert ("API key" in found.message) is (why == "api_key_only")
    assert any("codex-oauth login" in action for action in found.next_actions)


WHOLE = json.dumps(plain()).encode()
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not_json"),
    "white space": (b" \n", "not_json"),
    "truncated": (WHOLE[:-1], "not_json"),
    "two documents": (WHOLE + WHOLE, "not_json"),
    "binary": (bytes(range(256)), "not_json"),
    "byte order mark": (b"\xef\xbb\xbf" + WHOLE, "not_json"),
    "UTF-16": (WHOLE.decode().encode("utf-16"), "not_json"),
    "100 000 lists": (b"[" * 100_000, "not_json"),
    "a number of 5000 digits": (WHOLE[:-1] + b', "x": ' + b"9" * 5000 + b"}", "not_json"),
    "a list": (b"[]", "not_an_object"),
    "null": (b"null", "not_an_object"),
    "a string": (b'"tokens"', "not_an_object"),
    "too big": (WHOLE + b" " * (LONGEST_AUTH_JSON + 1 - len(WHOLE)), "too_big"),
    "100 MiB": (bytes(100 * 1024 * 1024), "too_big"),
}


@pytest.mark.parametrize(("content", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_f14_a_file_that_is_none_is_a_typed_error(content: bytes, why: str) -> None:
    assert reason(content) == why


def test_f14_the_longest_file_is_read() -> None:
    content = WHOLE + b" " * (LONGEST_AUTH_JSON - len(WHOLE))
    assert isinstance(read_auth_json(Secret(content)), Credential)


@pytest.mark.parametrize("field", sorted(WRONG))
def test_s1_no_error_shows_a_value(field: str) -> None:
    found = read(plain(**{field.replace(".", "__"): ["canary value\x1b"]}))
    assert isinstance(found, SignInError)
    shown = f"{found!r} {found} {found.to_dict()} {found.args}"
    assert "canary" not in shown
    assert "acct_fake" not in shown


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_raise(content: bytes) -> None:
    assert isinstance(read_auth_json(Secret(content)), SignInError)


NAMES = st.sampled_from(["auth_mode", "OPENAI_API_KEY", "tokens", "last_refresh", "x"])
INNER = st.sampled_from(["id_token", "access_token", "refresh_token", "account_id", "x"])


@given(st.dictionaries(NAMES, json_values), st.dictionaries(INNER, json_values))
def test_no_json_object_makes_reading_raise(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    document = {**plain(), **outer}
    assert isinstance(read(document), Credential | SignInError)
    document["tokens"] = {**plain()["tokens"], **inner}
    assert isinstance(read(document), Credential | SignInError)


# -- writing -------------------------------------------------------------------------------------------


def written(credential: Credential, *, include_refresh: bool = False) -> Any:
    return json.loads(write_auth_json(credential, include_refresh=include_refresh).reveal())


def test_what_is_written_has_the_shape_that_the_codex_cli_reads() -> None:
    assert written(login(), include_refresh=True) == {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": ID_TOKEN,
            "access_token": ACCESS,
            "refresh_token": "canary-refresh-of-the-cli",
            "account_id": "acct_fake",
        },
        "last_refresh": "2026-11-20T08:09:10Z",
    }


def test_s21_without_being_asked_the_refresh_token_is_the_empty_string() -> None:
    content = write_auth_json(login()).reveal()
    assert b"canary-refresh" not in content
    assert json.loads(content)["tokens"] == {**plain()["tokens"], "refresh_token": ""}


@pytest.mark.parametrize("include_refresh", [True, False])
def test_what_is_written_is_read_again(include_refresh: bool) -> None:
    again = read_auth_json(write_auth_json(login(), include_refresh=include_refresh))
    assert again == attrs.evolve(login(), refresh_token=login().refresh_token if include_refresh else None)


@pytest.mark.parametrize("id_token", [None, Secret("opaque")])
def test_the_access_token_stands_for_an_id_token_that_the_codex_cli_could_not_read(id_token: Any) -> None:
    assert written(attrs.evolve(login(), id_token=id_token))["tokens"]["id_token"] == ACCESS


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"id_token": None, "access_token": Secret("opaque")}, "id_token"),
        ({"obtained_at": "the other day"}, "obtained_at"),
        ({"refresh_token": None}, "refresh_token"),
    ],
)
def test_what_the_codex_cli_could_not_read_is_not_written(changes: dict[str, Any], member: str) -> None:
    with pytest.raises(ValueError, match=f"^{member}$"):
        write_auth_json(attrs.evolve(login(), **changes), include_refresh=True)


# -- taking the tokens out -----------------------------------------------------------------------------


def rest(document: object) -> Any:
    return json.loads(without_tokens(Secret(json.dumps(document).encode())).reveal())


def test_only_the_login_is_taken_out() -> None:
    assert rest(plain()) == {"auth_mode": "chatgpt", "OPENAI_API_KEY": None}
    kept = {"auth_mode": "chatgpt", "OPENAI_API_KEY": "canary-key", "personal_access_token": "canary-pat"}
    assert rest(plain(OPENAI_API_KEY="canary-key", personal_access_token="canary-pat")) == kept


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=20), max_size=4))
def test_no_token_is_left_and_nothing_else_is_lost(more: dict[str, str]) -> None:
    whole = {**more, **plain()}
    left = rest(whole)
    assert "canary" not in json.dumps(left)
    assert left == {name: whole[name] for name in whole if name not in ("tokens", "last_refresh")}


def test_what_is_left_holds_no_login() -> None:
    assert reason(without_tokens(Secret(WHOLE)).reveal()) == "no_tokens"
    with_key = json.dumps(plain(OPENAI_API_KEY="key")).encode()
    assert reason(without_tokens(Secret(with_key)).reveal()) == "api_key_only"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"{", b"\xff", WHOLE[:-1] + b', "x": NaN}', WHOLE[:-1] + b', "x": 1e999}'),
    ],
)
def test_a_file_that_cannot_be_written_again_is_left_alone(content: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be written again") as raised:
        without_tokens(Secret(content))
    assert raised.value.__cause__ is None
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("depth", [50, 300, 600, 900, 950, 970, 990, 5000])
def test_no_depth_of_nesting_makes_it_raise_anything_else(depth: int) -> None:
    content = WHOLE[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}"
    with contextlib.suppress(ValueError):
        assert b'"x"' in without_tokens(Secret(content)).reveal()


def test_no_text_form_shows_a_token() -> None:
    found = login()
    shown = f"{found!r} {write_auth_json(found, include_refresh=True)!r} {without_tokens(Secret(WHOLE))!r}"
    assert "canary" not in shown
    assert CLAIMS not in shown
