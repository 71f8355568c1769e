"""`codex-oauth status`, `token` and `logout`: the commands about the stored login."""

from __future__ import annotations

import argparse

from codex_oauth.cli.account import current_record, describe, is_expired, sign_in_first, summary
from codex_oauth.cli.exit_codes import LOGIN_REQUIRED
from codex_oauth.cli.output import emit, hint, result
from codex_oauth.cli.text import moment, printable
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import SignInError

__all__ = ["run_logout", "run_status", "run_token"]


def run_status(args: argparse.Namespace) -> int:
    """Say who is signed in, without a network. Exit code 4 if nobody is, or the token has expired."""
    store = FileStore(args.store)
    credential = current_record(store).credential
    expired = is_expired(credential)
    if args.json:
        emit({"ok": not expired, **summary(credential, store)})
    else:
        for line in describe(credential, store):
            result(line)
        if expired:
            hint("The access token has expired: run `codex-oauth login`.")
    return LOGIN_REQUIRED if expired else 0


def run_token(args: argparse.Namespace) -> int:
    """Print the access token and one newline, or the credential-process document with `--json`."""
    credential = current_record(FileStore(args.store)).credential
    if is_expired(credential):
        since = moment(credential.expires_at)
        raise sign_in_first("The access token has expired.", expires_at=since)
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
    revoked = None if args.local else _revoke(store, account_id)
    store.slot(account_id).discard()
    store.select(None)
    said = {
        None: "Signed out here.",
        True: "Signed out; the server has confirmed it.",
        False: "Signed out here; the server did not confirm that it ended the login.",
    }
    _say(args, said[revoked], revoked=revoked)
    if others := len(store.accounts()):
        hint(f"Other logins that stay in {printable(str(store.home), 4096)}: {others}.")
    return 0


def _revoke(store: FileStore, account_id: str) -> bool:
    from codex_oauth.keeping import provider_of, revoke
    from codex_oauth.worlds.httpx_world import HttpxWorld

    try:
        record = store.slot(account_id).load()
    except SignInError:
        return False  # what cannot be read cannot be revoked, and is deleted all the same
    provider = None if record is None else provider_of(record.credential)
    if record is None or provider is None:
        return False
    with HttpxWorld() as world:
        return revoke(record.credential, provider, world)


def _say(args: argparse.Namespace, text: str, *, revoked: bool | None) -> None:
    if args.json:
        emit({"ok": True, "revoked": revoked, "message": text})
    else:
        result(text)
