"""From a host's name to a connected socket, within a time limit, with the standard library alone.

Rules of this file: the system's resolver cannot be interrupted, so it runs on a daemon thread, which is
abandoned when the time is up. Of several addresses the first that answers is taken (Happy Eyeballs, RFC
8305 §5): a silent one delays the next by a quarter of a second, a refused one not at all; of all the
sockets that were opened one is returned, and the others are closed, however it ends. Every step blocks in
slices of the deadline; what is received has a limit, whatever the peer says about lengths.
"""

from __future__ import annotations

import codecs
import errno
import io
import ipaddress
import os
import selectors
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from threading import Thread
from typing import Any, Final, TypeVar, cast

import attrs

from codex_oauth.transport.deadline import Deadline
from codex_oauth_core.reading.json_body import MAX_BODY

__all__ = [
    "MOST_RECEIVED",
    "Address",
    "BoundedSocket",
    "ReceivedTooMuch",
    "begun",
    "dial",
    "is_literal",
    "lookup",
    "resolve",
    "run_in_worker",
]


T = TypeVar("T")

codecs.lookup("idna")  # the look-up of a name loads it, on a thread: it is to be there


@attrs.frozen
class Address:
    """Where to connect to: a family and its socket address."""

    family: int
    sockaddr: tuple[Any, ...]


def resolve(host: str, port: int, deadline: Deadline) -> tuple[Address, ...]:
    """The addresses of `host`, in the system's order of preference (RFC 6724).

    Raises OSError (`socket.gaierror`) or UnicodeError if there are none, and what `Deadline.slice` raises.
    """
    if is_literal(host):
        return lookup(host, port)
    return run_in_worker(lambda: lookup(host, port), deadline)


def run_in_worker(call: Callable[[], T], deadline: Deadline) -> T:
    """What `call` returns or raises, unless the deadline comes first: then its thread is abandoned.

    Raises OSError, too, if no thread can be started.
    """
    future = begun(call)
    while not future.done():
        wait([future], timeout=deadline.slice())
    return future.result()


def begun(call: Callable[[], T]) -> Future[T]:
    """What `call` is going to return or raise, on a thread that nobody has to wait for.

    Raises OSError if no thread can be started.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001  # handed on to the caller, whatever it is
            future.set_exception(error)

    try:
        Thread(target=work, name="codex-oauth-resolver", daemon=True).start()
    except RuntimeError as error:
        raise OSError(str(error)) from error
    return future


def lookup(host: str, port: int) -> tuple[Address, ...]:
    """What the system's resolver says; it blocks, however long that takes. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(Address(family, sockaddr) for family, _, _, _, sockaddr in found))


def is_literal(host: str) -> bool:
    """Whether a host is an address, so that a lookup asks nobody."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


# -- addresses to a socket -----------------------------------------------------------------------------


STAGGER: Final = 0.25
"""Seconds after which the next address is tried beside the others."""

_UNDER_WAY: Final = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR, 0})


def dial(addresses: Iterable[Address], deadline: Deadline) -> socket.socket:
    """A connected, non-blocking socket. Raises OSError if no address answers, and what
    `Deadline.slice` raises.
    """
    waiting, error = deque(addresses), OSError("no address to connect to")
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or selector.get_map():
                pause = min(deadline.slice(), STAGGER)
                try:
                    if waiting:
                        _begin(waiting.popleft(), selector)
                    winner = _first_answer(selector, pause)
                except OSError as failure:
                    error = failure
                    continue
                if winner is not None:
                    return winner
        finally:
            for key in tuple(selector.get_map().values()):
                cast("socket.socket", key.fileobj).close()
    raise error


def _begin(address: Address, selector: selectors.BaseSelector) -> None:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _check(sock.connect_ex(address.sockaddr))
        selector.register(sock, selectors.EVENT_WRITE)
    except BaseException:
        sock.close()
        raise


def _first_answer(selector: selectors.BaseSelector, pause: float) -> socket.socket | None:
    """The first socket that is connected within `pause` seconds. Raises OSError for one that failed."""
    for key, _ in selector.select(pause):
        sock = cast("socket.socket", key.fileobj)
        selector.unregister(sock)
        try:
            _check(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        except OSError:
            sock.close()
            raise
        return sock
    return None


def _check(code: int) -> None:
    if code not in _UNDER_WAY:
        raise OSError(code, os.strerror(code))


# -- a socket under a deadline -------------------------------------------------------------------------


MOST_RECEIVED: Final = 8 * MAX_BODY
"""Bytes that are received at most. The largest body that is read fits, also in chunks of one byte."""


class ReceivedTooMuch(Exception):  # not an error: the limit did its work
    """The peer sends more than any answer may have."""


class BoundedSocket:
    """Takes over `sock`, which is connected. Closing it closes the connection."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._reader = _Reader(_Received(self._receive))

    def sendall(self, data: bytes) -> None:
        """Send all of `data`. Raises OSError, and what `Deadline.slice` raises."""
        unsent = memoryview(data)
        while unsent:
            part = unsent
            unsent = unsent[self._deadline.block(self._sock, lambda: self._sock.send(part)) :]  # noqa: B023  # called at once

    def makefile(self, mode: str) -> io.BufferedReader:
        """What is received, to be read: the same reader each time."""
        del mode
        return self._reader

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go on over TLS with `host`. Raises OSError (`ssl.SSLError`), and what `Deadline.slice` raises."""
        self._sock = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        tls = self._sock
        self._deadline.block(tls, tls.do_handshake)
        self._reader = _Reader(_Received(self._receive))

    def close(self) -> None:
        """Close the connection; twice does no harm."""
        self._sock.close()

    def _receive(self, buffer: memoryview) -> int:
        return self._deadline.block(self._sock, lambda: self._sock.recv_into(buffer), reads=True)


class _Received(io.RawIOBase):
    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        self._receive = receive
        self._left = MOST_RECEIVED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = self._receive(memoryview(buffer))
        self._left -= size
        if self._left < 0:
            raise ReceivedTooMuch
        return size


class _Reader(io.BufferedReader):
    def close(self) -> None:
        """Nothing: an interim answer that is over would take the bytes of the next one with it."""
