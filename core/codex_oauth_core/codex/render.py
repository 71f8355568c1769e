"""The inverse of this dialect's readers: from a fact to an answer that means it.

Rules of this file: `read_x(render_x(fact)) == fact` for every fact that `read_x` can give, up to a
`retry_after` that is no whole number (it is rounded up). Pure: tokens, codes and times are the
caller's. ValueError for a fact that no answer can state, such as a reset connection.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, assert_never

from codex_oauth_core.codex.codes import denial, known_code
from codex_oauth_core.codex.token_answers import CLAIMS
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import (
    Approved,
    DeviceFact,
    ExchangeFact,
    Gone,
    Granted,
    Issued,
    Pending,
    PollFact,
    RefreshFact,
    Refusal,
    SlowDown,
    Tokens,
    TryAgain,
    Unrecognized,
)
from codex_oauth_core.pkce import base64url, s256
from codex_oauth_core.rendering import Headers, Rendered, Renderers
from codex_oauth_core.secret import Secret

__all__ = [
    "RENDERERS",
    "Rendered",
    "render_device_authorization",
    "render_error",
    "render_exchange",
    "render_poll",
    "render_refresh",
    "render_revocation",
    "unsigned_token",
]

PENDING_CODE: Final = "deviceauth_authorization_pending"
_JSON: Final = (("Content-Type", "application/json"),)
_PAGE: Final = (("Content-Type", "text/html; charset=utf-8"), ("cf-mitigated", "challenge"))
_NOISE: Final = (("Content-Type", "text/plain; charset=utf-8"),)
_STAND_IN: Final = "stand-in"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST_RETRY_AFTER: Final = 9_999_999_999
_BEYOND_WHOLE: Final = 1e15  # larger numbers stay as they are
_CUSTOMARY: Final[Mapping[ErrorKind, int]] = {
    ErrorKind.NETWORK: 503,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.BLOCKED: 403,
    ErrorKind.REGION_BLOCKED: 403,
    ErrorKind.DENIED: 403,
    ErrorKind.EXPIRED: 403,
    ErrorKind.DEVICE_CODE_UNSUPPORTED: 404,
    ErrorKind.LOGIN_REQUIRED: 401,
    ErrorKind.CLIENT_REJECTED: 401,
    ErrorKind.INVALID_RESPONSE: 200,
}
"""The status of a fact that does not say one; 400 for other kinds."""


def render_device_authorization(fact: DeviceFact) -> Rendered:
    """The answer to a device authorization request."""
    match fact:
        case Issued():
            device = fact.authorization
            fields = {
                "device_auth_id": device.device_auth_id.reveal(),
                "user_code": device.user_code,
                "interval": _interval(device.interval),
                "expires_in": _number(device.expires_in),
            }
            return _answer(200, fields)
        case TryAgain():
            return _no_answer(fact)
        case Refusal(kind=ErrorKind.BLOCKED | ErrorKind.INVALID_RESPONSE):
            return _unusable_authorization(fact)
        case Refusal():
            return _refusal(fact)
        case _:
            assert_never(fact)


def render_poll(fact: PollFact) -> Rendered:
    """The answer to a poll. ValueError for `Granted`: in this dialect a code comes first."""
    match fact:
        case Approved():
            return _approval(fact)
        case Pending():
            return render_error(PENDING_CODE if fact.named else None, 403)
        case Unrecognized() | Gone():
            return render_error(fact.code, fact.status)
        case SlowDown():
            return _slow_down(fact)
        case TryAgain():
            return _no_answer(fact)
        case Refusal(kind=ErrorKind.INVALID_RESPONSE):
            return _unusable_approval(fact)
        case Refusal(kind=ErrorKind.EXPIRED, code=None):
            return _answer(_status(fact), {"error": {"message": "The code has expired."}})
        case Refusal():
            return _refusal(fact)
        case Granted():
            raise ValueError("a poll of this dialect grants a code, not tokens")
        case _:
            assert_never(fact)


def render_exchange(fact: ExchangeFact) -> Rendered:
    """The answer to an authorization code."""
    match fact:
        case Granted():
            return _granted(fact.tokens)
        case Refusal(kind=ErrorKind.BLOCKED):
            return _page(fact)
        case Refusal(uncertain=True, code=None):
            return _noise(fact)
        case Refusal():
            return _refusal(fact)
        case _:
            assert_never(fact)


def render_refresh(fact: RefreshFact) -> Rendered:
    """The answer to a refresh token."""
    match fact:
        case Granted():
            return _granted(fact.tokens)
        case TryAgain():
            return _no_answer(fact)
        case Refusal(kind=ErrorKind.BLOCKED):
            return _page(fact)
        case Refusal(kind=ErrorKind.INVALID_RESPONSE, code=None):
            return _noise(fact)
        case Refusal():
            return _refusal(fact)
        case _:
            assert_never(fact)


def render_revocation(*, confirmed: bool) -> Rendered:
    """The answer to a revocation (RFC 7009 §2.2)."""
    return _answer(200, {}) if confirmed else render_error("invalid_request", 400)


def render_error(
    code: str | None,
    status: int,
    headers: Headers = (),
    why: str | None = None,
    beside: Mapping[str, object] | None = None,
) -> Rendered:
    """An error as this dialect writes it: `error.code` and a message; an empty object without a code.

    `why` is the message, for a person. `beside` are further top-level members.
    """
    error = {} if code is None else {"error": {"code": code, "message": why or code.replace("_", " ")}}
    return _answer(status, {**error, **(beside or {})}, headers)


def unsigned_token(claims: Mapping[str, object]) -> Secret[str]:
    """A JWT that says `claims` and proves nothing: `alg` is `none`, the signature is the word `fake`.

    Its payload has neither `-` nor `_`, because some clients decode it as plain base64.
    """
    head = base64url(b'{"alg":"none","typ":"JWT"}')
    text = json.dumps(claims, separators=(",", ":"))
    for char in ">?~\x7f":  # of all ASCII only these can give the last two letters of the alphabet
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Secret(f"{head}.{base64url(text.encode('ascii'))}.fake")


# -- successes --------------------------------------------------------------------------------------


def _approval(fact: Approved) -> Rendered:
    verifier = fact.code_verifier.reveal()
    fields = {
        "authorization_code": fact.authorization_code.reveal(),
        "code_challenge": s256(verifier),
        "code_verifier": verifier,
    }
    return _answer(200, fields)


def _granted(tokens: Tokens) -> Rendered:
    wrong_type = tokens.problem == "token_type"
    access = _hidden_token(tokens) if wrong_type else tokens.access_token
    fields = {
        "access_token": _plain(access),
        "refresh_token": "" if tokens.refresh_token_unusable else _plain(tokens.refresh_token),
        "id_token": _plain(tokens.id_token),
        "expires_in": _number(tokens.expires_in),
        "earliest_refresh_at": tokens.earliest_refresh_at,
        "token_type": "unusable" if wrong_type else "Bearer",
    }
    known = {name: value for name, value in fields.items() if value is not None}
    return _answer(200, known, _date(tokens.server_time))


def _hidden_token(tokens: Tokens) -> Secret[str]:
    """A token that says what was read from one whose type made it unusable."""
    return unsigned_token(_claims(tokens.token_expires_at, tokens.account_id, tokens.user_id))


def _marked_token(
    mark: str, expires_at: float | None, account_id: str | None, user_id: str | None
) -> Secret[str]:
    return unsigned_token({"jti": mark, **_claims(expires_at, account_id, user_id)})


def _claims(expires_at: float | None, account_id: str | None, user_id: str | None) -> dict[str, object]:
    """What a token says of its expiry, its account and its person, where it says anything."""
    ids = (("chatgpt_account_id", account_id), ("chatgpt_user_id", user_id))
    about = {name: value for name, value in ids if value is not None} or None
    return {name: value for name, value in (("exp", expires_at), (CLAIMS, about)) if value is not None}


def _plain(token: Secret[str] | None) -> str | None:
    return None if token is None else token.reveal()


# -- everything else --------------------------------------------------------------------------------


def _slow_down(fact: SlowDown) -> Rendered:
    headers = _retry_after(fact.retry_after)
    if fact.interval is None:
        code, status = (None, 429) if fact.limited else ("slow_down", 400)
        return render_error(code, status, headers)
    code, status = ("rate_limit_exceeded", 429) if fact.limited else ("slow_down", 400)
    return render_error(code, status, headers, beside={"interval": _interval(fact.interval)})


def _no_answer(fact: TryAgain) -> Rendered:
    match fact.kind:
        case ErrorKind.NETWORK:
            return _refusal(fact)
        case ErrorKind.RATE_LIMITED | ErrorKind.BLOCKED:
            return _page(fact)
        case ErrorKind.INVALID_RESPONSE if fact.code is not None:
            return _refusal(fact)
        case ErrorKind.INVALID_RESPONSE:
            return _noise(fact) if fact.maybe_answered else _answer(_status(fact), [], _headers(fact))
        case _:
            raise ValueError(f"no answer says {fact.kind}")


def _refusal(fact: TryAgain | Refusal) -> Rendered:
    return render_error(fact.code, _status(fact), _headers(fact))


def _page(fact: TryAgain | Refusal) -> Rendered:
    """A firewall's page; with a code, JSON that is marked as one."""
    status, headers = _status(fact), _headers(fact)
    if fact.code is not None:
        return render_error(fact.code, status, (*headers, _PAGE[1]))
    return Rendered(status, (*_PAGE, *headers), Secret(b"<!doctype html><title>Blocked</title>"))


