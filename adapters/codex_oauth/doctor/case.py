"""What the checks look at, and with what.

Rules of this file: a store that has no place is a finding, and never ends a check; nothing is created.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import attrs

from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.keyring_key import KEYRING_LIMIT
from codex_oauth.stores.keyrings import Keyring
from codex_oauth.transport.protocol import Transport
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import SignInError
from codex_oauth_core.provider import Provider

__all__ = ["Case", "store_of"]


def _environment() -> Mapping[str, str]:
    return os.environ


@attrs.frozen(kw_only=True)
class Case:
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


def store_of(case: Case) -> FileStore | SignInError:
    """The store, or why it has no place."""
    try:
        return FileStore(case.chosen_store) if case.chosen_store else FileStore()
    except SignInError as error:
        return error
