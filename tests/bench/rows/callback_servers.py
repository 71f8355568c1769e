"""P9: receivers of a redirect. Each is ready when it is made, serves one sign-in, and says when it had it.

Rules of this file: a receiver runs on a thread of its own; `received` blocks until its caller would have the
answer, and returns the instant of that.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from typing import Any, Final, Protocol

from codex_oauth import CallbackListener, Secret
from codex_oauth_core import CallbackRule

__all__ = ["STATE", "HttpServer", "Msal", "Ours", "Raw", "Receiver"]

STATE: Final = "fake-state-0123456789"
PATIENCE: Final = 10.0
_PAGE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Receiver(Protocol):
    """What a browser is sent back to."""

    port: int
    takes_form: bool

    def received(self) -> float:
        """The instant (`time.perf_counter`) at which the caller had the redirect."""
        ...

    def close(self) -> None: ...


class _Threaded:
    """Work on a thread, and when it returned."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._at = 0.0
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._work()
        self._at = time.perf_counter()

    def returned(self) -> float:
        """The instant at which it returned."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "nothing was received"
        return self._at


class Raw:
    """The least that answers: accept, recv, send, close."""

    takes_form = False

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._waiting = _Threaded(self._serve)

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(_PAGE)

    def received(self) -> float:
        return self._waiting.returned()

    def close(self) -> None:
        self._server.close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        return


class HttpServer:
    """`http.server`, one request."""

    takes_form = False

    def __init__(self) -> None:
        self._server = HTTPServer(("127.0.0.1", 0), _Handler)
        self.port = self._server.server_port
        self._waiting = _Threaded(self._server.handle_request)

    def received(self) -> float:
        return self._waiting.returned()

    def close(self) -> None:
        self._server.server_close()


class Ours:
    """`CallbackListener.wait`."""

    takes_form = False

    def __init__(self) -> None:
        self._listener = CallbackListener(ports=(0,), host="127.0.0.1")
        self.port = self._listener.port
        rule = CallbackRule(self._listener.redirect_uri, Secret(STATE), (), "https://auth.example.com")
        self._waiting = _Threaded(lambda: self._listener.wait(rule, PATIENCE))

    def received(self) -> float:
        return self._waiting.returned()

    def close(self) -> None:
        self._listener.close()


class Msal:
    """`msal.oauth2cli.authcode.AuthCodeReceiver.get_auth_response`."""

    takes_form = True

    def __init__(self, timeout: float = PATIENCE) -> None:
        make: Any = import_module("msal.oauth2cli.authcode").AuthCodeReceiver
        self._receiver = make(port=0)
        self.port = int(self._receiver.get_port())
        wait: Any = self._receiver.get_auth_response
        self._waiting = _Threaded(lambda: wait(timeout=timeout, state=STATE))

    def received(self) -> float:
        return self._waiting.returned()

    def close(self) -> None:
        self._receiver.close()
