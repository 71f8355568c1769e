"""Checks of a world: what each event says about the time, and how a wait waits.

Rules of this file: a clock is stepped at the moment that matters, so nothing depends on how fast a machine
is; a wait that is to notice a resume takes as long as a slice may.
"""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.loopback import (
    OK_ANSWER,
    Act,
    LoopbackRequest,
    LoopbackServer,
    answer,
    in_turn,
    reset,
    until_left,
)
from codex_oauth.testing.performing import (
    BODY,
    CheckedClock,
    MakeAsyncWorld,
    failure,
    post,
    response,
    soon,
    wait,
)
from codex_oauth.testing.prompt import TRIES, Stopwatch, promptly
from codex_oauth.testing.world_first_byte_checks import stopped_while_it_connects
from codex_oauth.worlds.world import AsyncWorld
from codex_oauth_core.effects import Wait, Why
from codex_oauth_core.events import Cancelled, RequestFailed, ResponseReceived, TimeReached
from codex_oauth_core.reading.json_body import MAX_BODY
from codex_oauth_core.secret import Secret

__all__ = ["EVENT_CHECKS"]

_MOST_EARLY: Final = 20
_SLICE: Final = 5.0
"""Seconds that a wait may sleep at most."""

_NIGHT: Final = 30_000.0
_STEP: Final = 7.0


async def sent_at_is_before_it_connects(make: MakeAsyncWorld) -> None:
    """Not when it was connected, nor when the request went out."""
    begun: list[float] = []

    def request(url: str, at: float) -> Any:
        begun.append(at)
        return post(url, 20.0, once=True, write_by=at + 100.0)

    event, _ = await stopped_while_it_connects(make, _STEP, request)
    found = response(event)
    same(found.sent_at, begun[0], "`sent_at`, by a clock that stood until it was connected")
    same(found.at, begun[0] + _STEP, "`at`, by the same clock")


async def an_answer_came_with_its_last_byte(make: MakeAsyncWorld) -> None:
    whole = answer(200, BODY * 4)
    rows = {"the head": 20, "the body": len(whole) - 10}
    for name, pieces in rows.items():
        for once in (False, True):
            clock = CheckedClock()

            def act(
                sock: socket.socket, request: LoopbackRequest, at: int = pieces, clock: CheckedClock = clock
            ) -> None:
                sock.sendall(whole[:at])
                time.sleep(0.05)  # it is read
                clock.step(_STEP)
                sock.sendall(whole[at:])

            with case(f"a pause in {name}{', once' if once else ''}"), LoopbackServer(act) as server:
                async with make(now=clock) as world:
                    before, wall_before = clock()
                    found = response(await world.perform(post(server.url, 60.0, once=once)))
                    after, wall_after = clock()
                true(before <= found.sent_at <= after - _STEP, "`sent_at` must be before it was sent")
                true(before + _STEP <= found.at <= after, "`at` must be when the last byte came")
                same(
                    round(found.wall - found.at, 6),
                    round(wall_before - before, 6),
                    "how far `wall` is from `at`, on these clocks",
                )
                true(found.wall <= wall_after, "`wall` must not be in the future")
                _has_types(found)


def _has_types(found: ResponseReceived) -> None:
    same(type(found.status), int, "the type of a status")
    headers: Any = found.headers
    same(isinstance(headers, Mapping), True, "whether the headers are a mapping")
    same((type(found.body), type(found.body.reveal())), (Secret, bytes), "the types of a body")
    for name in ("sent_at", "at", "wall"):
        same(isinstance(getattr(found, name), float), True, f"whether `{name}` is a float")


async def a_failure_is_told_when_it_happened(make: MakeAsyncWorld) -> None:
    def after_a_step(clock: CheckedClock, sent: bytes, *, resets: bool) -> Act:
        def act(sock: socket.socket, request: LoopbackRequest) -> None:
            clock.step(_STEP)
            if sent:
                sock.sendall(sent)
            if resets:
                reset(sock)
            sock.shutdown(socket.SHUT_WR)
            until_left(sock)

        return act

    rows = {
        "a reset": (b"", True),
        "an end": (b"", False),
        "half an answer": (answer(200, BODY)[:60], False),
        "too large an answer": (answer(200, b"x" * (MAX_BODY + 1)), False),
        "no HTTP": (b"220 mail.example ESMTP\r\n\r\n", False),
    }
    for name, (sent, resets) in rows.items():
        for once in (False, True):
            clock = CheckedClock()
            with (
                case(f"{name}{', once' if once else ''}"),
                LoopbackServer(after_a_step(clock, sent, resets=resets)) as server,
            ):
                async with make(now=clock) as world:
                    before = clock.instant()
                    found = failure(await world.perform(post(server.url, 60.0, once=once)))
                    after = clock.instant()
                true(before + _STEP <= found.at <= after, "`at` must be when it happened")


