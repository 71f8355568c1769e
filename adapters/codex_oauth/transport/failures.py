"""From exceptions to `RequestFailed`: how sure it is that nothing was sent, and what went wrong.

Rules of this file: tables decide; in doubt a request may have been sent; an exception that says that we
used HTTP wrongly is a bug, and never passed off as a failure of the network.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import httpcore
import httpx

from codex_oauth.transport.bad_settings import UnusableSettingError, wants_credentials
from codex_oauth.transport.deadline import TimeUp
from codex_oauth.transport.progress import Progress, Stage
from codex_oauth.transport.system_error import errno_name
from codex_oauth_core.events import Cause, Phase, RequestFailed

__all__ = ["BUGS", "FAILURES", "classify", "request_failed"]

PhaseAndCause = tuple[Phase, Cause]

_NOT_SENT: Final = Phase.NOT_SENT
_MAYBE_SENT: Final = Phase.MAYBE_SENT

BUGS: Final[tuple[type[Exception], ...]] = (
    httpx.CookieConflict,
    httpx.InvalidURL,
    httpx.LocalProtocolError,
    httpx.StreamError,
    httpx.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
    httpcore.LocalProtocolError,
    httpcore.UnsupportedProtocol,
)
"""The request cannot be written as HTTP, or a library was misused."""

_OF_AN_ANSWER: Final = (httpx.CookieConflict, httpx.InvalidURL, httpx.UnsupportedProtocol)
"""Bugs that are none once the request went out: a client looks at the answer's Location and cookies."""

# What an exception means by its own name, for a transport that does not trace.
_BY_NAME: Final[Mapping[type[Exception], PhaseAndCause]] = {
    TimeUp: (_NOT_SENT, Cause.TIMEOUT),
    httpx.ConnectTimeout: (_NOT_SENT, Cause.TIMEOUT),
    httpx.PoolTimeout: (_NOT_SENT, Cause.TIMEOUT),
    httpx.TimeoutException: (_MAYBE_SENT, Cause.TIMEOUT),
    httpx.ConnectError: (_NOT_SENT, Cause.CONNECT),
    httpx.ProxyError: (_NOT_SENT, Cause.PROXY),
    httpx.HTTPError: (_MAYBE_SENT, Cause.RESET),
    httpcore.ConnectTimeout: (_NOT_SENT, Cause.TIMEOUT),
    httpcore.PoolTimeout: (_NOT_SENT, Cause.TIMEOUT),
    httpcore.TimeoutException: (_MAYBE_SENT, Cause.TIMEOUT),
    httpcore.ConnectError: (_NOT_SENT, Cause.CONNECT),
    httpcore.ProxyError: (_NOT_SENT, Cause.PROXY),
    httpcore.NetworkError: (_MAYBE_SENT, Cause.RESET),
    httpcore.ProtocolError: (_MAYBE_SENT, Cause.RESET),
    UnicodeError: (_NOT_SENT, Cause.DNS),  # a host that is no host name in IDNA
    TimeoutError: (_MAYBE_SENT, Cause.TIMEOUT),
    OSError: (_MAYBE_SENT, Cause.RESET),
}

FAILURES: Final[tuple[type[Exception], ...]] = (*_BY_NAME, *BUGS, UnusableSettingError)
"""Every exception that `request_failed` takes, subclasses included."""

_BY_STAGE: Final[Mapping[Stage, PhaseAndCause]] = {
    Stage.CONNECTING: (_NOT_SENT, Cause.CONNECT),
    Stage.PROXY: (_NOT_SENT, Cause.PROXY),
    Stage.HANDSHAKE: (_NOT_SENT, Cause.TLS_EOF),
    Stage.SENT: (_MAYBE_SENT, Cause.RESET),
    Stage.ANSWERED: (_MAYBE_SENT, Cause.TRUNCATED),
}

# What lies behind a failed connection is more exact than the stage.
_CERTIFICATE: Final = ((ssl.SSLCertVerificationError, Cause.TLS_CERTIFICATE),)
_BEHIND: Final[Mapping[Stage, tuple[tuple[type[Exception], Cause], ...]]] = {
    Stage.CONNECTING: ((socket.gaierror, Cause.DNS), (UnicodeError, Cause.DNS)),
    Stage.PROXY: _CERTIFICATE,
    Stage.HANDSHAKE: _CERTIFICATE,
}


_ASKS: Final = re.compile(r"407\b|Invalid username/password|Requested .*, but got (NO ACCEPTABLE|USERNAME)")
"""httpcore's texts of a proxy that asks for credentials, or refuses them: HTTP, SOCKS (RFC 1928, 1929)."""


def request_failed(error: Exception, progress: Progress, at: float) -> RequestFailed:
    """The event of a request that ended with `error`, one of `FAILURES`. Raises what `classify` raises."""
    if isinstance(error, UnusableSettingError):
        return error.failed(at)
    phase, cause = classify(error, progress.stage)
    if cause is Cause.PROXY and any(_ASKS.match(str(link)) for link in _chain(error)):
        return wants_credentials(progress.proxy_setting, at)
    return RequestFailed(at, phase, cause, errno=errno_name(error))


def classify(error: Exception, stage: Stage) -> PhaseAndCause:
    """Phase and cause of a request that ended with `error` at `stage`. `error` is one of `FAILURES`, and not
    about a setting. Raises ValueError for one of `BUGS`, unless the answer came: then that is what is bad.
    """
    answered_badly = isinstance(error, _OF_AN_ANSWER) and stage in (Stage.SENT, Stage.ANSWERED)
    if isinstance(error, BUGS) and not answered_badly:
        text = f"the request cannot be sent as HTTP ({type(error).__name__})"
        raise ValueError(text) from None  # it is the request that has a bad value
    known = (_BY_NAME[kind] for kind in type(error).__mro__ if kind in _BY_NAME)
    named = next(known, (_MAYBE_SENT, Cause.RESET))
    if stage is Stage.UNTRACED:
        return named
    phase, likely = _BY_STAGE[stage]
    if named[1] is Cause.TIMEOUT or (named[1] is Cause.PROXY and phase is _NOT_SENT):
        return phase, named[1]
    return phase, _exact(error, _BEHIND.get(stage, ())) or likely


def _exact(error: Exception, behind: Iterable[tuple[type[Exception], Cause]]) -> Cause | None:
    return next((cause for link in _chain(error) for kind, cause in behind if isinstance(link, kind)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it was raised because of."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
