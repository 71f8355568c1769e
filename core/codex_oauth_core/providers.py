"""Which provider a stored login belongs to: it is renewed and ended there, and nowhere else.

Rules of this file: a login is bound to an issuer and a client, and these alone decide. Nobody registers
anything: who has providers of his own names them where he asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import attrs

from codex_oauth_core.chatgpt import CHATGPT
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.provider import Provider

__all__ = ["KNOWN", "for_login", "identified", "is_of_provider", "provider_of"]

KNOWN: Final[tuple[Provider, ...]] = (CODEX, CHATGPT)
"""The providers that come with this library."""

_REMEMBERED: Final = 64  # logins' issuers and clients


def provider_of(credential: Credential, providers: Iterable[Provider] = ()) -> Provider | None:
    """The provider of a login, with the login's client: one of `providers`, or one of `KNOWN`.

    The first match counts: the provider with its issuer and client; then one at its issuer that issues such
    client ids; then one at its issuer. A login of any other issuer belongs, at that issuer, to the known
    provider that issues such client ids (one with a `use_scope` only if the login says its scopes), or else
    to Codex; None if that is not a valid issuer.
    """
    issuer, client_id, scopes = credential.issuer, credential.client_id, credential.scopes
    if not (providers := tuple(providers)):
        return _known(issuer, client_id, has_scopes=scopes is not None)
    return _found((*providers, *KNOWN), issuer, client_id, has_scopes=scopes is not None)


@lru_cache(maxsize=_REMEMBERED)
def _known(issuer: str, client_id: str, *, has_scopes: bool) -> Provider | None:
    """One of those that are `KNOWN`. It is remembered, because all its URLs are checked when it is made."""
    return _found(KNOWN, issuer, client_id, has_scopes=has_scopes)


def _found(
    providers: tuple[Provider, ...], issuer: str, client_id: str, *, has_scopes: bool
) -> Provider | None:
    def issued(provider: Provider) -> bool:
        """Whether a login is by a client id that the provider issued. One that may be used by a scope alone
        says what was granted to it.
        """
        return (provider.use_scope is None or has_scopes) and provider.issues(client_id)

    at_issuer = [each for each in providers if each.issuer == issuer]
    for provider in at_issuer:
        if provider.client_id == client_id:
            return provider
    found = next(filter(issued, at_issuer), None) or next(iter(at_issuer), None)
    likely = next(filter(issued, KNOWN), CODEX)
    try:
        found = found or attrs.evolve(likely.at(issuer), issuer=issuer)
    except ValueError:
        return None
    return attrs.evolve(found, client_id=client_id)


def for_login(provider: Provider, credential: Credential) -> Provider:
    """`provider` with the login's client, if it issued that one. No login is another provider's by this."""
    is_its_own = provider.issuer == credential.issuer and provider.issues(credential.client_id)
    return attrs.evolve(provider, client_id=credential.client_id) if is_its_own else provider


def identified(credential: Credential, providers: Iterable[Provider] = ()) -> Credential:
    """See `Provider.identified`, of the provider that the credential belongs to."""
    provider = provider_of(credential, providers)
    return credential if provider is None else provider.identified(credential)


def is_of_provider(credential: Credential | None, provider: Provider) -> bool:
    """Whether a login is one of `provider`, at the same server, whatever client id was issued for it."""
    if credential is None or credential.issuer != provider.issuer:
        return False
    found = provider_of(credential, (provider,))
    return found is not None and found.dialect is provider.dialect
