"""One flow of a pool, as the pool and its user hold it.

Rules of this file: it is small, because there are as many as there are flows; it lets go of its flow when
that is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from anyio import CancelScope, current_time

from codex_oauth.pool.deadlines import Due
from codex_oauth_core.callback import Accepted
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Prompt, SendRequest, Wait
from codex_oauth_core.flows.machine import Drivable

if TYPE_CHECKING:
    from codex_oauth.pool.flow_pool import FlowPool

__all__ = ["Handle", "Running", "SignIn"]

K = TypeVar("K")

GRACE: Final = 5.0
"""Seconds beyond its own timeout after which a request is given up that keeps a pool from ending."""

SignIn = Drivable[SendRequest | Wait, Credential]
"""What a pool drives: a flow that asks for requests and waits, and ends with a credential."""


class Running:
    """A request slot in use. `scope` cuts its request; `shown` is the prompt of the flow's last wait."""

    __slots__ = ("cancelled", "effect", "scope", "shown")

    def __init__(self, effect: SendRequest, shown: Prompt | None) -> None:
        self.effect = effect
        self.shown = shown
        self.scope: CancelScope | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Cut the request in flight, unless it is sent once; and send no other that is not."""
        self.cancelled = True
        if self.scope is not None and not self.effect.once:
            self.scope.cancel()

    def bound(self) -> None:
        """Give the request in flight its timeout, from now on, and a little more."""
        if self.scope is not None:
            self.scope.deadline = current_time() + self.effect.timeout + GRACE


class Handle(Generic[K]):
    """One flow in a pool, and the `key` it was added under."""

    __slots__ = ("_pool", "at", "flow", "key")

    def __init__(self, pool: FlowPool[K], flow: SignIn, key: K) -> None:
        self._pool = pool
        self.key = key
        self.flow: SignIn | None = flow
        self.at: Due | Running | None = None

    def __repr__(self) -> str:
        return f"<Handle of {self.key!r}{', over' if self.over else ''}>"

    @property
    def over(self) -> bool:
        """Whether the flow has ended; the handle holds nothing of it any more."""
        return self.flow is None

    def cancel(self) -> None:
        """End the flow with `cancelled`: at once while it waits, after the answer while it sends a `once`
        request. Does nothing to a flow that is over.
        """
        self._pool.cancel(self)

    def accept(self, accepted: Accepted) -> bool:
        """Bring the redirect that the `CallbackRule` of the flow's `Wait` accepted. False if it waits for
        none: it is over, or another redirect was faster.
        """
        return self._pool.accept(self, accepted)
