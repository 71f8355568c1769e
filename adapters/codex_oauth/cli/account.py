"""The stored login as the commands see it, and how it is described."""

from __future__ import annotations

import time
from typing import Any

import attrs

from codex_oauth.cli.text import left, moment, printable
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.identity import read_identity
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import Detail, ErrorKind, SignInError
from codex_oauth_core.record import Record

__all__ = ["current_record", "describe", "is_expired", "name_of", "sign_in_first", "summary"]


def current_record(store: FileStore) -> Record:
    """The current login. Raises SignInError: `login_required` if there is none, and storage errors."""
    account_id = store.current()
    record = None if account_id is None else store.slot(account_id).load()
    if record is None:
        others = len(store.accounts()) or None
        raise sign_in_first("Nobody is signed in.", path=str(store.home), other_logins=others)
    return record


def sign_in_first(message: str, **details: Detail) -> SignInError:
    """The error `login_required`, with the command that helps."""
    error = SignInError.of(ErrorKind.LOGIN_REQUIRED, message, **details)
    return attrs.evolve(error, next_actions=("Sign in: codex-oauth login",))


def is_expired(credential: Credential) -> bool:
    """Whether the access token is surely of no use any more."""
    return credential.expires_at is not None and credential.expires_at / 1000 <= time.time()


def name_of(credential: Credential) -> str:
    """What to call the account, safe for a terminal."""
    identity = read_identity(credential)
    plan = f", {printable(identity.plan, 40)}" if identity.plan else ""
    return f"{printable(identity.email or 'an account without an email')} ({credential.account_id}{plan})"


def summary(credential: Credential, store: FileStore) -> dict[str, Any]:
    """The login as JSON fields. No secret is among them."""
    identity = read_identity(credential)
    return {
        "account_id": credential.account_id,
        "email": identity.email,
        "plan": identity.plan,
        "issuer": credential.issuer,
        "obtained_at": credential.obtained_at,
        "expires_at": moment(credential.expires_at),
        "expired": is_expired(credential),
        "path": str(store.slot(credential.account_id).path),
    }


def describe(credential: Credential, store: FileStore) -> list[str]:
    """The login as lines for a person."""
    lines = [
        f"Signed in as {name_of(credential)}",
        f"  access token:  {_validity(credential)}",
        f"  obtained at:   {printable(credential.obtained_at, 40)}",
        f"  stored in:     {printable(str(store.slot(credential.account_id).path), 4096)}",
    ]
    if credential.issuer != CODEX.issuer:
        lines.append(f"  issuer:        {printable(credential.issuer)}")
    return lines


def _validity(credential: Credential) -> str:
    if credential.expires_at is None:
        return "valid until an unknown time"
    until = moment(credential.expires_at)
    if is_expired(credential):
        return f"expired at {until}"
    return f"valid for {left(credential.expires_at / 1000 - time.time())}, until {until}"
