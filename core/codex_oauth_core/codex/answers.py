"""What the answers of the Codex dialect's endpoints mean: what kind of thing an answer is, then what it says.

Rules of this file: the body's code decides first, at any status; the order of `read_poll` is the protocol;
every response has exactly one meaning. What the token endpoint answers is read in `token_answers`.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, assert_never

from codex_oauth_core.codex.codes import REGION_BLOCKED, PollCode, error_code, known_poll_code
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import (
    Approved,
    DeviceFact,
    Gone,
    Issued,
    Pending,
    PollFact,
    Refusal,
    SlowDown,
    TryAgain,
    Unrecognized,
)
from codex_oauth_core.pkce import s256
from codex_oauth_core.reading.json_body import UNREADABLE, as_object, read_json
from codex_oauth_core.reading.times import (
    DEFAULT_INTERVAL,
    header,
    http_date,
    iso_date,
    read_interval,
    read_seconds,
    retry_after,
)
from codex_oauth_core.secret import Secret, leaks, without_traceback

if TYPE_CHECKING:
    from codex_oauth_core.events import ResponseReceived
    from codex_oauth_core.provider import Provider

__all__ = [
    "DEFAULT_LIFETIME",
    "Answer",
    "is_success",
    "no_answer",
    "read_device_authorization",
    "read_poll",
    "says_nothing",
    "usable_secret",
]


# -- what the readers of all endpoints share -----------------------------------------------------------


_SECRET_FIELDS: Final = frozenset(
    {
        "device_auth_id",
        "authorization_code",
        "code_verifier",
        "access_token",
        "refresh_token",
        "id_token",
    }
)
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


def _strictly(response: ResponseReceived) -> object:
    return read_json(response.body.reveal())


class Answer:
    """One response, with its body read once: `body` is what `read` finds, a JSON value or `UNREADABLE`.

    `fields` are its members if it is an object.
    """

    __slots__ = ("body", "code", "fields", "response", "status")

    def __init__(
        self, response: ResponseReceived, read: Callable[[ResponseReceived], object] = _strictly
    ) -> None:
        self.response = response
        self.status = response.status
        self.body = without_traceback(lambda: read(response))
        self.fields = as_object(self.body)
        self.code = _unless_echoed(error_code(self.body), self.fields)

    @property
    def readable(self) -> bool:
        """Whether the body is JSON."""
        return self.body is not UNREADABLE

    @property
    def empty(self) -> bool:
        """Whether there is no body."""
        return not self.response.body.reveal().strip()

    @property
    def is_page(self) -> bool:
        """Whether a web page came instead of an answer: from a portal, a proxy, a firewall."""
        if self.header("cf-mitigated") is not None:
            return True
        html = "html" in (self.header("content-type") or "").lower()
        return not self.readable and (html or self.response.body.reveal().lstrip()[:1] == b"<")

    @property
    def region_blocked(self) -> bool:
        """Whether the service refuses this country, region or territory."""
        return self.code == REGION_BLOCKED

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks us to wait."""
        return retry_after(self.response.headers, self.response.wall)

    def header(self, name: str) -> str | None:
        """A header by its lower-case name."""
        return header(self.response.headers, name)


def _unless_echoed(code: str | None, fields: Mapping[str, object]) -> str | None:
    """The error code, unless it repeats a secret that the same answer hands out."""
    if not code or _SECRET_FIELDS.isdisjoint(fields):
        return code
    secrets = (Secret(value) for name in _SECRET_FIELDS if isinstance(value := fields.get(name), str))
    return "other" if any(leaks(code, secret) for secret in secrets) else code


def is_success(status: int) -> bool:
    """Whether a status is 2xx."""
    return 200 <= status < 300


def says_nothing(answer: Answer) -> bool:
    """Whether a response is no real answer: a page, a redirect, a server's or proxy's failure, noise."""
    silent = answer.empty and answer.status == 429
    if answer.is_page or not (answer.readable or silent):
        return True
    return 300 <= answer.status < 400 or answer.status >= 500 or answer.status in (407, 408)


def no_answer(answer: Answer) -> TryAgain:
    """The fact of a response that says nothing, with the cause to show if it stays so.

    A failing server and noise may hide an approval; a page in between does not.
    """
    kind = _silence(answer)
    lost = kind in (ErrorKind.NETWORK, ErrorKind.INVALID_RESPONSE)
    return TryAgain(kind, lost, answer.retry_after, answer.code, answer.status)


