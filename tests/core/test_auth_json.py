"""The Codex CLI's `auth.json`: what is read of it, what is written, and that no value of it shows."""

from __future__ import annotations

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
)
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.secret import Secret
from tests.strategies import json_values
from tests.support import account_token, jwt

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


def read(document: object, **options: Any) -> Credential | SignInError:
    return read_auth_json(Secret(json.dumps(document).encode()), **options)


def login(modified: float | None = None, **changes: Any) -> Credential:
    found = read(plain(**changes), modified=modified)
    assert isinstance(found, Credential), found
    return found


def reason(content: bytes, **options: Any) -> object:
    found = read_auth_json(Secret(content), **options)
    assert isinstance(found, SignInError)
    assert found.kind is ErrorKind.CORRUPT_AUTH
    assert set(found.details) == {"reason"}
    return found.details["reason"]


def refusal(**changes: Any) -> object:
    return reason(json.dumps(plain(**changes)).encode(), to_move=True)


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


@pytest.mark.parametrize("value", [1, True, [], {}, " ", "a b", "a\x00", "x" * 16385])
def test_a_copy_needs_no_refresh_token_that_can_be_used(value: object) -> None:
    assert login(tokens__refresh_token=value) == login(tokens__refresh_token=None)
    assert refusal(tokens__refresh_token=value) == "tokens.refresh_token"


@pytest.mark.parametrize(
    "value", [..., None, "", 1, [], {"raw_jwt": ID_TOKEN}, "a b", "\x1b[31m", "x" * 16385]
)
def test_an_id_token_is_not_needed(value: object) -> None:
    assert login(tokens__id_token=value) == attrs.evolve(login(), id_token=None)


@pytest.mark.parametrize("value", [..., None, ""])
def test_without_an_account_id_the_tokens_name_the_account(value: object) -> None:
    assert login(tokens__account_id=value).account_id == "acct_fake"
    other = login(tokens__account_id=value, tokens__access_token=jwt({"iat": EXP}))
    assert other.account_id == "acct_fake"  # by the id token


def test_without_claims_the_file_names_the_account() -> None:
    found = login(tokens__access_token="opaque", tokens__id_token=..., tokens__account_id="acct_of_the_file")
    assert (found.account_id, found.expires_at) == ("acct_of_the_file", None)


def test_the_account_of_the_file_goes_before_that_of_the_tokens() -> None:
    """It is the one that the Codex CLI sends."""
    assert login(tokens__account_id="acct_other") == attrs.evolve(login(), account_id="acct_other")


NO_TIMES: tuple[Any, ...] = (
    ...,
    None,
    "",
    "yesterday",
    1,
    True,
    [],
    "2026-11-20",
    "2026-11-20T08:09:10",
    "1970-01-01T00:00:00Z",
)


@pytest.mark.parametrize("value", NO_TIMES)
def test_without_last_refresh_the_token_says_when_it_was_issued(value: object) -> None:
    assert login(last_refresh=value, modified=EXP).obtained_at == "2027-01-05T08:00:00Z"


@pytest.mark.parametrize("value", NO_TIMES)
def test_without_either_it_is_the_time_of_the_file(value: object) -> None:
    opaque = {"last_refresh": value, "tokens__access_token": account_token()}
    assert login(**opaque, modified=EXP).obtained_at == "2027-01-15T08:00:00Z"
    assert login(**opaque, modified=-5.0).obtained_at == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "mode", [..., None, 1, [], "chatgpt", "chatgptAuthTokens", "apikey", "of a newer release"]
)
def test_tokens_count_whatever_the_mode_is(mode: object) -> None:
    assert login(auth_mode=mode) == login()


@pytest.mark.parametrize("key", [1, False, ["canary"], {}, "canary-key"])
def test_what_is_not_needed_may_be_anything(key: object) -> None:
    assert login(agent_identity={"x": 1}, OPENAI_API_KEY=key, tokens__more=[1]) == login()


