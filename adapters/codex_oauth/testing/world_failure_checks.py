"""Checks of a world: what becomes of a request that gets no whole answer, and how long it may take.

Checks of a world: its `with` block closes everything that it opened, however the block ends.

Rules of this file: what leaks, leaks every time: files that others open meanwhile do not count.
"""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import time
import warnings
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Final

from codex_oauth.testing.checking import collecting_what_is_new, fail, same, true
from codex_oauth.testing.loopback import (
    OK_ANSWER,
    Act,
    LoopbackRequest,
    LoopbackServer,
    chunked,
    closing,
    in_turn,
    resetting,
    silent,
    trickling,
    until_left,
)
from codex_oauth.testing.performing import (
    BODY,
    HEADERS,
    CheckedClock,
    MakeAsyncWorld,
    event_of,
    failed,
    failure,
    post,
    response,
    soon,
    wait,
)
from codex_oauth.testing.untrusted import untrusted_context
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.events import Cause, Event, Phase, RequestFailed
from codex_oauth_core.secret import Secret

__all__ = ["CLOSING_CHECKS", "FAILURE_CHECKS", "LIMIT", "OVER_TLS", "SOON", "all_left", "nobody_listens"]


LIMIT: Final = 0.3
"""The time limit of a request that is to reach it."""

SOON: Final = 2.0
"""Seconds within which what is over is answered, on a busy machine."""

