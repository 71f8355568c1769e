"""The Codex CLI's own login file, `auth.json`: read to copy or move a login, written to hand one out.

Rules of this file: pure reading and writing of bytes. It is another program's file: what is read of it is
checked member by member, no value of it enters an error, and nothing but the tokens is ever taken out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.answers import usable_secret
from codex_oauth_core.codex.token_answers import account_id_from_token
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.reading.http_time import iso_date, plausible_time, rfc3339
from codex_oauth_core.reading.json_body import MAX_BODY, UNREADABLE, read_json
from codex_oauth_core.reading.jwt import expiry, read_claims
from codex_oauth_core.secret import Secret, unseen

__all__ = ["LONGEST_AUTH_JSON", "read_auth_json", "without_tokens", "write_auth_json"]

LONGEST_AUTH_JSON: Final = MAX_BODY
"""Bytes of such a file that are read at most."""

_LONGEST_TOKEN: Final = 16 * 1024
_ACCOUNT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_OF_THE_LOGIN: Final = ("tokens", "last_refresh")
_REASONS: Final[Mapping[str, str]] = {
    "api_key_only": "The Codex CLI signs in with an API key there; it has no ChatGPT login to share.",
    "no_tokens": "The Codex CLI has no login there.",
}
_OTHERWISE: Final = "The file is not a login of the Codex CLI."
_HELP: Final = (
    "Sign in with the Codex CLI (codex login), and try again.",
    "Or sign in here: codex-oauth login",
)


class _Unfit(Exception):  # never leaves this file
    """The file does not fit. Its text is a reason of `read_auth_json`."""


def read_auth_json(content: Secret[bytes]) -> Credential | SignInError:
    """The login in an `auth.json`, or an error of kind `corrupt_auth`.

    Its `details.reason` is `too_big`, `not_json`, `not_an_object`, `api_key_only` (an API key and no login),
    `no_tokens` (nobody is signed in), `account_mismatch` (a token names another account than the file), or
    the first member that does not fit. An absent, null or empty refresh token is None.
    """
    try:
        return _credential(_members(content))
    except _Unfit as unfit:
        return _error(str(unfit))


def _error(reason: str) -> SignInError:
    error = SignInError.of(ErrorKind.CORRUPT_AUTH, _REASONS.get(reason, _OTHERWISE), reason=reason)
    return attrs.evolve(error, next_actions=_HELP)


def _members(content: Secret[bytes]) -> Mapping[str, object]:
    if len(content.reveal()) > LONGEST_AUTH_JSON:
        raise _Unfit("too_big")
    document = unseen(lambda: read_json(content.reveal()))
    if document is UNREADABLE:
        raise _Unfit("not_json")
    return _object(document, "not_an_object")


def _object(value: object, reason: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _Unfit(reason)
    return cast("Mapping[str, object]", value)


def _credential(members: Mapping[str, object]) -> Credential:
    _check_text(members, "auth_mode")
    _check_text(members, "OPENAI_API_KEY")
    tokens = _tokens(members)
    access = _token(tokens, "access_token")
    if access is None:
        raise _Unfit("tokens.access_token")
    id_token = _token(tokens, "id_token")
    expires_at = expiry(access)
    return Credential(
        access_token=access,
        refresh_token=_token(tokens, "refresh_token"),
        account_id=_account_id(tokens, access, id_token),
        issuer=CODEX.issuer,
        client_id=CODEX.client_id,
        obtained_at=_obtained_at(members.get("last_refresh"), access),
        id_token=id_token,
        expires_at=None if expires_at is None else round(expires_at * 1000),
    )


def _check_text(members: Mapping[str, object], name: str) -> None:
    if not isinstance(members.get(name), str | None):
        raise _Unfit(name)


def _tokens(members: Mapping[str, object]) -> Mapping[str, object]:
    tokens = members.get("tokens")
    if tokens is None:
        raise _Unfit("api_key_only" if members.get("OPENAI_API_KEY") else "no_tokens")
    return _object(tokens, "tokens")


def _token(tokens: Mapping[str, object], name: str) -> Secret[str] | None:
    """A token; None if it is absent, null or empty. Raises `_Unfit` for anything else that is no token."""
    value = tokens.get(name)
    token = usable_secret(value, _LONGEST_TOKEN)
    if token is None and value not in (None, ""):
        raise _Unfit(f"tokens.{name}")
    return token


def _account_id(tokens: Mapping[str, object], access: Secret[str], id_token: Secret[str] | None) -> str:
    """The account that the tokens name, else the one that the file names; both, if they agree."""
    stated = tokens.get("account_id")
    if stated is not None and not (isinstance(stated, str) and _ACCOUNT_ID.fullmatch(stated)):
        raise _Unfit("tokens.account_id")
    named = account_id_from_token(access) or (account_id_from_token(id_token) if id_token else None)
    if stated is not None and named not in (None, stated):
        raise _Unfit("account_mismatch")
    found = named or stated
    if found is None:
        raise _Unfit("tokens.account_id")
    return found


def _obtained_at(last_refresh: object, access: Secret[str]) -> str:
    """RFC 3339, by `last_refresh`, or by the token itself (`iat`, RFC 7519 §4.1.6) where that is absent."""
    moment = read_claims(access).get("iat") if last_refresh is None else iso_date(last_refresh)
    found = plausible_time(moment)
    if found is None:
        raise _Unfit("last_refresh")
    return rfc3339(found)


def write_auth_json(credential: Credential, *, include_refresh: bool = False) -> Secret[bytes]:
    """A login as an `auth.json`. It holds live tokens: write it where only its owner reads.

    The Codex CLI reads the file only if each of the four tokens is a string, and the id token a JWT.
    Without `include_refresh` the refresh token is therefore the empty string, which is what the CLI itself
    keeps for an access token that it got from outside; without an id token the access token stands for it,
    as it does there too. ValueError if neither is a JWT, if `obtained_at` is no time, or if
    `include_refresh` is asked of a login without a refresh token.
    """
    moment = plausible_time(iso_date(credential.obtained_at))
    if moment is None:
        raise ValueError("obtained_at")
    tokens = {
        "id_token": _readable_id_token(credential).reveal(),
        "access_token": credential.access_token.reveal(),
        "refresh_token": _spendable(credential).reveal() if include_refresh else "",
        "account_id": credential.account_id,
    }
    last_refresh = rfc3339(moment)
    return _written(
        {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": last_refresh}
    )


def _readable_id_token(credential: Credential) -> Secret[str]:
    for token in (credential.id_token, credential.access_token):
        if token is not None and read_claims(token):
            return token
    raise ValueError("id_token")


def _spendable(credential: Credential) -> Secret[str]:
    if credential.refresh_token is None:
        raise ValueError("refresh_token")
    return credential.refresh_token


def without_tokens(content: Secret[bytes]) -> Secret[bytes]:
    """An `auth.json` that `read_auth_json` could read, without its tokens. An API key in it stays, and so
    does whatever else another program keeps there. ValueError for what is no JSON object, or cannot be
    written again: nested too deep, or with NaN in it.
    """
    try:
        members = _members(content)
        return _written({name: value for name, value in members.items() if name not in _OF_THE_LOGIN})
    except (_Unfit, RecursionError, ValueError):
        raise ValueError("the file cannot be written again") from None


def _written(document: Mapping[str, Any]) -> Secret[bytes]:
    return unseen(lambda: Secret(json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"))
