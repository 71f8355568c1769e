"""What the flows about a stored login share: storage effects, and the time of day.

Rules of this file: no state is changed here.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final, TypeVar

import attrs

from codex_oauth_core.effects import Effect, SendRequest, Wait
from codex_oauth_core.errors import ErrorKind, IllegalEvent, SignInError
from codex_oauth_core.events import Event, ResponseReceived, Started, StoreAnswered
from codex_oauth_core.flows.base import Flow
from codex_oauth_core.storage import StorageAnswer, StorageEffect

__all__ = ["QUEUE_STEP", "StoringFlow", "busy_too_long"]

QUEUE_STEP: Final = 0.025
"""Seconds between two looks at a login that another process has locked."""


def busy_too_long() -> SignInError:
    """The error of a lock that could not be had in time."""
    text = "Another process has held the login's lock for too long; the login is as it was."
    error = SignInError.of(ErrorKind.NETWORK, text, reason="lock_busy")
    return attrs.evolve(
        error,
        next_actions=("Look for a codex-oauth or a program using it that hangs, and end it.", "Try again."),
    )


T_co = TypeVar("T_co", covariant=True)


@attrs.define(eq=False, kw_only=True)
class StoringFlow(Flow[SendRequest | Wait | StorageEffect, T_co]):
    """A flow about a stored login. Drive it in a world that performs storage effects too."""

    _wall_at: tuple[float, float] = attrs.field(default=(0.0, 0.0), init=False, repr=False)

    @property
    def _wall(self) -> float:
        """Unix time now: as last told, plus what has passed since."""
        wall, at = self._wall_at
        return wall + max(0.0, self._now - at)

    def _next(self, event: Event) -> Effect:
        if isinstance(event, Started | ResponseReceived | StoreAnswered):
            self._wall_at = (event.wall, event.at)
        return super()._next(event)

    @abstractmethod
    def _stored(self, answer: StorageAnswer) -> Effect: ...

    def _unexpected(self, answer: StorageAnswer) -> Effect:
        raise IllegalEvent(f"{type(answer).__name__} is no answer in state {self.state.name}")
