"""`codex-oauth exec`: another program, with the access token in its environment.

Rules of this file: the token is in the child's environment and nowhere else, never in an argument; on POSIX
this process becomes the child, so that signals, the terminal and the exit code are the child's own; what this
process changed about itself is put back first.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping
from typing import Final, NoReturn

from codex_oauth.cli.arguments import PROVIDER_VARIABLE
from codex_oauth.cli.output import complain, detail, emit, failure_fields, printable
from codex_oauth.cli.process import allow_cores
from codex_oauth.cli.stored import current_credential
from codex_oauth.provider_names import provider_called
from codex_oauth_core.credential import Credential

__all__ = ["ACCOUNT_ID_VARIABLE", "CANNOT_RUN", "NOT_FOUND", "run_exec"]

ACCOUNT_ID_VARIABLE: Final = "CODEX_OAUTH_ACCOUNT_ID"
NOT_FOUND: Final = 127
"""The command is not there, as shells have it."""

CANNOT_RUN: Final = 126
"""The command is there, and cannot be run."""

_IGNORED_BY_PYTHON: Final = ("SIGPIPE", "SIGXFSZ", "SIGXFZ")


def run_exec(args: argparse.Namespace) -> int:
    """Run a command with the token, renewed if that is due, in its environment. Raises SignInError."""
    environment = _environment(current_credential(args), args.env)
    command: list[str] = args.command
    detail(f"Running:  {printable(command[0], 300)}, with the token in {args.env}")
    try:
        return _become(command, environment)
    except FileNotFoundError:
        return _complain(args, "was not found", command[0], NOT_FOUND)
    except (OSError, ValueError):
        return _complain(args, "could not be run", command[0], CANNOT_RUN)


def _environment(credential: Credential, variable: str) -> dict[str, str]:
    token = {variable: credential.access_token.reveal()}
    whose = {} if credential.account_id is None else {ACCOUNT_ID_VARIABLE: credential.account_id}
    name = provider_called(credential)
    which = {} if name is None else {PROVIDER_VARIABLE: name}
    ours = {name: value for name, value in os.environ.items() if name != ACCOUNT_ID_VARIABLE}
    return {**ours, **whose, **which, **token}


def _become(command: list[str], environment: Mapping[str, str]) -> int:
    """Run the command, with the search path of this process. Raises OSError, ValueError."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    return _replace(command, environment) if os.name == "posix" else _wait_for(command, environment)


def _replace(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    allow_cores()
    numbers = [getattr(signal, name) for name in _IGNORED_BY_PYTHON if hasattr(signal, name)]
    # An ignored signal would stay ignored in the child.
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606  # the person's own command, without a shell
    finally:  # only where it failed
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _wait_for(command: list[str], environment: Mapping[str, str]) -> int:
    import subprocess

    with subprocess.Popen(command, env=dict(environment)) as child:  # noqa: S603  # the person's own command, without a shell
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:  # the child has heard it too, and decides
                continue


def _complain(args: argparse.Namespace, what: str, command: str, code: int) -> int:
    text = f"{printable(command, 300)} {what}"
    if args.json:
        emit(failure_fields("command", text))
    else:
        complain(f"codex-oauth exec: {text}")
    return code
