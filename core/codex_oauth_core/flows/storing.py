"""What the flows about a stored login share: storage effects, the time of day, and the wait for a lock.

Rules of this file: no state is changed here. A lock that is busy is looked at again every moment, and what is
given up after is counted from the first of these looks; even who wakes late looks once more before that.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final, TypeVar

import attrs

from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, IllegalEvent, SignInError
from codex_oauth_core.events import Event, ResponseReceived, Started, StoreAnswered
from codex_oauth_core.flows.machine import Flow
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.renewal_times import WRITE_BY
from codex_oauth_core.storage import LockBusy, Reserve, StorageAnswer, StorageEffect, StoreFailed

__all__ = ["MOST_LOOKS", "QUEUE_STEP", "StoringFlow", "busy_too_long", "is_lost"]

QUEUE_STEP: Final = 0.025
"""Seconds between two looks at a login that another process has locked."""

MOST_LOOKS: Final = 8
"""How often the login is locked at the most: it may be renewed by others while the lock is away."""

_NOT_OURS_ANY_MORE: Final = ("lock_lost", "changed")


def is_lost(error: SignInError) -> bool:
    """Whether a storage failed because others have had the lock since it was ours."""
    return error.details.get("reason") in _NOT_OURS_ANY_MORE


def busy_too_long(holder: Intent | None) -> SignInError:
    """The error of a lock that could not be had in time. `holder`: who marked an intent last."""
    who = "Another process" if holder is None else f"Process {holder.pid} on {holder.host}"
    text = f"{who} has held the login's lock for too long; the login is as it was."
    pid, host = (None, None) if holder is None else (holder.pid, holder.host)
    error = SignInError.of(ErrorKind.NETWORK, text, reason="lock_busy", pid=pid, host=host)
    return attrs.evolve(
        error,
        next_actions=("End a program that uses this login and hangs.", "Try again."),
    )


T_co = TypeVar("T_co", covariant=True)


@attrs.define(eq=False, kw_only=True)
class StoringFlow(Flow[SendRequest | Wait | StorageEffect, T_co]):
    """A flow about a stored login. Drive it in a world that performs storage effects too."""

    _wall_at: tuple[float, float] = attrs.field(default=(0.0, 0.0), init=False, repr=False)
    _queued_since: float | None = attrs.field(default=None, init=False, repr=False)
    _reserving_since: float | None = attrs.field(default=None, init=False, repr=False)
    _locks_lost: int = attrs.field(default=0, init=False, repr=False)

    def _looks_again(self, failed: StoreFailed) -> bool:
        """Whether the lock was lost before anything was sent, and is to be taken once more."""
        self._locks_lost += 1
        return is_lost(failed.error) and self._locks_lost < MOST_LOOKS

    @property
    def _wall(self) -> float:
        """Unix time now: as last told, plus what has passed since."""
        wall, at = self._wall_at
        return wall + max(0.0, self._now - at)

    def _next(self, event: Event) -> Effect:
        if isinstance(event, Started | ResponseReceived | StoreAnswered):
            self._wall_at = (event.wall, event.at)
        return super()._next(event)

    def _waited_for(self, seconds: float) -> bool:
        """Whether the lock has been busy for so long, since it first was."""
        return self._queued_since is not None and self._now >= self._queued_since + seconds

    def _queue(self, busy: LockBusy, limit: float) -> Wait:
        """The wait until the next look at a busy lock, which is given up `limit` seconds after the first."""
        if self._queued_since is None:
            self._queued_since = self._now
        give_up_at = self._queued_since + limit
        return Wait(self._now + QUEUE_STEP, Why.QUEUED, holder=busy.intent, give_up_at=give_up_at)

    def _reserve(self, record: Record) -> Reserve:
        """Ask for the reservation, and remember when that was."""
        self._reserving_since = self._now
        return Reserve(record)

    def _write_by(self) -> float | None:
        """The instant by which a request must go out that others were warned of, None of any other."""
        return None if self._reserving_since is None else self._reserving_since + WRITE_BY

    @abstractmethod
    def _stored(self, answer: StorageAnswer) -> Effect: ...

    def _unexpected(self, answer: StorageAnswer) -> Effect:
        raise IllegalEvent(f"{type(answer).__name__} is no answer in state {self.state.name}")