def _silence(answer: Answer) -> ErrorKind:
    if answer.status == 429:
        return ErrorKind.RATE_LIMITED
    if answer.header("cf-mitigated") is None and (answer.status >= 500 or answer.status == 408):
        return ErrorKind.NETWORK
    if answer.is_page or 300 <= answer.status < 400 or answer.status == 407:
        return ErrorKind.BLOCKED
    return ErrorKind.INVALID_RESPONSE


def usable_secret(value: object, longest: int) -> Secret[str] | None:
    """`value` as a secret if it is printable ASCII without white space, at most `longest` characters."""
    if isinstance(value, str) and len(value) <= longest and _PRINTABLE.fullmatch(value):
        return Secret(value)
    return None


# -- a device authorization (RFC 8628 §3.2) ------------------------------------------------------------


DEFAULT_LIFETIME: Final = 900.0
_USER_CODE: Final = r"[A-Za-z0-9][A-Za-z0-9 ._-]{2,62}"  # compiled by the first code, not by an import (P1)
_LONGEST_ID: Final = 4096


def read_device_authorization(provider: Provider, response: ResponseReceived) -> DeviceFact:
    """What the server says to a new device login."""
    answer = Answer(response)
    status = answer.status
    if answer.region_blocked:
        return Refusal(ErrorKind.REGION_BLOCKED, answer.code, status)
    if is_success(status):
        return _issued(provider, answer)
    if status == 429:
        return TryAgain(ErrorKind.RATE_LIMITED, False, answer.retry_after, answer.code, status)
    if status >= 500 or status == 408:
        return no_answer(answer)
    if status == 404:  # also as a web server's own page: there is no such endpoint
        return Refusal(ErrorKind.DEVICE_CODE_UNSUPPORTED, answer.code, status)
    if status < 400 or status == 407 or (status in (401, 403) and answer.is_page):
        return Refusal(ErrorKind.BLOCKED, answer.code, status)
    return Refusal(ErrorKind.DEVICE_AUTH_FAILED, answer.code, status)


def _issued(provider: Provider, answer: Answer) -> Issued | Refusal:
    device_auth_id, user_code, page = _device_auth_id(answer), _user_code(answer), provider.verification_uri
    if device_auth_id is None or user_code is None or page is None:
        reason = "device_auth_id" if device_auth_id is None else "user_code"
        kind = ErrorKind.BLOCKED if answer.is_page else ErrorKind.INVALID_RESPONSE
        return Refusal(kind, answer.code, answer.status, reason if answer.readable else None)
    return Issued(
        DeviceAuthorization(
            device_auth_id=Secret(device_auth_id),
            user_code=user_code,
            interval=read_interval(answer.fields.get("interval")) or DEFAULT_INTERVAL,
            verification_uri=page,
            expires_in=_lifetime(answer),
        )
    )


def _device_auth_id(answer: Answer) -> str | None:
    value = answer.fields.get("device_auth_id")
    if not isinstance(value, str):
        return None
    return value if 0 < len(value.encode("utf-8", "replace")) <= _LONGEST_ID else None


def _user_code(answer: Answer) -> str | None:
    """The user code exactly as received, if it is safe to show; None if it is not, or is ambiguous."""
    named = [answer.fields[name] for name in ("user_code", "usercode") if name in answer.fields]
    if not named or any(other != named[0] for other in named):
        return None
    code = named[0]
    return code if isinstance(code, str) and re.fullmatch(_USER_CODE, code.strip(" ")) else None


def _lifetime(answer: Answer) -> float:
    """Seconds from now: `expires_in`, else `expires_at` by the server's own clock, else by ours."""
    told = read_seconds(answer.fields.get("expires_in"))
    if told:
        return told
    moment = iso_date(answer.fields.get("expires_at"))
    if moment is None:
        return DEFAULT_LIFETIME
    date = http_date(answer.header("date"))
    left = moment - (answer.response.wall if date is None else date)
    longest = DEFAULT_LIFETIME if date is None else math.inf  # our own clock may be wrong
    return left if 0 < left <= longest else DEFAULT_LIFETIME


# -- a poll --------------------------------------------------------------------------------------------


