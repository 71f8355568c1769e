"""Hosts for checks of a world that are not reached, or not at once: a full port, and names of ours.

Rules of this file: no network but loopback. A name is known to whoever asks Python's resolver, the one of
this process; who asks another finds none, because every name here ends in `.invalid` (RFC 6761 §6.4).
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Generator
from typing import Any, Final

__all__ = ["full_backlog", "known_as", "slow_lookup"]

_NUMBERS: Final = itertools.count(1)
_FILL: Final = 8
_LOOKUP: Final = 6.0
"""Seconds that the lookup of a name takes at most."""


@contextlib.contextmanager
def full_backlog() -> Generator[str]:
    """The URL of a port that takes no more connections, so that connecting to it lasts (on Linux)."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(_FILL):
            filler = opened.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


Lookup = Callable[[str], list[str]]
"""The addresses of a host's name. Raises OSError where there are none."""


@contextlib.contextmanager
def known_as(lookup: Lookup) -> Generator[str]:
    """A name whose addresses `lookup` gives to who asks Python's resolver while the block lasts."""
    name = f"host-{next(_NUMBERS)}.codex-oauth.invalid"
    theirs: Any = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        asked = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if asked not in (name, f"{name}."):
            return theirs(host, port, *args, **options)
        found: list[Any] = []
        for address in lookup(name):
            with contextlib.suppress(socket.gaierror):  # of another family than was asked for
                found += theirs(address, port, *args, **options)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found

    socket.getaddrinfo = getaddrinfo
    try:
        yield name
    finally:
        socket.getaddrinfo = theirs


@contextlib.contextmanager
def slow_lookup() -> Generator[str]:
    """The URL of a host whose lookup does not end before the block does."""
    over = threading.Event()

    def lookup(name: str) -> list[str]:
        over.wait(_LOOKUP)
        return []

    with known_as(lookup) as name:
        try:
            yield f"http://{name}"
        finally:
            over.set()
