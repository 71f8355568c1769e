"""What a driver tells a flow. Each event answers the outstanding effect, and carries the time.

Rules of this file: `at` is the instant the event happened, in seconds on one monotonic clock of the
driver's choice that counts suspended time; `wall` is Unix time in seconds. They are the only way in
which the core ever learns the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth_core.settings import BadSetting
    from codex_oauth_core.storage import StorageAnswer

__all__ = [
    "CallbackReceived",
    "Cancelled",
    "Cause",
    "Event",
    "Phase",
    "RequestFailed",
    "ResponseReceived",
    "Resumed",
    "Started",
    "StoreAnswered",
    "TimeReached",
]


@attrs.frozen
class Started:
    """The first event of every flow: the present instant `at` and Unix time `wall`, both in seconds. Perform
    the effect that `receive()` returns, and go on with the event that answers it.
    """

    at: float
    wall: float


@attrs.frozen
class Resumed:
    """The first event of a flow that `restore()` made: the present instant `at` and Unix time `wall`, both in
    seconds by this driver's clocks. `receive()` returns the effect that was outstanding.
    """

    at: float
    wall: float


def _wrap_body(body: bytes | Secret[bytes]) -> Secret[bytes]:
    return body if isinstance(body, Secret) else Secret(body)


@attrs.frozen
class ResponseReceived:
    """A whole HTTP answer, whatever its status (RFC 9110 §15): answers `SendRequest`.

    `sent_at` is the instant when the request began, `at` is the instant when the last byte came, and `wall`
    is the Unix time then; all in seconds. Look up a header by its name in any case. `body` is wrapped at
    once, because it may hold tokens.
    """

    sent_at: float
    at: float
    wall: float
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: Secret[bytes] = attrs.field(converter=_wrap_body)


@unique
class Phase(StrEnum):
    """Whether a failed request may have reached the server. If in doubt, use `MAYBE_SENT`."""

    NOT_SENT = "not_sent"
    """No byte of the request went out: the flow may send it again, even a `once` request."""
    MAYBE_SENT = "maybe_sent"
    """A byte may have gone out: the server may have acted."""


@unique
class Cause(StrEnum):
    """Why a request ended without a usable answer."""

    DNS = "dns"
    """No address was found for the host's name."""
    CONNECT = "connect"
    """No connection was made: the host refused it, or cannot be reached."""
    PROXY = "proxy"
    """The proxy could not be reached, or made no connection to the host."""
    PROXY_AUTH = "proxy_auth"
    """The proxy asks for credentials, or refuses the given ones (RFC 9110 §15.5.8)."""
    MISCONFIGURED = "misconfigured"
    """A setting of this machine cannot be used, so that no request was sent."""
    TLS_CERTIFICATE = "tls_certificate"
    """The host's certificate is not trusted, or belongs to another host."""
    TLS_EOF = "tls_eof"
    """The TLS handshake failed for another reason, for example because the connection was closed."""
    TIMEOUT = "timeout"
    """The time of the request was over, or `write_by` had come before its first byte."""
    RESET = "reset"
    """The connection was closed or reset before an answer, or spoke no HTTP."""
    TRUNCATED = "truncated"
    """The answer stopped before its end."""
    TOO_BIG = "too_big"
    """The answer's body is larger than `MAX_BODY` bytes."""


@attrs.frozen
class RequestFailed:
    """No whole HTTP answer came: answers `SendRequest`. `at` is the instant, in seconds; `phase` says whether
    the server may have received the request, and `cause` says what happened. If in doubt, the phase is
    `maybe_sent`.

    `setting` names the setting of this machine that caused `misconfigured` or `proxy_auth`, if known. `errno`
    is the system's name for the error, such as `ECONNREFUSED`, if known; it only changes texts for people.
    """

    at: float
    phase: Phase
    cause: Cause
    setting: BadSetting | None = None
    errno: str | None = None


@attrs.frozen
class TimeReached:
    """`Wait.until` has come: answers `Wait`. `at` is the present instant, in seconds. An event that is too
    early is harmless: the same `Wait` comes again.
    """

    at: float


@attrs.frozen
class CallbackReceived:
    """A redirect that `CallbackRule` accepted: answers a `Wait` with a `callback`.

    `query` is the redirect's query string, undecoded (RFC 6749 §4.1.2): `Accepted.query`. `at` is the instant
    when it came, in seconds.
    """

    at: float
    query: Secret[str]


@attrs.frozen
class Cancelled:
    """The user cancelled at the instant `at`, in seconds: answers any effect except a `once` request. A
    sign-in ends with the error `cancelled`.
    """

    at: float


@attrs.frozen
class StoreAnswered:
    """The store's `answer` to a storage effect, at the instant `at` and the Unix time `wall`, both in
    seconds. A `StoringWorld` or a `RegisteringWorld` makes it.
    """

    at: float
    wall: float
    answer: StorageAnswer


Event = (
    Started
    | Resumed
    | ResponseReceived
    | RequestFailed
    | TimeReached
    | CallbackReceived
    | StoreAnswered
    | Cancelled
)
