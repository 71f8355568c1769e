"""Where redirects come in while a world waits: a listener, a paste, a scheme handler.

Rules of this file: a source judges by the rule it is given and hands over what the rule accepted; it never
ends a wait by itself, and nothing that arrives can make it raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from codex_oauth_core.callback import Accepted, CallbackRule

__all__ = ["CallbackSource"]


class CallbackSource(Protocol):
    """Something that can bring the redirect of one sign-in."""

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Begin to judge what comes by `rule`, in the background; call `accept` for the genuine redirect, at
        most once and from any thread. `accept` does not block. Raises SignInError
        (`callback_server_failed`) if it cannot begin.
        """
        ...

    def stop(self) -> None:
        """Stop listening. Whoever is still connected is answered without delaying the caller."""
        ...
