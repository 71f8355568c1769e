"""The token endpoint's answers of the Codex dialect: to an exchange, to a refresh, to a revocation.

Rules of this file: a field that cannot be used is None, and the rest is still read, because a rotated
refresh token must be kept whatever is wrong beside it. `expires_in` counts from the request's start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final, cast

import attrs

from codex_oauth_core.codex.answers import Answer, is_success, no_answer, says_nothing, usable_secret
from codex_oauth_core.codex.codes import CLIENT_REJECTED, LOGIN_OVER
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import (
    ExchangeFact,
    Granted,
    RefreshFact,
    Refusal,
    RevocationFact,
    Tokens,
    TryAgain,
)
from codex_oauth_core.reading.json_body import as_object, read_json
from codex_oauth_core.reading.jwt import expiry, read_claims
from codex_oauth_core.reading.lenient_json import DAMAGED, read_members
from codex_oauth_core.reading.times import header, http_date, iso_date, plausible_time, read_seconds

if TYPE_CHECKING:
    from codex_oauth_core.events import ResponseReceived
    from codex_oauth_core.provider import CodeInHand, Provider
    from codex_oauth_core.secret import Secret

__all__ = [
    "LONGEST_TOKEN",
    "account_id_from_token",
    "granted_anything",
    "grants",
    "identify",
    "is_blocked",
    "is_in_between",
    "is_refusal",
    "nothing_granted",
    "read_exchange",
    "read_refresh",
    "read_revocation",
    "read_token_fields",
    "refresh_answer",
]

CLAIMS: Final = "https://api.openai.com/auth"
_ID: Final = re.compile(r"[!-~]{1,255}", re.ASCII)  # safe as the value of a header
LONGEST_TOKEN: Final = 16 * 1024
_TOKENS: Final = ("access_token", "refresh_token", "id_token")
_NO_REFUSALS: Final = (408, 429)  # 4xx that say nothing of the request itself
_PROXYS_OWN: Final = (407, 511)  # RFC 9110 §15.5.8, RFC 6585 §6
_MILLISECONDS_FROM: Final = 10**11  # a Unix time above this is in milliseconds


def read_exchange(provider: Provider, code: CodeInHand, response: ResponseReceived) -> ExchangeFact:
    """What the server says to an authorization code. The code is spent unless it surely was not."""
    answer = Answer(response)
    if grants(answer):
        return Granted(_tokens(answer))
    if answer.region_blocked:
        return Refusal(ErrorKind.REGION_BLOCKED, answer.code, answer.status)
    if is_blocked(answer):
        return Refusal(ErrorKind.BLOCKED, answer.code, answer.status)
    uncertain = not is_refusal(answer)
    return Refusal(ErrorKind.TOKEN_REQUEST_FAILED, answer.code, answer.status, uncertain=uncertain)


def read_refresh(provider: Provider, response: ResponseReceived) -> RefreshFact:
    """What the server says to a refresh token.

    Tokens are granted whatever stands beside them, and whatever is wrong with the rest. A code that ends a
    login does so at any status. Any other 4xx is the server's word too: the refresh token is not spent, and
    only a 401 in JSON ends the login. All else leaves open what became of it.
    """
    answer = refresh_answer(response)
    granted = granted_anything(answer, _tokens)
    return nothing_granted(answer, LOGIN_OVER, CLIENT_REJECTED) if granted is None else Granted(granted)


def refresh_answer(response: ResponseReceived) -> Answer:
    """A refresh's answer, read leniently if it may hold what was paid for with a refresh token."""
    return Answer(response, _leniently) if is_success(response.status) else Answer(response)


def nothing_granted(
    answer: Answer, login_over: Mapping[str, str], client_rejected: Collection[str]
) -> TryAgain | Refusal:
    """What a refresh's answer means that grants nothing. `login_over` are the codes that end a login, each
    with its message.
    """
    if answer.region_blocked:
        return Refusal(ErrorKind.REGION_BLOCKED, answer.code, answer.status)
    over = answer.code in login_over and not is_in_between(answer)
    if over or (400 <= answer.status < 500 and answer.status not in _NO_REFUSALS):
        kind = _refusal_kind(answer, login_over, client_rejected)
        message = login_over.get(answer.code or "") if kind is ErrorKind.LOGIN_REQUIRED else None
        return Refusal(kind, answer.code, answer.status, message=message)
    # A redirect too was written by something in between, and nobody can tell whether before or after the
    # request was passed on: a 303 even says after (RFC 9110 §15.4.4).
    unspent = answer.status == 429 or (answer.status == 503 and answer.retry_after is not None)
    return attrs.evolve(no_answer(answer), maybe_answered=not unspent)


def _leniently(response: ResponseReceived) -> object:
    """The body of an answer that a refresh token was paid for: no fault beside a token loses it.

    Of a name that comes twice the last token of use counts, else the last value.
    """
    body, encoding = response.body.reveal(), header(response.headers, "content-encoding")
    members = read_members(body, encoding)
    if members is None:
        return read_json(body)
    found: dict[str, object] = {}
    for name, value in ((_mended(name), value) for name, value in members):
        if not (name in _TOKENS and usable_secret(found.get(name), LONGEST_TOKEN)) or usable_secret(
            value, LONGEST_TOKEN
        ):
            found[name] = value
    return found


