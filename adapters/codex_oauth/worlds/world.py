"""What a driver is: a world that performs one effect at a time, and the loop that feeds a flow.

Rules of this file: the core owns the order, the world guarantees the end (`with` closes everything it
opened, however the run ends). A port to another I/O stack is one more class with these methods.
"""

from __future__ import annotations

from typing import Protocol, Self

from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Event, Started
from codex_oauth_core.flows.base import Flow

__all__ = ["Performer", "World", "run"]


class Performer(Protocol):
    """All that `run()` needs: a port to another I/O stack begins with these two methods."""

    def now(self) -> tuple[float, float]:
        """The instant on a monotonic clock that counts suspended time, and Unix time; both in seconds."""
        ...

    def perform(self, effect: SendRequest | Wait) -> Event:
        """Do what the effect asks, and return the event that answers it. Never raises for a failure of
        the network: that is `RequestFailed`.
        """
        ...


class World(Performer, Protocol):
    """Performs effects, can be cancelled, and closes what it opened when its `with` block ends.

    It belongs to one run, and only `cancel()` may be called from elsewhere.
    """

    def cancel(self) -> None:
        """Make `perform` answer with `Cancelled` as soon as the effect allows it; from any thread."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...


def run(flow: Flow, world: Performer) -> Credential | SignInError:
    """Drive `flow` to its end in `world`, and return its outcome. A failed sign-in is a value here."""
    effect = flow.receive(Started(*world.now()))
    while not isinstance(effect, Finished):
        effect = flow.receive(world.perform(effect))
    return effect.outcome
