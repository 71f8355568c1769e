"""How a command that failed says so, and its exit code.

Rules of this file: with `--json` every failure is one document on stdout, of `login` an event; the exit code
is the same without; a bug says so in one line, because a traceback may show what must not be shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import attrs

from codex_oauth.cli.exit_codes import EXIT_CODES, INTERRUPTED, UNEXPECTED, USAGE
from codex_oauth.cli.output import NoOutput, complain, emit, failure_fields, report
from codex_oauth.cli.usage import UsageMistake
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["asks_for_json", "told"]

_DEBUG: Final = "CODEX_OAUTH_DEBUG"
_TRACEBACK: Final = f"Set {_DEBUG}=1 for a traceback, and look through it before you share it."


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` is among our arguments; behind `--` are those of another program."""
    end = list(arguments).index("--") if "--" in arguments else None
    return "--json" in arguments[:end]


def told(error: BaseException, arguments: Sequence[str]) -> int:
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
        case UsageMistake():
            return _misused(error, as_json=as_json, event=event)
        case SignInError():
            report(error, as_json=as_json, event=event)
            return EXIT_CODES[error.kind]
        case KeyboardInterrupt():
            return _interrupted(as_json=as_json, event=event)
        case NoOutput():
            _discard_stdout()
            complain(f"codex-oauth: the output could not be written: {error}.")
            return UNEXPECTED
        case _:
            return _bug(error, as_json=as_json, event=event)


def _misused(mistake: UsageMistake, *, as_json: bool, event: str | None) -> int:
    if as_json:
        emit({**_event(event), **mistake.to_dict()})
        return USAGE
    if mistake.usage:
        complain(mistake.usage.rstrip())
    complain(f"{mistake.command or 'codex-oauth'}: {mistake}")
    for line in mistake.advice:
        complain(f"  -> {line}")
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
    text = f"unexpected {type(error).__name__}; this is a bug in codex-oauth, please report it."
    if as_json:
        emit({**_event(event), **failure_fields("unexpected", text, _TRACEBACK)})
        return UNEXPECTED
    complain(f"codex-oauth: {text}")
    complain(f"  -> {_TRACEBACK}")
    return UNEXPECTED


def _event(event: str | None) -> dict[str, str]:
    return {"event": event} if event else {}


def _discard_stdout() -> None:
    """Point stdout nowhere, or the interpreter complains about what is left in its buffer when it ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
