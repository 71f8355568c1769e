"""What the providers of this library are called by people, and what is true of a login of theirs.

Rules of this file: a name is a word of ours, the same in options, output and documents; what people are told
comes from the provider's own texts; a command that is shown works as it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from shlex import quote
from typing import Final

from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.paths import default_home
from codex_oauth_core.chatgpt import CHATGPT
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import SignInError
from codex_oauth_core.provider import Provider, use_is_off
from codex_oauth_core.providers import provider_of
from codex_oauth_core.registered import OFFICIAL, USUAL

__all__ = [
    "APP_NAME",
    "PROVIDERS",
    "command_to_sign_in",
    "is_official",
    "plan_use",
    "provider_called",
    "sign_in_again",
]

APP_NAME: Final = "codex-oauth"
"""What this program is called where a person is asked about it."""

PROVIDERS: Final[Mapping[str, Provider]] = {USUAL: CODEX, OFFICIAL: CHATGPT}
"""The providers by their names."""


def provider_called(credential: Credential) -> str | None:
    """What the provider of a login is called; None for one that is not known."""
    provider = provider_of(credential)
    if provider is None:
        return None
    return next((name for name, each in PROVIDERS.items() if each.dialect is provider.dialect), None)


def is_official(provider: Provider) -> bool:
    """Whether it issues a client id of its own to each program and person."""
    return provider.issued_client_ids is not None


def plan_use(credential: Credential) -> bool | None:
    """Whether the person of a login lets requests use their plan; None where nobody is asked."""
    provider = provider_of(credential)
    if provider is None or provider.use_scope is None:
        return None
    return not use_is_off(credential, provider)


def command_to_sign_in(name: str | None) -> str:
    """The command that signs in at the provider of that name."""
    return "codex-oauth login" + ("" if name in (None, "codex") else f" --provider {name}")


def sign_in_again(credential: Credential, store: FileStore, *options: str) -> str:
    """The command that signs in this login again: as the same application, at the same server, here."""
    words = [command_to_sign_in(name := provider_called(credential)), *options]
    provider = PROVIDERS.get(name or "codex", CODEX)
    if name is not None and credential.issuer != provider.issuer:
        words += ["--issuer", quote(credential.issuer)]
    if name == "chatgpt" and (application := _application(credential, store)) not in ("", APP_NAME):
        words += ["--app-name", quote(application)]
    if not _is_usual(store):
        words += ["--store", quote(str(store.home))]
    return " ".join(words)


def _application(credential: Credential, store: FileStore) -> str:
    with suppress(SignInError):
        for each in store.registrations():
            if (each.issuer, each.client_id) == (credential.issuer, credential.client_id):
                return each.application
    return ""


def _is_usual(store: FileStore) -> bool:
    with suppress(SignInError):
        return store.home == default_home()
    return False
