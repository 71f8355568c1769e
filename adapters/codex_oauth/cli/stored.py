"""`codex-oauth status`, `token` and `logout`: the commands about the stored login."""

from __future__ import annotations

import argparse
from typing import Final

from codex_oauth.cli.account import current_record, describe, renewing, summary, why_over
from codex_oauth.cli.exit_codes import LOGIN_REQUIRED
from codex_oauth.cli.output import emit, hint, result
from codex_oauth.cli.text import moment, printable
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import SignInError
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record

__all__ = ["run_logout", "run_status", "run_token"]


def run_status(args: argparse.Namespace) -> int:
    """Say who is signed in, without a network. Exit code 4 if nobody is, or the login cannot be used."""
    store = FileStore(args.store)
    record = current_record(store)
    over = why_over(record)
    if args.json:
        emit({"ok": over is None, **summary(record, store)})
    else:
        for line in describe(record, store):
            result(line)
        if over is not None:
            hint(f"{over} Run `codex-oauth login`.")
    return 0 if over is None else LOGIN_REQUIRED


def run_token(args: argparse.Namespace) -> int:
    """Print the access token and one newline, or the credential-process document with `--json`.

    It is renewed first if that is due.
    """
    store = FileStore(args.store)
    current_record(store)
    with renewing(store) as source:
        credential = source.credential()
        if args.json:
            _print_document(credential)
        else:
            result(credential.access_token.reveal())
    return 0


def _print_document(credential: Credential) -> None:
    emit(
        {
            "version": 1,
            "access_token": credential.access_token.reveal(),
            "account_id": credential.account_id,
            "expires_at": moment(credential.expires_at),
        }
    )


def run_logout(args: argparse.Namespace) -> int:
    """Revoke the current login at the server, best effort, then delete it here."""
    store = FileStore(args.store)
    account_id = store.current()
    if account_id is None:
        _say(args, "Nobody was signed in.", revoked=None)
        return 0
    record = _readable(store, account_id)
    revoked = _end(store, account_id, _provider(record, local=args.local))
    store.select(None)
    _say(args, _farewell(record, revoked=revoked), revoked=revoked)
    if others := len(store.accounts()):
        hint(f"Other logins that stay in {printable(str(store.home), 4096)}: {others}.")
    return 0


def _readable(store: FileStore, account_id: str) -> Record | None:
    """The login; what cannot be read is deleted all the same."""
    try:
        return store.slot(account_id).load()
    except SignInError:
        return None


def _provider(record: Record | None, *, local: bool) -> Provider | None:
    """Where the login is to be ended; None for nowhere."""
    from codex_oauth.keeping import provider_of

    if local:
        return None
    return (record and provider_of(record.credential)) or CODEX


def _end(store: FileStore, account_id: str, provider: Provider | None) -> bool | None:
    from codex_oauth.keeping import end_login
    from codex_oauth.worlds.httpx_world import HttpxWorld

    with HttpxWorld() as world:
        return end_login(store, account_id, provider, world)


def _farewell(record: Record | None, *, revoked: bool | None) -> str:
    if record is not None and record.credential.refresh_token is None:
        return "Deleted the copied token here; the program that it came from stays signed in."
    return _SAID[revoked]


_SAID: Final = {
    None: "Signed out here.",
    True: "Signed out; the server has confirmed it.",
    False: "Signed out here; the server did not confirm that it ended the login.",
}


def _say(args: argparse.Namespace, text: str, *, revoked: bool | None) -> None:
    if args.json:
        emit({"ok": True, "revoked": revoked, "message": text})
    else:
        result(text)
