"""What a driver tells a flow. Each event answers the outstanding effect, and carries the time.

Rules of this file: `at` is the instant the event happened, in seconds on one monotonic clock of the
driver's choice that counts suspended time; `wall` is Unix time in seconds. They are the only way in
which the core ever learns the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique

import attrs

from codex_oauth_core.secret import Secret
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
    """The first event of every flow. Go on by performing the effect that `receive()` returns."""

    at: float
    wall: float


@attrs.frozen
class Resumed:
    """The first event of a flow that `restore()` made: the present time, by this driver's clocks."""

    at: float
    wall: float


def _wrap_body(body: bytes | Secret[bytes]) -> Secret[bytes]:
    return body if isinstance(body, Secret) else Secret(body)


@attrs.frozen
class ResponseReceived:
    """A whole HTTP answer, whatever its status: answers `SendRequest`.

    `sent_at` is when the request was begun, `at` when the last byte came. A header is looked up by its
    name in any case. `body` is wrapped at once, because it may hold tokens.
    """

    sent_at: float
    at: float
    wall: float
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: Secret[bytes] = attrs.field(converter=_wrap_body)


@unique
class Phase(StrEnum):
    """Whether a failed request may have reached the server."""

    NOT_SENT = "not_sent"
    MAYBE_SENT = "maybe_sent"


@unique
class Cause(StrEnum):
    """What ended a request without a usable answer."""

    DNS = "dns"
    CONNECT = "connect"
    PROXY = "proxy"
    PROXY_AUTH = "proxy_auth"
    """The proxy asks for credentials, or refuses those it got (RFC 9110 §15.5.8)."""
    MISCONFIGURED = "misconfigured"
    """A setting of this machine cannot be used, so that nobody was asked."""
    TLS_CERTIFICATE = "tls_certificate"
    TLS_EOF = "tls_eof"
    TIMEOUT = "timeout"
    RESET = "reset"
    TRUNCATED = "truncated"
    TOO_BIG = "too_big"


@attrs.frozen
class RequestFailed:
    """No whole HTTP answer came: answers `SendRequest`. In doubt the phase is `maybe_sent`.

    `setting`: with `misconfigured` and `proxy_auth`, which setting of this machine it is about, if known.
    `errno`: what the system called it, such as `ECONNREFUSED`, if that is known. Nothing but words for people
    follows from it.
    """

    at: float
    phase: Phase
    cause: Cause
    setting: BadSetting | None = None
    errno: str | None = None


@attrs.frozen
class TimeReached:
    """`Wait.until` has come. Too early is harmless: the same `Wait` comes again."""

    at: float


@attrs.frozen
class CallbackReceived:
    """A redirect that `CallbackRule` accepted: answers a `Wait` with a `callback`.

    `query` is the redirect's query string, undecoded.
    """

    at: float
    query: Secret[str]


@attrs.frozen
class Cancelled:
    """The user gave up: answers any effect except a `once` request."""

    at: float


@attrs.frozen
class StoreAnswered:
    """What the store says to a storage effect: `answer`, at the instant `at` and the Unix time `wall`."""

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