def test_a_byte_order_mark_and_a_number_of_any_length_are_no_fault() -> None:
    long = WHOLE[:-1] + b', "x": ' + b"9" * 5000 + b', "y": -' + b"9" * 5000 + b"}"
    for content in (b"\xef\xbb\xbf" + WHOLE, b"\xef\xbb\xbf" + long, long):
        assert read_auth_json(Secret(content)) == login()


# -- hostile files -------------------------------------------------------------------------------------

HUGE = "x" * 16385
WRONG: dict[str, tuple[Any, ...]] = {
    "tokens": ("canary", 1, [], True, ["access_token"]),
    "tokens.access_token": (..., None, "", 1, [], {}, "a b", "a\r\nX: y", "é", "\ud800", HUGE),
    "tokens.account_id": (1, True, [], "a b", "a\r\nX: y", "é", "x" * 256),
    "last_refresh": NO_TIMES,
}
ROWS = [(field, value) for field, values in WRONG.items() for value in values]


@pytest.mark.parametrize(("field", "value"), ROWS, ids=[f"{f}={str(v)[:12]!a}" for f, v in ROWS])
def test_f14_a_member_that_does_not_fit_is_named(field: str, value: Any) -> None:
    changes = {"tokens__access_token": account_token(exp=EXP), field.replace(".", "__"): value}
    found = read(plain(**{name: changes[name] for name in changes if field != "tokens" or name == "tokens"}))
    assert isinstance(found, SignInError)
    assert found.details["reason"] == field
    assert field == "tokens.access_token" or f"member {field} cannot be used: it must be" in found.message


@pytest.mark.parametrize("value", [..., None, ""])
def test_a_login_that_names_no_account_is_a_login(value: object) -> None:
    found = login(tokens__account_id=value, tokens__access_token="x", tokens__id_token=...)
    assert (found.account_id, found.user_id) == (None, None)


def test_an_account_id_need_not_be_a_word() -> None:
    assert login(tokens__account_id="auth0|anna").account_id == "auth0|anna"


def test_the_tokens_say_who_the_person_is() -> None:
    person = jwt({"iat": EXP, "https://api.openai.com/auth": {"chatgpt_user_id": "user-1"}})
    assert login(tokens__access_token=person).user_id == "user-1"
    assert login(tokens__access_token=jwt({"sub": "s"}), tokens__id_token=person).user_id == "user-1"


PAT = {"personal_access_token": "canary-pat"}
AGENT = {"agent_identity": {"agent_private_key": "canary-key"}}
CLOUD = {"bedrock_api_key": {"api_key": "canary-key", "region": "eu-west-1"}}
CLOUD_KEYS = {"bedrock_access_keys": {"access_key_id": "canary", "secret_access_key": "canary"}}
EMPTY = {"tokens__access_token": "", "tokens__refresh_token": ""}


@pytest.mark.parametrize(
    ("changes", "why", "named"),
    [
        ({"OPENAI_API_KEY": "canary-key"}, "api_key_only", "an API key"),
        ({"OPENAI_API_KEY": "canary-key", "auth_mode": "apikey"}, "api_key_only", "an API key"),
        ({**PAT, "auth_mode": "personalAccessToken"}, "personal_access_token", "a personal access token"),
        ({**PAT, "auth_mode": ...}, "personal_access_token", "a personal access token"),
        ({**PAT, "OPENAI_API_KEY": "canary-key"}, "personal_access_token", "a personal access token"),
        ({**PAT, "OPENAI_API_KEY": "canary-key", "auth_mode": "apikey"}, "api_key_only", "an API key"),
        ({"auth_mode": "personal_access_token"}, "personal_access_token", "a personal access token"),
        ({**AGENT, "auth_mode": "agentIdentity"}, "agent_identity", "an agent identity"),
        ({"agent_identity": "canary.jwt.x", "auth_mode": ...}, "agent_identity", "an agent identity"),
        ({**CLOUD, "auth_mode": "bedrockApiKey"}, "cloud_key", "a cloud provider's key"),
        ({**CLOUD_KEYS, "auth_mode": "bedrockAccessKeys"}, "cloud_key", "a cloud provider's key"),
        ({**CLOUD_KEYS, "auth_mode": 7}, "cloud_key", "a cloud provider's key"),
        ({"auth_mode": "headers"}, "other_mode", "in another way"),
        ({"auth_mode": "ofANewerRelease", "new": "canary"}, "other_mode", "in another way"),
        ({"auth_mode": "chatgpt"}, "no_tokens", "has no login there"),
        ({"auth_mode": "chatgptAuthTokens"}, "no_tokens", "has no login there"),
        ({"OPENAI_API_KEY": "", "auth_mode": ...}, "no_tokens", "has no login there"),
        ({"OPENAI_API_KEY": ..., "auth_mode": ..., "last_refresh": ...}, "no_tokens", "has no login there"),
    ],
)
@pytest.mark.parametrize("tokens", [{"tokens": None}, {"tokens": ...}, {"tokens": {}}, EMPTY])
def test_a_file_without_a_login_says_what_it_has(
    changes: dict[str, Any], why: str, named: str, tokens: dict[str, Any]
) -> None:
    found = read(plain(**changes, **tokens))
    assert isinstance(found, SignInError)
    assert found.details == {"reason": why}
    assert named in found.message
    assert any("codex-oauth login" in action for action in found.next_actions)
    assert "canary" not in f"{found!r} {found.to_dict()}"


