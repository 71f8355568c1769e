"""Peers that behave badly, on loopback: each connection is handled by a script on its own thread."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Self

from codex_oauth_core import Request, Secret, SendRequest

Script = Callable[[socket.socket], None]

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
"""What chooses a proxy; each may be written in small letters too."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BODY = b'{"refresh_token": "rt-canary"}'
BUSY = 20.0
"""Seconds that a busy machine may add to what ought to be over at once: less than whatever a test could wait
for in vain."""

PATIENCE = 60.0
"""Seconds after which a script ends by itself, if its client does not, and in which a server on another thread
has closed its side at the latest."""


class Server:
    """Listens on 127.0.0.1, and keeps what each script read."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._threads: list[threading.Thread] = []
        self._ended = False
        self._accepting = threading.Thread(target=self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/path?q=1"

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._ended:
                sock.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        with sock, contextlib.suppress(OSError):  # the client left: often the point of the test
            self._script(sock)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended = True
        with socket.socket() as waker:  # and no lookup of names: tests replace it
            waker.connect(("127.0.0.1", self.port))
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()


def read_request(sock: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += _more(sock)
    return head, body


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionResetError
    return data


def until_closed(sock: socket.socket) -> None:
    """Wait until the client goes away."""
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


def answering(*pieces: bytes, pause: float = 0.0) -> Script:
    """Read a request, send the pieces, and close."""

    def script(sock: socket.socket) -> None:
        read_request(sock)
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(pause)
        sock.shutdown(socket.SHUT_WR)
        until_closed(sock)

    return script


def trickling(head: bytes, drip: bytes) -> Script:
    """Send `head`, and then `drip` for ever, 20 times a second."""
    return answering(head, *([drip] * int(PATIENCE / 0.05)), pause=0.05)


def silent(sock: socket.socket) -> None:
    """Accept everything, answer nothing."""
    until_closed(sock)


def resetting(sock: socket.socket) -> None:
    """Read a request, and reset the connection."""
    read_request(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def over_tls(script: Script, context: ssl.SSLContext) -> Script:
    """`script` behind TLS."""

    def secured(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            script(tls)

    return secured


def over_tls_in_memory(script: Script, context: ssl.SSLContext) -> Script:
    """`script` behind TLS, on a plain socket: its other end is pumped, so two threads may use it."""

    def secured(sock: socket.socket) -> None:
        ours, theirs = socket.socketpair()
        worker = threading.Thread(target=_and_close, args=(script, theirs))
        worker.start()
        with ours, context.wrap_socket(sock, server_side=True) as tls:
            ours.settimeout(0.01)
            tls.settimeout(0.01)
            _exchange(tls, ours)
        worker.join()

    return secured


def _and_close(script: Script, sock: socket.socket) -> None:
    with sock:
        script(sock)


def _exchange(one: socket.socket, other: socket.socket) -> None:
    while True:
        for source, sink in ((one, other), (other, one)):
            try:
                data = source.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            sink.sendall(data)


def tunnel_to(port: int, heads: list[bytes]) -> Script:
    """A proxy that connects every tunnel to one port of this machine."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        with socket.create_connection(("127.0.0.1", port)) as server:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, sock))
            back.start()
            pump(sock, server)
            back.join()

    return script


def closed_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


@contextlib.contextmanager
def black_hole(host: str = "127.0.0.1", port: int = 0) -> Generator[tuple[str, int]]:
    """The address of a listener whose queue is full: the system drops further attempts (Linux)."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.02)
        yield listener.getsockname()


def post(url: str, timeout: float = 5.0, *, once: bool = False, write_by: float | None = None) -> SendRequest:
    """A request with a secret body."""
    headers = (
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", "codex-oauth/test"),
        ("Content-Type", "application/json"),
    )
    return SendRequest(Request("POST", url, headers, Secret(BODY)), timeout, once, write_by)


@contextlib.contextmanager
def no_new_sockets() -> Generator[None]:
    """Fails if a socket, or an event poll, is left open by the end of the block, and says which."""
    before = _open_files()
    yield
    give_up_at = time.monotonic() + PATIENCE
    while (left := _open_files() - before) and time.monotonic() < give_up_at:
        time.sleep(0.005)  # a peer's thread may be closing the last one
    assert not left, [_described(name) for name in sorted(left)]


def _described(name: str) -> str:
    """A file that is open, and of a TCP socket its two addresses and its state, as Linux has them."""
    number = name.removeprefix("socket:[").removesuffix("]")
    for table in ("/proc/net/tcp", "/proc/net/tcp6", "/proc/net/unix"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines():
                if number in line.split():
                    return f"{name} {table}: {line.strip()}"
    return name


def _open_files() -> set[str]:
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112  # a probe for Linux
        return set()
    found: set[str] = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208  # names are all it needs
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115
    return {name for name in found if name.startswith("socket:") or "eventpoll" in name}


@contextlib.contextmanager
def at_most(seconds: float) -> Generator[None]:
    """Fails if the block waits for something that takes longer, however busy the machine is."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds + BUSY
