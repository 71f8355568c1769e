"""What a flow asks its driver to do. Exactly one effect is outstanding at a time.

Rules of this file: effects are frozen data; they say *what*, and the driver decides *how*. Instants
(`until`) are seconds on the driver's monotonic clock, as in the events; `expires_at` is wall-clock.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

from codex_oauth_core.dates import utc_date
from codex_oauth_core.request import Request, RequestHeaders, plain

if TYPE_CHECKING:
    from datetime import datetime

    from codex_oauth_core.callback import CallbackRule
    from codex_oauth_core.errors import ErrorKind
    from codex_oauth_core.outcomes import Outcome
    from codex_oauth_core.record import Intent
    from codex_oauth_core.secret import Secret

__all__ = [
    "BrowserPrompt",
    "DevicePrompt",
    "Finished",
    "Prompt",
    "Request",
    "RequestHeaders",
    "SendRequest",
    "Wait",
    "Why",
    "plain",
]


@attrs.frozen
class SendRequest:
    """Send `request`; answer with `ResponseReceived`, or with `RequestFailed` after `timeout` seconds at
    the latest (the whole exchange, not one read).

    `once` marks a code exchange, a refresh or a revocation: use a new connection, do not retry, and do not
    let a cancellation or a signal interrupt it. Any other request may be answered with `Cancelled`.

    `write_by` is an instant: at that instant and later, no byte of the request may go out. Read the clock
    when the connection is ready (after TLS), right before the first byte. If it is too late, close the
    connection and answer `RequestFailed` with phase `not_sent` and cause `timeout`. With `write_by` set,
    `timeout` counts from that first byte, and only `write_by` limits the time to connect.
    """

    request: Request
    timeout: float
    once: bool = False
    write_by: float | None = None


@unique
class Why(StrEnum):
    """The reason for a wait, so that a display can say what is happening."""

    PENDING = "pending"
    """The person has not approved yet; the next poll comes at its usual time."""
    SLOW_DOWN = "slow_down"
    """The server asked for fewer polls (RFC 8628 §3.5)."""
    RETRY = "retry"
    """A request failed, and the flow will try it again."""
    RATE_LIMITED = "rate_limited"
    """The server counts requests, and asked to wait (RFC 6585 §4)."""
    QUEUED = "queued"
    """Another process holds the login's lock."""
    SAVING = "saving"
    """The store failed, and the flow will try it again."""
    CALLBACK = "callback"
    """The browser has not returned yet."""


def _printable(text: str) -> str:
    """Text for a terminal: what does not print (control, bidi) is escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@attrs.frozen(weakref_slot=False)  # thousands wait in one process
class DevicePrompt:
    """What a person must see to approve a device login (RFC 8628 §3.3): the page to open, and the code.
    `str()` says this in a sentence.

    `expires_at` is Unix time in **seconds** by the driver's wall clock, and `expires` the same as a datetime.
    `issuer` is the server that asks: show it when it is not the provider people expect.
    `verification_uri_complete` is the page with the code in its URL, for a QR code: show the code beside it
    (§3.3.1). It is None if the server gives none.
    """

    verification_uri: str
    user_code: str
    expires_at: float
    issuer: str
    verification_uri_complete: str | None = None
    title: str = ""
    """The provider's name for the sign-in."""

    @property
    def expires(self) -> datetime:
        """`expires_at` as an aware datetime in UTC."""
        return utc_date(self.expires_at)

    def __str__(self) -> str:
        page, code = _printable(self.verification_uri), _printable(self.user_code)
        return f"To sign in, open {page} and enter the code {code} there. Never share this code."


@attrs.frozen
class BrowserPrompt:
    """The page to open in this machine's browser (RFC 8252 §4.1). `str()` says this in a sentence.

    The URL holds `state`, so it is a `Secret`: reveal it to the browser and to the person, not to a log.
    `str()` is for the person, so it **shows the URL**; `repr()` is for logs, and does not.

    `expires_at` is Unix time in **seconds** by the driver's wall clock, and `expires` the same as a datetime.

    `open_url` is the same page with a token in its URL that says who is signing in. Use it only in a browser
    that this program opens itself: never show it, copy it or pass it on. If it is None, open `authorize_url`.
    """

    authorize_url: Secret[str]
    expires_at: float
    issuer: str
    title: str = ""
    """The provider's name for the sign-in."""
    open_url: Secret[str] | None = None

    @property
    def expires(self) -> datetime:
        """`expires_at` as an aware datetime in UTC."""
        return utc_date(self.expires_at)

    def __str__(self) -> str:
        page = _printable(self.authorize_url.reveal())
        return f"To sign in, open this page in a browser on this machine: {page}"


Prompt = DevicePrompt | BrowserPrompt


@attrs.frozen
class Wait:
    """Send nothing before the instant `until`, in seconds by the driver's monotonic clock; then answer with
    `TimeReached`.

    An early `TimeReached` is harmless: the same `Wait` comes again. `Cancelled` may answer at any time, and
    `CallbackReceived` may if `callback` is set. Show `prompt` when it `is not` the one shown last: each
    `Wait` repeats it. `cause` says how the last attempt failed, if the flow tries again. `holder` names the
    process that a `QUEUED` wait is for, if it is known, and `give_up_at` is the instant at which that wait
    ends. `trouble` is the `cause` as a clause for people, with the host's name; never compare waits by it.
    """

    until: float
    why: Why
    prompt: Prompt | None = None
    callback: CallbackRule | None = None
    cause: ErrorKind | None = None
    holder: Intent | None = None
    give_up_at: float | None = None
    trouble: str | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class Finished:
    """The flow is over; every further event raises `IllegalEvent`. `outcome` is the result, such as the
    `Credential` of a sign-in, or a `SignInError`: a failure is a value here, and is not raised.
    """

    outcome: Outcome