_METHODS: Final = ("GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "PATCH", "TRACE")
"""Libraries repeat some by themselves: those that RFC 9110 §9.2.2 calls idempotent."""

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n"


@contextlib.contextmanager
def nobody_listens() -> Generator[str]:
    """The URL of a port where connections are refused until the block ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def a_refused_connection_was_not_sent(make: MakeAsyncWorld) -> None:
    with nobody_listens() as url:
        async with make(now=CheckedClock()) as world:
            failed(await world.perform(post(url, 5.0)), Phase.NOT_SENT, Cause.CONNECT)


async def a_reset_connection_may_have_been_sent(make: MakeAsyncWorld) -> None:
    failed(await event_of(make, resetting), Phase.MAYBE_SENT, Cause.RESET)


async def a_connection_that_ends_without_an_answer_may_have_been_sent(make: MakeAsyncWorld) -> None:
    failed(await event_of(make, closing(b"")), Phase.MAYBE_SENT, Cause.RESET)


async def a_truncated_body_is_no_answer(make: MakeAsyncWorld) -> None:
    for sent in (_HEAD + b"\r\nhalf", chunked(b"half", end=False)):
        failed(await event_of(make, closing(sent)), Phase.MAYBE_SENT, Cause.TRUNCATED, Cause.RESET)


async def what_is_not_http_is_no_answer(make: MakeAsyncWorld) -> None:
    for sent in (b"220 mail.example ESMTP\r\n", b"\0\xff" * 100, b"HTTP/1.1 abc\r\n\r\n"):
        same(failure(await event_of(make, closing(sent))).phase, Phase.MAYBE_SENT, "the phase")


async def a_silent_server_is_left_at_the_time_limit(make: MakeAsyncWorld) -> None:
    await _is_left(make, silent)
    await _is_left(make, _silent_after(_HEAD))
    await _is_left(make, _silent_after(_HEAD + b"\r\nhalf"))


async def a_trickling_server_is_left_at_the_time_limit(make: MakeAsyncWorld) -> None:
    await _is_left(make, trickling(_HEAD + b"X-Long: ", [b"x"] * 60 + [b"\r\n\r\n" + b"y" * 400]))
    await _is_left(make, trickling(_HEAD + b"\r\n", [b"x"] * 60 + [b"y" * 340]))


async def an_untrusted_certificate_is_refused(make: MakeAsyncWorld) -> None:
    with LoopbackServer(in_turn(OK_ANSWER), untrusted_context()) as server:
        async with make(now=CheckedClock()) as world:
            event = await world.perform(post(server.url))
    same(len(server.received), 0, "the number of requests to a server that nobody may trust")
    failed(event, Phase.NOT_SENT, Cause.TLS_CERTIFICATE)


async def a_failed_handshake_is_no_exception(make: MakeAsyncWorld) -> None:
    without_a_certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with LoopbackServer(in_turn(OK_ANSWER), without_a_certificate) as server:
        async with make(now=CheckedClock()) as world:
            event = await world.perform(post(server.url))
    if not isinstance(event, RequestFailed):
        fail(f"the event of a handshake that fails is {type(event).__name__}")
    same(event.phase, Phase.NOT_SENT, "the phase of a handshake that fails")


async def nothing_is_sent_twice(make: MakeAsyncWorld) -> None:
    for act in (resetting, closing(b"")):
        for once in (False, True):
            with LoopbackServer(act) as server:
                async with make(now=CheckedClock()) as world:
                    failure(await world.perform(post(server.url, once=once)))
            same(len(server.received), 1, "the number of requests that came for one that failed")


async def no_method_is_repeated(make: MakeAsyncWorld) -> None:
    for method in _METHODS:
        body = BODY if method in ("POST", "PUT", "PATCH") else b""
        for act in (resetting, closing(b""), closing(_HEAD), closing(_HEAD + b"\r\nhalf")):
            for once in (False, True):
                with LoopbackServer(act) as server:
                    request = Request(method, server.url, HEADERS[:3], Secret(body))
                    async with make(now=CheckedClock()) as world:
                        await world.perform(SendRequest(request, 3.0, once))
                same(len(server.received), 1, f"the number of {method} requests that came for one")


async def a_once_request_has_a_connection_of_its_own(make: MakeAsyncWorld) -> None:
    with LoopbackServer(in_turn(OK_ANSWER)) as server:
        async with make(now=CheckedClock()) as world:
            for once in (False, True, True):
                response(await world.perform(post(server.url, once=once)))
    first, second, third = (request.connection for request in server.received)
    true(first != second, "a `once` request came on the connection of the request before")
    true(second != third, "a `once` request came on the connection of another `once` request")


async def _is_left(make: MakeAsyncWorld, act: Act) -> None:
    begun = time.monotonic()
    with LoopbackServer(act) as server:
        async with make(now=CheckedClock()) as world:
            event = await world.perform(post(server.url, LIMIT))
            took = time.monotonic() - begun
    failed(event, Phase.MAYBE_SENT, Cause.TIMEOUT)
    true(took < LIMIT + SOON, f"a time limit of {LIMIT} s took {took:.1f} s")
    true(took > LIMIT / 2, f"a time limit of {LIMIT} s took {took:.3f} s only")


def _silent_after(sent: bytes) -> Act:
    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        sock.sendall(sent)
        until_left(sock)

    return act


OVER_TLS: Final = (an_untrusted_certificate_is_refused, a_failed_handshake_is_no_exception)
"""Those that need TLS."""

FAILURE_CHECKS: Final = (
    a_refused_connection_was_not_sent,
    a_reset_connection_may_have_been_sent,
    a_connection_that_ends_without_an_answer_may_have_been_sent,
    a_truncated_body_is_no_answer,
    what_is_not_http_is_no_answer,
    a_silent_server_is_left_at_the_time_limit,
    a_trickling_server_is_left_at_the_time_limit,
    an_untrusted_certificate_is_refused,
    a_failed_handshake_is_no_exception,
    nothing_is_sent_twice,
    no_method_is_repeated,
    a_once_request_has_a_connection_of_its_own,
)


# -- what stays open -----------------------------------------------------------------------------------


_ROUNDS: Final = 3
_FILES: Final = Path("/dev/fd")
"""Where a POSIX system lists what this process has open."""


class _OfTheCaller(Exception):
    pass


async def connections_are_closed_at_the_end(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with LoopbackServer(in_turn(OK_ANSWER)) as server:
        async with make(now=clock) as world:
            for once in (False, True):
                response(await world.perform(post(server.url, once=once)))
        await all_left(server, make)
    with LoopbackServer(silent) as server:
        async with make(now=clock) as world:
            await world.perform(post(server.url, LIMIT))
        await all_left(server, make)


async def an_exception_closes_everything_and_comes_out(make: MakeAsyncWorld) -> None:
    with LoopbackServer(in_turn(OK_ANSWER)) as server:
        try:
            async with make(now=CheckedClock()) as world:
                _raise_after(await world.perform(post(server.url)))
        except _OfTheCaller:
            await all_left(server, make)
            return
    fail("an exception that leaves the `with` block of a world must come out of it")


def _raise_after(event: Event) -> None:
    response(event)
    raise _OfTheCaller


async def nothing_stays_open_at_the_end(make: MakeAsyncWorld) -> None:
    async def round_trips() -> None:
        with LoopbackServer(in_turn(OK_ANSWER)) as server, nobody_listens() as url:
            async with make(now=CheckedClock()) as world:
                await world.perform(post(server.url))
                await world.perform(post(url))
                await world.perform(wait(CheckedClock(), -1.0))
            await all_left(server, make)

    await _leaves_nothing(round_trips)


async def a_cancelled_run_leaves_nothing_open(make: MakeAsyncWorld) -> None:
    async def cancelled_run() -> None:
        clock = CheckedClock()
        with LoopbackServer(silent) as server:
            async with make(now=clock) as world:
                with soon(world.cancel, 0.05):
                    await world.perform(post(server.url, LIMIT))
                await world.perform(wait(clock, 1.0))
            await all_left(server, make)

    await _leaves_nothing(cancelled_run)


async def all_left(server: LoopbackServer, make: MakeAsyncWorld) -> None:
    """Every connection to the server is closed by its client, soon."""
    give_up_at = time.monotonic() + SOON
    while server.open_connections and time.monotonic() < give_up_at:
        await _a_moment(make)
    true(server.open_connections == 0, "a connection is still open after the end of the `with` block")


async def _a_moment(make: MakeAsyncWorld) -> None:
    """Let the event loop, if there is one, and the server do what they still have to do."""
    clock = CheckedClock()
    async with make(now=clock) as world:
        await world.perform(wait(clock, 0.01))


async def _leaves_nothing(work: Callable[[], Awaitable[None]]) -> None:
    grown: list[int] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        await work()  # what is loaded or built once stays
    for _ in range(_ROUNDS):
        with warnings.catch_warnings(record=True) as caught, collecting_what_is_new():
            warnings.simplefilter("always", ResourceWarning)
            before = _open_files()
            await work()
            gc.collect()
            grown.append(_open_files() - before)
        lost = [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)]
        true(not lost, f"something was not closed: {lost[:1]}")
    true(min(grown) <= 0, f"each run leaves {min(grown)} files or sockets open")


def _open_files() -> int:
    return len(list(_FILES.iterdir())) if _FILES.is_dir() else 0


CLOSING_CHECKS: Final = (
    connections_are_closed_at_the_end,
    an_exception_closes_everything_and_comes_out,
    nothing_stays_open_at_the_end,
    a_cancelled_run_leaves_nothing_open,
)
