"""The command `codex-oauth`: its arguments, its exit codes, and nothing of what the commands do.

Rules of this file: commands load when they run; every failure that is not a bug is a `SignInError` with
an exit code; a bug says so in one line, because a traceback may show what must not be shown.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, Protocol

from codex_oauth.cli.process import give_streams, leave_no_core, show_warnings
from codex_oauth_core._version import __version__

__all__ = ["build_parser", "main", "show_help"]

INTERRUPTED: Final = 130  # known before anything else has loaded
EXAMPLES: Final = """\
examples:
  codex-oauth login                   sign in, with the browser or with a code, as suits this machine
  codex-oauth login --device          sign in with a code that you type on any device
  codex-oauth status                  who is signed in, and until when
  curl -H "Authorization: Bearer $(codex-oauth token)" ...
  codex-oauth logout                  sign out, here and at the server

exit codes:
  0 ok   1 unexpected   2 usage   3 denied, expired or refused   4 sign in first
  5 temporary, try again   6 storage   130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    give_streams()
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    args = parser.parse_args(argv)
    if (mistake := getattr(args, "check", _no_mistake)(args)) is not None:
        parser.error(mistake)
    leave_no_core()
    show_warnings(_warn)
    try:
        return int(args.run(args))
    except Exception as error:  # noqa: BLE001  # the outermost handler
        return _failed(error, as_json=getattr(args, "json", False))


def _warn(text: str) -> None:
    from codex_oauth.cli.output import hint

    hint(text)


def _failed(error: Exception, *, as_json: bool) -> int:
    from codex_oauth.cli.exit_codes import EXIT_CODES, UNEXPECTED
    from codex_oauth.cli.output import NoOutput, hint, report
    from codex_oauth_core.errors import SignInError

    try:
        if isinstance(error, SignInError):
            report(error, as_json=as_json)
            return EXIT_CODES[error.kind]
    except NoOutput as nowhere:
        error = nowhere
    if isinstance(error, NoOutput):
        _discard_stdout()
        hint(f"codex-oauth: the output could not be written: {error}.")
        return UNEXPECTED
    if os.environ.get("CODEX_OAUTH_DEBUG"):
        raise error
    hint(f"codex-oauth: unexpected {type(error).__name__}; this is a bug in codex-oauth, please report it.")
    hint("  -> Set CODEX_OAUTH_DEBUG=1 for a traceback, and look through it before you share it.")
    return UNEXPECTED


def _discard_stdout() -> None:
    """Point stdout nowhere, or the interpreter complains about what is left in its buffer when it ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    parser = argparse.ArgumentParser(
        prog="codex-oauth",
        description="Sign in with ChatGPT (Codex).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"codex-oauth {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    parser.set_defaults(run=_lazily("codex_oauth.cli.main", "show_help"))
    _add_login(commands)
    _add_stored(commands, "status", "say who is signed in, without a network", "run_status")
    _add_stored(commands, "token", "print the access token, and nothing else", "run_token")
    logout = _add_stored(commands, "logout", "end the login at the server, and delete it here", "run_logout")
    logout.add_argument("--local", action="store_true", help="only delete it here")
    _add_import(commands)
    _add_export(commands)
    _add_authority(commands)
    return parser


class _Commands(Protocol):
    """What argparse's `add_subparsers` returns; it has no public name."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser:  # noqa: A002  # argparse's name
        """Add one command."""
        ...


