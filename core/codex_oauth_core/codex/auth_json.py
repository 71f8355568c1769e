"""The Codex CLI's own login file, `auth.json`: read to copy or move a login, written to hand one out.

Rules of this file: pure reading and writing of bytes. It is another program's file: what is needed of it is
checked member by member, what is not needed may be anything, and no value of it enters an error. A login
belongs to the issuer and the client that the file names, and to nobody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import attrs

from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.answers import usable_secret
from codex_oauth_core.codex.token_answers import identify
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.reading.json_body import MAX_BODY, as_object
from codex_oauth_core.reading.jwt import expiry, read_claims
from codex_oauth_core.reading.strict_json import NotStrictJsonError, read_value
from codex_oauth_core.reading.times import iso_date, plausible_time, rfc3339
from codex_oauth_core.record import Record, read_record, write_record
from codex_oauth_core.secret import Secret, without_traceback

__all__ = [
    "LONGEST_AUTH_JSON",
    "auth_document",
    "read_auth_json",
    "record_of",
    "without_tokens",
    "write_auth_json",
]

LONGEST_AUTH_JSON: Final = MAX_BODY
"""Bytes of such a file that are read at most."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LONGEST_TOKEN: Final = 16 * 1024
_LONGEST_NUMBER: Final = 4000  # digits; Python converts no more than 4300
_ACCOUNT_ID: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_CLIENT_ID: Final = re.compile(r"[\x21-\x7e]{1,256}", re.ASCII)
_LONGEST_ISSUER: Final = 2048
_OF_THE_LOGIN: Final = ("tokens", "last_refresh")
_READ: Final = ("id_token", "access_token", "refresh_token", "account_id", "oauth_provenance")
_BESIDE: Final = "codex_cli"  # where a record keeps the other members of `tokens`
_PROVENANCE: Final = "tokens.oauth_provenance"


@attrs.frozen
class _Way:
    """A way to sign in that leaves no login to share: the members that stand for it, and its `auth_mode`s."""

    reason: str
    named: str
    members: tuple[str, ...]
    modes: tuple[str, ...]


_WAYS: Final = (
    _Way(
        "personal_access_token",
        "a personal access token",
        ("personal_access_token",),
        ("personalaccesstoken",),
    ),
    _Way("agent_identity", "an agent identity", ("agent_identity",), ("agentidentity",)),
    _Way(
        "cloud_key",
        "a cloud provider's key",
        ("bedrock_api_key", "bedrock_access_keys"),
        ("bedrockapikey", "bedrockaccesskeys"),
    ),
    _Way("api_key_only", "an API key", ("OPENAI_API_KEY",), ("apikey",)),
)
_CHATGPT_MODES: Final = ("", "chatgpt", "chatgptauthtokens")

_NO_TEXT: Final = "it must be printable ASCII text without white space, of at most 16 KiB"
_WHY: Final[Mapping[str, str]] = {
    "tokens": "it must be a JSON object",
    "tokens.access_token": _NO_TEXT,
    "tokens.refresh_token": _NO_TEXT,
    "tokens.account_id": "it must be printable ASCII text without white space, at most 255 characters",
    "last_refresh": ("it must be a time such as 2026-01-15T08:00:18Z"),
    _PROVENANCE: "it must be a JSON object",
    f"{_PROVENANCE}.issuer": (
        "it must be the https address of an authorization server (http only on this machine), without "
        "a user, a query or a fragment"
    ),
    f"{_PROVENANCE}.client_id": "it must be printable ASCII text without white space, at most 256 characters",
}
_REASONS: Final[Mapping[str, str]] = {
    **{
        each.reason: f"The Codex CLI signs in there with {each.named}: there is no ChatGPT login to share."
        for each in _WAYS
    },
    "other_mode": "The Codex CLI signs in there in another way: there is no ChatGPT login to share.",
    "no_tokens": "The Codex CLI has no login there.",
    "too_big": "The file is longer than 1 MiB.",
    "not_an_object": "The file is JSON, but no JSON object.",
    **{member: f"The file's member {member} cannot be used: {why}." for member, why in _WHY.items()},
}
_HELP: Final = (
    "Sign in with the Codex CLI, and try again: codex login",
    "Or sign in here: codex-oauth login",
)


