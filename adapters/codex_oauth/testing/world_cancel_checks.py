"""Checks of a world: a cancel ends a request soon, wherever it is; cuts no `once` request; and never blocks.

Rules of this file: a table of the places where a request may be; nothing is measured more finely than the
half second that a cancel may take, see `prompt`.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import Final

from codex_oauth.testing import loopback
from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.loopback import (
    OK_ANSWER,
    LoopbackRequest,
    LoopbackServer,
    in_turn,
    silent,
    trickling,
    until_left,
)
from codex_oauth.testing.performing import (
    BODY,
    HEADERS,
    CheckedClock,
    MakeAsyncWorld,
    post,
    response,
    soon,
    wait,
)
from codex_oauth.testing.places import full_backlog, slow_lookup
from codex_oauth.testing.prompt import Stopwatch, promptly
from codex_oauth.worlds.world import AsyncWorld
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.events import Cancelled, Cause, Event, RequestFailed
from codex_oauth_core.secret import Secret

__all__ = ["CANCEL_CHECKS", "CANCEL_OVER_TLS", "IN_A_HANDSHAKE", "PLACES", "asked_at", "asks_elsewhere"]

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n"
_AFTER: Final = 0.05
"""Seconds after which a cancel comes."""

_LIMIT: Final = 3.5
"""The time limit of what is cancelled."""

_LONG: Final = 3.0
_AT_ONCE: Final = 0.4
"""Seconds within which `cancel()` returns: it leaves the rest to others."""

_LARGE: Final = BODY * 3600
"""More than the buffers of a connection hold."""


def _after(sent: bytes) -> Callable[[socket.socket, LoopbackRequest], None]:
    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        sock.sendall(sent)
        until_left(sock)

    return act


@contextlib.contextmanager
def _never_reading() -> Generator[str]:
    """A server that lets its clients fill their buffers."""
    over = threading.Event()
    with LoopbackServer(lambda sock, request: _passed_over(over), raw=True) as server:
        try:
            yield server.url
        finally:
            over.set()


def _passed_over(over: threading.Event) -> None:
    over.wait(loopback.PATIENCE)


@contextlib.contextmanager
def _at(
    act: Callable[[socket.socket, LoopbackRequest], None], *, raw: bool = False, tls: bool = False
) -> Generator[str]:
    with LoopbackServer(act, raw=raw) as server:
        yield server.url.replace("http:", "https:") if tls else server.url


IN_THE_LOOKUP: Final = "in the lookup of a name"
IN_A_HANDSHAKE: Final = "in a TLS handshake"

PLACES: Final[Mapping[str, Callable[[], contextlib.AbstractContextManager[str]]]] = {
    IN_THE_LOOKUP: slow_lookup,
    "connecting": full_backlog,
    IN_A_HANDSHAKE: lambda: _at(silent_from_the_start, raw=True, tls=True),
    "before the answer": lambda: _at(silent),
    "in a head that does not end": lambda: _at(_after(_HEAD)),
    "in a head that trickles": lambda: _at(trickling(_HEAD + b"X: ", [b"x"] * 60)),
    "in a silent body": lambda: _at(_after(_HEAD + b"\r\nhalf")),
    "in a trickling body": lambda: _at(trickling(_HEAD + b"\r\n", [b"x"] * 60)),
    "in a chunk that does not come": lambda: _at(
        _after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    ),
    "after an interim answer": lambda: _at(_after(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "in an upload": _never_reading,
}
"""Where a request is when something comes. Each gives the URL."""


def silent_from_the_start(sock: socket.socket, request: LoopbackRequest) -> None:
    """Read whatever comes, and say nothing."""
    until_left(sock)


def asked_at(place: str, url: str, timeout: float, *, once: bool = False) -> SendRequest:
    """The request for a place."""
    body = _LARGE if place == "in an upload" else BODY
    return SendRequest(Request("POST", url, HEADERS, Secret(body)), timeout, once)


def asks_elsewhere(place: str, event: Event) -> bool:
    """Whether a world asks another resolver for names than this process's, which knows nothing of a place."""
    return place == IN_THE_LOOKUP and isinstance(event, RequestFailed) and event.cause is Cause.DNS