def _noise(fact: TryAgain | Refusal) -> Rendered:
    return Rendered(_status(fact), (*_NOISE, *_headers(fact)), Secret(b"not JSON"))


def _unusable_authorization(fact: Refusal) -> Rendered:
    if fact.reason is None:
        return _page(fact) if fact.kind is ErrorKind.BLOCKED else _noise(fact)
    blocked = _PAGE[1:] if fact.kind is ErrorKind.BLOCKED else ()
    known = {"device_auth_id": _STAND_IN} if fact.reason == "user_code" else {}
    return render_error(fact.code, _status(fact), blocked, beside=known)


_UNUSABLE_APPROVALS: Final[Mapping[str | None, dict[str, object]]] = {
    None: {},
    "unusable_code": {"authorization_code": "", "code_verifier": ""},
    "challenge_mismatch": {
        "authorization_code": _STAND_IN,
        "code_verifier": "-" * 43,
        "code_challenge": _STAND_IN,
    },
}


def _unusable_approval(fact: Refusal) -> Rendered:
    beside = _UNUSABLE_APPROVALS[fact.reason]
    return render_error(fact.code, _status(fact), beside=beside)


# -- pieces -----------------------------------------------------------------------------------------


def _answer(status: int, body: object, headers: Headers = ()) -> Rendered:
    return Rendered(status, (*_JSON, *headers), Secret(json.dumps(body).encode("ascii")))


