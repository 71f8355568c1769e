"""What becomes of a granted login, in an asynchronous program: see `keeping`.

Rules of this file: as in `keeping`; and a cancelled task finishes what it began, as fast as can be, before
the cancellation is raised: a login that was granted is stored, kept beside or revoked first.
"""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Self

from codex_oauth.event_loops import aside
from codex_oauth.keeping import KEPT_BESIDE, may_be_stored, not_kept
from codex_oauth.stores.store import Store, StoreWarning
from codex_oauth.worlds.async_storing import AsyncStoringWorld
from codex_oauth.worlds.async_world import AsyncPerformer, arun
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cancelled, Event
from codex_oauth_core.flows.deposit import StoreLogin
from codex_oauth_core.flows.revocation import Revocation
from codex_oauth_core.outcomes import LoginStored
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record

__all__ = ["aend_login", "akeep", "akeep_or_revoke", "arevoke"]


async def akeep_or_revoke(
    credential: Credential, store: Store, provider: Provider, world: AsyncPerformer
) -> LoginStored:
    """Keep a login; if that fails in any way, end it at the server, unless it may be stored all the same.

    A cancelled task does not wait for the login's lock: the login is kept beside.
    """
    with _Hurried(world) as hurried:
        try:
            deposited = await _deposit(Record(credential), store, hurried, force=False)
        except BaseException as error:
            if await aside(lambda: may_be_stored(credential, store)):
                raise
            revoked = await arevoke(credential, store, provider, world)
            if isinstance(error, SignInError):
                raise not_kept(error, revoked=revoked) from error
            raise
        return await _announced(deposited, store)


async def akeep(record: Record, store: Store, world: AsyncPerformer, *, force: bool = False) -> LoginStored:
    """`keep()` for asyncio and trio. A cancelled task does not wait for the login's lock: the login is kept
    beside.
    """
    with _Hurried(world) as hurried:
        return await _announced(await _deposit(record, store, hurried, force=force), store)


async def aend_login(
    store: Store, account_id: str, provider: Provider | None, world: AsyncPerformer
) -> bool | None:
    """`end_login()` for asyncio and trio. A task that is cancelled after it asked the server deletes, too."""
    async with AsyncStoringWorld(world, store, account_id) as storing:
        outcome = await arun(Revocation(provider=provider), storing)
    if isinstance(outcome, SignInError):
        raise outcome
    return outcome.confirmed


async def arevoke(credential: Credential, store: Store, provider: Provider, world: AsyncPerformer) -> bool:
    """`revoke()` for asyncio and trio. No cancellation cuts it; it takes 10 s at most."""
    async with AsyncStoringWorld(world, store, credential.account_id) as storing:
        outcome = await arun(Revocation(provider=provider, credential=credential), storing)
    return not isinstance(outcome, SignInError) and outcome.confirmed is True


async def _deposit(record: Record, store: Store, world: AsyncPerformer, *, force: bool) -> LoginStored:
    async with AsyncStoringWorld(world, store, record.credential.account_id) as storing:
        outcome = await arun(StoreLogin(record=record, force=force), storing)
    if isinstance(outcome, SignInError):
        raise outcome
    return outcome


async def _announced(deposited: LoginStored, store: Store) -> LoginStored:
    """Make a stored login the current one. From here on nothing ends it, whatever fails."""
    await aside(lambda: store.select(deposited.record.credential.account_id))
    if deposited.rescued:
        warnings.warn(KEPT_BESIDE, StoreWarning, stacklevel=3)
    return deposited


class _Hurried:
    """`world`, with a cancellation that ends a wait as an event of the flow: it is raised when the `with`
    block ends, and the flow ends in order before that.
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
