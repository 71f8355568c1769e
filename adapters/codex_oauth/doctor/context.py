"""What the checks look at, and with what; and what they find, as data.

Rules of this file: a store that has no place is a finding, and never ends a check; nothing is created. No
secret enters a finding; texts are as they were found, so whoever shows them on a terminal filters them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import StrEnum, unique

import attrs

from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.keyring_key import KEYRING_LIMIT, Keyring
from codex_oauth.transport.protocol import Transport
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import SignInError
from codex_oauth_core.provider import Provider

__all__ = ["Area", "Context", "Finding", "Verdict", "ok", "problem", "skipped", "store_of", "warn"]


def _environment() -> Mapping[str, str]:
    return os.environ


@attrs.frozen(kw_only=True)
class Context:
    """One examination. `transport` and `keyring`: by default the usual ones. `chosen_store`: the directory
    that the person named. `in_use`: the account in use in a store, None for none; it raises SignInError for
    one that is not there.
    """

    provider: Provider = CODEX
    chosen_store: str | None = None
    offline: bool = False
    in_use: Callable[[FileStore], str | None] = attrs.field(default=FileStore.current, repr=False)
    environment: Mapping[str, str] = attrs.field(factory=_environment, repr=False)
    transport: Transport | None = attrs.field(default=None, repr=False)
    keyring: Keyring | None = attrs.field(default=None, repr=False)
    keyring_limit: float = KEYRING_LIMIT


def store_of(context: Context) -> FileStore | SignInError:
    """The store, or why it has no place."""
    try:
        return FileStore(context.chosen_store) if context.chosen_store else FileStore()
    except SignInError as error:
        return error


# -- what is found -------------------------------------------------------------------------------------


@unique
class Verdict(StrEnum):
    """How something is."""

    OK = "ok"
    WARN = "warn"
    """It works, or will, but somebody should know."""
    PROBLEM = "problem"
    """A sign-in fails because of it, or the login that is in use does."""
    SKIPPED = "skipped"
    """It could not be looked at, or there was no need to."""


@unique
class Area(StrEnum):
    """What a problem is about."""

    ITSELF = "itself"
    """This program, and the Python that runs it."""
    NETWORK = "network"
    """The way to the server, the clock, and the ports that the browser comes back to."""
    REFUSED = "refused"
    """The service is not available here."""
    LOGIN = "login"
    STORAGE = "storage"


@attrs.frozen
class Finding:
    """What was found about `name`; where there are several of a kind, about its `subject`: a path, a port, an
    account, a variable. `advice` is what to do, most useful first.
    """

    name: str
    area: Area
    verdict: Verdict
    found: str
    advice: tuple[str, ...] = ()
    subject: str | None = None


def ok(name: str, area: Area, found: str, subject: str | None = None) -> Finding:
    """All is well."""
    return Finding(name, area, Verdict.OK, found, (), subject)


def skipped(name: str, area: Area, found: str, subject: str | None = None) -> Finding:
    """It was not looked at; `found` says why."""
    return Finding(name, area, Verdict.SKIPPED, found, (), subject)


def warn(name: str, area: Area, found: str, *advice: str, subject: str | None = None) -> Finding:
    """Somebody should know."""
    return Finding(name, area, Verdict.WARN, found, advice, subject)


def problem(name: str, area: Area, found: str, *advice: str, subject: str | None = None) -> Finding:
    """A sign-in, or the login in use, fails because of it."""
    return Finding(name, area, Verdict.PROBLEM, found, advice, subject)