async def one_wait_follows_another(make: MakeAsyncWorld) -> None:
    """Each ends at its own time: whatever the one before was, and what came between."""

    async def measured() -> float:
        clock = CheckedClock()
        with LoopbackServer(in_turn(OK_ANSWER)) as server:
            async with make(now=clock) as world:
                watch = Stopwatch()
                for seconds in (0.05, -5.0, 0.1, 0.0, 0.05):
                    effect = wait(clock, seconds)
                    before = clock.instant()
                    at = await _waited(world, effect, clock)
                    true(at >= effect.until, "a wait ended before its time")
                    true(at >= before, "`at` of a wait must not be before it began")
                    response(await world.perform(post(server.url)))
                long = wait(clock, 1000.0)
                clock.step(1000.0)  # past it, between two effects
                await _waited(world, long, clock)
                await _waited(world, wait(clock, 0.02), clock)
                watch.stop()
        return watch.took or 0.0

    await promptly("waits of 0.22 s in all", measured, 0.22 + 0.9)


async def the_same_wait_again_is_as_good(make: MakeAsyncWorld) -> None:
    """A flow gives the same `Wait` again when it was answered early; one that is over ends at once, again."""

    async def measured() -> float:
        clock = CheckedClock()
        async with make(now=clock) as world:
            effect = wait(clock, 0.05)
            await _waited(world, effect, clock)
            watch = Stopwatch()
            for _ in range(2):
                await _waited(world, effect, clock)
            watch.stop()
        return watch.took or 0.0

    await promptly("a wait that was over", measured)


async def a_far_wait_is_no_exception(make: MakeAsyncWorld) -> None:
    async def measured(seconds: float) -> float:
        clock = CheckedClock()
        watch = Stopwatch()
        async with make(now=clock) as world:

            def cancel() -> None:
                watch.start()
                world.cancel()

            with soon(cancel, 0.05):
                event = await world.perform(wait(clock, seconds))
                watch.stop()
        if not isinstance(event, Cancelled):
            fail(f"the event after a cancel is {type(event).__name__}")
        return watch.took or 0.0

    for seconds in (86_400.0, 1e7, 5e9, 1e12, 1e18, float("inf")):
        with case(f"a wait of {seconds:.0f} s"):
            await promptly("a cancel", functools.partial(measured, seconds))


async def a_wait_notices_that_the_machine_slept(make: MakeAsyncWorld) -> None:
    """It sleeps in slices, and asks the clock after each: a resume from suspend is noticed within one."""

    async def measured() -> float:
        clock = CheckedClock()
        watch = Stopwatch()
        async with make(now=clock) as world:
            effect = Wait(clock.instant() + _NIGHT, Why.PENDING)

            def resume() -> None:
                watch.start()
                clock.step(2 * _NIGHT)

            with soon(resume, 0.1), soon(world.cancel, 2 * _SLICE):
                event = await world.perform(effect)
                watch.stop()
        if not isinstance(event, TimeReached):
            fail("a wait whose time came while the machine slept did not end: it does not sleep in slices")
        true(event.at >= effect.until, "`at` is before the time of the wait")
        return watch.took or 0.0

    await promptly("to notice that a wait was over", measured, _SLICE + 1.0)


async def _waited(world: AsyncWorld, effect: Wait, clock: CheckedClock) -> float:
    for _ in range(_MOST_EARLY):
        event = await world.perform(effect)
        if not isinstance(event, TimeReached):
            fail(f"the event of a wait is {event!r}")
        true(event.at <= clock.instant(), "`at` of a wait that is over must not be in the future")
        if event.at >= effect.until:
            return event.at
    return fail(f"a wait was answered {_MOST_EARLY} times before its time: the world does not wait")


async def every_time_limit_of_an_effect_is_its_own(make: MakeAsyncWorld) -> None:
    """A long limit after a short one, and a short one after a long one."""
    clock = CheckedClock()

    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        time.sleep(0.5)
        sock.sendall(OK_ANSWER)

    with LoopbackServer(act) as server:
        async with make(now=clock) as world:
            for limit in (5.0, 0.1, 5.0):
                wanted = ResponseReceived if limit > 1 else RequestFailed
                with case(f"a limit of {limit} s after another"):
                    found: list[str] = []
                    while wanted.__name__ not in found and len(found) < TRIES:
                        # again, because a world that is stopped for long finds the answer: see `prompt`
                        found.append(type(await world.perform(post(server.url, limit))).__name__)
                    same(found[-1], wanted.__name__, "the event")


EVENT_CHECKS: Final = (
    sent_at_is_before_it_connects,
    an_answer_came_with_its_last_byte,
    a_failure_is_told_when_it_happened,
    one_wait_follows_another,
    the_same_wait_again_is_as_good,
    a_far_wait_is_no_exception,
    every_time_limit_of_an_effect_is_its_own,
    a_wait_notices_that_the_machine_slept,
)
