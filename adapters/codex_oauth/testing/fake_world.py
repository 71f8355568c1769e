"""A world in virtual time: nothing is sent, nobody waits, and every run is the same.

Rules of this file: the clock starts at an odd large number, so that a mix-up of absolute and relative
times shows; the network takes time; the server is a function, so that it can check what it receives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Self, assert_never

import attrs

from codex_oauth_core.effects import Effect, Request, SendRequest, Wait
from codex_oauth_core.events import (
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    TimeReached,
)

__all__ = ["FakeWorld", "Lost", "Reply", "Server", "scripted"]

START: Final = 1_000_003.25
WALL: Final = 1_800_000_007.5


@attrs.frozen
class Reply:
    """An answer of the fake network; `delay` is how many seconds it takes beyond the round trip."""

    status: int
    body: bytes = attrs.field(default=b"", repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    delay: float = 0.0


@attrs.frozen
class Lost:
    """A request that the fake network loses."""

    cause: Cause = Cause.RESET
    phase: Phase = Phase.MAYBE_SENT
    delay: float = 0.0


Server = Callable[[Request, float, float], Reply | Lost]
"""A fake server: takes the request, the instant and the Unix time at which it arrives."""


def scripted(replies: Iterable[Reply | Lost]) -> Server:
    """A server that gives these answers in this order, whatever is asked, and then none."""
    script = iter(replies)

    def respond(request: Request, at: float, wall: float) -> Reply | Lost:
        answer = next(script, None)
        if answer is None:
            raise AssertionError("the script has no answer for one more request")
        return answer

    return respond


@attrs.define(eq=False)
class FakeWorld:
    """Performs effects at once, and moves its clock to when they would have been done.

    `server` answers requests. `connecting` is how many seconds it takes to connect to it, and then
    `round_trip` until it has answered. `cancel_at` cancels at that instant, as a call of `cancel()` would.
    `performed` keeps each effect with its instant.
    """

    server: Server = attrs.field(repr=False)
    round_trip: float = 0.25
    cancel_at: float | None = None
    at: float = START
    wall: float = WALL
    connecting: float = 0.0
    performed: list[tuple[float, Effect]] = attrs.field(factory=list[tuple[float, Effect]], init=False)

    @property
    def waits(self) -> list[Wait]:
        """The waits that were performed, in order."""
        return [effect for _, effect in self.performed if isinstance(effect, Wait)]

    @property
    def requests(self) -> list[SendRequest]:
        """The requests that were performed, in order."""
        return [effect for _, effect in self.performed if isinstance(effect, SendRequest)]

    def now(self) -> tuple[float, float]:
        """The virtual instant and Unix time."""
        return self.at, self.wall

    def cancel(self) -> None:
        """Cancel now, as far as the next effect allows it."""
        self.cancel_at = self.at

    def perform(self, effect: SendRequest | Wait) -> Event:
        """Answer an effect, at the instant at which it would have been done."""
        self.performed.append((self.at, effect))
        match effect:
            case Wait():
                return self._wait(effect)
            case SendRequest():
                return self._send(effect)
            case _:
                assert_never(effect)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    def _wait(self, wait: Wait) -> Event:
        if self._cancelled_by(wait.until):
            return Cancelled(self.at)
        self._advance(wait.until)
        return TimeReached(self.at)

    def _send(self, effect: SendRequest) -> Event:
        sent_at = self.at
        if not effect.once and self._cancelled_by(sent_at):
            return Cancelled(self.at)
        if (refused := self._connect(effect)) is not None:
            return refused
        reply = self.server(effect.request, self.at, self.wall)
        done = self.at + self.round_trip + reply.delay
        ends_at = effect.timeout + (sent_at if effect.write_by is None else self.at)
        late = done > ends_at
        done = min(done, ends_at)
        if not effect.once and self._cancelled_by(done):
            return Cancelled(self.at)
        self._advance(done)
        if late:
            return RequestFailed(self.at, Phase.MAYBE_SENT, Cause.TIMEOUT)
        if isinstance(reply, Lost):
            return RequestFailed(self.at, reply.phase, reply.cause)
        return ResponseReceived(sent_at, self.at, self.wall, reply.status, reply.headers, reply.body)

    def _connect(self, effect: SendRequest) -> Event | None:
        """Go to the first byte; or to the end of a request that was not sent."""
        first_byte = self.at + self.connecting
        by = self.at + effect.timeout if effect.write_by is None else effect.write_by
        late = first_byte > by or first_byte == effect.write_by
        done = min(first_byte, by) if late else first_byte
        if not effect.once and self._cancelled_by(done):
            return Cancelled(self.at)
        self._advance(done)
        return RequestFailed(self.at, Phase.NOT_SENT, Cause.TIMEOUT) if late else None

    def _cancelled_by(self, instant: float) -> bool:
        if self.cancel_at is None or self.cancel_at > instant:
            return False
        self._advance(self.cancel_at)
        return True

    def _advance(self, instant: float) -> None:
        step = max(0.0, instant - self.at)
        self.at += step
        self.wall += step
