"""The authority's front: HTTP on one side, `Authority.handle` on the other (extra `authority`).

Rules of this file: it decides nothing but whether a request is meant for this machine (Host, against
DNS rebinding); a fault's delay, reset and truncation happen here, for real.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_oauth.authority.answer import Answer
from codex_oauth.authority.authority import Authority
from codex_oauth.authority.reading import MAX_BODY
from codex_oauth_core.effects import Request
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

__all__ = ["RESET", "Front", "application"]

RESET: Final = "codex_oauth.reset"
"""Where the server's protocol puts, into the scope, the function that resets or closes a connection."""

SLICE: Final = 0.05
"""Seconds after which a delayed answer looks whether the server ends."""

HTTP_PORT: Final = 80
"""The port that a Host does not name (RFC 9110 §7.2)."""

_WITHOUT_BODY: Final = frozenset({204, 304})
_TARGET: Final = re.compile(rb"/[\x21\x22\x24-\x7e]*")  # no `#`


@attrs.define(eq=False)
class Front:
    """An ASGI endpoint for an authority on `port`. `clock` is monotonic, `wall` is Unix time."""

    authority: Authority
    port: int
    clock: Callable[[], float]
    wall: Callable[[], float]
    ending: Callable[[], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        host = self._host(scope["headers"])
        try:
            body = await _body(receive)
        except ConnectionError:  # half a request is none
            return
        if host is None:
            answer = _plain(421, "this authority answers to its loopback address only")
        elif body is None:
            answer = _plain(413, "the body is too large")
        else:
            answer = self.authority.handle(_request(scope, host, body), self.clock(), self.wall())
        if await self._delayed(answer.delay):
            await _deliver(answer, scope, receive, send)

    def _host(self, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
        """The request's Host if it is a loopback name with our port, and there is only one."""
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        port = "" if self.port == HTTP_PORT else f":{self.port}"
        ours = {f"{name}{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
        return hosts[0] if len(hosts) == 1 and hosts[0] in ours else None

    async def _delayed(self, seconds: float) -> bool:
        """Wait that long. False if the server ends meanwhile."""
        until = self.clock() + seconds
        while (left := until - self.clock()) > 0:
            if self.ending():
                return False
            await asyncio.sleep(min(left, SLICE))
        return True


def application(front: Front) -> Starlette:
    """The ASGI application: every path and every method goes to the front."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    return Starlette(routes=[Route("/{path:path}", endpoint=front)])


def _request(scope: Scope, host: str, body: bytes) -> Request:
    """The request as it came: the path is not decoded, so only the exact path is an endpoint."""
    target = scope["raw_path"] if _TARGET.fullmatch(scope["raw_path"]) else b"/%00"
    query = scope["query_string"].decode("latin-1")
    url = f"http://{host}{target.decode('ascii')}{f'?{query}' if query else ''}"
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    return Request(scope["method"], url, headers, Secret(body))


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if it is too large to be meant for us."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            return None
    return body


def _plain(status: int, text: str) -> Answer:
    headers = (("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close"))
    return Answer(status=status, headers=headers, body=Secret(text.encode()))


async def _deliver(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    body = b"" if answer.status in _WITHOUT_BODY else answer.body.reveal()
    if answer.truncate is None and not answer.reset:
        await _send(send, answer, body, len(body))
        return
    if answer.truncate is not None:
        part = body[: answer.truncate]
        await _send(send, answer, part, max(len(body), len(part) + 1), more_body=True)
    scope[RESET](reset=answer.reset)
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, answer: Answer, body: bytes, length: int, **extra: Any) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if answer.status not in _WITHOUT_BODY:
        headers.append((b"Content-Length", str(length).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, **extra})
