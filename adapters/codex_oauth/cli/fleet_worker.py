"""`codex-oauth fleet sign-ins`: a worker as a program, from its start to the signal that ends it.

Rules of this file: the first signal hands over what waits and finishes what is being exchanged; a second
one, while that goes on, changes nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

import anyio
import attrs

from codex_oauth.cli.output import detail, hint, printable
from codex_oauth.cli.usage import UsageError
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.fleet_pool import FleetPool
from codex_oauth.sealing import Keys
from codex_oauth.transport.protocol import AsyncTransport
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import SignInError
from codex_oauth_core.provider import Provider

__all__ = ["Worked", "work"]

_SLOWER: Final = "Polls are slower without the extra: pip install 'codex-oauth[aiohttp]'"
_LONGEST_NAME: Final = 8


@attrs.define
class Worked:
    """What a worker did: how many signed in, how many did not, and the signal that ended it."""

    done: int = 0
    failed: int = 0
    ended_by: signal.Signals | None = None

    def count(self, name: str, outcome: Credential | SignInError) -> None:
        """One sign-in is over. Its name is a secret of its person's: a beginning of it is told."""
        short = printable(name[:_LONGEST_NAME])
        if isinstance(outcome, Credential):
            self.done += 1
            detail(f"{short}...: signed in, {outcome.key}")
        else:
            self.failed += 1
            detail(f"{short}...: {outcome.kind.value}")


def work(
    database: Database,
    keys: Keys,
    *,
    issuers: Sequence[str],
    room: int,
    max_requests: int,
    on_trouble: Callable[[SignInError], None],
) -> Worked:
    """Drive sign-ins until SIGTERM or SIGINT. Raises SignInError, UsageError."""
    worked, providers = Worked(), _providers(issuers)

    async def main() -> None:
        async with AsyncExitStack() as closing:
            pool = FleetPool(
                database,
                _transport(closing),
                keys=keys,
                providers=providers,
                room=room,
                max_requests=max_requests,
                on_end=worked.count,
                on_trouble=on_trouble,
            )
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async with anyio.create_task_group() as tasks:

                    async def run() -> None:
                        await pool.run()
                        tasks.cancel_scope.cancel()

                    tasks.start_soon(run)
                    async for number in signals:
                        if worked.ended_by is None:
                            worked.ended_by = signal.Signals(number)
                            pool.stop()

    try:
        anyio.run(main)
    except ExceptionGroup as group:
        for each in group.exceptions:
            if isinstance(each, SignInError):
                raise each from None
        raise
    return worked


def _transport(closing: AsyncExitStack) -> AsyncTransport:
    try:
        from codex_oauth.transport.aiohttp_poll_transport import AiohttpPollTransport
    except ImportError:
        from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport

        hint(_SLOWER)
        slower = AsyncHttpxTransport()
        closing.push_async_callback(slower.aclose)
        return slower
    polls = AiohttpPollTransport()
    closing.push_async_callback(polls.aclose)
    return polls


def _providers(issuers: Sequence[str]) -> tuple[Provider, ...]:
    try:
        return tuple(CODEX.at(issuer) for issuer in issuers)
    except ValueError as error:
        raise UsageError(f"--issuer: {error}") from None
