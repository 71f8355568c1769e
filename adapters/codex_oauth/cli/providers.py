"""The provider that a command is about, and what is said where it cannot do what was asked for.

Rules of this file: what people are told of a provider comes from its own texts; every command that is shown
works as it is shown.
"""

from __future__ import annotations

import argparse

import attrs

from codex_oauth.cli.arguments import provider_name
from codex_oauth.cli.output import printable
from codex_oauth.default_provider import issuer_of_environment
from codex_oauth.provider_names import PROVIDERS, command_to_sign_in, plan_use, sign_in_again
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
    return provider.texts.in_use if uses else "off: no request may be made with this login"


def plan_use_off(error: SignInError, credential: Credential | None, store: FileStore) -> SignInError:
    """The error of a login that is good and may not be used, with the command that asks the person again."""
    if error.kind is not ErrorKind.PLAN_USE_OFF or credential is None:
        return error
    return attrs.evolve(
        error, next_actions=(f"Ask for it: {sign_in_again(credential, store, '--enable-plan')}",)
    )


# -- without a browser ---------------------------------------------------------------------------------


def no_device_code(provider: Provider, issuer: str | None) -> SignInError:
    """The error of who wants a device code of a provider that has none, with the ways that there are."""
    kind = ErrorKind.DEVICE_CODE_UNSUPPORTED
    error = SignInError.by(provider.texts.facts(kind, NO_ENDPOINT), kind, reason=NO_ENDPOINT)
    login = command_to_sign_in("chatgpt") + (f" --issuer {printable(issuer)}" if issuer else "")
    ways = (
        "Without a browser on this machine, paste the address of the last page:",
        f"    {login} --no-open --paste",
        "Or forward a port. On a computer that has a browser, run:",
        "    ssh -L 8765:127.0.0.1:8765 HOST",
        "and then here:",
        f"    {login} --no-open --port 8765",
        "Or sign in there, and move the login here: see docs/providers.md",
    )
    return attrs.evolve(error, next_actions=ways)
