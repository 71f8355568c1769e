"""`codex-oauth import` and `codex-oauth export`: logins from and to the Codex CLI.

Rules of this file: what would leave two programs with one refresh token, or takes a login from another
program, is done only after a yes: on a terminal, or by `--yes`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.cli.account import name_of, summary
from codex_oauth.cli.accounts import chosen_record
from codex_oauth.cli.exit_codes import OK, USAGE
from codex_oauth.cli.output import complain, emit, hint, report, result
from codex_oauth.cli.text import moment, printable
from codex_oauth.stores.file_store import FileStore
from codex_oauth.transfer import export_codex, import_codex, place_of
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["run_export", "run_import"]

_MOVE: Final = (
    "This takes the login away from the Codex CLI: it is stored here, and its tokens are removed from",
    "    {path}",
    "End all running sessions of the Codex CLI first. To use it again, sign in there anew: codex login",
)
_HAND_OUT: Final = (
    "This writes the refresh token, with which anybody can use your account until you sign out, to",
    "    {path}",
    "Two programs that renew one login end it: from then on only that copy may renew it.",
    "Delete the login here right after: codex-oauth logout --local",
)


def run_import(args: argparse.Namespace) -> int:
    """Copy, or with `--move` take over, the login of the Codex CLI."""
    where = place_of(args.from_codex or None)
    if args.move and not _agreed(args, "--move", _MOVE, where):
        return USAGE
    store = FileStore(args.store)
    record = import_codex(store, where, move=args.move, force=args.force)
    if args.json:
        emit({"ok": True, **summary(record, store)})
        return OK
    for line in _imported(record.credential, where, moved=args.move):
        result(line)
    return OK


def _imported(credential: Credential, where: Path, *, moved: bool) -> list[str]:
    name, path = name_of(credential), printable(str(where), 4096)
    if moved:
        return [
            f"Took over the login of {name}.",
            f"Its tokens are removed from {path}; to use the Codex CLI again, run: codex login",
        ]
    return [f"Copied the access token of {name}.", _until(credential)]


def _until(credential: Credential) -> str:
    expires_at = credential.expires_at
    until = "until an unknown time" if expires_at is None else f"until {moment(expires_at)}"
    return f"It works {until}, and cannot be renewed here: import it again then, or run: codex-oauth login"


def run_export(args: argparse.Namespace) -> int:
    """Write the current login as a file that the Codex CLI can use."""
    where, store = Path(args.to_codex), FileStore(args.store)
    credential = (record := chosen_record(args, store)[0]).credential
    _refuse_own_home(where, store)
    if args.include_refresh and not _agreed(args, "--include-refresh", _HAND_OUT, where):
        return USAGE
    export_codex(record, where, include_refresh=args.include_refresh, force=args.force)
    if args.json:
        emit(
            {
                "ok": True,
                "account_id": credential.account_id,
                "path": str(where),
                "expires_at": moment(credential.expires_at),
                "renewable": args.include_refresh,
            }
        )
        return OK
    result(f"Wrote the login of {name_of(credential)} to {printable(str(where), 4096)}")
    hint(_exported(renewable=args.include_refresh))
    return OK


def _refuse_own_home(where: Path, store: FileStore) -> None:
    """Refuse to write over what is stored here."""
    if where.resolve().is_relative_to(store.home.resolve()):
        text = "Logins of this program are kept there: the file would take the place of one."
        error = SignInError.of(ErrorKind.INVALID_REQUEST, text, reason="own_store", path=str(where))
        raise attrs.evolve(error, next_actions=("Name another path.",))


def _exported(*, renewable: bool) -> str:
    if renewable:
        return "Only that copy may renew it now. Delete the login here: codex-oauth logout --local"
    return "It holds no refresh token: the Codex CLI can use it until the access token expires."


# -- asking -----------------------------------------------------------------------------------------


def _agreed(args: argparse.Namespace, option: str, warning: tuple[str, ...], where: Path) -> bool:
    """Whether a person, or `--yes`, agreed; False if nobody can be asked. Raises SignInError: `cancelled`."""
    if args.yes:
        return True
    for line in warning:
        complain(line.format(path=printable(str(where), 4096)))
    if not _is_terminal():
        text = f"{option} needs --yes where nobody can be asked."
        unasked = SignInError.of(ErrorKind.INVALID_REQUEST, text, reason="not_confirmed")
        report(attrs.evolve(unasked, next_actions=()), as_json=args.json)
        return False
    complain("Type yes to go on:")
    if sys.stdin.readline().strip().lower() != "yes":
        cancelled = SignInError.of(ErrorKind.CANCELLED, "Nothing was changed.")
        raise attrs.evolve(cancelled, next_actions=())
    return True


def _is_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
