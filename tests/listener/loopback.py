"""Loopback ports for tests: taken ones, free ones, and the two that are registered for Codex."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.listener.ports import bind
from codex_oauth_core import SignInError

V4: Final = "127.0.0.1"
V6: Final = "::1"
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
    """1455 and 1457, for one test at a time. Skips where another program has them."""
    with (Path(tempfile.gettempdir()) / "codex-oauth-1455.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            for port in (1455, 1457):
                bind([port], "/").close()
        except SignInError:
            pytest.skip("another program has the registered ports")
        yield 1455, 1457


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
