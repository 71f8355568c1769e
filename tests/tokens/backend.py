"""A backend on loopback that takes tokens, or does not: each path is one way to answer.

Rules of this file: it keeps what it was sent, so that a test can look where a token went.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs

from tests.tokens.rig import PATIENCE

__all__ = ["Backend", "Hit", "backends", "serving"]

PAGE = b"<!doctype html><title>canary page</title>"


@attrs.frozen
class Hit:
    """One request."""

    path: str
    token: str | None
    account: str | None
    originator: str | None
    body: bytes
    port: int
    """The client's: tells connections apart."""


@attrs.define(eq=False)
class Backend:
    """What a server of one origin does and has seen. `refused` tokens get a 401 from an API."""

    port: int = 0
    host: str = "127.0.0.1"
    elsewhere: str = ""
    refused: set[str] = attrs.field(factory=set[str])
    hits: list[Hit] = attrs.field(factory=list[Hit])
    connected: int = 0
    """Connections that are open."""

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://{self.host}:{self.port}"

    @property
    def tokens(self) -> list[str | None]:
        """The token of each request."""
        return [hit.token for hit in self.hits]


Answer = tuple[int, str, bytes, dict[str, str]]


def _json(status: int, value: object) -> Answer:
    return status, "application/json", json.dumps(value).encode(), {}


def _error(status: int) -> Answer:
    return _json(status, {"error": {"message": "no", "type": "x", "code": "x", "param": None}})


def _api(backend: Backend, hit: Hit) -> Answer:
    if hit.token in backend.refused:
        return _error(401)
    return _json(200, {"object": "list", "data": [], "path": hit.path})


def _away_if_good(backend: Backend, hit: Hit) -> Answer:
    if hit.token in backend.refused:
        return _error(401)
    return 307, "text/plain", b"", {"Location": f"{backend.elsewhere}/ok"}


_PATHS: dict[str, Callable[[Backend, Hit], Answer]] = {
    "/always": lambda _, __: _error(401),
    "/long-401": lambda _, __: (401, "text/plain", b"x" * 2**21, {}),
    "/403": lambda _, __: _error(403),
    "/403.html": lambda _, __: (403, "text/html; charset=utf-8", PAGE, {"cf-mitigated": "challenge"}),
    "/401.html": lambda _, __: (401, "text/html; charset=utf-8", PAGE, {}),
    "/401.mitigated": lambda _, __: (401, "application/json", b"{}", {"cf-mitigated": "challenge"}),
    "/here": lambda _, __: (307, "text/plain", b"", {"Location": "/ok"}),
    "/away": lambda backend, _: (307, "text/plain", b"", {"Location": f"{backend.elsewhere}/ok"}),
    "/away-if-good": _away_if_good,
    "/away-401": lambda backend, _: (307, "text/plain", b"", {"Location": f"{backend.elsewhere}/always"}),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may leave at any time."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(host: str = "127.0.0.1") -> Generator[Backend]:
    """A backend that is called `host`, until the end."""
    backend = Backend(host=host)
    server = _Server(("127.0.0.1", 0), _handler(backend))
    backend.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield backend
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def backends() -> Generator[tuple[Backend, Backend]]:
    """A backend, and another host to which it can redirect."""
    with ExitStack() as stack:
        here, there = stack.enter_context(serving()), stack.enter_context(serving("localhost"))
        here.elsewhere = there.url
        yield here, there


def _handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 2 * PATIENCE  # longer than a test waits for a client to leave

        def setup(self) -> None:
            super().setup()
            backend.connected += 1

        def finish(self) -> None:
            backend.connected -= 1
            super().finish()

        def do_GET(self) -> None:
            hit = self._hit()
            backend.hits.append(hit)
            status, kind, body, more = _PATHS.get(hit.path, _api)(backend, hit)
            self.send_response(status)
            fields = {"Content-Type": kind, "Content-Length": str(len(body)), **more}
            for name, value in fields.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def _hit(self) -> Hit:
            sent = self.headers.get("Authorization")
            return Hit(
                path=self.path,
                token=None if sent is None else sent.removeprefix("Bearer "),
                account=self.headers.get("ChatGPT-Account-Id"),
                originator=self.headers.get("originator"),
                body=self._body(),
                port=self.client_address[1],
            )

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in the base class
            del format, args

    return Handler
