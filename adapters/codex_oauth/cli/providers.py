"""The provider that a command is about, and what is said where it cannot do what was asked for.

Rules of this file: what people are told of a provider comes from its own texts.
"""

from __future__ import annotations

import argparse
from typing import Final

import attrs

from codex_oauth.cli.arguments import provider_name
from codex_oauth.cli.pasteable import command
from codex_oauth.default_provider import issuer_of_environment
from codex_oauth.project import HOME_URL
from codex_oauth.provider_names import PROVIDERS, plan_use, sign_in_again
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind, SignInError
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import provider_of

__all__ = ["chosen_provider", "no_device_code", "plan_use_off", "what_it_uses"]


def chosen_provider(args: argparse.Namespace) -> Provider:
    """The provider to sign in at, at the issuer that the option names, else the variable.

    Raises SignInError, `misconfigured`, if the variable is read and names none.
    """
    provider = PROVIDERS[provider_name(args)]
    issuer = args.issuer or issuer_of_environment()
    return provider.at(issuer) if issuer else provider


def what_it_uses(credential: Credential) -> str | None:
    """In words, what requests with a login use; None where there is nothing to say."""
    provider, uses = provider_of(credential), plan_use(credential)
    if provider is None or uses is None:
        return None
    return provider.texts.in_use if uses else "off: this login can make no request"


def plan_use_off(error: SignInError, credential: Credential | None, store: FileStore) -> SignInError:
    """The error of a login that is good and may not be used, with the command that asks the person again."""
    if error.kind is not ErrorKind.PLAN_USE_OFF or credential is None:
        return error
    return attrs.evolve(
        error, next_actions=(f"Ask for it again: {sign_in_again(credential, store, '--enable-plan')}",)
    )


_PORT: Final = 8765
"""Any port, for a provider that has registered none."""

# -- without a browser ---------------------------------------------------------------------------------


def no_device_code(provider: Provider) -> SignInError:
    """The error where a device code is wanted of a provider that has none, with the ways that there are."""
    kind = ErrorKind.DEVICE_CODE_UNSUPPORTED
    error = SignInError.by(provider.texts.facts(kind, NO_ENDPOINT), kind, reason=NO_ENDPOINT)
    port = str((*provider.redirect_ports, _PORT)[0])
    ways = (
        f"Paste the address of the last page here: {command('login', '--no-open', '--paste')}",
        f"Or use a computer with a browser. Run there first: ssh -L {port}:127.0.0.1:{port} HOST",
        f"And then here: {command('login', '--no-open', '--port', port)}",
        f"Or sign in on another computer, and move the login here: {HOME_URL}/blob/main/docs/providers.md",
    )
    return attrs.evolve(error, next_actions=ways)
