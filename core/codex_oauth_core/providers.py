"""Which provider a stored login belongs to: it is renewed and ended there, and nowhere else.

Rules of this file: a login is bound to an issuer and a client, and these alone decide. Nobody registers
anything: who has providers of his own names them where he asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from codex_oauth_core.chatgpt import CHATGPT
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.provider import Provider

__all__ = ["KNOWN", "for_login", "identified", "provider_of"]

KNOWN: Final[tuple[Provider, ...]] = (CODEX, CHATGPT)
"""The providers that come with this library."""


def provider_of(credential: Credential, providers: Iterable[Provider] = ()) -> Provider | None:
    """The provider that a login belongs to, with the login's client: of `providers`, or of those that are
    `KNOWN`.

    The one with its issuer and client counts; then one at its issuer that issues such client ids; then one at
    its issuer. A login of any other issuer is taken for one of the known provider that issues such client ids
    and says what was granted, else of Codex, at that issuer; None if that is no issuer.
    """
    at_issuer = [each for each in (*providers, *KNOWN) if each.issuer == credential.issuer]
    for provider in at_issuer:
        if provider.client_id == credential.client_id:
            return provider
    found = next((each for each in at_issuer if _issued(each, credential)), None)
    found = found or next(iter(at_issuer), None)
    likely = next((each for each in KNOWN if _issued(each, credential)), CODEX)
    try:
        found = found or attrs.evolve(likely.at(credential.issuer), issuer=credential.issuer)
    except ValueError:
        return None
    return attrs.evolve(found, client_id=credential.client_id)


def for_login(provider: Provider, credential: Credential) -> Provider:
    """`provider` with the login's client, if it issued that one. No login is another provider's by this."""
    is_its_own = provider.issuer == credential.issuer and provider.issues(credential.client_id)
    return attrs.evolve(provider, client_id=credential.client_id) if is_its_own else provider


def identified(credential: Credential, providers: Iterable[Provider] = ()) -> Credential:
    """See `Provider.identified`, of the provider that the credential belongs to."""
    provider = provider_of(credential, providers)
    return credential if provider is None else provider.identified(credential)


def _issued(provider: Provider, credential: Credential) -> bool:
    """Whether a login is by a client id that the provider issued. One that may be used by a scope alone says
    what was granted to it.
    """
    says = provider.use_scope is None or credential.scopes is not None
    return says and provider.issues(credential.client_id)
