"""httpcore's way to the network, under one deadline.

Rules of this file: what it opened it closes, also when httpcore has lost sight of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Self

import httpcore

from codex_oauth.transport.deadline import Deadline
from codex_oauth.transport.dial import dial
from codex_oauth.transport.resolve import resolve
from codex_oauth.transport.streams import SocketStream

__all__ = ["BoundedBackend"]


class BoundedBackend(httpcore.NetworkBackend):
    """Opens connections for one request. A context manager: leaving it closes every socket."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._opened = contextlib.ExitStack()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A stream to `host`. Raises `httpcore.ConnectError` because of an OSError or UnicodeError."""
        del timeout, local_address, socket_options  # the deadline covers the first; nobody sets the others
        try:
            addresses = resolve(host, port, self._deadline)
            sock = self._opened.enter_context(dial(addresses, self._deadline))
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        return SocketStream(sock, self._deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._opened.close()
