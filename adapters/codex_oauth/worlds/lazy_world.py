"""A world that is made when the first effect needs it, and the usual one: over httpx.

Rules of this file: nothing is loaded or opened for a flow that asks for nothing; a wait ends when the program
is about to exit, a request that was begun does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Final, Self

import attrs

from codex_oauth.clock import Clock
from codex_oauth.loading import loading
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Wait
from codex_oauth_core.events import Cancelled, Event

if TYPE_CHECKING:
    from codex_oauth.worlds.world import World

__all__ = ["LazyWorld", "UsualWorld"]


# the second is loaded by the TLS context
_WHAT_A_REQUEST_NEEDS: Final = ("codex_oauth.worlds.httpx_world", "certifi")
_LOOK_UP: Final = 1.0  # seconds between two looks whether the program is about to exit


@attrs.frozen
class UsualWorld:
    """Makes worlds over httpx."""

    now: Clock

    def load(self) -> None:
        """Load, once, all modules that a request needs. The certificates are loaded by who sends one; most
        that ask at once find that another process was faster.
        """
        with loading(*_WHAT_A_REQUEST_NEEDS):
            for name in _WHAT_A_REQUEST_NEEDS:
                import_module(name)

    def __call__(self) -> World:
        """A world of its own for one renewal."""
        with loading("codex_oauth.worlds.httpx_world"):
            from codex_oauth.worlds.httpx_world import HttpxWorld

        return HttpxWorld(now=self.now)


class LazyWorld:
    """Performs effects in the world that `make_world` gives, which must tell the time as `now` does.
    `on_wait` gets every `Wait` before it begins.
    """

    def __init__(
        self, make_world: Callable[[], World], now: Clock, on_wait: Callable[[Wait], None] | None = None
    ) -> None:
        self._make_world = make_world
        self._on_wait = on_wait
        self._now = now
        self._world: World | None = None
        self._cancelled = False
        self._closing = ExitStack()

    def now(self) -> tuple[float, float]:
        """The instant, and Unix time; both in seconds."""
        return self._now()

    def perform(self, effect: SignInEffect) -> Event:
        """Do what the effect asks; a long wait is cut short, which is harmless."""
        if not isinstance(effect, Wait):
            return self._entered().perform(effect)
        at, _ = self._now()
        if self._on_wait is not None:
            self._on_wait(effect)
        if self._cancelled or not threading.main_thread().is_alive():
            return Cancelled(at)
        return self._entered().perform(attrs.evolve(effect, until=min(effect.until, at + _LOOK_UP)))

    def cancel(self) -> None:
        """End the wait that is under way, and all that follow. From any thread."""
        self._cancelled = True
        if world := self._world:
            world.cancel()

    def _entered(self) -> World:
        world = self._world
        if world is None:
            world = self._world = self._closing.enter_context(self._make_world())
            if self._cancelled:  # while it was made
                world.cancel()
        return world

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.close()