WHOLE = json.dumps(plain()).encode()
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not_json"),
    "white space": (b" \n", "not_json"),
    "truncated": (WHOLE[:-1], "not_json"),
    "two documents": (WHOLE + WHOLE, "not_json"),
    "binary": (bytes(range(256)), "not_json"),
    "a second byte order mark": (b"\xef\xbb\xbf" * 2 + WHOLE, "not_json"),
    "UTF-16": (WHOLE.decode().encode("utf-16"), "not_json"),
    "100 000 lists": (b"[" * 100_000, "not_json"),
    "NaN": (WHOLE.replace(b"{", b'{"new": NaN, ', 1), "not_json"),
    "an infinity": (WHOLE.replace(b"{", b'{"new": 1e999, ', 1), "not_json"),
    "a name twice": (WHOLE.replace(b"{", b'{"tokens": {}, ', 1), "not_json"),
    "a list": (b"[]", "not_an_object"),
    "null": (b"null", "not_an_object"),
    "a string": (b'"tokens"', "not_an_object"),
    "too big": (WHOLE + b" " * (LONGEST_AUTH_JSON + 1 - len(WHOLE)), "too_big"),
    "100 MiB": (bytes(100 * 1024 * 1024), "too_big"),
}


@pytest.mark.parametrize(("content", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_f14_a_file_that_is_none_is_a_typed_error(content: bytes, why: str) -> None:
    assert reason(content) == why


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty."),
        (b" \n", "The file is empty."),
        (b'{\n"canary": }', "The file is not JSON (line 2)."),
        (b"\xff", "The file is not UTF-8 text."),
        (b"[" * 100_000, "The file is nested too deeply."),
        (b"[]", "The file is JSON, but no JSON object."),
        (b" " * (LONGEST_AUTH_JSON + 1), "The file is longer than 1 MiB."),
    ],
)
def test_f14_what_is_wrong_with_a_file_is_said(content: bytes, said: str) -> None:
    found = read_auth_json(Secret(content))
    assert isinstance(found, SignInError)
    assert found.message == said
    assert found.__cause__ is None


def test_f14_the_longest_file_is_read() -> None:
    content = WHOLE + b" " * (LONGEST_AUTH_JSON - len(WHOLE))
    assert isinstance(read_auth_json(Secret(content)), Credential)


@pytest.mark.parametrize("field", ["tokens", "tokens.access_token", "tokens.account_id"])
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
INNER = st.sampled_from(["id_token", "access_token", "refresh_token", "account_id", "oauth_provenance", "x"])


@given(st.dictionaries(NAMES, json_values), st.dictionaries(INNER, json_values))
def test_no_json_object_makes_reading_raise(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    document = {**plain(), **outer}
    assert isinstance(read(document), Credential | SignInError)
    document["tokens"] = {**plain()["tokens"], **inner}
    assert isinstance(read(document), Credential | SignInError)
