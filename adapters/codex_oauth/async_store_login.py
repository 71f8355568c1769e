"""A granted login is stored, and a stored one is ended, on asyncio and trio: see `store_login`.

Rules of this file: as in `store_login`; and a cancelled task finishes what it began, as fast as can be,
before the cancellation is raised: a login that was granted is stored, kept beside or ended first.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from codex_oauth.store_login import signed_in_or_raise
from codex_oauth.stores.store import Store
from codex_oauth.worlds.async_storing import AsyncStoringWorld
from codex_oauth.worlds.async_world import AsyncPerformer, arun
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cancelled, Event
from codex_oauth_core.flows.finish_sign_in import FinishSignIn
from codex_oauth_core.flows.revocation import Revocation
from codex_oauth_core.outcomes import SignedIn
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record

__all__ = ["aend_login", "afinish_sign_in", "agive_up"]


async def afinish_sign_in(
    granted: Credential | Record,
    store: Store,
    provider: Provider | None,
    world: AsyncPerformer,
    *,
    revoke_old: bool = False,
    force: bool = False,
) -> SignedIn:
    """`finish_sign_in()` for asyncio and trio. A cancelled task does not wait for the login's lock: the login
    is kept beside.
    """
    flow = FinishSignIn(record=granted, provider=provider, revoke_old=revoke_old, force=force)
    with _Hurried(world) as hurried:
        try:
            async with AsyncStoringWorld(hurried, store, flow.record.credential.account_id) as storing:
                outcome = await arun(flow, storing)
        except BaseException:
            if flow.is_undecided:
                await agive_up(granted, store, provider, hurried)
            raise
        return signed_in_or_raise(outcome, stacklevel=3)


async def agive_up(
    granted: Credential | Record, store: Store, provider: Provider | None, world: AsyncPerformer
) -> None:
    """`give_up()` for asyncio and trio. No cancellation cuts a request of it."""
    flow = FinishSignIn(record=granted, provider=provider)
    async with AsyncStoringWorld(world, store, flow.record.credential.account_id) as storing:
        effect = flow.receive(Cancelled(storing.now()[0]))
        while not isinstance(effect, Finished):
            effect = flow.receive(await storing.perform(effect))


async def aend_login(
    store: Store, account_id: str, provider: Provider | None, world: AsyncPerformer
) -> bool | None:
    """`end_login()` for asyncio and trio. A task that is cancelled after it asked the server deletes, too."""
    async with AsyncStoringWorld(world, store, account_id) as storing:
        outcome = await arun(Revocation(provider=provider), storing)
    if isinstance(outcome, SignInError):
        raise outcome
    return outcome.confirmed


class _Hurried:
    """`world`, with a cancellation that ends a wait as an event of the flow: it is raised when the `with`
    block ends, and the flow ends in order before that. From then on it waits for nothing.
    """

    def __init__(self, world: AsyncPerformer) -> None:
        self._world = world
        self._cancelled: BaseException | None = None

    def now(self) -> tuple[float, float]:
        """The world's clocks."""
        return self._world.now()

    async def perform(self, effect: SendRequest | Wait) -> Event:
        """Do what the effect asks, and no cancellation is raised."""
        from anyio import get_cancelled_exc_class

        if not isinstance(effect, Wait):
            return await self._world.perform(effect)
        if self._cancelled is None:
            try:
                return await self._world.perform(effect)
            except get_cancelled_exc_class() as error:
                self._cancelled = error
        return Cancelled(self._world.now()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._cancelled is not None:
            raise self._cancelled from exc
