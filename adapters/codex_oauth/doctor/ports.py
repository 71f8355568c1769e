"""Whether the browser could come back: each port of the redirect URI, on each loopback address.

Rules of this file: a port is bound as a sign-in binds it, and given back at once; nobody who holds one is
ever spoken to.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from codex_oauth.doctor.context import Area, Context, Finding, Verdict, ok, problem, skipped, warn
from codex_oauth.listener.ports import Trouble, bind
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["check"]

_NAME: Final = "port"
_AREA: Final = Area.NETWORK
_HOSTS: Final = ("127.0.0.1", "[::1]")
_DEVICE: Final = "Or sign in with a code: codex-oauth login --device"
_WHO: Final[Mapping[str, str]] = {
    "linux": "ss -ltnp 'sport = :{}'",
    "darwin": "lsof -nP -iTCP:{} -sTCP:LISTEN",
    "win32": "netstat -ano | findstr :{}",
}


def check(context: Context) -> Iterator[Finding]:
    """Every port on every address. One that is taken is a problem only if no other is left."""
    usable = False
    found: list[Finding] = []
    for port in context.provider.redirect_ports:
        first, *more = [_tried(port, host) for host in _HOSTS]
        found += (first, *more)
        alone = first.verdict is Verdict.SKIPPED and any(row.verdict is Verdict.OK for row in more)
        usable = usable or first.verdict is Verdict.OK or alone  # whoever has the first has the port
    for row in found:
        taken = not usable and row.verdict is Verdict.WARN
        yield attrs.evolve(row, verdict=Verdict.PROBLEM) if taken else row


def _tried(port: int, host: str) -> Finding:
    subject = f"{host}:{port}"
    try:
        bind((port,), "/", host).close()
    except SignInError as error:
        if error.kind is ErrorKind.CALLBACK_SERVER_FAILED:
            reason = error.details.get("reason")
            return problem(_NAME, _AREA, f"cannot be tried: {reason}", *error.next_actions, subject=subject)
        return _judged(Trouble(str(error.details[f"port_{port}"])), port, subject)
    return ok(_NAME, _AREA, "free", subject)


def _judged(trouble: Trouble, port: int, subject: str) -> Finding:
    if trouble is Trouble.ABSENT:
        return skipped(_NAME, _AREA, "this machine has no such address", subject)
    if trouble is Trouble.FORBIDDEN:
        allow = "Allow programs to listen there, in the system or the sandbox."
        return warn(_NAME, _AREA, "the system forbids it", allow, _DEVICE, subject=subject)
    see = f"See which: {_WHO.get(sys.platform, _WHO['linux']).format(port)}"
    end = "End the other program. It may be another sign-in, also one of the Codex CLI."
    return warn(_NAME, _AREA, "in use by another program", end, see, _DEVICE, subject=subject)