def _mended(name: str) -> str:
    """The name of a token, if it is that but for one byte that could not be read."""
    before, damaged, after = name.partition(DAMAGED)
    if not damaged:
        return name
    whole = (each for each in _TOKENS if each.startswith(before) and each.endswith(after))
    return next((each for each in whole if len(before) + len(after) == len(each) - 1), name)


def granted_anything(answer: Answer, read: Callable[[Answer], Tokens]) -> Tokens | None:
    """The tokens in a refresh's answer, if there is anything of use."""
    if not is_success(answer.status) or not isinstance(answer.body, dict):
        return None
    tokens = read(answer)
    return None if tokens.access_token is None and tokens.refresh_token is None else tokens


def is_in_between(answer: Answer) -> bool:
    """Whether a proxy or a firewall speaks: whatever code is in it, it is not the server's word."""
    return answer.is_page or answer.status in _PROXYS_OWN


def _refusal_kind(
    answer: Answer, login_over: Mapping[str, str], client_rejected: Collection[str]
) -> ErrorKind:
    if is_in_between(answer):
        return ErrorKind.BLOCKED
    if answer.code in client_rejected:
        return ErrorKind.CLIENT_REJECTED
    if answer.code in login_over or (answer.status == 401 and answer.readable):
        return ErrorKind.LOGIN_REQUIRED
    return ErrorKind.INVALID_RESPONSE


def is_refusal(answer: Answer) -> bool:
    """Whether an answer to a code is the server's word, after which the code is surely not exchanged."""
    return 400 <= answer.status < 500 and answer.status != 408 and answer.readable


def read_revocation(provider: Provider, response: ResponseReceived) -> RevocationFact:
    """Whether the server confirmed a revocation: any 2xx, whatever its body (RFC 7009 §2.2). A server that
    cannot do it now says when to come back (§2.2.1).
    """
    if is_success(response.status):
        return True
    answer = Answer(response)
    return no_answer(answer) if answer.status == 429 or says_nothing(answer) else False


def account_id_from_token(token: Secret[str]) -> str | None:
    """The ChatGPT account id that a JWT names, or None. It is safe as a header value."""
    return _id(as_object(read_claims(token).get(CLAIMS)), _ACCOUNT)


_ACCOUNT: Final = "chatgpt_account_id"
_USER: Final = ("chatgpt_user_id", "user_id")


def identify(access: Secret[str] | None, id_token: Secret[str] | None) -> tuple[str | None, str | None]:
    """The account (the workspace) and the person that tokens name, the access token before the id token."""
    claims = [read_claims(token) for token in (access, id_token) if token is not None]
    inner = [as_object(each.get(CLAIMS)) for each in claims]
    accounts = (_id(each, _ACCOUNT) for each in (*inner, *claims))
    users = (_id(each, name) for each in inner for name in _USER)
    subjects = (_id(each, "sub") for each in claims)
    return next(filter(None, accounts), None), next(filter(None, (*users, *subjects)), None)


def _id(claims: Mapping[str, object], name: str) -> str | None:
    """An id that claims hold. It is safe as a header value."""
    value = claims.get(name)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def grants(answer: Answer) -> bool:
    """Whether a 2xx answer holds tokens, or at least no reason why it does not."""
    if not is_success(answer.status) or not isinstance(answer.body, dict):
        return False
    return answer.code is None or not {"access_token", "refresh_token"}.isdisjoint(answer.fields)


def is_blocked(answer: Answer) -> bool:
    """Whether a page of something in between stands in the place of an answer to a code."""
    return answer.status in (401, 403) and answer.is_page


def _tokens(answer: Answer) -> Tokens:
    tokens = read_token_fields(answer)
    access = usable_secret(answer.fields.get("access_token"), LONGEST_TOKEN)
    account_id, user_id = identify(access, tokens.id_token)
    return attrs.evolve(tokens, account_id=account_id, user_id=user_id)


def read_token_fields(answer: Answer) -> Tokens:
    """The fields of a token answer (RFC 6749 §5.1), without a look at whose they are."""
    fields = answer.fields
    access = usable_secret(fields.get("access_token"), LONGEST_TOKEN)
    refresh = usable_secret(fields.get("refresh_token"), LONGEST_TOKEN)
    kind = fields.get("token_type")
    bearer = kind is None or (isinstance(kind, str) and kind.lower() == "bearer")
    return Tokens(
        access_token=access if bearer else None,
        refresh_token=refresh,
        id_token=usable_secret(fields.get("id_token"), LONGEST_TOKEN),
        expires_in=read_seconds(fields.get("expires_in")) or None,
        token_expires_at=expiry(access) if access else None,
        earliest_refresh_at=_moment(fields.get("earliest_refresh_at")),
        problem="token_type" if not bearer else "access_token" if access is None else None,
        server_time=plausible_time(http_date(answer.header("date"))),
        refresh_token_unusable=refresh is None and fields.get("refresh_token") is not None,
    )


def _moment(value: object) -> int | None:
    """A moment as Unix milliseconds, from ISO 8601 or from Unix seconds or milliseconds."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= _MILLISECONDS_FROM:
        value = value / 1000 if value < cast("float", 10**15) else None
    seconds = plausible_time(iso_date(value) if isinstance(value, str) else value)
    return None if seconds is None else round(seconds * 1000)
