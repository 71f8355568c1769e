"""From host names to addresses, within a time limit.

Rules of this file: the system's resolver cannot be interrupted, so it runs on a daemon thread, which is
abandoned when the time is up; nobody ever waits for such a thread again.
"""

from __future__ import annotations

import codecs
import ipaddress
import socket
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import Any, TypeVar

import attrs

from codex_oauth.transport.deadline import Deadline

__all__ = ["Address", "begun", "in_worker", "is_literal", "lookup", "resolve"]

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
    return in_worker(lambda: lookup(host, port), deadline)


def in_worker(call: Callable[[], T], deadline: Deadline) -> T:
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
