"""The Codex CLI's `auth.json` as it is written: a login handed out, and what stays when one was taken."""

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
    auth_document,
    read_auth_json,
    record_of,
    without_tokens,
    write_auth_json,
)
from codex_oauth_core.credential import Credential
from codex_oauth_core.record import Record, read_record, write_record
from codex_oauth_core.secret import Secret
from tests.core.test_auth_json import ACCESS, ID_TOKEN, WHOLE, login, plain, reason
from tests.core.test_auth_json_owner import of
from tests.support import CLAIMS


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
            "oauth_provenance": {"issuer": CODEX.issuer, "client_id": CODEX.client_id},
        },
        "last_refresh": "2026-11-20T08:09:10Z",
    }


def test_s21_without_being_asked_the_refresh_token_is_the_empty_string() -> None:
    content = write_auth_json(login()).reveal()
    assert b"canary-refresh" not in content
    assert json.loads(content)["tokens"] == {**written(login())["tokens"], "refresh_token": ""}


@pytest.mark.parametrize("include_refresh", [True, False])
@pytest.mark.parametrize("owner", [{}, of(), of("http://127.0.0.1:8123")])
def test_what_is_written_is_read_again(include_refresh: bool, owner: dict[str, Any]) -> None:
    theirs = login(**owner)
    again = read_auth_json(write_auth_json(theirs, include_refresh=include_refresh))
    assert again == attrs.evolve(theirs, refresh_token=theirs.refresh_token if include_refresh else None)


def test_r8_what_stands_beside_the_tokens_goes_with_them_and_comes_back() -> None:
    content = Secret(
        json.dumps(plain(tokens__login_owner_id="owner-1", tokens__new={"x": [1, None]})).encode()
    )
    record = record_of(login(), content)
    stored = read_record(write_record(record))
    assert stored == record
    tokens = json.loads(write_auth_json(record).reveal())["tokens"]
    assert (tokens["login_owner_id"], tokens["new"]) == ("owner-1", {"x": [1, None]})
    assert set(tokens) == {*written(login())["tokens"], "login_owner_id", "new"}


@pytest.mark.parametrize("new", [b"9" * 5000, b"[" * 40 + b"]" * 40, b"[" * 900 + b"]" * 900])
def test_what_could_not_be_stored_does_not_spoil_the_login(new: bytes) -> None:
    content = Secret(WHOLE.replace(b'"tokens": {', b'"tokens": {"new": ' + new + b", "))
    assert record_of(login(), content) == Record(login())


def test_no_member_beside_the_tokens_takes_the_place_of_one() -> None:
    record = Record(login(), unknown={"codex_cli": {"access_token": "x", "refresh_token": "canary", "y": 1}})
    assert json.loads(write_auth_json(record).reveal())["tokens"] == {**written(login())["tokens"], "y": 1}


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


def test_a_document_is_read_leniently_or_is_none() -> None:
    assert auth_document(Secret(b"\xef\xbb\xbf" + WHOLE)) == plain()
    assert auth_document(Secret(b"{")) is None


def test_no_text_form_shows_a_token() -> None:
    found = login()
    shown = f"{found!r} {write_auth_json(found, include_refresh=True)!r} {without_tokens(Secret(WHOLE))!r}"
    assert "canary" not in shown
    assert CLAIMS not in shown
