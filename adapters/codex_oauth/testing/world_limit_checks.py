"""Checks of a world: the limits on time and size are around the whole exchange.

Rules of this file: a table of the places where time passes, from the lookup of a name to the last byte;
the limits are short, and what is late by little is no failure, see `prompt`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

import attrs

from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.loopback import LoopbackRequest, LoopbackServer, silent, until_left
from codex_oauth.testing.performing import CheckedClock, MakeAsyncWorld, post
from codex_oauth.testing.places import known_as
from codex_oauth.testing.prompt import Stopwatch, promptly
from codex_oauth.testing.surroundings import trusting
from codex_oauth.testing.untrusted import Certificate
from codex_oauth.testing.world_cancel_checks import IN_A_HANDSHAKE, PLACES, asked_at, asks_elsewhere
from codex_oauth_core.events import Cause, Event, Phase, RequestFailed

__all__ = ["LIMIT_CHECKS", "LIMIT_OVER_TLS"]

_SHORT: Final = 0.15
_WAIT: Final = 0.6
"""Seconds that a server takes of a limit before it begins to be slow."""

_LONGER: Final = 0.8
"""The limit then: who begins to count later is late by `_WAIT`."""

_MOST_TAKEN: Final = 24 * 1024 * 1024
"""Bytes of an answer that does not end which are not read to the end. Whoever reads more has no limit."""

_NOT_KEPT: Final = ("interim answers", "a chunk's size", "a chunk's extension")
"""What a client may forget as it comes: the time limit is enough."""

_NOT_SENT: Final = ("in the lookup of a name", "connecting", IN_A_HANDSHAKE)
_ONCE_TOO: Final = ("connecting", IN_A_HANDSHAKE, "before the answer", "in a trickling body")


async def every_place_has_the_time_limit(make: MakeAsyncWorld) -> None:
    for place, opened in PLACES.items():
        if place != IN_A_HANDSHAKE:
            await _is_left_in_time(make, place, opened, once=False)


async def a_once_request_has_the_time_limit_too(make: MakeAsyncWorld) -> None:
    for place in _ONCE_TOO:
        if place != IN_A_HANDSHAKE:
            await _is_left_in_time(make, place, PLACES[place], once=True)


async def a_handshake_has_the_time_limit(make: MakeAsyncWorld) -> None:
    for once in (False, True):
        await _is_left_in_time(make, IN_A_HANDSHAKE, PLACES[IN_A_HANDSHAKE], once=once)


async def the_time_limit_is_one_for_the_whole_exchange(make: MakeAsyncWorld) -> None:
    """It counts from the beginning: neither from the connection nor from the head or a part of the body."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"
    rows: Mapping[str, tuple[bytes, ...]] = {
        "a head that comes late, and a body that does not come": (b"", head),
        "a body that comes late and falls silent": (head, b"half"),
    }
    for name, pieces in rows.items():

        def act(sock: socket.socket, request: LoopbackRequest, pieces: tuple[bytes, ...] = pieces) -> None:
            for piece in pieces[:-1]:
                sock.sendall(piece)
            time.sleep(_WAIT)
            sock.sendall(pieces[-1])
            until_left(sock)

        async def measured(act: Callable[[socket.socket, LoopbackRequest], None] = act) -> float:
            clock = CheckedClock()
            with LoopbackServer(act) as server:
                async with make(now=clock) as world:
                    watch = Stopwatch()
                    event = await world.perform(post(server.url, _LONGER))
                    watch.stop()
            _timed_out(event, Phase.MAYBE_SENT)
            return watch.took or 0.0

        with case(name):
            await promptly(f"a time limit of {_LONGER} s", measured, _LONGER + 0.6 * _WAIT, least=_LONGER / 2)


async def the_time_limit_begins_before_the_lookup(make: MakeAsyncWorld) -> None:
    """What looking up a name takes is a part of it."""

    def lookup(_: str) -> list[str]:
        time.sleep(_WAIT)
        return ["127.0.0.1"]

    with LoopbackServer(silent) as server, known_as(lookup) as name:
        url = server.url.replace("127.0.0.1", name)
        await promptly(
            f"a time limit of {_LONGER} s, with a slow lookup in it",
            lambda: _until_it_is_left(make, url),
            _LONGER + 0.6 * _WAIT,
        )


async def the_time_limit_begins_before_the_handshake(make: MakeAsyncWorld) -> None:
    """What TLS takes is a part of it, with a certificate that is trusted where it can be."""
    certificate = Certificate()

    def slow(sock: socket.socket, request: LoopbackRequest) -> None:
        time.sleep(_WAIT)
        with certificate.context().wrap_socket(sock.dup(), server_side=True) as line:
            until_left(line)

    with LoopbackServer(slow, raw=True) as server, trusting(certificate.pem):
        url = server.url.replace("http:", "https:")
        await promptly(
            f"a time limit of {_LONGER} s, with a slow handshake in it",
            lambda: _until_it_is_left(make, url),
            _LONGER + 0.6 * _WAIT,
        )


