"""The options of the commands about stored logins.

Rules of this file: one function for each set of options; nothing is loaded here but argparse.
"""

from __future__ import annotations

import argparse

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = [
    "DEFAULT_VARIABLE",
    "account",
    "account_command",
    "check_exec",
    "check_logout",
    "common",
    "exec_command",
    "logout",
    "loudness",
    "refresh",
    "status",
    "store_command",
    "switch",
]

DEFAULT_VARIABLE: Final = "CODEX_OAUTH_TOKEN"
"""The variable in which a child finds the token."""


def common(command: argparse.ArgumentParser) -> None:
    """The options of nearly every command."""
    where = "where logins are kept; default: CODEX_OAUTH_HOME, else the user's state directory"
    command.add_argument("--store", metavar="PATH", type=_place, help=where)
    command.add_argument("--json", action="store_true", help="machine-readable output")


def loudness(command: argparse.ArgumentParser) -> None:
    """How much is said on stderr."""
    how = command.add_mutually_exclusive_group()
    how.add_argument("-q", "--quiet", action="store_true", help="say nothing but results and errors")
    how.add_argument("-v", "--verbose", action="store_true", help="say more; never a secret")


def store_command(command: argparse.ArgumentParser) -> None:
    """The options of a command about all logins."""
    common(command)
    loudness(command)


def account(command: argparse.ArgumentParser) -> None:
    """Which login it is about."""
    whose = (
        "whose login: an account id, an email address, or the beginning of one; "
        "default: CODEX_OAUTH_ACCOUNT, else the one in use"
    )
    command.add_argument("--account", metavar="ACCOUNT", help=whose)


def account_command(command: argparse.ArgumentParser) -> None:
    """The options of a command about one login."""
    account(command)
    store_command(command)


def status(command: argparse.ArgumentParser) -> None:
    """The options of `status`."""
    asks = "also ask ChatGPT, once, whether it takes the access token"
    command.add_argument("--check", action="store_true", help=asks)
    account_command(command)


def exec_command(command: argparse.ArgumentParser) -> None:
    """The options of `exec`."""
    name = f"the variable that holds the token; default: {DEFAULT_VARIABLE}"
    command.add_argument("--env", metavar="NAME", type=_variable, default=DEFAULT_VARIABLE, help=name)
    account_command(command)


def refresh(command: argparse.ArgumentParser) -> None:
    """The options of `refresh`."""
    command.add_argument("--if-due", action="store_true", help="only if the token is near its end")
    account_command(command)


def logout(command: argparse.ArgumentParser) -> None:
    """The options of `logout`."""
    command.add_argument("--local", action="store_true", help="only delete it here")
    command.add_argument("--all", action="store_true", help="every login that is kept here")
    account_command(command)


def switch(command: argparse.ArgumentParser) -> None:
    """The arguments of `switch`."""
    whose = "an account id, an email address, or the beginning of one"
    command.add_argument("account", metavar="ACCOUNT", nargs="?", help=whose)
    store_command(command)


def check_exec(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `exec` together."""
    if not args.command or not args.command[0]:
        return "what is to be run follows `--`, as in: codex-oauth exec -- CMD ARG"
    return None


def check_logout(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `logout` together."""
    return "--all and --account do not go together" if args.all and args.account else None


def _place(text: str) -> str:
    if text:
        return text
    raise argparse.ArgumentTypeError("it names no directory")


def _variable(text: str) -> str:
    if text.isascii() and text.isidentifier():
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not the name of a variable")
