"""The authority on a loopback port, in a thread of its own (extra `authority`).

Rules of this file: it binds loopback addresses and nothing else; when the context ends, its sockets are
closed and its thread is over. It decides nothing but whether a request is meant for this machine (Host,
against DNS rebinding); a fault's delay, reset and truncation happen here, for real.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, cast, overload

import attrs

from codex_oauth.authority.authority import Authority
from codex_oauth.authority.endpoints import Rules
from codex_oauth.authority.messages import Answer
from codex_oauth.authority.models.backend import CODEX_BASE, PLAN_BASE
from codex_oauth.authority.models.conversation import Conversation
from codex_oauth.authority.web_sockets import Upgrading, converse, refuse
from codex_oauth_core.effects import Request
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

__all__ = ["RESET_EXTENSION", "AuthorityServer", "Front", "RulesServer", "application", "serve"]


RESET_EXTENSION: Final = "codex_oauth.reset"
"""Where the server's protocol puts, into the scope, the function that resets or closes a connection."""

AUTHORITY_SLICE: Final = 0.05
"""Seconds after which a delayed answer looks whether the server ends."""

HTTP_PORT: Final = 80
"""The port that a Host does not name (RFC 9110 §7.2)."""

_NOT_OURS: Final = "this authority answers to its loopback address only"
_WITHOUT_BODY: Final = frozenset({204, 304})
_TARGET: Final = re.compile(rb"/[\x21\x22\x24-\x7e]*")  # no `#`