class _Unfit(Exception):  # never leaves this file
    """The file does not fit. `reason` is one of `read_auth_json`."""

    def __init__(self, reason: str, text: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.text = text or _REASONS[reason]


def read_auth_json(
    content: Secret[bytes], *, modified: float | None = None, to_move: bool = False
) -> Credential | SignInError:
    """The login in an `auth.json`, or an error of kind `corrupt_auth`.

    It belongs to the issuer and the client of the file's `oauth_provenance`, else to the usual ones. Its
    account is the one that the file names, else the one that its tokens name, if they do. `modified`: when
    the file was written (Unix seconds), for a file that does not say when its tokens were issued. `to_move`:
    a refresh token that cannot be used is an error; else it is None, like an absent or empty one.

    `details.reason` of an error: `too_big`, `not_json`, `not_an_object`; `api_key_only`,
    `personal_access_token`, `agent_identity`, `cloud_key` or `other_mode` (signed in another way than with
    ChatGPT), `no_tokens` (nobody is signed in), or the first member that does not fit.
    """
    try:
        return _credential(_members(content), modified, to_move=to_move)
    except _Unfit as unfit:
        error = SignInError.of(ErrorKind.CORRUPT_AUTH, unfit.text, reason=unfit.reason)
        return attrs.evolve(error, next_actions=_HELP)


def record_of(credential: Credential, content: Secret[bytes]) -> Record:
    """A login that was read from `content`, as a record. With it goes what the Codex CLI keeps beside its
    tokens, such as `login_owner_id`: `write_auth_json` gives it back.
    """
    tokens = as_object(_members(content).get("tokens"))
    beside = {name: value for name, value in tokens.items() if name not in _READ}
    record = Record(credential, unknown={_BESIDE: beside} if beside else {})
    return record if _is_storable(record) else Record(credential)


def _is_storable(record: Record) -> bool:
    try:
        return isinstance(without_traceback(lambda: read_record(write_record(record))), Record)
    except (RecursionError, ValueError):
        return False


# -- the document -----------------------------------------------------------------------------------


def auth_document(content: Secret[bytes]) -> object:
    """The JSON value in a file of the Codex CLI, read as leniently as it reads; None if there is none."""
    try:
        return _document(content)
    except _Unfit:
        return None


def _members(content: Secret[bytes]) -> Mapping[str, object]:
    return _object(_document(content), "not_an_object")


def _document(content: Secret[bytes]) -> object:
    try:
        return without_traceback(lambda: _parsed(content.reveal().removeprefix(_BYTE_ORDER_MARK)))
    except NotStrictJsonError as error:
        if error.reason == "too_big":
            raise _Unfit("too_big") from None
        empty = not content.reveal().strip()
        text = "is empty" if empty else _FAULTS[error.reason].format(error.line)
    raise _Unfit("not_json", f"The file {text}.")


_FAULTS: Final = {
    "not_utf8": "is not UTF-8 text",
    "not_json": "is not JSON (line {})",
    "ambiguous": "has a name twice, or a number that is NaN, infinite or too long",
    "too_deep": "is nested too deeply",
}


def _parsed(data: bytes) -> object:
    return read_value(data, LONGEST_AUTH_JSON, parse_int=_number)


def _number(digits: str) -> float:
    """A number of which nothing is needed may have any length."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)


def _object(value: object, reason: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _Unfit(reason)
    return cast("Mapping[str, object]", value)


# -- the login --------------------------------------------------------------------------------------


def _credential(members: Mapping[str, object], modified: float | None, *, to_move: bool) -> Credential:
    tokens = _tokens(members)
    issuer, client_id = _owner(tokens.get("oauth_provenance"))
    access = _token(tokens, "access_token")
    if access is None:
        raise _Unfit("tokens.access_token", "The login of the Codex CLI there has no access token.")
    id_token = usable_secret(tokens.get("id_token"), _LONGEST_TOKEN)
    refresh = usable_secret(tokens.get("refresh_token"), _LONGEST_TOKEN)
    account_id, user_id = identify(access, id_token)
    expires_at = expiry(access)
    return Credential(
        access_token=access,
        refresh_token=_token(tokens, "refresh_token") if to_move else refresh,
        account_id=_account_id(tokens.get("account_id")) or account_id,
        user_id=user_id,
        issuer=issuer,
        client_id=client_id,
        obtained_at=_obtained_at(members.get("last_refresh"), access, modified),
        id_token=id_token,
        expires_at=None if expires_at is None else round(expires_at * 1000),
    )


def _tokens(members: Mapping[str, object]) -> Mapping[str, object]:
    tokens = members.get("tokens")
    if tokens is None:
        raise _Unfit(_way_without(members))
    tokens = _object(tokens, "tokens")
    if not tokens.get("access_token") and not tokens.get("refresh_token"):
        raise _Unfit(_way_without(members))
    return tokens


def _way_without(members: Mapping[str, object]) -> str:
    """How the Codex CLI signs in without tokens: by its mode, else by what is there."""
    stated = members.get("auth_mode")
    mode = re.sub(r"[^a-z]", "", stated.lower()) if isinstance(stated, str) else ""
    by_mode = (way.reason for way in _WAYS if mode in way.modes)
    by_member = (way.reason for way in _WAYS if any(members.get(member) for member in way.members))
    otherwise = "no_tokens" if mode in _CHATGPT_MODES else "other_mode"
    return next(by_mode, None) or next(by_member, otherwise)


def _token(tokens: Mapping[str, object], name: str) -> Secret[str] | None:
    """A token; None if it is absent, null or empty. Raises `_Unfit` for anything else that is no token."""
    value = tokens.get(name)
    token = usable_secret(value, _LONGEST_TOKEN)
    if token is None and value not in (None, ""):
        raise _Unfit(f"tokens.{name}")
    return token


def _owner(provenance: object) -> tuple[str, str]:
    """The issuer and the client id that the login belongs to."""
    if provenance is None:
        return CODEX.issuer, CODEX.client_id
    stated = _object(provenance, _PROVENANCE)
    client_id = stated.get("client_id")
    issuer = _issuer(stated.get("issuer"))
    if not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
        raise _Unfit(f"{_PROVENANCE}.client_id")
    return issuer, client_id


def _issuer(stated: object) -> str:
    """The issuer in the one spelling in which issuers are compared here."""
    if isinstance(stated, str) and len(stated) <= _LONGEST_ISSUER:
        try:
            parts = urlsplit(CODEX.at(stated).issuer)
        except ValueError:
            pass
        else:
            host = parts.netloc.lower().removesuffix(":443" if parts.scheme == "https" else ":80")
            return f"{parts.scheme}://{host}{parts.path}"
    raise _Unfit(f"{_PROVENANCE}.issuer")


def _account_id(stated: object) -> str | None:
    """The account that the file names, which is the one that the Codex CLI sends; None if it names none."""
    if stated in (None, ""):
        return None
    if isinstance(stated, str) and _ACCOUNT_ID.fullmatch(stated):
        return stated
    raise _Unfit("tokens.account_id")


def _obtained_at(last_refresh: object, access: Secret[str], modified: float | None) -> str:
    """RFC 3339: by `last_refresh`, else by the token itself (`iat`, RFC 7519 §4.1.6), else by the file."""
    moments = (iso_date(last_refresh), read_claims(access).get("iat"), modified)
    found = next(filter(None, map(plausible_time, moments)), None)
    if found is None and modified is None:
        raise _Unfit("last_refresh")
    return rfc3339(found or 0.0)


# -- writing ----------------------------------------------------------------------------------------


def write_auth_json(record: Record | Credential, *, include_refresh: bool = False) -> Secret[bytes]:
    """A login as an `auth.json`. It holds live tokens: write it where only its owner reads.

    The Codex CLI reads the file only if each of the four tokens is a string, and the id token a JWT.
    Without `include_refresh` the refresh token is therefore the empty string, which is what the CLI itself
    keeps for an access token that it got from outside; without an id token the access token stands for it,
    as it does there too. `oauth_provenance` says where the login is renewed, and with which client id.
    ValueError if neither is a JWT, if `obtained_at` is no time, or if `include_refresh` is asked of a login
    without a refresh token.
    """
    credential = record.credential if isinstance(record, Record) else record
    kept: Mapping[str, Any] = record.unknown if isinstance(record, Record) else {}
    beside = as_object(kept.get(_BESIDE))
    moment = plausible_time(iso_date(credential.obtained_at))
    if moment is None:
        raise ValueError("obtained_at")
    tokens = {
        **beside,
        "id_token": _readable_id_token(credential).reveal(),
        "access_token": credential.access_token.reveal(),
        "refresh_token": _spendable(credential).reveal() if include_refresh else "",
        "account_id": credential.account_id,
        "oauth_provenance": {"issuer": credential.issuer, "client_id": credential.client_id},
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
    does whatever else another program keeps there. What stands among the tokens goes with them, see
    `record_of`: the Codex CLI cannot read a file in which `tokens` is not whole. ValueError for what is no
    JSON object, or cannot be written again: nested too deep, or with NaN in it.
    """
    try:
        members = _members(content)
        return _written({name: value for name, value in members.items() if name not in _OF_THE_LOGIN})
    except (_Unfit, RecursionError, ValueError):
        raise ValueError("the file cannot be written again") from None


def _written(document: Mapping[str, Any]) -> Secret[bytes]:
    return without_traceback(lambda: Secret(json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"))
