"""Which provider a command is about: what it is called on the command line, and what is said about it.

Rules of this file: the name of a provider is a word of ours, the same in options, output and documents; what
people are told of it comes from its own texts.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

import attrs

from codex_oauth.cli.arguments import provider_name
from codex_oauth.cli.output import printable
from codex_oauth_core.chatgpt import CHATGPT
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind, SignInError
from codex_oauth_core.provider import Provider, use_is_off
from codex_oauth_core.providers import provider_of

__all__ = [
    "APP_NAME",
    "PROVIDERS",
    "chosen_provider",
    "command_to_sign_in",
    "is_official",
    "no_device_code",
    "plan_use",
    "plan_use_off",
    "provider_called",
    "what_it_uses",
]

PROVIDERS: Final[Mapping[str, Provider]] = {"codex": CODEX, "chatgpt": CHATGPT}
"""The providers by their names on the command line."""

APP_NAME: Final = "codex-oauth"
"""What this program is called where a person is asked about it."""


def chosen_provider(args: argparse.Namespace) -> Provider:
    """The provider to sign in at, at the issuer that is named."""
    provider = PROVIDERS[provider_name(args)]
    return provider.at(args.issuer) if args.issuer else provider


def provider_called(credential: Credential) -> str | None:
    """What the provider of a login is called here; None for one that is not known."""
    provider = provider_of(credential)
    if provider is None:
        return None
    return next((name for name, each in PROVIDERS.items() if each.dialect is provider.dialect), None)


def is_official(provider: Provider) -> bool:
    """Whether it issues a client id of its own to each program and person."""
    return provider.issued_client_ids is not None


# -- plan use ------------------------------------------------------------------------------------------


def plan_use(credential: Credential) -> bool | None:
    """Whether the person of a login lets requests use their plan; None where nobody is asked."""
    provider = provider_of(credential)
    if provider is None or provider.use_scope is None:
        return None
    return not use_is_off(credential, provider)


def what_it_uses(credential: Credential) -> str | None:
    """In words, what requests with a login use; None where there is nothing to say."""
    provider, uses = provider_of(credential), plan_use(credential)
    if provider is None or uses is None:
        return None
    return provider.texts.in_use if uses else "off: no request may be made with this login"


def plan_use_off(error: SignInError) -> SignInError:
    """The error of a login that is good and may not be used, with the command that asks the person again."""
    if error.kind is not ErrorKind.PLAN_USE_OFF:
        return error
    return attrs.evolve(error, next_actions=(f"Ask for it: {command_to_sign_in('chatgpt')} --enable-plan",))


def command_to_sign_in(name: str | None) -> str:
    """The command that signs in at the provider of that name."""
    return "codex-oauth login" + ("" if name in (None, "codex") else f" --provider {name}")


# -- without a browser ---------------------------------------------------------------------------------


def no_device_code(provider: Provider, issuer: str | None) -> SignInError:
    """The error of who wants a device code of a provider that has none, with the ways that there are."""
    kind = ErrorKind.DEVICE_CODE_UNSUPPORTED
    error = SignInError.by(provider.texts.facts(kind, NO_ENDPOINT), kind, reason=NO_ENDPOINT)
    login = command_to_sign_in("chatgpt") + (f" --issuer {printable(issuer)}" if issuer else "")
    ways = (
        "On this machine, without a browser, paste the address of the last page:",
        f"    {login} --no-open --paste",
        "Or forward a port from a computer with a browser (ssh -L 8765:127.0.0.1:8765 HOST):",
        f"    {login} --no-open --port 8765",
        "Or sign in on that computer, and move the login here: see docs/providers.md",
    )
    return attrs.evolve(error, next_actions=ways)