@attrs.define(eq=False)
class Front:
    """An ASGI endpoint for an authority on `port`. `clock` is monotonic, `wall` is Unix time."""

    authority: Rules
    port: int
    clock: Callable[[], float]
    wall: Callable[[], float]
    ending: Callable[[], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hold one WebSocket."""
        host = self._host(scope["headers"])
        if scope.get("type") == "websocket":
            await self._converse(host, scope, receive, send)
            return
        try:
            body = await _body(receive, self.authority.max_body)
        except ConnectionError:  # half a request is none
            return
        if host is None:
            answer = _plain(421, _NOT_OURS)
        elif body is None:
            answer = _plain(413, "the body is too large")
        else:
            answer = self.authority.handle(_request(scope, host, body), self.clock(), self.wall())
        if await self._delayed(answer.delay):
            await self._deliver(answer, scope, receive, send)

    async def _converse(self, host: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an upgrade, and then the messages."""
        found: Answer | Conversation
        if host is None:
            found = _plain(421, _NOT_OURS)
        else:
            request = _request({**scope, "method": "GET"}, host, b"")
            rules = self.authority
            upgrade = rules.upgrade if isinstance(rules, Upgrading) else rules.handle
            found = upgrade(request, self.clock(), self.wall())
        if isinstance(found, Answer):
            if await self._delayed(found.delay):
                await refuse(found, receive, send)
        elif await self._delayed(found.asked.delay):
            await converse(found, receive, send, clocks=(self.clock, self.wall), delayed=self._delayed)

    def _host(self, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
        """The request's Host if it is a loopback name with our port, and there is only one."""
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        port = "" if self.port == HTTP_PORT else f":{self.port}"
        ours = {f"{name}{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
        return hosts[0] if len(hosts) == 1 and hosts[0] in ours else None

    async def _deliver(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        body = b"" if answer.status in _WITHOUT_BODY else answer.body.reveal()
        whole = answer.truncate is None and not answer.reset
        if answer.parts and (whole or answer.truncate is not None):
            if not await self._stream(answer, body, send):
                return
        elif whole:
            await _send(send, answer, body, len(body))
        elif answer.truncate is not None:
            part = body[: answer.truncate]
            await _send(send, answer, part, max(len(body), len(part) + 1), more_body=True)
        if not whole:
            scope[RESET_EXTENSION](reset=answer.reset)
            while (await receive())["type"] != "http.disconnect":
                pass

    async def _stream(self, answer: Answer, body: bytes, send: Send) -> bool:
        """Send a body part by part, up to where it is cut. False if the server ends meanwhile."""
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": _asgi_headers(answer, None)}
        )
        begin, end = 0, len(body) if answer.truncate is None else answer.truncate
        for part in answer.parts:
            if begin >= end:
                break
            if not await self._delayed(part.after):
                return False
            piece = body[begin : min(begin + part.size, end)]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            begin += part.size
        if answer.truncate is None:
            await send({"type": "http.response.body", "body": b""})
        return True

    async def _delayed(self, seconds: float) -> bool:
        """Wait that long. False if the server ends meanwhile."""
        until = self.clock() + seconds
        while (left := until - self.clock()) > 0:
            if self.ending():
                return False
            await asyncio.sleep(min(left, AUTHORITY_SLICE))
        return True


def application(front: Front) -> Starlette:
    """The ASGI application: every path and every method goes to the front."""
    from starlette.applications import Starlette
    from starlette.routing import Route, WebSocketRoute

    return Starlette(
        routes=[Route("/{path:path}", endpoint=front), WebSocketRoute("/{path:path}", endpoint=front)]
    )


def _request(scope: Scope, host: str, body: bytes) -> Request:
    """The request as it came: the path is not decoded, so only the exact path is an endpoint."""
    target = scope["raw_path"] if _TARGET.fullmatch(scope["raw_path"]) else b"/%00"
    query = scope["query_string"].decode("latin-1")
    url = f"http://{host}{target.decode('ascii')}{f'?{query}' if query else ''}"
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    return Request(scope["method"], url, headers, Secret(body))


async def _body(receive: Receive, most: int) -> bytes | None:
    """The whole body; None if it is too large to be meant for us."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most:
            return None
    return body


def _plain(status: int, text: str) -> Answer:
    headers = (("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close"))
    return Answer(status=status, headers=headers, body=Secret(text.encode()))


async def _send(send: Send, answer: Answer, body: bytes, length: int, **extra: Any) -> None:
    await send(
        {"type": "http.response.start", "status": answer.status, "headers": _asgi_headers(answer, length)}
    )
    await send({"type": "http.response.body", "body": body, **extra})


def _asgi_headers(answer: Answer, length: int | None) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with its length unless that is not told."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if length is None or answer.status in _WITHOUT_BODY:
        return headers
    return [*headers, (b"Content-Length", str(length).encode())]


# -- the port and the thread ---------------------------------------------------------------------------


START_LIMIT: Final = 10.0
STOP_LIMIT: Final = 5.0
MOST_CONNECTIONS: Final = 200
_LINGER_ZERO: Final = struct.pack("HH", 1, 0) if os.name == "nt" else struct.pack("ii", 1, 0)


@attrs.frozen(eq=False, kw_only=True)
class RulesServer:
    """A running server of rules. `url` is its base URL, the issuer."""

    port: int

    @property
    def url(self) -> str:
        """The base of every URL, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def codex_base_url(self) -> str:
        """The base URL of the Codex backend, if the rules have models."""
        return f"{self.url}{CODEX_BASE}"

    @property
    def official_base_url(self) -> str:
        """The base URL of the public API, if the rules have models."""
        return f"{self.url}{PLAN_BASE}"


@attrs.frozen(eq=False, kw_only=True)
class AuthorityServer(RulesServer):
    """A running authority."""

    authority: Authority
    clock: Callable[[], float] = time.monotonic

    def decide(self, user_code: str, *, approve: bool) -> bool:
        """Approve or deny a device login now, as a person does: see `Authority.decide`."""
        return self.authority.decide(user_code, self.clock(), approve=approve)


@overload
def serve(
    authority: Authority | None = None,
    *,
    port: int = 0,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> AbstractContextManager[AuthorityServer]: ...


@overload
def serve(
    authority: Rules,
    *,
    port: int = 0,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> AbstractContextManager[RulesServer]: ...


def serve(
    authority: Rules | None = None,
    *,
    port: int = 0,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> AbstractContextManager[Any]:
    """Serve `authority` (by default a new one) on a loopback port (0: any free one) until the `with` block
    ends.

    Raises OSError if the port is not free, and ImportError without the extra `authority`.
    """
    rules = Authority() if authority is None else authority
    return _served(rules, port, clock, wall)


@contextmanager
def _served(
    authority: Rules, port: int, clock: Callable[[], float], wall: Callable[[], float]
) -> Generator[AuthorityServer | RulesServer]:
    import uvicorn

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
            ws=_socket_protocol(),
            ws_max_size=authority.max_body,
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
        if isinstance(authority, Authority):
            yield AuthorityServer(authority=authority, port=found, clock=clock)
        else:
            yield RulesServer(port=found)


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


def _socket_protocol() -> Literal["websockets-sansio", "none"]:
    """Uvicorn's protocol for WebSockets, where its library is installed."""
    return "none" if importlib.util.find_spec("websockets") is None else "websockets-sansio"


def _protocol() -> type[asyncio.Protocol]:
    """Uvicorn's HTTP protocol, with the connection's end within the application's reach."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            inner: Any = self.app

            async def app(scope: Any, receive: Any, send: Any) -> None:
                await inner({**scope, RESET_EXTENSION: self.drop}, receive, send)

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
