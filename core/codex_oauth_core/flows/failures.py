"""From facts to errors: what a failed request, or a refusal, is called.

Rules of this file: an error repeats a server's error code only after a check that no secret is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Cause, Phase, RequestFailed
from codex_oauth_core.facts import Refused, TryAgain
from codex_oauth_core.secret import Secret, shares_text

__all__ = ["HOPELESS", "gave_up", "refused", "without_answer"]

_KINDS: Final[Mapping[Cause, ErrorKind]] = {
    Cause.DNS: ErrorKind.NETWORK,
    Cause.CONNECT: ErrorKind.NETWORK,
    Cause.PROXY: ErrorKind.NETWORK,
    Cause.PROXY_AUTH: ErrorKind.NETWORK,
    Cause.MISCONFIGURED: ErrorKind.MISCONFIGURED,
    Cause.TLS_CERTIFICATE: ErrorKind.TLS_UNTRUSTED,
    Cause.TLS_EOF: ErrorKind.NETWORK,
    Cause.TIMEOUT: ErrorKind.NETWORK,
    Cause.RESET: ErrorKind.NETWORK,
    Cause.TRUNCATED: ErrorKind.NETWORK,
    Cause.TOO_BIG: ErrorKind.INVALID_RESPONSE,
}

HOPELESS: Final = frozenset({ErrorKind.TLS_UNTRUSTED, ErrorKind.MISCONFIGURED})
"""What does not become better by trying once more."""


def without_answer(event: RequestFailed) -> TryAgain:
    """The fact of a request that brought no whole answer."""
    kind, lost = _KINDS[event.cause], event.phase is Phase.MAYBE_SENT
    return TryAgain(kind, lost, cause=event.cause.value, setting=event.setting)


def gave_up(failure: TryAgain) -> Refused:
    """The fact of a failure that was the last one."""
    return Refused(failure.kind, failure.code, failure.status, cause=failure.cause, setting=failure.setting)


def refused(
    fact: Refused, secrets: Iterable[Secret[str]] = (), *, revoked: bool | None = None
) -> SignInError:
    """The error for a refusal. `secrets` are never repeated, even where a server echoes one as a code."""
    setting = fact.setting
    return SignInError.of(
        fact.kind,
        fact.message or (None if setting is None else str(setting)),
        code=_safe(fact.code, secrets),
        status=fact.status,
        reason=fact.reason or (None if setting is None else setting.fault.value),
        cause=fact.cause,
        setting=None if setting is None else setting.name,
        uncertain=True if fact.uncertain else None,
        revoked=revoked,
    )


def _safe(code: str | None, secrets: Iterable[Secret[str]]) -> str | None:
    if code is None:
        return None
    return "other" if any(shares_text(code, secret) for secret in secrets) else code
