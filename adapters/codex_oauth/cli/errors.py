"""How a command that failed says so, and its exit code, the same with and without `--json`.

Rules of this file: every kind of error has exactly one code, and `docs/errors.md` shows the same table.
With `--json` every failure is one document on stdout, of `login` an event. A bug says so in one line, because
a traceback may show what must not be shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

from codex_oauth.cli.output import (
    NoOutput,
    complain,
    complain_in_lines,
    emit,
    failure_fields,
    say_action,
)
from codex_oauth.cli.pasteable import as_pasted
from codex_oauth.cli.report import report
from codex_oauth.cli.usage import UsageError
from codex_oauth.project import ISSUES_URL
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = [
    "EXIT_CODES",
    "INTERRUPTED",
    "LOGIN_REQUIRED",
    "OK",
    "REFUSED",
    "STORAGE",
    "TEMPORARY",
    "UNEXPECTED",
    "USAGE",
    "asks_for_json",
    "report_error",
]


OK: Final = 0
UNEXPECTED: Final = 1
"""A fault of this program."""

USAGE: Final = 2
"""An option or argument that the command does not take, or a setting of this machine that cannot be used."""

REFUSED: Final = 3
"""Denied, expired or refused."""

LOGIN_REQUIRED: Final = 4
"""There is no usable login: sign in (again)."""

TEMPORARY: Final = 5
"""No answer, or one that could not be used: trying again later may help."""

STORAGE: Final = 6
"""The login could not be read from disk or written to it."""

INTERRUPTED: Final = 130
"""Cancelled by the user: 128 + SIGINT, as shells have it."""

_KINDS: Final[Mapping[int, tuple[ErrorKind, ...]]] = {
    REFUSED: (
        ErrorKind.DENIED,
        ErrorKind.OAUTH_ERROR,
        ErrorKind.EXPIRED,
        ErrorKind.TIMEOUT,
        ErrorKind.APPROVAL_LOST,
        ErrorKind.DEVICE_CODE_UNSUPPORTED,
        ErrorKind.DEVICE_AUTH_FAILED,
        ErrorKind.TOKEN_REQUEST_FAILED,
        ErrorKind.NO_ACCOUNT_ID,
        ErrorKind.MISSING_AUTHORIZATION_CODE,
        ErrorKind.INVALID_STATE,
        ErrorKind.INVALID_REQUEST,
        ErrorKind.REGION_BLOCKED,
        ErrorKind.ACCOUNT_CHANGED,
        ErrorKind.WORKSPACE_RESTRICTED,
        ErrorKind.CLIENT_REJECTED,
        ErrorKind.PLAN_USE_OFF,
    ),
    USAGE: (ErrorKind.MISCONFIGURED,),
    LOGIN_REQUIRED: (ErrorKind.LOGIN_REQUIRED,),
    TEMPORARY: (
        ErrorKind.NETWORK,
        ErrorKind.TLS_UNTRUSTED,
        ErrorKind.BLOCKED,
        ErrorKind.RATE_LIMITED,
        ErrorKind.INVALID_RESPONSE,
        ErrorKind.CALLBACK_PORT_UNAVAILABLE,
        ErrorKind.CALLBACK_SERVER_FAILED,
    ),
    STORAGE: (ErrorKind.CORRUPT_AUTH, ErrorKind.AUTH_READ_FAILED, ErrorKind.AUTH_WRITE_FAILED),
    INTERRUPTED: (ErrorKind.CANCELLED,),
}

EXIT_CODES: Final[Mapping[ErrorKind, int]] = MappingProxyType(
    {kind: code for code, kinds in _KINDS.items() for kind in kinds}
)
"""The exit code of each kind of error."""


# -- how a failure is said -----------------------------------------------------------------------------


_DEBUG: Final = "CODEX_OAUTH_DEBUG"
_TRACEBACK: Final = f"Set {_DEBUG}=1 for a traceback. Look through it before you share it."


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` is among our arguments; behind `--` are those of another program."""
    end = list(arguments).index("--") if "--" in arguments else None
    return "--json" in arguments[:end]


def report_error(error: BaseException, arguments: Sequence[str]) -> int:
    """Say what went wrong with a command line; the exit code.

    With `CODEX_OAUTH_DEBUG` a bug is raised again.
    """
    as_json = asks_for_json(arguments)
    event = "error" if arguments[:1] == ["login"] else None
    try:
        return _told(error, as_json=as_json, event=event)
    except NoOutput as nowhere:
        return _told(nowhere, as_json=False, event=None)


def _told(error: BaseException, *, as_json: bool, event: str | None) -> int:
    match error:
        case UsageError():
            return _misused(error, as_json=as_json, event=event)
        case SignInError():
            report(error, as_json=as_json, event=event)
            return EXIT_CODES[error.kind]
        case KeyboardInterrupt():
            return _interrupted(as_json=as_json, event=event)
        case NoOutput():
            _discard_stdout()
            if not error.nobody_reads:  # as in `codex-oauth list | head`: whoever left wants no more
                complain(f"codex-oauth: the output could not be written: {error}.")
            return UNEXPECTED
        case _:
            return _bug(error, as_json=as_json, event=event)


def _misused(mistake: UsageError, *, as_json: bool, event: str | None) -> int:
    if as_json:
        advice = map(as_pasted, mistake.advice)
        emit({**_event(event), **failure_fields("usage", str(mistake), *advice)})
        return USAGE
    complain_in_lines(f"{mistake.command or 'codex-oauth'}: {mistake}")
    for line in mistake.advice:
        say_action(as_pasted(line))
    if mistake.usage:
        complain(mistake.usage.rstrip())
    return USAGE


def _interrupted(*, as_json: bool, event: str | None) -> int:
    """Who interrupts on a terminal knows it; a program is told."""
    if as_json:
        error = SignInError.of(ErrorKind.CANCELLED, "The command was interrupted.")
        report(attrs.evolve(error, next_actions=()), as_json=True, event=event)
    return INTERRUPTED


def _bug(error: BaseException, *, as_json: bool, event: str | None) -> int:
    if os.environ.get(_DEBUG):
        raise error
    text = f"unexpected {type(error).__name__}. This is a bug in codex-oauth: please report it."
    actions = (f"Report it: {ISSUES_URL}", _TRACEBACK)
    if as_json:
        emit({**_event(event), **failure_fields("unexpected", text, *actions)})
        return UNEXPECTED
    complain_in_lines(f"codex-oauth: {text}")
    for action in actions:
        say_action(action)
    return UNEXPECTED


def _event(event: str | None) -> dict[str, str]:
    return {"event": event} if event else {}


def _discard_stdout() -> None:
    """Point stdout nowhere, or the interpreter complains about what is left in its buffer when it ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