_CODE: Final = r"[\x21-\x7e]{1,2048}"
_VERIFIER: Final = r"[A-Za-z0-9._~-]{43,128}"
_EXPIRED_TEXT: Final = "code has expired"

_LONGEST_REMEMBERED: Final = 512  # bytes of a body
_MOST_REMEMBERED: Final = 64
_PENDING_SEEN: Final[dict[tuple[int, bytes], Pending]] = {}
"""By status and digest, answers that were read as pending: a server sends the same one a hundred times, and
nothing but status and body makes it pending. No body is kept, and no answer that means anything else.
"""


def read_poll(provider: Provider, response: ResponseReceived) -> PollFact:
    """What a poll answer means. The caller knows the history that `Unrecognized` and `Gone` need."""
    body = response.body.reveal()
    if len(body) > _LONGEST_REMEMBERED:
        return _read_poll(response)
    seen = response.status, hashlib.sha256(body).digest()
    if (pending := _PENDING_SEEN.get(seen)) is not None:
        return pending
    fact = _read_poll(response)
    if isinstance(fact, Pending):
        if len(_PENDING_SEEN) >= _MOST_REMEMBERED:
            _PENDING_SEEN.clear()
        _PENDING_SEEN[seen] = fact
    return fact


def _read_poll(response: ResponseReceived) -> PollFact:
    answer = Answer(response)
    success = is_success(answer.status)
    if success and (approved := _approval(answer)) is not None:
        return approved
    if answer.code is not None and (group := known_poll_code(answer.code)) is not None:
        return _by_code(answer, answer.code, group)
    if success:
        return _failed(answer, ErrorKind.INVALID_RESPONSE) if answer.readable else no_answer(answer)
    if answer.status in (403, 404) and (answer.readable or answer.empty):
        return _pending_status(answer)
    if says_nothing(answer):
        return no_answer(answer)
    if answer.status == 429:  # whatever it calls that: `rate_limited`, `too_many_requests`, nothing
        return SlowDown(None, answer.retry_after, limited=True)
    return _failed(answer, ErrorKind.DEVICE_AUTH_FAILED)


def _approval(answer: Answer) -> PollFact | None:
    code, verifier = answer.fields.get("authorization_code"), answer.fields.get("code_verifier")
    if not isinstance(code, str) or not isinstance(verifier, str):
        return None
    if not re.fullmatch(_CODE, code) or not re.fullmatch(_VERIFIER, verifier):
        return _failed(answer, ErrorKind.INVALID_RESPONSE, "unusable_code")
    if answer.fields.get("code_challenge", s256(verifier)) not in (s256(verifier), None):
        return _failed(answer, ErrorKind.INVALID_RESPONSE, "challenge_mismatch")
    return Approved(Secret(code), Secret(verifier))


def _by_code(answer: Answer, code: str, group: PollCode) -> PollFact:
    match group:
        case PollCode.PENDING:
            return Pending()
        case PollCode.SLOW_DOWN:
            return SlowDown(_body_interval(answer), answer.retry_after)
        case PollCode.RATE_LIMITED:
            return SlowDown(_body_interval(answer), answer.retry_after, limited=True)
        case PollCode.DENIED:
            return _failed(answer, ErrorKind.DENIED)
        case PollCode.EXPIRED:
            return _failed(answer, ErrorKind.EXPIRED)
        case PollCode.GONE:
            return Gone(code, answer.status)
        case PollCode.REGION_BLOCKED:
            return _failed(answer, ErrorKind.REGION_BLOCKED)
        case _:
            assert_never(group)


def _body_interval(answer: Answer) -> float | None:
    inner = as_object(answer.fields.get("error"))
    return read_interval(answer.fields.get("interval")) or read_interval(inner.get("interval"))


def _pending_status(answer: Answer) -> PollFact:
    if answer.code is not None:
        return Unrecognized(answer.code, answer.status)
    message = as_object(answer.fields.get("error")).get("message")
    if answer.status == 403 and isinstance(message, str) and _EXPIRED_TEXT in message.lower():
        return _failed(answer, ErrorKind.EXPIRED)
    return Pending(named=False)


def _failed(answer: Answer, kind: ErrorKind, reason: str | None = None) -> Refusal:
    return Refusal(kind, answer.code, answer.status, reason)