async def _until_it_is_left(make: MakeAsyncWorld, url: str) -> float:
    async with make(now=CheckedClock()) as world:
        watch = Stopwatch()
        event = await world.perform(post(url, _LONGER))
        watch.stop()
    if not isinstance(event, RequestFailed):
        fail(f"no whole answer was sent, and the event is {type(event).__name__}")
    return watch.took or 0.0


async def an_answer_that_does_not_end_is_left(make: MakeAsyncWorld) -> None:
    """Whatever part of it does not end: its size is limited too, not its time alone."""
    ok = b"HTTP/1.1 200 OK\r\n"
    rows: Mapping[str, tuple[bytes, bytes]] = {
        "headers": (ok, b"X-Header: " + b"x" * 2000 + b"\r\n"),
        "one header": (ok + b"X-Header: ", b"x" * 4000),
        "a status line": (b"HTTP/1.1 200 ", b"x" * 4000),
        "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 1000 + b"\r\n\r\n"),
        "a body": (ok + b"\r\n", b"x" * 4000),
        "chunks": (ok + b"Transfer-Encoding: chunked\r\n\r\n", b"fa0\r\n" + b"x" * 4000 + b"\r\n"),
        "a chunk's size": (ok + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 4000),
        "a chunk's extension": (ok + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 4000),
        "trailers": (ok + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Header: " + b"x" * 2000 + b"\r\n"),
        "a body of the length that it names": (ok + b"Content-Length: 99999999999\r\n\r\n", b"x" * 4000),
    }
    for name, (beginning, again) in rows.items():
        limit = 0.3 if name in _NOT_KEPT else 5.0
        for once in (False, True):
            endless = _Endless(beginning, again)
            with case(f"{name} without end"), LoopbackServer(endless) as server:
                async with make(now=CheckedClock()) as world:
                    event = await world.perform(post(server.url, limit, once=once))
                if not isinstance(event, RequestFailed):
                    fail(f"the event is {type(event).__name__}")
                same(event.phase, Phase.MAYBE_SENT, "the phase")
                taken = endless.taken
            with case(f"{name} without end"):
                true(
                    taken < _MOST_TAKEN or name in _NOT_KEPT,
                    f"{taken / 1024**2:.0f} MiB of an answer were read",
                )


@attrs.define
class _Endless:
    """An act: sends something again and again, until its client leaves. `taken` is how much it took."""

    beginning: bytes
    again: bytes
    taken: int = 0

    def __call__(self, sock: socket.socket, request: LoopbackRequest) -> None:
        """Send, and count."""
        sock.sendall(self.beginning)
        many = self.again * (256 * 1024 // len(self.again))
        while self.taken < _MOST_TAKEN:
            sock.sendall(many)
            self.taken += len(many)


async def _is_left_in_time(
    make: MakeAsyncWorld, place: str, opened: Callable[[], AbstractContextManager[str]], *, once: bool
) -> None:
    async def measured() -> float:
        clock = CheckedClock()
        with opened() as url:
            async with make(now=clock) as world:
                watch = Stopwatch()
                event = await world.perform(asked_at(place, url, _SHORT, once=once))
                watch.stop()
        if asks_elsewhere(place, event):
            return _SHORT
        _timed_out(event, Phase.NOT_SENT if place in _NOT_SENT else Phase.MAYBE_SENT)
        return watch.took or 0.0

    with case(f"{place}{', once' if once else ''}"):
        await promptly(f"a time limit of {_SHORT} s", measured, _SHORT + 0.9, least=_SHORT / 2)


def _timed_out(event: Event, phase: Phase) -> None:
    if not isinstance(event, RequestFailed):
        fail(f"no whole answer was sent, and the event is {type(event).__name__}")
    same((event.phase, event.cause), (phase, Cause.TIMEOUT), "the phase and the cause")


LIMIT_OVER_TLS: Final = (a_handshake_has_the_time_limit, the_time_limit_begins_before_the_handshake)
"""Those that need TLS."""

LIMIT_CHECKS: Final = (
    every_place_has_the_time_limit,
    *LIMIT_OVER_TLS,
    a_once_request_has_the_time_limit_too,
    the_time_limit_is_one_for_the_whole_exchange,
    the_time_limit_begins_before_the_lookup,
    an_answer_that_does_not_end_is_left,
)