def _status(fact: TryAgain | Refusal) -> int:
    if fact.cause is not None:
        raise ValueError("no answer says that none came")
    return _CUSTOMARY.get(fact.kind, 400) if fact.status is None else fact.status


def _headers(fact: TryAgain | Refusal) -> Headers:
    return _retry_after(fact.retry_after) if isinstance(fact, TryAgain) else ()


def _retry_after(seconds: float | None) -> Headers:
    if seconds is None:
        return ()
    return (("Retry-After", str(min(math.ceil(seconds), _LONGEST_RETRY_AFTER))),)


def _date(seconds: float | None) -> Headers:
    """The server's clock as an HTTP date (RFC 9110 §5.6.7), whatever the locale is."""
    if seconds is None:
        return ()
    moment = datetime.fromtimestamp(int(seconds), UTC)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return (("Date", f"{day}, {moment:%d} {month} {moment:%Y %H:%M:%S} GMT"),)


def _number(seconds: float | None) -> float | None:
    """A number as most clients expect it: whole where it is whole."""
    if seconds is None or seconds >= _BEYOND_WHOLE or seconds != int(seconds):
        return seconds
    return int(seconds)


def _interval(seconds: float) -> object:
    """A string of a whole number, as the service writes it; a number where it is not whole."""
    return str(int(seconds)) if seconds == int(seconds) else seconds


RENDERERS: Final = Renderers(
    name="codex",
    device_authorization=render_device_authorization,
    poll=render_poll,
    exchange=render_exchange,
    revocation=lambda confirmed: render_revocation(confirmed=confirmed),
    token=_marked_token,
    known_code=known_code,
    denial=denial,
)
"""This dialect's answers as data, for traces."""
