"""As whom this program signs in: the client id that a server issued to it before, or a first registration.

Rules of this file: nothing is sent and nothing is shown; what is missing is told before anybody is asked to
sign in. A registration belongs to one application, one person and one workspace: it is used again wherever it
can be, and a login is never signed in again as another client by chance. A token that says who is signing in
goes only into a page that is opened here, and only while its login is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from codex_oauth.signatures import with_signatures
from codex_oauth.stores.find import KeptLogin, find_logins, kept_login
from codex_oauth.stores.registrations import host_id
from codex_oauth.stores.store import KeepsRegistrations, Store, keeps_registrations
from codex_oauth_core.credential import Credential
from codex_oauth_core.identity import Identity
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import is_of_provider
from codex_oauth_core.registration import Registration
from codex_oauth_core.secret import Secret

__all__ = ["SignInClient", "client_for", "is_of_provider"]

_NO_REGISTRATIONS: Final = (
    "this store keeps no registrations, which this provider's sign-in needs: "
    "see codex_oauth.stores.store.KeepsRegistrations"
)
_NO_NAME: Final = "app_name: name your application, which the person is shown when it is registered"
_ISSUES_NONE: Final = "enable_plan and register_anew are for a provider that issues client ids"


@attrs.frozen(kw_only=True)
class SignInClient:
    """The values that one sign-in begins with: the provider, with this program's client id at it, and what is
    known of the person. `store` keeps a new registration; None if nothing keeps it.
    """

    provider: Provider
    account: Identity | str | None = None
    store: KeepsRegistrations | None = None
    id_token_hint: Secret[str] | None = None
    login_hint: str | None = None
    prompt: str | None = None


def client_for(
    provider: Provider,
    store: Store | None,
    *,
    account: Identity | str | None = None,
    app_name: str | None = None,
    enable_plan: bool = False,
    register_anew: bool = False,
) -> SignInClient:
    """The client of a sign-in at `provider`, as `login()` makes it. The parameters are those of `login()`.
    Make a flow with the result.

    Raises ValueError for parameters that do not fit this provider or this store. Raises SignInError if the
    store cannot be read, or if `account` fits several logins.
    """
    if provider.issued_client_ids is None:
        if enable_plan or register_anew:
            raise ValueError(_ISSUES_NONE)
        return SignInClient(provider=provider, account=account)
    if store is not None and not keeps_registrations(store):
        raise ValueError(_NO_REGISTRATIONS)
    application = app_name or provider.application
    if not application:
        raise ValueError(_NO_NAME)
    named = provider.host_id or (host_id() if store is None else store.host_id())
    ours = attrs.evolve(with_signatures(provider), application=application, host_id=named)
    new = SignInClient(provider=ours, account=account, store=store)
    if store is None or register_anew:
        return new
    return _returning(new, store, enable_plan=enable_plan) or new


def _returning(client: SignInClient, store: KeepsRegistrations, *, enable_plan: bool) -> SignInClient | None:
    """The same as a client that is registered: that of the person's login, else the only registration that no
    login uses; None if there is neither.
    """
    provider = client.provider
    prompt = "consent" if enable_plan else None
    registered = [each for each in store.registrations() if each.issuer == provider.issuer]
    kept = [each for each in _kept(store) if is_of_provider(each.credential, provider)]
    credential = _login(store, kept, client.account, _of_others(registered, provider))
    if credential is not None:
        return attrs.evolve(
            client,
            provider=_as(provider, credential.client_id, registered),
            account=credential.identity,
            id_token_hint=credential.id_token,
            login_hint=provider.dialect.profile(credential).email,
            prompt=prompt,
        )
    in_use = {login.credential.client_id for login in kept if login.credential is not None}
    free = [each for each in registered if each.client_id not in in_use and _fits(each, provider)]
    if len(free) != 1:
        return None
    return attrs.evolve(client, provider=_as(provider, free[0].client_id, registered), prompt=prompt)


def _kept(store: Store) -> list[KeptLogin]:
    return [kept_login(store, place) for place in store.names()]


def _login(
    store: KeepsRegistrations,
    kept: Sequence[KeptLogin],
    account: Identity | str | None,
    others: frozenset[str],
) -> Credential | None:
    """Whose login it is to be again: the one that is named, else the one in use, else the only one. `others`:
    the client ids of other applications, whose logins are not ours.
    """
    found = [each for each in kept if each.credential is not None and each.credential.client_id not in others]
    if isinstance(account, Identity):
        found = [each for each in found if each.credential and each.credential.identity.fits(account)]
    elif account is not None:
        named = {each.key for each in find_logins(store, account)}
        found = [each for each in found if each.key in named]
    elif current := [each for each in found if each.place == store.current()]:
        found = current
    return found[0].credential if len(found) == 1 else None


def _of_others(registered: Sequence[Registration], provider: Provider) -> frozenset[str]:
    """The client ids that are another application's. A login that came from elsewhere has no registration
    here, and is taken for ours.
    """
    return frozenset(each.client_id for each in registered if not _fits(each, provider))


def _fits(registration: Registration, provider: Provider) -> bool:
    return registration.application in ("", provider.application)


def _as(provider: Provider, client_id: str, registered: Sequence[Registration]) -> Provider:
    """The provider as it knows us by that client id; the path of the redirect URI is the registered one."""
    path = next((each.redirect_path for each in registered if each.client_id == client_id), None)
    return attrs.evolve(provider.registered(client_id), redirect_path=path or provider.redirect_path)
