"""`codex-oauth list` and `codex-oauth switch`: the logins that are kept here, and the one in use.

Rules of this file: a login that cannot be read is listed with the reason; nothing of a token is shown.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from codex_oauth.cli.account import is_expired, name_of, summary, why_over
from codex_oauth.cli.accounts import find
from codex_oauth.cli.fast import ACCOUNT_VARIABLE
from codex_oauth.cli.output import emit, hint, result
from codex_oauth.cli.text import left, moment, printable
from codex_oauth.cli.usage import UsageMistake
from codex_oauth.clock import now
from codex_oauth.elsewhere import is_elsewhere, owner_of
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.errors import SignInError
from codex_oauth_core.record import Record

__all__ = ["run_list", "run_switch"]


def run_list(args: argparse.Namespace) -> int:
    """List all logins. None at all is an empty list."""
    store = FileStore(args.store)
    current, accounts = store.current(), store.accounts()
    if args.json:
        rows = [_row(store, account, current=account == current) for account in accounts]
        emit({"ok": True, "current": current, "accounts": rows})
        return 0
    for account in accounts:
        result(_line(store, account, mark="*" if account == current else " "))
    if not accounts:
        hint(f"No login is kept in {printable(str(store.home), 4096)}. Sign in: codex-oauth login")
    elif current is None:
        hint("None of them is in use. Use one: codex-oauth switch ACCOUNT")
    _tell_of_the_variable("The account in use is passed over")
    return 0


def run_switch(args: argparse.Namespace) -> int:
    """Put another login in use. Raises SignInError, UsageMistake."""
    store = FileStore(args.store)
    if not args.account:
        raise _which(store)
    account_id = find(store, args.account)
    store.select(account_id)
    if args.json:
        emit({"ok": True, "account_id": account_id})
    else:
        result(f"Now in use: {_name(_loaded(store, account_id), account_id)}")
    _tell_of_the_variable("This has no effect for now")
    return 0


def _tell_of_the_variable(what: str) -> None:
    if named := os.environ.get(ACCOUNT_VARIABLE):
        hint(f"{what}: {ACCOUNT_VARIABLE} names {printable(named, 130)}.")


def _which(store: FileStore) -> UsageMistake:
    accounts = store.accounts()
    lines = [f"codex-oauth switch {account}" for account in accounts] or ["codex-oauth login"]
    return UsageMistake("name the account to use" if accounts else "there is no login to use", *lines)


def _loaded(store: FileStore, account_id: str) -> Record | SignInError | None:
    try:
        return store.slot(account_id).load()
    except SignInError as error:
        return error


def _row(store: FileStore, account_id: str, *, current: bool) -> dict[str, Any]:
    found = _loaded(store, account_id)
    if isinstance(found, Record):
        return {"ok": why_over(found) is None, "current": current, **summary(found, store)}
    error = found.to_dict()["error"] if found else None
    return {"ok": False, "current": current, "account_id": account_id, "error": error}


def _line(store: FileStore, account_id: str, *, mark: str) -> str:
    found = _loaded(store, account_id)
    return f"{mark} {_name(found, account_id)}: {_state(found)}"


def _name(found: Record | SignInError | None, account_id: str) -> str:
    return name_of(found.credential) if isinstance(found, Record) else account_id


def _state(found: Record | SignInError | None) -> str:
    if not isinstance(found, Record):
        return "gone meanwhile" if found is None else found.message
    if over := why_over(found):
        return over
    expires_at = found.credential.expires_at
    if expires_at is None:
        return "valid until an unknown time"
    if is_elsewhere(found.credential):
        until = moment(expires_at)
        return f"valid until {until}; not renewed here: it belongs to {owner_of(found.credential)}"
    if is_expired(found.credential):
        return f"expired at {moment(expires_at)}; renewed when it is used"
    return f"valid for {left(expires_at / 1000 - now()[1])}, until {moment(expires_at)}"
