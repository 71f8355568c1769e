"""From a host's name to a connection, for asyncio and trio (Happy Eyeballs, RFC 8305 §5).

Rules of this file: the system's resolver cannot be interrupted, so it runs on a daemon thread, which a
cancellation abandons; a silent address delays the next by a quarter of a second, a refused one not at all; of
all the connections that were made one is returned, and the others are closed, however it ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

import anyio
import httpcore

from codex_oauth.event_loops import on_this_loop
from codex_oauth.transport.resolve import Address, begun, is_literal, lookup

__all__ = ["dial", "in_worker", "resolve"]

STAGGER: Final = 0.25
"""Seconds after which the next address is tried beside the others."""

T = TypeVar("T")

Connect = Callable[[Address], Awaitable[httpcore.AsyncNetworkStream]]


async def resolve(host: str, port: int) -> tuple[Address, ...]:
    """The addresses of `host`, in the system's order of preference (RFC 6724).

    Raises OSError (`socket.gaierror`) or UnicodeError if there are none.
    """
    if is_literal(host):
        return lookup(host, port)
    return await in_worker(lambda: lookup(host, port))


async def in_worker(call: Callable[[], T]) -> T:
    """What `call` returns or raises, unless a cancellation comes first: then its thread is abandoned.

    Raises OSError, too, if no thread can be started.
    """
    soon, done = on_this_loop(), anyio.Event()
    future = begun(call)
    future.add_done_callback(lambda _: soon(done.set))
    await done.wait()
    return future.result()


async def dial(addresses: Iterable[Address], connect: Connect) -> httpcore.AsyncNetworkStream:
    """The first connection that `connect` makes. Raises what the last failure was, or OSError for none."""
    race = _Race(connect)
    try:
        async with anyio.create_task_group() as tasks:
            for address in addresses:
                settled = anyio.Event()
                tasks.start_soon(race.run, address, settled, tasks.cancel_scope)
                with anyio.move_on_after(STAGGER):
                    await settled.wait()
    except BaseException:
        await race.drop()
        raise
    if race.winner is None:
        raise race.failure
    return race.winner


class _Race:
    """Attempts to connect, side by side."""

    def __init__(self, connect: Connect) -> None:
        self.winner: httpcore.AsyncNetworkStream | None = None
        self.failure: Exception = OSError("no address to connect to")
        self._connect = connect

    async def run(self, address: Address, settled: anyio.Event, others: anyio.CancelScope) -> None:
        """One attempt. The first to succeed ends the others."""
        try:
            stream = await self._connect(address)
        except (OSError, httpcore.ConnectError) as error:
            self.failure = error
            settled.set()
            return
        if self.winner is None:
            self.winner = stream
            others.cancel()
            return
        await _close(stream)

    async def drop(self) -> None:
        """Close what was won, for nobody wants it any more."""
        if self.winner is not None:
            await _close(self.winner)


async def _close(stream: httpcore.AsyncNetworkStream) -> None:
    with anyio.CancelScope(shield=True):
        await stream.aclose()
