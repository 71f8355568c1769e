"""Why a server brought no usable answer, in words that name its host.

Rules of this file: the host is the one that we asked, and never a name that a server gave; the reason of the
system is one of a closed table; a message that somebody has chosen is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

import attrs

from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.errors import KINDS, ErrorKind, SignInError
from codex_oauth_core.events import Cause, RequestFailed
from codex_oauth_core.facts import TryAgain

if TYPE_CHECKING:
    from codex_oauth_core.outcomes import NotRenewed

__all__ = ["kind_told", "naming", "sentence", "told_with", "why_failed", "why_no_answer"]

_BY_ERRNO: Final[Mapping[str, str]] = {
    "ECONNREFUSED": "{host} refused the connection",
    "ECONNRESET": "{host} closed the connection",
    "ENETUNREACH": "this machine has no network route to {host}",
    "EHOSTUNREACH": "this machine has no network route to {host}",
    "ENETDOWN": "the network of this machine is down",
    "EACCES": "this machine does not allow a connection to {host}",
    "EPERM": "this machine does not allow a connection to {host}",
    "EMFILE": "this program has too many files open to ask {host}",
    "ENFILE": "this machine has too many files open to ask {host}",
}
"""What the system said of the connection."""

_BY_CAUSE: Final[Mapping[Cause, str]] = {
    Cause.DNS: "{host} was not found: no such host, or no network",
    Cause.CONNECT: "{host} could not be reached",
    Cause.PROXY: "the proxy did not connect to {host}",
    Cause.PROXY_AUTH: "the proxy asks for a user name and a password",
    Cause.TLS_CERTIFICATE: "the certificate of {host} is not trusted",
    Cause.TLS_EOF: "{host} ended the connection before it was encrypted",
    Cause.TIMEOUT: "{host} did not answer in {seconds} s",
    Cause.RESET: "{host} closed the connection",
    Cause.TRUNCATED: "{host} closed the connection in the middle of its answer",
    Cause.TOO_BIG: "{host} sent an answer that is too long",
}

_ANSWERED: Final[Mapping[ErrorKind, str]] = {
    ErrorKind.NETWORK: "{host} answered with an error of its own",
    ErrorKind.BLOCKED: "a web page came in place of an answer of {host}",
    ErrorKind.RATE_LIMITED: "{host} asks for fewer requests",
    ErrorKind.INVALID_RESPONSE: "the answer of {host} could not be used",
    ErrorKind.TLS_UNTRUSTED: "the certificate of {host} is not trusted",
}
"""What is said of an answer that came, by the kind of the error that it became."""


_OF_A_CONNECTION: Final = (Cause.CONNECT, Cause.RESET)


def why_no_answer(request: SendRequest, failure: RequestFailed | None, kind: ErrorKind) -> str | None:
    """A clause such as `auth.example.com refused the connection`; None where the host is not what matters.
    `failure`: what came of the request; without one an answer came, which meant an error of that kind.
    """
    cause, errno = (None, None) if failure is None else (failure.cause, failure.errno)
    return _clause(request.request.url, kind, cause, errno, request.timeout)


def why_failed(failure: TryAgain | None, url: str, seconds: float) -> str | None:
    """The same of a failure that is remembered, as far as that knows it: one that was put down, say."""
    if failure is None:
        return None
    cause = next((each for each in Cause if each.value == failure.cause), None)
    return _clause(url, failure.kind, cause, None, seconds)


def _clause(url: str, kind: ErrorKind, cause: Cause | None, errno: str | None, seconds: float) -> str | None:
    host = urlsplit(url).hostname
    if host is None or kind not in _ANSWERED:
        return None
    if cause is None:
        return _ANSWERED[kind].format(host=host)
    by_system = _BY_ERRNO.get(errno or "") if cause in _OF_A_CONNECTION else None
    text = by_system or _BY_CAUSE.get(cause)
    return None if text is None else text.format(host=host, seconds=f"{seconds:g}")


def sentence(clause: str) -> str:
    """The clause as a sentence. A host's name begins it as it is written."""
    first = clause.partition(" ")[0]
    return f"{clause if '.' in first else clause[:1].upper() + clause[1:]}."


def kind_told(effect: Wait | Finished) -> ErrorKind | None:
    """The kind of the failure that an effect tells of; None if it tells of none."""
    if isinstance(effect, Wait):
        return effect.cause
    error = _error_in(effect)
    return None if error is None else error.kind


def _error_in(effect: Finished) -> SignInError | None:
    outcome = effect.outcome
    # `NotRenewed` has one: a sign-in needs none of the classes that end a renewal
    return outcome if isinstance(outcome, SignInError) else getattr(outcome, "error", None)


def told_with(trouble: str, effect: Wait | Finished) -> Wait | Finished:
    """The effect with the clause in what people are told."""
    if isinstance(effect, Wait):
        return effect if effect.trouble == trouble else attrs.evolve(effect, trouble=trouble)
    error = _error_in(effect)
    named = None if error is None else naming(trouble, error)
    if named is error or named is None:
        return effect
    kept = effect.outcome
    return Finished(named if kept is error else attrs.evolve(cast("NotRenewed", kept), error=named))


def naming(trouble: str | None, error: SignInError) -> SignInError:
    """The error with the clause as its message, unless somebody has chosen another one."""
    if trouble is None or error.message != KINDS[error.kind].message or error.kind not in _ANSWERED:
        return error
    return attrs.evolve(error, message=sentence(trouble))
