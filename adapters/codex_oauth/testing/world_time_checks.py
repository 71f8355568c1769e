"""Checks of a world: clocks, waits and cancels.

Rules of this file: a cancel comes from another thread; the other places where one may come are in
`world_cancel_checks`, what is cancelled otherwise in `world_task_checks`.
"""

from __future__ import annotations

import socket
import time
from typing import Final

from codex_oauth.testing.checking import fail, same, true
from codex_oauth.testing.loopback import OK_ANSWER, LoopbackRequest, LoopbackServer, has_left, in_turn, silent
from codex_oauth.testing.performing import CheckedClock, MakeAsyncWorld, failure, post, response, soon, wait
from codex_oauth.testing.world_failure_checks import LIMIT, SOON, nobody_listens
from codex_oauth.worlds.world import AsyncWorld
from codex_oauth_core.effects import Wait
from codex_oauth_core.events import Cancelled, Event, ResponseReceived, TimeReached
from codex_oauth_core.secret import Secret

__all__ = ["TIME_CHECKS", "SlowAnswer"]


_LONG: Final = SOON + 1.0
"""Seconds of a wait that is to be cut."""

_MOST_EARLY: Final = 20
"""How often a short wait may be answered early before that counts as spinning."""


class SlowAnswer:
    """An act: answers after a moment; it counts the clients that did not stay for it, and the answers."""

    def __init__(self, seconds: float = 0.3) -> None:
        self._seconds = seconds
        self.cut = 0
        self.answered = 0

    def __call__(self, sock: socket.socket, request: LoopbackRequest) -> None:
        """Answer late."""
        if has_left(sock, self._seconds):
            self.cut += 1
        self.answered += 1
        sock.sendall(OK_ANSWER)


async def the_clocks_are_the_ones_given(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    async with make(now=clock) as world:
        clock.step(1000.0)
        with clock.standing():
            same(world.now(), clock(), "the instant and the Unix time of the world")


async def an_answer_says_when_it_was_sent_and_when_it_came(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()

    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        clock.step(7.0)
        sock.sendall(OK_ANSWER)

    with LoopbackServer(act) as server:
        async with make(now=clock) as world:
            clock.step(50.0)
            before, _ = clock()
            found = response(await world.perform(post(server.url, 30.0)))
            after, wall = clock()
    true(before <= found.sent_at <= after - 7.0, "`sent_at` must be an instant before the request came")
    true(before + 7.0 <= found.at <= after, "`at` must be an instant after the answer was sent")
    true(wall - (after - found.at) - 1.0 < found.wall <= wall, "`wall` must be the Unix time at `at`")
    same(type(found.body), Secret, "the type of a body")


async def a_failure_says_when_it_happened(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with nobody_listens() as url:
        async with make(now=clock) as world:
            clock.step(50.0)
            before = clock.instant()
            found = failure(await world.perform(post(url)))
    true(before <= found.at <= clock.instant(), "`at` of a failure must be when it happened")


async def a_wait_ends_at_its_time_and_not_before(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    async with make(now=clock) as world:
        clock.step(50.0)
        effect = wait(clock, 0.2)
        at = await _waited(world, effect, clock)
    true(effect.until <= at < effect.until + SOON, f"a wait ended {at - effect.until:.1f} s after its time")


async def a_wait_that_is_over_ends_at_once(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    async with make(now=clock) as world:
        before = clock.instant()
        for seconds in (0.0, -1.0, -1e6):
            await _waited(world, wait(clock, seconds), clock)
    true(clock.instant() - before < SOON, "waits whose time has come must end at once")


async def a_cancel_ends_a_wait(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    async with make(now=clock) as world:
        with soon(world.cancel):
            begun = time.monotonic()
            _cancelled(await world.perform(wait(clock, _LONG)), clock)
        true(time.monotonic() - begun < SOON, "a cancel must end a wait at once")


async def a_cancel_beforehand_is_remembered(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with LoopbackServer(in_turn(OK_ANSWER)) as server:
        async with make(now=clock) as world:
            world.cancel()
            begun = time.monotonic()
            _cancelled(await world.perform(wait(clock, _LONG)), clock)
            _cancelled(await world.perform(post(server.url)), clock)
            _cancelled(await world.perform(wait(clock, _LONG)), clock)
            true(time.monotonic() - begun < SOON, "what was cancelled beforehand must end at once")
    same(len(server.received), 0, "the number of requests that came after a cancel")


async def a_cancelled_request_ends_by_its_limit(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with LoopbackServer(silent) as server:
        async with make(now=clock) as world:
            with soon(world.cancel):
                begun = time.monotonic()
                event = await world.perform(post(server.url, 2 * LIMIT))
                true(time.monotonic() - begun < 2 * LIMIT + SOON, "a cancelled request must end by its limit")
            if not isinstance(event, Cancelled):
                failure(event)
            _cancelled(await world.perform(wait(clock, _LONG)), clock)


async def a_cancel_never_cuts_a_once_request(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    slow = SlowAnswer()
    with LoopbackServer(slow) as server:
        async with make(now=clock) as world:
            with soon(world.cancel):
                event = await world.perform(post(server.url, once=True))
            true(
                isinstance(event, ResponseReceived), f"a `once` request was cancelled: {type(event).__name__}"
            )
            response(await world.perform(post(server.url, once=True)))
            _cancelled(await world.perform(wait(clock, _LONG)), clock)
    same(slow.cut, 0, "the number of `once` requests that were left before they were answered")


async def a_cancel_after_the_end_does_no_harm(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    async with make(now=clock) as world:
        await _waited(world, wait(clock, 0.0), clock)
    world.cancel()
    async with make(now=clock) as another:
        await _waited(another, wait(clock, 0.0), clock)


async def _waited(world: AsyncWorld, effect: Wait, clock: CheckedClock) -> float:
    """The instant at which a wait is answered, which comes again when it is answered early."""
    for _ in range(_MOST_EARLY):
        event = await world.perform(effect)
        if not isinstance(event, TimeReached):
            fail(f"the event of a wait is {event!r}")
        true(event.at <= clock.instant(), "`at` of a wait that is over must not be in the future")
        if event.at >= effect.until:
            return event.at
    return fail(f"a wait was answered {_MOST_EARLY} times before its time: the world does not wait")


def _cancelled(event: Event, clock: CheckedClock) -> None:
    if not isinstance(event, Cancelled):
        fail(f"the event after a cancel is {type(event).__name__}")
    true(0 <= clock.instant() - event.at < SOON, "`at` of `Cancelled` must be when it happened")


TIME_CHECKS: Final = (
    the_clocks_are_the_ones_given,
    an_answer_says_when_it_was_sent_and_when_it_came,
    a_failure_says_when_it_happened,
    a_wait_ends_at_its_time_and_not_before,
    a_wait_that_is_over_ends_at_once,
    a_cancel_ends_a_wait,
    a_cancel_beforehand_is_remembered,
    a_cancelled_request_ends_by_its_limit,
    a_cancel_never_cuts_a_once_request,
    a_cancel_after_the_end_does_no_harm,
)
