"""The authority on a loopback port, in a thread of its own (extra `authority`).

Rules of this file: it binds loopback addresses and nothing else; when the context ends, its sockets are
closed and its thread is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, cast

import attrs

from codex_oauth.authority.app import RESET, Front, application
from codex_oauth.authority.authority import Authority

__all__ = ["AuthorityServer", "serve"]

START_LIMIT: Final = 10.0
STOP_LIMIT: Final = 5.0
MOST_CONNECTIONS: Final = 200
_LINGER_ZERO: Final = struct.pack("HH", 1, 0) if os.name == "nt" else struct.pack("ii", 1, 0)


@attrs.frozen(eq=False)
class AuthorityServer:
    """A running authority. `url` is its base, the issuer."""

    authority: Authority
    port: int
    clock: Callable[[], float] = time.monotonic

    @property
    def url(self) -> str:
        """The base of every URL, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def decide(self, user_code: str, *, approve: bool) -> bool:
        """Approve or deny a device login now, as a person would: see `Authority.decide`."""
        return self.authority.decide(user_code, self.clock(), approve=approve)


@contextmanager
def serve(
    authority: Authority | None = None,
    *,
    port: int = 0,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> Generator[AuthorityServer]:
    """Serve `authority` (a new one by default) on a loopback port (0: any free one) until the end.

    Raises OSError if the port cannot be had, and ImportError without the extra `authority`.
    """
    import uvicorn

    authority = authority or Authority()
    sockets = _listen(port)
    with contextlib.ExitStack() as stack:
        for one in sockets:
            stack.callback(one.close)
        found = int(sockets[0].getsockname()[1])
        ending = threading.Event()
        front = Front(authority, found, clock, wall, ending.is_set)
        config = uvicorn.Config(
            application(front),
            http=_protocol(),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=MOST_CONNECTIONS,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, args=(sockets,), name="codex-oauth authority", daemon=True
        )
        thread.start()
        stack.callback(_stop, server, ending, thread)
        _wait_until(lambda: server.started or not thread.is_alive())
        if not server.started:
            raise OSError("the authority did not start")
        yield AuthorityServer(authority, found, clock)


def _stop(server: Any, ending: threading.Event, thread: threading.Thread) -> None:
    ending.set()
    server.should_exit = True
    thread.join(STOP_LIMIT)


def _wait_until(done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + START_LIMIT
    while not done() and time.monotonic() < give_up:
        time.sleep(0.005)


def _listen(port: int) -> list[socket.socket]:
    """Sockets on 127.0.0.1 and, where it can be had, on ::1, with one port."""
    first = _bound(socket.AF_INET, "127.0.0.1", port)
    with contextlib.suppress(OSError):  # a machine without IPv6, or somebody else's ::1
        return [first, _bound(socket.AF_INET6, "::1", int(first.getsockname()[1]))]
    return [first]


def _bound(family: int, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle on
    try:
        if os.name == "nt":
            sock.setsockopt(socket.SOL_SOCKET, cast("Any", socket).SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        sock.bind((host, port))
        sock.listen(128)
    except BaseException:
        sock.close()
        raise
    return sock


def _protocol() -> type[asyncio.Protocol]:
    """Uvicorn's HTTP protocol, with the connection's end within the application's reach."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            inner: Any = self.app

            async def app(scope: Any, receive: Any, send: Any) -> None:
                await inner({**scope, RESET: self.drop}, receive, send)

            self.app = app

        def drop(self, *, reset: bool) -> None:
            """Close the connection after what was sent; or reset it (RST)."""
            if not reset:
                self.transport.close()
                return
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self.transport.abort()

    return Protocol
