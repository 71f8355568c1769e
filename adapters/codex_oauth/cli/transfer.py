"""`codex-oauth import` and `codex-oauth export`: logins from and to the Codex CLI.

Rules of this file: what would leave two programs with one refresh token, or takes a login from another
program, is done only after a yes: on a terminal, or by `--yes`. What was taken is renewed at once, because
the other program may have been renewing it; it is stored, whatever becomes of that.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.auth_file import modified_at, read_anywhere
from codex_oauth.cli.account import summary, validity
from codex_oauth.cli.accounts import chosen_record, name_of
from codex_oauth.cli.errors import OK, USAGE
from codex_oauth.cli.output import (
    complain,
    detail,
    emit,
    hint,
    hint_in_lines,
    moment,
    printable,
    result,
    say_action,
)
from codex_oauth.cli.pasteable import as_pasted, command
from codex_oauth.cli.renew import renew_moved
from codex_oauth.cli.report import in_place_of_stored, report
from codex_oauth.cli.waiting import WaitNotice
from codex_oauth.provider_names import sign_in_again
from codex_oauth.stores.failures import reporting
from codex_oauth.stores.file_store import FileStore
from codex_oauth.transfer import export_codex, import_codex, place_of
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.auth_json import read_auth_json
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.providers import identified
from codex_oauth_core.record import Record

__all__ = ["run_export", "run_import"]

_MOVE: Final = (
    "This moves the login of the Codex CLI here, and removes its tokens from",
    "    {path}",
    "End all running sessions of the Codex CLI first. It must then sign in again: codex login",
)
_OWNER: Final = "It belongs to {owner}, and is renewed there."
_OLD_CLI: Final = "It belongs to {owner}. A Codex CLI before 0.169 sends its refresh token to another server."
_HAND_OUT: Final = (
    "This writes the refresh token. Whoever has it can use your account until you sign out:",
    "    {path}",
    "From then on only that copy may renew the login: two programs that renew one login end it.",
)


def run_import(args: argparse.Namespace) -> int:
    """Copy, or with `--move` take over, the login of the Codex CLI."""
    where = place_of(args.from_codex or None)
    if args.move and not _agreed(args, "--move", (*_MOVE, *_owner(_found(where), _OWNER)), where):
        return USAGE
    store = FileStore(args.store)
    record = import_codex(store, where, move=args.move, force=args.force, on_wait=WaitNotice().wait)
    if args.move:
        return _moved(args, store, record, where)
    if args.json:
        emit({"ok": True, **summary(record, store, _place_of(store, record)), "renewed": None})
        return OK
    result(f"Copied the access token of {name_of(record.credential)}.")
    detail(f"From {printable(str(where), 4096)} to {printable(str(store.home), 4096)}.")
    result(_until(record.credential))
    again = sign_in_again(record.credential, store)
    say_action(as_pasted(f"To have a login that is renewed: {again}"), hint)
    return OK


def _place_of(store: FileStore, record: Record) -> str:
    """The name that a login is kept under, which was put in use just now."""
    return store.current() or record.credential.key


def _moved(args: argparse.Namespace, store: FileStore, record: Record, where: Path) -> int:
    """Say that a login was taken over, and renew it. Raises SignInError if it was lost to another renewal,
    or if its own renewal could not be stored.
    """
    path = printable(str(where), 4096)
    if not args.json:
        result(f"Moved the login of {name_of(record.credential)} here.")
        result(f"Its tokens are removed from {path}.")
        say_action("To use the Codex CLI again: codex login", hint)
    record, renewed, error = renew_moved(store, record)
    if error is not None and (renewed or error.kind is ErrorKind.LOGIN_REQUIRED):
        raise error if renewed else _raced(error, where)
    if error is not None:
        text = f"The login was moved here, but could not be renewed. {error.message}"
        renew = f"Renew it soon: {command('refresh')}"
        error = attrs.evolve(error, message=text, next_actions=(renew, *error.next_actions))
    if args.json:
        problem = {} if error is None else {"error": error.to_dict()["error"]}
        emit({"ok": True, **summary(record, store, _place_of(store, record)), "renewed": renewed, **problem})
    elif error is not None:
        report(error, as_json=False)
    elif renewed:
        result(f"Renewed it. The access token is {validity(record.credential)}.")
    return OK


def _raced(error: SignInError, where: Path) -> SignInError:
    """Why a login is over that was just taken from another program."""
    found = _found(where)
    if found is None or found.refresh_token is None:
        text = f"The login was moved here, and cannot be used any more. {error.message}"
        return attrs.evolve(error, message=text, next_actions=(f"Sign in: {command('login')}",))
    text = "The Codex CLI renewed the login while it was moved, and has it again."
    move = command("import", "--from-codex", str(where), "--move")
    again = f"End all running sessions of the Codex CLI, and then: {move}"
    return attrs.evolve(error, message=text, next_actions=(again,))


def _found(where: Path) -> Credential | None:
    """The login in a file of the Codex CLI, as far as it can be read."""
    try:
        found = read_auth_json(read_anywhere(where), modified=modified_at(where))
    except SignInError:
        return None
    return None if isinstance(found, SignInError) else found


def _owner(credential: Credential | None, text: str) -> tuple[str, ...]:
    """A line about whose login it is, where that is not the usual issuer and client."""
    if credential is None or (credential.issuer, credential.client_id) == (CODEX.issuer, CODEX.client_id):
        return ()
    client = "" if credential.client_id == CODEX.client_id else f" (client {credential.client_id})"
    return (text.replace("{owner}", f"{printable(credential.issuer)}{printable(client, 300)}"),)


def _until(credential: Credential) -> str:
    expires_at = credential.expires_at
    until = "until an unknown time" if expires_at is None else f"until {moment(expires_at)}"
    return f"It works {until}, and cannot be renewed here."


def run_export(args: argparse.Namespace) -> int:
    """Write the current login as a file that the Codex CLI can use."""
    where, store = Path(args.to_codex), FileStore(args.store)
    record = chosen_record(args, store)[0]
    credential = identified(record.credential)
    _refuse_own_home(where, store)
    delete = f"Delete the login here right after: {command('logout', '--local')}"
    warning = (*_HAND_OUT, delete, *_owner(credential, _OLD_CLI))
    if args.include_refresh and not _agreed(args, "--include-refresh", warning, where):
        return USAGE
    try:
        export_codex(record, where, include_refresh=args.include_refresh, force=args.force)
    except SignInError as error:
        raise in_place_of_stored(error, "The file could not be written.") from None
    if args.json:
        emit(
            {
                "ok": True,
                "key": credential.key,
                "account_id": credential.account_id,
                "path": str(where),
                "expires_at": moment(credential.expires_at),
                "renewable": args.include_refresh,
            }
        )
        return OK
    result(f"Wrote the login of {name_of(credential)} to {printable(str(where), 4096)}.")
    if args.include_refresh:
        hint("Only that copy may renew the login now.")
        say_action(f"Delete the login here: {command('logout', '--local')}", hint)
    else:
        hint_in_lines("It holds no refresh token: the Codex CLI can use it until the access token expires.")
    return OK


def _refuse_own_home(where: Path, store: FileStore) -> None:
    """Refuse to write over what is stored here."""
    with reporting(ErrorKind.AUTH_WRITE_FAILED, where):
        ours = where.resolve().is_relative_to(store.home.resolve())
    if ours:
        text = "That is in the directory of the logins: the file could take the place of one."
        error = SignInError.of(ErrorKind.INVALID_REQUEST, text, reason="own_store", path=str(where))
        raise attrs.evolve(error, next_actions=("Name another path.",))


# -- asking -----------------------------------------------------------------------------------------


def _agreed(args: argparse.Namespace, option: str, warning: tuple[str, ...], where: Path) -> bool:
    """Whether a person, or `--yes`, agreed; False if nobody can be asked. Raises SignInError: `cancelled`."""
    if args.yes:
        return True
    for line in warning:
        complain(line.replace("{path}", printable(str(where), 4096)))
    if not _is_terminal():
        text = f"{option} needs --yes, because there is no terminal to ask on."
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
