"""Connecting to the first of several addresses that answers (Happy Eyeballs, RFC 8305 §5).

Rules of this file: a silent address delays the next by a quarter of a second, a refused one not at all;
of all the sockets that were opened one is returned, and the others are closed, however it ends.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections import deque
from collections.abc import Iterable
from typing import Final, cast

from codex_oauth.transport.deadline import Deadline
from codex_oauth.transport.resolve import Address

__all__ = ["dial"]

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
