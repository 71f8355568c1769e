"""One flow in a pool, and the request of it that is in flight.

Rules of this file: a handle lets go of its flow when that is over or put down; whoever cuts a request says
why, and a `once` request is never cut; a flow that is to end as cancelled is not put down any more.
"""

from __future__ import annotations

from typing import Any, Final, Generic, Protocol, TypeVar

from anyio import CancelScope, current_time
from anyio import Event as AnyioEvent

from codex_oauth.pool.deadlines import Due
from codex_oauth.pool.put_down import Checkpoint
from codex_oauth_core.callback import Accepted
from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Finished, Prompt, SendRequest, Wait
from codex_oauth_core.events import Cause, Phase, RequestFailed
from codex_oauth_core.flows.machine import Drivable

__all__ = ["Handle", "Running", "SignIn", "alive", "prompt_of", "unsent"]

K = TypeVar("K")

GRACE: Final = 5.0
"""Seconds beyond its own timeout after which a request is given up that keeps somebody waiting."""

SignIn = Drivable[SignInEffect, Credential]
"""What a pool drives: a flow that asks for requests and waits, and ends with a credential."""


class Running:
    """A request slot in use. `scope` cuts its request; `shown` is the prompt of the flow's last wait.

    `over`: set at the end, if somebody waits for it, to put the flow down; `checkpoint` is then what came of
    that, and None if the flow ended. `failed`: what `before_once` raised.
    """

    __slots__ = ("cancelled", "checkpoint", "effect", "failed", "over", "scope", "shown")

    def __init__(self, effect: SendRequest, shown: Prompt | None) -> None:
        self.effect = effect
        self.shown = shown
        self.scope: CancelScope | None = None
        self.cancelled = False
        self.over: AnyioEvent | None = None
        self.checkpoint: Checkpoint | None = None
        self.failed: Exception | None = None

    @property
    def stops(self) -> bool:
        """Whether the flow is to be put down as soon as nothing of it is in flight."""
        return self.over is not None and not self.cancelled

    def cancel(self) -> None:
        """Cut the request in flight, unless it is sent once; and send no other that is not."""
        self.cancelled = True
        self._cut()

    def put_down(self) -> AnyioEvent:
        """Cut the request in flight, unless it is sent once, and send no other. Wait for what is returned."""
        self.over = AnyioEvent()
        if self.effect.once:
            self.bound()
        self._cut()
        return self.over

    def leave(self) -> None:
        """Let it end soon: cancelled, unless it is to be put down."""
        self.bound()
        if not self.stops:
            self.cancel()

    def bound(self) -> None:
        """Give the request in flight its timeout, from now on, and a little more."""
        if self.scope is not None:
            self.scope.deadline = current_time() + self.effect.timeout + GRACE

    def _cut(self) -> None:
        if self.scope is not None and not self.effect.once:
            self.scope.cancel()


class _Pool(Protocol[K]):
    """What a handle asks of its pool."""

    def cancel(self, handle: Handle[K]) -> None: ...

    def accept(self, handle: Handle[K], accepted: Accepted) -> bool: ...

    async def put_down(self, handle: Handle[K]) -> Checkpoint | None: ...


class Handle(Generic[K]):
    """One flow in a pool, and the `key` under which it was added."""

    __slots__ = ("_pool", "at", "flow", "key")

    def __init__(self, pool: _Pool[K], flow: SignIn, key: K) -> None:
        self._pool = pool
        self.key = key
        self.flow: SignIn | None = flow
        self.at: Due | Running | None = None

    def __repr__(self) -> str:
        return f"<Handle of {self.key!r}{', over' if self.over else ''}>"

    @property
    def over(self) -> bool:
        """Whether the flow has ended or was put down. The handle then holds nothing of it any more."""
        return self.flow is None

    def cancel(self) -> None:
        """End the flow with `cancelled`: at once while it waits, after the answer while it sends a `once`
        request. Does nothing to a flow that is over.
        """
        self._pool.cancel(self)

    def accept(self, accepted: Accepted) -> bool:
        """Give the flow the redirect that the `CallbackRule` of its `Wait` accepted. Returns False if the
        flow does not wait for one: it is over, or another redirect came first.
        """
        return self._pool.accept(self, accepted)

    async def put_down(self) -> Checkpoint | None:
        """Take the flow out of the pool and return its checkpoint, with `handed_over`, so that another pool
        can continue it. None if the flow ended in the meantime (its outcome counts as usual), or if another
        call put it down first.

        A flow that waits is put down at once. A poll in flight is cancelled, and the next pool repeats it; a
        `once` request, with its `before_once`, is finished first. A flow that has not begun begins now, and
        sends nothing. The checkpoint includes a redirect that was accepted. If the caller's task is
        cancelled, its next await raises that, so that no checkpoint is lost: seal and store it. Then call
        `restore(checkpoint, provider)` and `pool.add(flow, key, begin=Resumed)`, on any host. Raises
        TypeError for a flow without `checkpoint()`, which continues.
        """
        return await self._pool.put_down(self)


def unsent(flow: SignIn, effect: SignInEffect | Finished, at: float) -> SignInEffect | Finished:
    """What a flow asks for when none of its `once` requests was sent, at the instant `at`."""
    while isinstance(effect, SendRequest) and effect.once:
        effect = flow.receive(RequestFailed(at, Phase.NOT_SENT, Cause.TIMEOUT))
    return effect


def alive(handle: Handle[Any]) -> SignIn:
    """The flow of a handle that is not over."""
    assert handle.flow is not None
    return handle.flow


def prompt_of(flow: SignIn) -> Prompt | None:
    """What the flow's last wait shows."""
    wait = flow.effect
    return wait.prompt if isinstance(wait, Wait) else None
