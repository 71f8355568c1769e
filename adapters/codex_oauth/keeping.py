"""What becomes of a granted login: it is kept or revoked, never forgotten; and how a kept one is ended.

Rules of this file: a stored login is replaced only by one that is already granted; a login that is stored
is never revoked by what fails after that; the machines decide, and failures are raised here.
"""

from __future__ import annotations

import warnings
from typing import Final

import attrs

from codex_oauth.stores.store import Store, StoreWarning
from codex_oauth.worlds.storing import StoringWorld
from codex_oauth.worlds.world import Performer, World, run
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.deposit import StoreLogin
from codex_oauth_core.flows.revocation import Revocation
from codex_oauth_core.outcomes import LoginStored
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record

__all__ = [
    "KEPT_BESIDE",
    "end_login",
    "keep",
    "keep_or_revoke",
    "may_be_stored",
    "not_kept",
    "provider_of",
    "revoke",
]

KEPT_BESIDE: Final = "The login is locked by another process: the new one is kept beside it until it is free"


def keep_or_revoke(credential: Credential, store: Store, provider: Provider, world: World) -> LoginStored:
    """Keep a login; if that fails in any way, end it at the server, unless it may be stored all the same."""
    try:
        deposited = _deposit(Record(credential), store, world, force=False)
    except BaseException as error:
        if may_be_stored(credential, store):
            raise
        revoked = revoke(credential, store, provider, world)
        if isinstance(error, SignInError):
            raise not_kept(error, revoked=revoked) from error
        raise
    return _announced(deposited, store)


def keep(record: Record, store: Store, world: Performer, *, force: bool = False) -> LoginStored:
    """Store a new login in place of the account's old one, and make it the current one.

    `force`: a login without a refresh token may replace one that has one. Raises SignInError:
    `corrupt_auth`, `auth_read_failed`, `auth_write_failed`, or `invalid_request` for such a login.
    """
    return _announced(_deposit(record, store, world, force=force), store)


def _deposit(record: Record, store: Store, world: Performer, *, force: bool) -> LoginStored:
    with StoringWorld(world, store, record.credential.account_id) as storing:
        outcome = run(StoreLogin(record=record, force=force), storing)
    if isinstance(outcome, SignInError):
        raise outcome
    return outcome


def _announced(deposited: LoginStored, store: Store) -> LoginStored:
    """Make a stored login the current one. From here on nothing ends it, whatever fails."""
    store.select(deposited.record.credential.account_id)
    if deposited.rescued:
        warnings.warn(KEPT_BESIDE, StoreWarning, stacklevel=3)
    return deposited


def end_login(store: Store, account_id: str, provider: Provider | None, world: Performer) -> bool | None:
    """Revoke a stored login at `provider`, best effort within 10 s, then delete it, whatever it is.

    Whether the server confirmed; None where nothing was asked of it. Raises SignInError: `network`
    (`details.reason`: `lock_busy`), `auth_write_failed`.
    """
    with StoringWorld(world, store, account_id) as storing:
        outcome = run(Revocation(provider=provider), storing)
    if isinstance(outcome, SignInError):
        raise outcome
    return outcome.confirmed


def revoke(credential: Credential, store: Store, provider: Provider, world: Performer) -> bool:
    """End a login of an account in `store` that is not what is stored there, at the server (RFC 7009), best
    effort within 10 s; whether the server confirmed it.
    """
    with StoringWorld(world, store, credential.account_id) as storing:
        outcome = run(Revocation(provider=provider, credential=credential), storing)
    return not isinstance(outcome, SignInError) and outcome.confirmed is True


def may_be_stored(credential: Credential, store: Store) -> bool:
    """Whether the login is stored, or nobody can tell: what cannot be looked at is not ended."""
    try:
        record = store.slot(credential.account_id).load()
    except SignInError as error:
        return error.kind is not ErrorKind.CORRUPT_AUTH
    return record is not None and record.credential.refresh_token == credential.refresh_token


def not_kept(error: SignInError, *, revoked: bool) -> SignInError:
    """Why a granted login was not kept, and whether the server confirmed that it ended it."""
    return attrs.evolve(error, details={**error.details, "revoked": revoked})


def provider_of(credential: Credential) -> Provider | None:
    """The provider that a credential belongs to, with the credential's client; None for a bad issuer."""
    try:
        return attrs.evolve(CODEX.at(credential.issuer), client_id=credential.client_id)
    except ValueError:
        return None
