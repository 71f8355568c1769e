"""Which of the logins that are kept here a command is about, and what that follows from.

Rules of this file: an account that is named is never replaced by another; a name that fits several is a
`UsageError` that lists them; an empty variable counts as unset, an empty option does not.
"""

from __future__ import annotations

import argparse
import os
from typing import Final

import attrs

from codex_oauth.cli.fast import ACCOUNT_VARIABLE
from codex_oauth.cli.output import printable
from codex_oauth.cli.usage import UsageError
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.codex.claims import read_identity
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import Record

__all__ = [
    "ChosenAccount",
    "chosen",
    "chosen_record",
    "find_account",
    "nobody",
    "signing_in",
    "stored_record",
]

_OPTION: Final = "--account"
_SIGN_IN: Final = "Sign in: codex-oauth login"


@attrs.frozen
class ChosenAccount:
    """An account, None if none is in use; `by` is the option or variable that names it, None for the one
    in use.
    """

    account_id: str | None
    by: str | None = None


def chosen(args: argparse.Namespace, store: FileStore) -> ChosenAccount:
    """The account that a command is about. Raises SignInError, UsageError."""
    named: str | None = getattr(args, "account", None)
    if named == "":
        raise UsageError("--account names nobody", "codex-oauth list")
    by = _OPTION if named else ACCOUNT_VARIABLE
    named = named or os.environ.get(ACCOUNT_VARIABLE)
    return ChosenAccount(find_account(store, named, by), by) if named else ChosenAccount(store.current())


def chosen_record(args: argparse.Namespace, store: FileStore) -> tuple[Record, ChosenAccount]:
    """The login that a command is about.

    Raises SignInError (`login_required` if there is none), UsageError.
    """
    choice = chosen(args, store)
    return stored_record(store, choice.account_id), choice


def stored_record(store: FileStore, account_id: str | None) -> Record:
    """The login of an account. Raises SignInError: `login_required` if there is none, and storage errors."""
    record = None if account_id is None else store.slot(account_id).load()
    if record is None:
        raise nobody(store)
    return record


def nobody(store: FileStore) -> SignInError:
    """The error where no login is in use."""
    others = len(store.accounts()) or None
    error = SignInError.of(
        ErrorKind.LOGIN_REQUIRED, "Nobody is signed in.", path=str(store.home), other_logins=others
    )
    use = ("Or use a login that is kept here: codex-oauth switch ACCOUNT",) if others else ()
    return attrs.evolve(error, next_actions=(_SIGN_IN, *use))


def find_account(store: FileStore, named: str, by: str | None = None) -> str:
    """The one account whose id or email is `named`, or begins so; `by` is what names it.

    Raises SignInError, UsageError.
    """
    accounts = store.accounts()
    if named in accounts:
        return named
    emails = {account: _email(store, account) for account in accounts}
    wanted = named.casefold()
    same = [account for account, email in emails.items() if email == wanted]
    begins = [a for a, email in emails.items() if a.startswith(named) or (email or "").startswith(wanted)]
    found = same or begins
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{printable(named, 60)} fits {len(found)} logins; name one by its account id"
        raise UsageError(message, *found)
    raise _unknown(store, named, by)


def _unknown(store: FileStore, named: str, by: str | None) -> SignInError:
    text = "No login of that account is kept here."
    error = SignInError.of(
        ErrorKind.LOGIN_REQUIRED, text, account=printable(named, 130), named_by=by, path=str(store.home)
    )
    return attrs.evolve(error, next_actions=("See which there are: codex-oauth list", _SIGN_IN))


def _email(store: FileStore, account_id: str) -> str | None:
    try:
        record = store.slot(account_id).load()
    except SignInError:
        return None
    email = None if record is None else read_identity(record.credential).email
    return None if email is None else email.casefold()


def signing_in(args: argparse.Namespace, store: FileStore) -> tuple[str, ...]:
    """The accounts that a sign-in is for: the one that `--account` names, kept here or not; any if none is
    named, or if any will be kept. Raises UsageError.
    """
    named = args.account
    if named is None or args.yes:
        return ()
    try:
        return (find_account(store, named),)
    except SignInError:
        pass
    try:
        return (store.slot(named).account_id,)
    except ValueError:
        message = f"{printable(named, 60)!s} is no account id, and no login of it is kept here"
        raise UsageError(message, "codex-oauth list") from None