def _add_login(commands: _Commands) -> None:
    about = "Sign in with the browser or with a device code; without a flag, as suits this machine."
    login = commands.add_parser("login", help="sign in", description=about)
    way = login.add_mutually_exclusive_group()
    way.add_argument("--device", action="store_true", help="with a code to type on any device")
    way.add_argument("--browser", action="store_true", help="with the browser on this machine")
    login.add_argument("--no-open", action="store_true", help="print the page's address, and open nothing")
    login.add_argument("--paste", action="store_true", help="also take the address of the last page, pasted")
    ports = "listen here for the browser; with the Codex provider only 1455 and 1457"
    login.add_argument("--port", metavar="N", type=_port, help=ports)
    where = "another authorization server: https, or http on loopback"
    login.add_argument("--issuer", metavar="URL", type=_issuer, help=where)
    ended = "then end the replaced login at the server; other sessions of the account may end too"
    login.add_argument("--revoke-old", action="store_true", help=ended)
    _add_common(login)
    login.set_defaults(run=_lazily("codex_oauth.cli.login", "run_login"), check=_check_login)


def _add_stored(commands: _Commands, name: str, text: str, function: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    _add_common(command)
    command.set_defaults(run=_lazily("codex_oauth.cli.stored", function))
    return command


def _add_import(commands: _Commands) -> None:
    about = "Copy the access token of the Codex CLI, or take its login over."
    take = commands.add_parser("import", help="take the Codex CLI's login", description=about)
    where = "its auth.json; default: in CODEX_HOME, else in ~/.codex"
    take.add_argument("--from-codex", metavar="PATH", nargs="?", const="", required=True, help=where)
    move = "take the whole login over: the Codex CLI must sign in again"
    take.add_argument("--move", action="store_true", help=move)
    force = "replace a login of the same account that can be renewed"
    take.add_argument("--force", action="store_true", help=force)
    take.add_argument("--yes", action="store_true", help="do not ask")
    _add_common(take)
    take.set_defaults(run=_lazily("codex_oauth.cli.transfer", "run_import"))


def _add_export(commands: _Commands) -> None:
    about = "Write the login as an auth.json of the Codex CLI."
    give = commands.add_parser("export", help="write the login for the Codex CLI", description=about)
    what = "the file to write; without a refresh token it works until the access token expires"
    give.add_argument("--to-codex", metavar="PATH", required=True, help=what)
    whole = "with the refresh token: only that copy may renew from then on"
    give.add_argument("--include-refresh", action="store_true", help=whole)
    give.add_argument("--force", action="store_true", help="replace a file")
    give.add_argument("--yes", action="store_true", help="do not ask")
    _add_common(give)
    give.set_defaults(run=_lazily("codex_oauth.cli.transfer", "run_export"))


def _add_authority(commands: _Commands) -> None:
    text = "run a local authorization server with fake tokens, for tests and demos"
    authority = commands.add_parser("authority", help=text, description=f"{text[0].upper()}{text[1:]}.")
    authority.set_defaults(run=_lazily("codex_oauth.cli.authority", "main"))
    import_module("codex_oauth.cli.authority").add_arguments(authority)


def _add_common(command: argparse.ArgumentParser) -> None:
    where = "where logins are kept; default: CODEX_OAUTH_HOME, else the user's state directory"
    command.add_argument("--store", metavar="PATH", help=where)
    command.add_argument("--json", action="store_true", help="machine-readable output")


def _issuer(text: str) -> str:
    from codex_oauth_core.codex import CODEX

    try:
        return CODEX.at(text).issuer
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def show_help(args: argparse.Namespace) -> int:
    """What the bare command does: say what there is. Exit code 2, because it was not used."""
    build_parser().print_help(sys.stderr)
    return 2


def _no_mistake(args: argparse.Namespace) -> None:
    """Most commands have nothing that argparse cannot check."""


def _check_login(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `login` together."""
    from codex_oauth_core.codex import CODEX

    if args.device and (args.port is not None or args.no_open or args.paste):
        return "--port, --no-open and --paste belong to the browser, not to --device"
    if args.issuer in (None, CODEX.issuer) and args.port not in (None, *CODEX.redirect_ports):
        return f"--port: the Codex provider takes only {' and '.join(map(str, CODEX.redirect_ports))}"
    return None


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port")


def _lazily(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:
        return int(getattr(import_module(module), function)(args))

    return run


if __name__ == "__main__":
    sys.exit(main())
