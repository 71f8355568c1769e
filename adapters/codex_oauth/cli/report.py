"""How a failure is said: what happened, what has become of the login, and what to do.

Rules of this file: with `--json` the error as it is; else what a person can use, and the details for programs
only with `--verbose`. Whoever cancels knows what happened.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Final

import attrs

from codex_oauth.cli.output import complain, complain_in_lines, detail, emit, printable, say_action
from codex_oauth.cli.pasteable import with_commands
from codex_oauth_core.errors import KINDS, PARTICULAR, ErrorKind, SignInError

__all__ = ["in_place_of_stored", "report"]


def report(error: SignInError, *, as_json: bool, event: str | None = None, about_login: bool = True) -> None:
    """Say what happened, whether a stored login is good, and what to do: stderr, or JSON on stdout.
    `about_login`: there is one login that is meant.
    """
    error = with_commands(error)
    if as_json:
        emit({**({"event": event} if event else {}), **error.to_dict()})
        return
    if error.kind is ErrorKind.CANCELLED:
        if error.message == KINDS[error.kind].message:  # whoever cancels knows the rest
            complain("Cancelled.")
            return
        complain_in_lines(f"Cancelled. {error.message}")
    else:
        complain_in_lines(f"codex-oauth: {error.message}")
        for line in _named(error):
            complain(line)
        if about_login and (line := _about_the_login(error)):
            complain_in_lines(f"  {line}")
    for action in error.next_actions:
        say_action(action)
    details = ", ".join(f"{name}: {printable(str(value))}" for name, value in error.details.items())
    if details:
        detail(f"  ({details})")


_STORAGE: Final = (ErrorKind.CORRUPT_AUTH, ErrorKind.AUTH_READ_FAILED, ErrorKind.AUTH_WRITE_FAILED)


def _named(error: SignInError) -> Iterator[str]:
    """What a storage error is about, with the system's reason, unless its message names it: to be copied."""
    if error.kind not in _STORAGE:
        return
    for name in ("path", "database"):
        about = error.details.get(name)
        if about is not None and str(about) not in error.message:
            number = getattr(errno, str(error.details.get("errno")), None)
            why = "" if number is None else f": {os.strerror(number)}"
            yield f"  {printable(str(about), 4096)}{why}"


def in_place_of_stored(error: SignInError, text: str) -> SignInError:
    """An error of the store that says what could not be done: `text`, where its message speaks of storing."""
    usual = error.kind is ErrorKind.AUTH_WRITE_FAILED and error.message == KINDS[error.kind].message
    return attrs.evolve(error, message=text) if usual else error


def _about_the_login(error: SignInError) -> str:
    """What has become of the stored login; nothing where there is none."""
    text = PARTICULAR.get((error.kind, error.details.get("reason")), KINDS[error.kind]).login
    if "{name}" not in text:
        return text
    from codex_oauth.cli.account import still_signed_in
    from codex_oauth.cli.accounts import name_of

    login = still_signed_in()
    return "" if login is None else text.format(name=name_of(login))