async def a_cancel_ends_a_request_soon_wherever_it_is(make: MakeAsyncWorld) -> None:
    for place in PLACES:
        if place != IN_A_HANDSHAKE:
            await _is_cancelled_soon(make, place)


async def a_cancel_ends_a_handshake_soon(make: MakeAsyncWorld) -> None:
    await _is_cancelled_soon(make, IN_A_HANDSHAKE)


async def _is_cancelled_soon(make: MakeAsyncWorld, place: str) -> None:
    async def measured() -> float:
        clock = CheckedClock()
        watch = Stopwatch()
        with PLACES[place]() as url:
            async with make(now=clock) as world:

                def cancel() -> None:
                    watch.start()
                    world.cancel()

                with soon(cancel, _AFTER):
                    event = await world.perform(asked_at(place, url, _LIMIT))
                    watch.stop()
                if asks_elsewhere(place, event):
                    return 0.0
                _is_cancelled(event, clock)
                _is_cancelled(await world.perform(wait(clock, _LONG)), clock)
        return watch.took or 0.0

    with case(place):
        await promptly("a cancel", measured)


async def a_cancel_before_the_run_is_remembered(make: MakeAsyncWorld) -> None:
    async def measured() -> float:
        clock = CheckedClock()
        with LoopbackServer(in_turn(OK_ANSWER)) as server:
            world = make(now=clock)
            world.cancel()
            world.cancel()
            watch = Stopwatch()
            async with world:
                _is_cancelled(await world.perform(post(server.url)), clock)
                _is_cancelled(await world.perform(wait(clock, _LONG)), clock)
                _is_cancelled(await world.perform(post(server.url)), clock)
                watch.stop()
            same(len(server.received), 0, "the number of requests that came after a cancel")
        return watch.took or 0.0

    await promptly("what was cancelled before the run", measured)


async def every_effect_after_a_cancel_is_cancelled(make: MakeAsyncWorld) -> None:
    """However often, and whatever was under way when it came."""
    clock = CheckedClock()
    with LoopbackServer(in_turn(OK_ANSWER)) as server:
        for during in ("a wait", "a request", "a `once` request", "nothing"):
            with case(f"a cancel during {during}"):
                async with make(now=clock) as world:
                    await _cancelled_during(during, world, clock)
                    came = len(server.received)
                    for _ in range(3):
                        _is_cancelled(await world.perform(wait(clock, _LONG)), clock)
                        _is_cancelled(await world.perform(wait(clock, -1.0)), clock)
                        _is_cancelled(await world.perform(post(server.url)), clock)
                    same(len(server.received), came, "the number of requests that came")


async def _cancelled_during(during: str, world: AsyncWorld, clock: CheckedClock) -> None:
    effects: dict[str, Callable[[str], SignInEffect]] = {
        "a wait": lambda _: wait(clock, _LONG),
        "a request": post,
        "a `once` request": lambda url: post(url, once=True),
    }
    cancel = world.cancel
    if during not in effects:
        cancel()
        return

    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        cancel()
        time.sleep(_AFTER)
        sock.sendall(OK_ANSWER)

    with (
        LoopbackServer(act) as server,
        soon(cancel, _AFTER) if during == "a wait" else contextlib.nullcontext(),
    ):
        await world.perform(effects[during](server.url))


async def a_cancel_does_not_block(make: MakeAsyncWorld) -> None:
    """Whoever cancels goes on at once: before the run, in it and after it, and also while a `once` request is
    under way, which is finished first.
    """
    for when in ("before the run", "during a wait", "during a `once` request", "after the run"):
        with case(when):
            await promptly("`cancel()`", functools.partial(_cancelling, make, when), _AT_ONCE)


