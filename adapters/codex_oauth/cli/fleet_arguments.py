"""The arguments of `codex-oauth fleet`: what is done to a database that many machines share.

Rules of this file: every action is a row; nothing of an action is loaded before it runs. A secret is never an
argument: keys come from a file or the environment, and a DSN with a password belongs there, too.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Final

from codex_oauth.cli.arguments import loudness

__all__ = ["DSN_VARIABLE", "KEYS_VARIABLE", "fleet_arguments", "run_fleet"]

DSN_VARIABLE: Final = "CODEX_OAUTH_DSN"
"""The variable that names the database."""

KEYS_VARIABLE: Final = "CODEX_OAUTH_KEYS"
"""The variable that holds the keys."""

_DSN: Final = (
    f"the PostgreSQL database: postgresql://USER@HOST/NAME, or host=... dbname=...; default: {DSN_VARIABLE}. "
    "Other users can see what you type here: put a password into the variable, or ~/.pgpass"
)
_KEYS: Final = (
    "a file with the keys, readable by its owner only: one key a line, of which the first seals, and the "
    f"others open what they have sealed; default: the keys in {KEYS_VARIABLE}"
)


def _nothing(_: argparse.ArgumentParser) -> None:
    """It takes no options of its own."""


def _database(action: argparse.ArgumentParser) -> None:
    action.add_argument("--dsn", metavar="DSN", help=_DSN)


def _sealed(action: argparse.ArgumentParser) -> None:
    _database(action)
    action.add_argument("--keys", metavar="FILE", help=_KEYS)


def _sweep(action: argparse.ArgumentParser) -> None:
    add = action.add_argument
    most = "the most logins renewed in a second; default: 5"
    add("--max-per-second", metavar="N", type=_positive, default=5.0, help=most)
    again = "look again after so many seconds; default: end when nothing needs renewal"
    add("--every", metavar="SECONDS", type=_positive, help=again)
    add("--tenant", metavar="TENANT", help="only the logins of this tenant")
    spool = "the directory where stores of this machine keep what the database does not take"
    add("--spool", metavar="PATH", help=spool)
    _sealed(action)


def _sign_ins(action: argparse.ArgumentParser) -> None:
    add = action.add_argument
    room = "the most sign-ins at a time; default: 10000"
    add("--room", metavar="N", type=_whole, default=10_000, help=room)
    most = "the most requests at a time; default: 64"
    add("--max-requests", metavar="N", type=_whole, default=64, help=most)
    issuer = "also work on the sign-ins at this server, such as a test authority; may be repeated"
    add("--issuer", metavar="URL", action="append", default=[], help=issuer)
    _sealed(action)


_ACTIONS: Final = (
    ("new-key", "print a new key", "Print a new key, for the end of a key file.", _nothing),
    ("migrate", "make or update the tables",
     "Make the tables in a database, or update them. Needs the right to make tables.", _database),
    ("check", "check a database, and show what is in it",
     "Check the tables, rights and clock of a database, and show how many logins it has and\n"
     "which keys have encrypted them. Nothing is changed.", _sealed),
    ("sweep", "renew the logins that need it",
     "Renew the logins that need it, before anybody asks. Any number of sweeps may run.\nSIGTERM ends it "
     "when what was renewed is stored.", _sweep),
    ("reseal", "encrypt everything with the current key",
     "Encrypt with the first key what older keys have encrypted. Programs can go on working.", _sealed),
    ("sign-ins", "work on the sign-ins that are under way",
     "Work on the sign-ins that applications have begun, until SIGTERM. What waits then is\n"
     "handed to other workers. Any number of workers may run.", _sign_ins),
)  # fmt: skip
"""Each action: its name, what is said about it, and its arguments."""

_EXAMPLES: Final = {
    "new-key": "codex-oauth fleet new-key >> keys",
    "migrate": "codex-oauth fleet migrate --dsn postgresql://admin@db.example/app",
    "check": "codex-oauth fleet check --keys keys",
    "sweep": "codex-oauth fleet sweep --keys keys --max-per-second 5",
    "reseal": "codex-oauth fleet reseal --keys keys",
    "sign-ins": "codex-oauth fleet sign-ins --keys keys --room 10000",
}


def fleet_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `fleet`."""
    actions = command.add_subparsers(metavar="ACTION", title="actions", required=True)
    for name, help_, about, arguments in _ACTIONS:
        action = actions.add_parser(
            name,
            help=help_,
            description=f"{about}\n\nexamples:\n  {_EXAMPLES[name]}",
            formatter_class=command.formatter_class,
            allow_abbrev=False,
        )
        arguments(action)
        action.add_argument("--json", action="store_true", help="machine-readable output")
        loudness(action)
        action.set_defaults(function=f"run_{name.replace('-', '_')}")


def run_fleet(args: argparse.Namespace) -> int:
    """Run an action. What fails is about a database or a key file, and about nobody's login."""
    from codex_oauth.cli.errors import EXIT_CODES
    from codex_oauth.cli.report import report
    from codex_oauth_core.errors import SignInError

    try:
        return int(getattr(import_module("codex_oauth.cli.fleet"), args.function)(args))
    except SignInError as error:
        report(error, as_json=args.json, about_login=False)
        return EXIT_CODES[error.kind]


def _positive(text: str) -> float:
    try:
        value = float(text) if text.isascii() else float("nan")
    except ValueError:
        value = float("nan")
    if 0 < value < float("inf"):
        return value
    raise argparse.ArgumentTypeError(f"{text!a} is no number above 0")


def _whole(text: str) -> int:
    if text.isascii() and text.isdecimal() and 0 < int(text) < 10_000_000:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!a} is no whole number above 0")
