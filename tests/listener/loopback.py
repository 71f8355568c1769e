"""Loopback ports for tests: taken ones, free ones, and the two that are registered for Codex."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.listener.ports import bind
from codex_oauth_core import SignInError

V4: Final = "127.0.0.1"
V6: Final = "::1"
_LOCK_LIMIT: Final = 300.0
"""Seconds that other tests may have the registered ports."""
FAMILY: Final = {V4: socket.AF_INET, V6: socket.AF_INET6}


def free_ports(count: int) -> tuple[int, ...]:
    """Ports that were free in both families a moment ago."""
    with contextlib.ExitStack() as stack:
        found = [bind([0], "/") for _ in range(count)]
        for bound in found:
            stack.callback(bound.close)
        return tuple(bound.port for bound in found)


@contextlib.contextmanager
def taken(*places: tuple[str, int]) -> Generator[None]:
    """Another program listens on these."""
    with contextlib.ExitStack() as stack:
        for address, port in places:
            stack.enter_context(socket.create_server((address, port), family=FAMILY[address]))
        yield


@contextlib.contextmanager
def registered_ports() -> Generator[tuple[int, int]]:
    """1455 and 1457, for one test at a time. Skips where another program has them.

    The lock is the UDP port of the same number: whoever runs tests on this machine has the same one, and it
    is gone with its process.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lock:
        give_up_at = time.monotonic() + _LOCK_LIMIT
        while not _bound(lock):
            if time.monotonic() > give_up_at:
                pytest.skip("another program has the registered ports")
            time.sleep(0.02)
        try:
            for port in (1455, 1457):
                bind([port], "/").close()
        except SignInError:
            pytest.skip("another program has the registered ports")
        yield 1455, 1457


def _bound(lock: socket.socket) -> bool:
    try:
        lock.bind((V4, 1455))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def listening_addresses(port: int) -> set[str]:
    """Where anybody listens on a port, as Linux writes addresses."""
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, number = local.rpartition(":")
            if state == "0A" and int(number, 16) == port:
                found.add(address)
    return found
