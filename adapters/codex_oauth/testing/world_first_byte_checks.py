"""Checks of a world: by when a request must begin, from when its time counts, and what is read at its end.

Rules of this file: a clock is moved at the very moment that matters, so nothing depends on how fast a
machine is; where a process must stand still it does.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from codex_oauth.testing.checking import same, true
from codex_oauth.testing.loopback import (
    OK_ANSWER,
    PATIENCE,
    LoopbackRequest,
    LoopbackServer,
    answer,
    in_turn,
    sent_at_a_standstill,
    silent,
)
from codex_oauth.testing.performing import BODY, CheckedClock, MakeAsyncWorld, failed, post, response
from codex_oauth.testing.world_failure_checks import LIMIT, SOON
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.events import Cause, Event, Phase

__all__ = ["FIRST_BYTE_CHECKS", "FIRST_BYTE_OVER_TLS", "stopped_while_it_connects"]

_NIGHT: Final = 30_000.0
_PAUSE: Final = 1.0
"""Seconds that a request may take, and that then pass at a standstill."""


class _Door:
    """A port that lets a client in, and does `on_knock` when somebody asks the time after it connected: then,
    and not before, the client is read and answered. `came` is what was read.
    """

    def __init__(self, on_knock: Callable[[], None]) -> None:
        self._on_knock = on_knock
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._answering = threading.Thread(target=self._answer, daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.came = b""

    def look(self) -> None:
        """Whether somebody has come."""
        if self._answering.ident is None and select.select([self._listener], [], [], 0)[0]:
            self._on_knock()
            self._answering.start()

    def _answer(self) -> None:
        sock, _ = self._listener.accept()
        sock.settimeout(PATIENCE)
        with sock, contextlib.suppress(OSError):
            while not self.came.endswith(BODY) and (data := sock.recv(65536)):
                self.came += data
            sock.sendall(OK_ANSWER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._answering.ident is None and select.select([self._listener], [], [], 0)[0]:
            self._answering.start()  # nobody asked the time
        if self._answering.ident is not None:
            self._answering.join()
        self._listener.close()


async def stopped_while_it_connects(
    make: MakeAsyncWorld, seconds: float, request: Callable[[str, float], SendRequest]
) -> tuple[Event, bytes]:
    """What becomes of a request when so much time passes between its connection and its first byte, and what
    of it went out. `request` is told the URL and the instant of the beginning.
    """
    clock = CheckedClock()
    with clock.standing(), _Door(lambda: clock.step(seconds)) as door:

        def now() -> tuple[float, float]:
            door.look()
            return clock()

        async with make(now=now) as world:
            event = await world.perform(request(door.url, clock.instant()))
    return event, door.came


async def nothing_goes_out_from_write_by_on(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with LoopbackServer(in_turn(OK_ANSWER)) as server, clock.standing():
        for early in (0.0, 5.0):
            for once in (False, True):
                write_by = clock.instant() - early
                async with make(now=clock) as world:
                    event = await world.perform(post(server.url, once=once, write_by=write_by))
                failed(event, Phase.NOT_SENT, Cause.TIMEOUT)
        same(len(server.received), 0, "the number of requests that went out too late")
        async with make(now=clock) as world:
            response(await world.perform(post(server.url, once=True, write_by=clock.instant() + 1.0)))


async def a_request_that_is_late_after_connecting_is_not_sent(make: MakeAsyncWorld) -> None:
    for late in (0.0, 1.0, _NIGHT):
        event, came = await stopped_while_it_connects(
            make, 15.0 + late, lambda url, at: post(url, once=True, write_by=at + 15.0)
        )
        same(len(came), 0, f"the bytes that went out {late:.0f} s after `write_by`")
        failed(event, Phase.NOT_SENT, Cause.TIMEOUT)


async def the_time_counts_from_the_first_byte(make: MakeAsyncWorld) -> None:
    event, _ = await stopped_while_it_connects(
        make, 14.0, lambda url, at: post(url, once=True, write_by=at + 15.0)
    )
    response(event)
    clock = CheckedClock()
    begun = time.monotonic()
    with LoopbackServer(silent) as server:
        async with make(now=clock) as world:
            event = await world.perform(post(server.url, LIMIT, once=True, write_by=clock.instant() + 15.0))
            took = time.monotonic() - begun
    failed(event, Phase.MAYBE_SENT, Cause.TIMEOUT)
    true(LIMIT / 2 < took < LIMIT + SOON, f"a time limit of {LIMIT} s took {took:.1f} s")


async def write_by_is_no_limit_for_the_answer(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()

    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        clock.step(40.0)
        sock.sendall(OK_ANSWER)

    with LoopbackServer(act) as server:
        async with make(now=clock) as world:
            event = await world.perform(post(server.url, 60.0, once=True, write_by=clock.instant() + 15.0))
    response(event)


async def a_handshake_is_limited_by_write_by_alone(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with LoopbackServer(silent) as server:
        url = server.url.replace("http:", "https:")
        async with make(now=clock) as world:
            begun = time.monotonic()
            write_by = clock.instant() + 3 * LIMIT
            event = await world.perform(post(url, LIMIT / 3, once=True, write_by=write_by))
            took = time.monotonic() - begun
    failed(event, Phase.NOT_SENT, Cause.TIMEOUT)
    true(took > 2 * LIMIT, f"connecting was given up after {took:.1f} s of {3 * LIMIT:.1f} s")
    true(took < 3 * LIMIT + SOON, f"connecting took {took:.1f} s of {3 * LIMIT:.1f} s")


async def what_arrived_while_the_machine_slept_is_read(make: MakeAsyncWorld) -> None:
    whole = answer(200, BODY * 64)
    for write_by in (None, 15.0):
        clock = CheckedClock()

        def act(sock: socket.socket, request: LoopbackRequest, clock: CheckedClock = clock) -> None:
            sock.sendall(whole[:600])
            time.sleep(LIMIT)  # it is read, and the rest is waited for
            with clock.stopped(_NIGHT):
                sock.sendall(whole[600:])

        with LoopbackServer(act) as server:
            async with make(now=clock) as world:
                by = None if write_by is None else clock.instant() + write_by
                event = await world.perform(post(server.url, 60.0, once=True, write_by=by))
        same(response(event).body.reveal() == BODY * 64, True, "whether the body came whole")


async def what_arrived_while_the_process_stood_still_is_read(make: MakeAsyncWorld) -> None:
    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        sent_at_a_standstill(sock, answer(200, BODY), 1.2 * _PAUSE)

    for write_by in (None, 15.0):
        clock = CheckedClock()
        with LoopbackServer(act) as server:
            async with make(now=clock) as world:
                by = None if write_by is None else clock.instant() + write_by
                event = await world.perform(post(server.url, _PAUSE, once=True, write_by=by))
        same(response(event).body.reveal() == BODY, True, "whether the body came whole")


FIRST_BYTE_OVER_TLS: Final = (a_handshake_is_limited_by_write_by_alone,)
"""Those that need TLS."""

FIRST_BYTE_CHECKS: Final = (
    nothing_goes_out_from_write_by_on,
    a_request_that_is_late_after_connecting_is_not_sent,
    the_time_counts_from_the_first_byte,
    write_by_is_no_limit_for_the_answer,
    a_handshake_is_limited_by_write_by_alone,
    what_arrived_while_the_machine_slept_is_read,
    what_arrived_while_the_process_stood_still_is_read,
)
