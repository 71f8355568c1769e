"""What a driver is: a world that performs one effect at a time, and the loop that feeds a flow.

Rules of this file: the core owns the order, the world guarantees the end (`with` or `async with` closes
everything it opened, however the run ends). A port to another I/O stack is one more class with these
methods. Both are here a second time, with `await`: a cancelled task is no event, it leaves the loop.
"""

from __future__ import annotations

from typing import Protocol, Self, TypeVar, cast

from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Event, Started
from codex_oauth_core.flows.machine import Drivable
from codex_oauth_core.storage import StorageEffect

__all__ = [
    "AsyncPerformer",
    "AsyncPerformerOf",
    "AsyncWorld",
    "Performer",
    "PerformerOf",
    "World",
    "arun",
    "run",
]


E = TypeVar("E", bound=SendRequest | Wait | StorageEffect)
E_contra = TypeVar("E_contra", bound=SendRequest | Wait | StorageEffect, contravariant=True)
T = TypeVar("T")


class PerformerOf(Protocol[E_contra]):
    """All that `run()` needs to drive a flow that emits effects of the types `E`."""

    def now(self) -> tuple[float, float]:
        """The instant on a monotonic clock that counts suspended time, and Unix time; both in seconds."""
        ...

    def perform(self, effect: E_contra) -> Event:
        """Do what the effect asks, and return the event that answers it. Never raises for a failure of
        the network: that is `RequestFailed`.
        """
        ...


Performer = PerformerOf[SignInEffect]
"""Performs the effects of a sign-in. To port to another I/O stack, begin with these two methods."""


class World(PerformerOf[SignInEffect], Protocol):
    """Performs effects, can be cancelled, and closes what it opened when its `with` block ends.

    It belongs to one run. Other threads may call only `cancel()`.
    """

    def cancel(self) -> None:
        """Make `perform` answer `Cancelled` as soon as the effect allows it. Call it from any thread."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...


def run(flow: Drivable[E, T], world: PerformerOf[E]) -> T | SignInError:
    """Drive `flow` to its end in `world`, and return its outcome, such as the `Credential` of a sign-in.

    A failure is a value here, a `SignInError`: raise it, or act on its `kind`. Raises what `world` raises,
    and IllegalEvent if the world answers an effect with the event of another effect. `store_login()` stores a
    credential.
    """
    effect = flow.receive(Started(*world.now()))
    while not isinstance(effect, Finished):
        effect = flow.receive(world.perform(effect))
    return cast("T | SignInError", effect.outcome)


# -- with await ----------------------------------------------------------------------------------------


class AsyncPerformerOf(Protocol[E_contra]):
    """All that `arun()` needs to drive a flow that emits effects of the types `E`."""

    def now(self) -> tuple[float, float]:
        """The instant on a monotonic clock that counts suspended time, and Unix time; both in seconds."""
        ...

    async def perform(self, effect: E_contra) -> Event:
        """Do what the effect asks, and return the event that answers it. Never raises for a failure of
        the network: that is `RequestFailed`. A cancelled task does not cut a `once` request.
        """
        ...


AsyncPerformer = AsyncPerformerOf[SignInEffect]
"""Performs the effects of a sign-in. To port to another event loop, begin with these two methods."""


class AsyncWorld(AsyncPerformerOf[SignInEffect], Protocol):
    """Performs effects, can be cancelled, and closes what it opened when its `async with` block ends.

    It belongs to one run. Other tasks and threads may call only `cancel()`.
    """

    def cancel(self) -> None:
        """Make `perform` answer `Cancelled` as soon as the effect allows it. Call it from any thread."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...


async def arun(flow: Drivable[E, T], world: AsyncPerformerOf[E]) -> T | SignInError:
    """`run()` for asyncio and trio: drive `flow` to its end in `world`, and return its outcome. A failure is
    a value here, a `SignInError`; `astore_login()` stores a credential.
    """
    effect = flow.receive(Started(*world.now()))
    while not isinstance(effect, Finished):
        effect = flow.receive(await world.perform(effect))
    return cast("T | SignInError", effect.outcome)