async def _cancelling(make: MakeAsyncWorld, when: str) -> float:
    """Seconds that `cancel()` takes; what is under way waits for it, but not for ever."""
    returned = threading.Event()
    clock = CheckedClock()
    world = make(now=clock)
    took: list[float] = []

    def cancel() -> None:
        begun = time.monotonic()
        world.cancel()
        took.append(time.monotonic() - begun)
        returned.set()

    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        thread = threading.Thread(target=cancel, daemon=True)
        thread.start()
        returned.wait(1.0)
        sock.sendall(OK_ANSWER)

    if when == "before the run":
        cancel()
    with LoopbackServer(act) as server:
        async with world:
            if when == "during a wait":
                with soon(cancel, _AFTER):
                    await world.perform(wait(clock, 1.0))
            elif when == "during a `once` request":
                response(await world.perform(post(server.url, 10.0, once=True)))
    if when == "after the run":
        cancel()
    returned.wait(2.0)
    return took[0] if took else 2.0


async def a_cancel_cuts_no_once_request_wherever_it_is(make: MakeAsyncWorld) -> None:
    """It is finished, and its answer told, wherever it was when the cancel came."""
    pauses: Mapping[str, tuple[bytes, ...]] = {
        "before the answer": (OK_ANSWER,),
        "in the head": (OK_ANSWER[:9], OK_ANSWER[9:]),
        "in the body": (OK_ANSWER[:-1], OK_ANSWER[-1:]),
    }
    for place, pieces in pauses.items():
        for write_by in (None, 100.0) if place == "before the answer" else (None,):
            with case(f"a cancel {place}"):
                clock = CheckedClock()
                cancels: list[Callable[[], None]] = []
                left: list[bool] = []

                def act(
                    sock: socket.socket,
                    request: LoopbackRequest,
                    pieces: tuple[bytes, ...] = pieces,
                    cancels: list[Callable[[], None]] = cancels,
                    left: list[bool] = left,
                ) -> None:
                    for piece in pieces[:-1]:
                        sock.sendall(piece)
                    for _ in range(2):
                        cancels[-1]()
                    left.append(loopback.has_left(sock, 0.35))
                    sock.sendall(pieces[-1])

                with LoopbackServer(act) as server:
                    async with make(now=clock) as world:
                        cancels.append(world.cancel)
                        by = None if write_by is None else clock.instant() + write_by
                        event = await world.perform(post(server.url, once=True, write_by=by))
                        if isinstance(event, Cancelled):
                            fail("a `once` request was cancelled")
                        response(event)
                        _is_cancelled(await world.perform(wait(clock, _LONG)), clock)
                    same(left, [False], "whether the connection of a `once` request was left early")
                    same(len(server.received), 1, "the number of requests that came for one")


async def a_cancel_leaves_a_once_request_its_time(make: MakeAsyncWorld) -> None:
    """Also where it has not been connected yet: it is no `Cancelled`, and ends by its limit."""
    for place in ("connecting", "before the answer"):
        with case(place), PLACES[place]() as url:
            clock = CheckedClock()
            async with make(now=clock) as world:
                watch = Stopwatch()
                with soon(world.cancel, _AFTER):
                    event = await world.perform(asked_at(place, url, 0.4, once=True))
                watch.stop()
                if not isinstance(event, RequestFailed):
                    fail(f"the event of a `once` request without an answer is {type(event).__name__}")
                same(event.cause, Cause.TIMEOUT, "the cause")
                true((watch.took or 0.0) > 0.2, "a cancelled `once` request was given up before its limit")
                _is_cancelled(await world.perform(wait(clock, _LONG)), clock)


def _is_cancelled(event: Event, clock: CheckedClock) -> None:
    if not isinstance(event, Cancelled):
        fail(f"the event after a cancel is {type(event).__name__}")
    true(0 <= clock.instant() - event.at < 2.0, "`at` of `Cancelled` must be when it happened")


CANCEL_OVER_TLS: Final = (a_cancel_ends_a_handshake_soon,)
"""Those that need TLS."""

CANCEL_CHECKS: Final = (
    a_cancel_ends_a_request_soon_wherever_it_is,
    *CANCEL_OVER_TLS,
    a_cancel_before_the_run_is_remembered,
    every_effect_after_a_cancel_is_cancelled,
    a_cancel_does_not_block,
    a_cancel_cuts_no_once_request_wherever_it_is,
    a_cancel_leaves_a_once_request_its_time,
)
