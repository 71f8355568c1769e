"""A login that is kept here and belongs to a client that codex-oauth does not know: what is true of it.

Rules of this file: it is used while its access token lives, and renewed and revoked by nobody here; the texts
about it are written once.
"""

from __future__ import annotations

from collections.abc import Iterable

from codex_oauth.stores.failures import shown
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import provider_of

__all__ = ["NEXT", "is_elsewhere", "not_renewed_here", "owner_of"]

NEXT = (
    "A program of that client renews it: TokenSource(store, provider=...).",
    "Or sign in here: codex-oauth login",
)


def is_elsewhere(credential: Credential, providers: Iterable[Provider] = ()) -> bool:
    """Whether no provider that is known here, nor one of `providers`, renews or revokes a login."""
    return provider_of(credential, providers) is None


def owner_of(credential: Credential) -> str:
    """Whom such a login belongs to, safe for a terminal."""
    return f"the client {shown(credential.client_id)} at {shown(credential.issuer)}"


def not_renewed_here(credential: Credential) -> SignInError:
    """The error of a renewal that nobody here can make."""
    text = f"The login belongs to {owner_of(credential)}: codex-oauth does not renew it."
    error = SignInError.of(
        ErrorKind.CLIENT_REJECTED, text, reason="other_issuer", issuer=shown(credential.issuer)
    )
    return SignInError(error.kind, error.message, error.details, error.retryable, NEXT)
