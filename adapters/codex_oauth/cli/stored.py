"""`codex-oauth status`, `token` and `header`: the commands that tell about a stored login."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.cli.account import describe, renewing, summary, why_over
from codex_oauth.cli.accounts import Choice, chosen_record
from codex_oauth.cli.exit_codes import EXIT_CODES, LOGIN_REQUIRED, OK
from codex_oauth.cli.fast import document
from codex_oauth.cli.output import detail, emit, hint, report, result
from codex_oauth.cli.text import printable
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.names import HOME_VARIABLE
from codex_oauth_core.credential import Credential

if TYPE_CHECKING:
    from codex_oauth.cli.check import Checked

__all__ = ["current_credential", "run_header", "run_status", "run_token"]

_NOT_ASKED: Final = {
    "expired": "not asked: the access token has expired, and is renewed when it is used",
    "other_issuer": "not asked: the login is not ChatGPT's, but another server's",
}
_USUAL: Final = f"the usual one of this user; {HOME_VARIABLE} or --store would name another"
_ACCEPTED: Final = {
    True: "ChatGPT takes the access token",
    False: "ChatGPT does not take the access token",
    None: "ChatGPT did not say",
}


def run_status(args: argparse.Namespace) -> int:
    """Say who is signed in, without a network but for `--check`. Exit code 4 if nobody is, or the login
    cannot be used. Raises SignInError, UsageMistake.
    """
    store = FileStore(args.store)
    record, choice = chosen_record(args, store)
    over, others = why_over(record), len(store.accounts()) - 1
    checked = _checked(record.credential) if args.check and over is None else None
    code = LOGIN_REQUIRED if over is not None else _code(checked)
    if args.json:
        origins = {**_origins(args, choice), "other_logins": others, "check": _check_fields(checked)}
        emit({"ok": code == OK, **summary(record, store), **origins})
        return code
    for line in (*describe(record, store), *_origin_lines(args, choice, others), *_check_lines(checked)):
        result(line)
    if over is not None:
        hint("Sign in again: codex-oauth login")
    if checked is not None and checked.error is not None:
        report(checked.error, as_json=False)
    return code


def _checked(credential: Credential) -> Checked:
    from codex_oauth.cli.check import check

    return check(credential)


def _code(checked: Checked | None) -> int:
    return OK if checked is None or checked.error is None else EXIT_CODES[checked.error.kind]


def _check_fields(checked: Checked | None) -> dict[str, Any] | None:
    if checked is None:
        return None
    error = None if checked.error is None else checked.error.to_dict()["error"]
    return {"accepted": checked.accepted, "not_asked": checked.not_asked, "error": error}


def _check_lines(checked: Checked | None) -> tuple[str, ...]:
    if checked is None:
        return ()
    told = _NOT_ASKED[checked.not_asked] if checked.not_asked else _ACCEPTED[checked.accepted]
    return (f"  checked:       {told}",)


def _origins(args: argparse.Namespace, choice: Choice) -> dict[str, Any]:
    """What the store and the account follow from; None for what nobody has named."""
    home = "--store" if args.store else HOME_VARIABLE if os.environ.get(HOME_VARIABLE) else None
    return {"store_chosen_by": home, "account_chosen_by": choice.by}


def _origin_lines(args: argparse.Namespace, choice: Choice, others: int) -> list[str]:
    by = _origins(args, choice)["store_chosen_by"]
    lines = [f"  store:         {f'named by {by}' if by else _USUAL}"]
    if choice.by is not None:
        lines.append(f"  account:       named by {choice.by}, whatever account is in use")
    if others:
        lines.append(f"  other logins:  {others} (codex-oauth list)")
    return lines


def run_token(args: argparse.Namespace) -> int:
    """Print the access token and one newline, or the credential-process document with `--json`.

    It is renewed first if that is due.
    """
    credential = current_credential(args)
    token = credential.access_token.reveal()
    if args.json:
        emit(document(token, credential.account_id, credential.expires_at))
    else:
        result(token)
    return 0


def run_header(args: argparse.Namespace) -> int:
    """Print the Authorization header (RFC 6750 §2.1) in one line; the token is renewed if that is due."""
    credential = current_credential(args)
    value = f"Bearer {credential.access_token.reveal()}"
    if args.json:
        emit({"ok": True, "account_id": credential.account_id, "headers": {"Authorization": value}})
    else:
        result(f"Authorization: {value}")
    return 0


def current_credential(args: argparse.Namespace) -> Credential:
    """The login that a command is about, renewed where that is due. Raises SignInError, UsageMistake."""
    store = FileStore(args.store)
    record, choice = chosen_record(args, store)
    detail(f"Account: {record.credential.account_id}, {f'named by {choice.by}' if choice.by else 'in use'}")
    detail(f"Login:   {printable(str(store.slot(record.credential.account_id).path), 4096)}")
    with renewing(store, record.credential.account_id) as source:
        credential = source.credential()
    renewed = credential.access_token != record.credential.access_token
    detail(f"Token:   {'renewed just now' if renewed else 'not renewed'}")
    return credential
