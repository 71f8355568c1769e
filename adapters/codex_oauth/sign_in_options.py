"""The options that `login()` and `alogin()` share, as a type: their overloads differ in nothing else.

Rules of this file: for type checkers alone; what an option means stands in `login()`, and its default there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from codex_oauth.stores.store import Store
    from codex_oauth.worlds.callbacks import CallbackSource
    from codex_oauth_core.credential import Credential
    from codex_oauth_core.effect_unions import SignInEffect
    from codex_oauth_core.flows.machine import Drivable
    from codex_oauth_core.flows.sign_in import SignInFlow
    from codex_oauth_core.identity import Identity
    from codex_oauth_core.provider import Provider

__all__ = ["SignInOptions"]


class SignInOptions(TypedDict, total=False):
    """What `login()` takes beside the prompt, the way and the world."""

    provider: Provider | None
    store: Store | None
    revoke_old: bool
    workspaces: Iterable[str]
    account: Identity | str | None
    open_browser: bool
    ports: Sequence[int] | None
    callbacks: Iterable[CallbackSource]
    on_note: Callable[[str], None] | None
    record: Callable[[SignInFlow], Drivable[SignInEffect, Credential]] | None
    app_name: str | None
    enable_plan: bool
    register_anew: bool
