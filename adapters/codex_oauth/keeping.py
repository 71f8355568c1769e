"""What becomes of a granted login: it is kept or revoked, never forgotten.

Rules of this file: a stored login is replaced only by one that is already granted; a login that is stored
is never revoked by what fails after that.
"""

from __future__ import annotations

from typing import Final

import attrs

from codex_oauth.stores.store import Conflict, Store
from codex_oauth.worlds.world import World
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.flows.exchange import REVOCATION_LIMIT
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record

__all__ = ["keep", "keep_or_revoke", "provider_of", "revoke"]

_SAVE_TRIES: Final = 5


def keep_or_revoke(credential: Credential, store: Store, provider: Provider, world: World) -> None:
    """Keep a login; if that fails in any way, end it at the server, unless it is the one that is stored."""
    try:
        keep(credential, store)
    except BaseException as error:
        if _is_stored(credential, store):
            raise
        revoked = revoke(credential, provider, world)
        if isinstance(error, SignInError):
            raise attrs.evolve(error, details={**error.details, "revoked": revoked}) from error
        raise


def keep(credential: Credential, store: Store) -> None:
    """Store a new login in place of the account's old one, and make it the current one.

    Raises SignInError: `corrupt_auth`, `auth_read_failed`, `auth_write_failed`.
    """
    slot = store.slot(credential.account_id)
    record, expected = Record(credential), None
    for _ in range(_SAVE_TRIES):
        found = slot.save(record, expected, replace_corrupt=True)
        if not isinstance(found, Conflict):
            store.select(credential.account_id)
            return
        expected = None if found.record is None else found.record.fingerprint
    raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="contended")


def _is_stored(credential: Credential, store: Store) -> bool:
    try:
        record = store.slot(credential.account_id).load()
    except SignInError:
        return False
    return record is not None and record.credential.refresh_token == credential.refresh_token


def revoke(credential: Credential, provider: Provider, world: World) -> bool:
    """End a login at the server (RFC 7009), best effort within 10 s; whether the server confirmed it."""
    token = credential.refresh_token
    request = provider.dialect.revocation_request(provider, token, "refresh_token")
    answer = world.perform(SendRequest(request, REVOCATION_LIMIT, once=True))
    return isinstance(answer, ResponseReceived) and provider.dialect.read_revocation(answer)


def provider_of(credential: Credential) -> Provider | None:
    """The provider that a credential belongs to; None if it is of another client or a bad issuer."""
    if credential.client_id != CODEX.client_id:
        return None
    try:
        return CODEX.at(credential.issuer)
    except ValueError:
        return None
