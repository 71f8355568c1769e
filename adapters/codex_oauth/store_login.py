"""A granted login is stored, and a stored one is ended, in blocking code and on asyncio and trio.

Rules of this file: the machines decide. Here they are driven, a failure is raised, and what a person should
know is warned of. Where the storing is interrupted the login is given up before the interruption goes on; a
cancelled task finishes what it began, as fast as can be, before the cancellation is raised.
"""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Final, Self

from codex_oauth.stores.store import Store, StoreWarning
from codex_oauth.worlds.storing import AsyncStoringWorld, StoringWorld
from codex_oauth.worlds.world import AsyncPerformer, Performer, arun, run
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Finished, SignInEffect, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cancelled, Event
from codex_oauth_core.flows.finish_sign_in import FinishSignIn
from codex_oauth_core.flows.revoke_login import Revocation
from codex_oauth_core.outcomes import SignedIn
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record

__all__ = [
    "aend_login",
    "afinish_sign_in",
    "agive_up",
    "end_login",
    "finish_sign_in",
    "give_up",
    "signed_in_or_raise",
]


_KEPT_BESIDE: Final = (
    "Another process has locked the login. The new one is stored beside it until the lock is free"
)


def finish_sign_in(
    granted: Credential | Record,
    store: Store,
    provider: Provider | None,
    world: Performer,
    *,
    revoke_old: bool = False,
    force: bool = False,
) -> SignedIn:
    """Store a login that was granted, and put it in use; if it cannot be stored, end it at `provider`.

    The parameters are those of `FinishSignIn`. `world` waits for the login's lock and sends the revocations;
    it may be that of the sign-in. Where another process has the lock for too long, the login is kept beside,
    and a `StoreWarning` says so.

    Raises SignInError: `corrupt_auth`, `auth_read_failed`, `auth_write_failed`; for a copy without a refresh
    token also `invalid_request` (`details.reason`: `renewable_login`) and `network` (`lock_busy`).
    """
    flow = FinishSignIn(record=granted, provider=provider, revoke_old=revoke_old, force=force)
    try:
        with StoringWorld(world, store, flow.record.credential.key) as storing:
            outcome = run(flow, storing)
    except BaseException:
        if flow.is_undecided:
            give_up(granted, store, provider, world)
        raise
    return signed_in_or_raise(outcome, stacklevel=3)


def give_up(granted: Credential | Record, store: Store, provider: Provider | None, world: Performer) -> None:
    """End a login that its owner does not get, best effort within 10 s, unless it is stored, or may be."""
    flow = FinishSignIn(record=granted, provider=provider)
    with StoringWorld(world, store, flow.record.credential.key) as storing:
        effect = flow.receive(Cancelled(storing.now()[0]))
        while not isinstance(effect, Finished):
            effect = flow.receive(storing.perform(effect))


def signed_in_or_raise(outcome: SignedIn | SignInError, *, stacklevel: int) -> SignedIn:
    """What was signed in, with a warning where it is only kept beside. Raises SignInError."""
    if isinstance(outcome, SignInError):
        raise outcome
    if outcome.rescued:
        warnings.warn(_KEPT_BESIDE, StoreWarning, stacklevel=stacklevel)
    return outcome


def end_login(
    store: Store,
    key: str,
    provider: Provider | None,
    world: Performer,
    *,
    expected: Record | None = None,
) -> bool | None:
    """Revoke the login that is kept under `key` at `provider`, best effort within 10 s, then delete it,
    whatever it is; with `expected`, the login that it is believed to be, only that one.

    Whether the server confirmed; None where nothing was asked of it. Raises SignInError: `network`
    (`details.reason`: `lock_busy`), `auth_write_failed`.
    """
    with StoringWorld(world, store, key) as storing:
        outcome = run(Revocation(provider=provider, expected=expected), storing)
    if isinstance(outcome, SignInError):
        raise outcome
    return outcome.confirmed


# -- async store login ---------------------------------------------------------------------------------


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
            async with AsyncStoringWorld(hurried, store, flow.record.credential.key) as storing:
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
    async with AsyncStoringWorld(world, store, flow.record.credential.key) as storing:
        effect = flow.receive(Cancelled(storing.now()[0]))
        while not isinstance(effect, Finished):
            effect = flow.receive(await storing.perform(effect))


async def aend_login(
    store: Store,
    key: str,
    provider: Provider | None,
    world: AsyncPerformer,
    *,
    expected: Record | None = None,
) -> bool | None:
    """`end_login()` for asyncio and trio. A task that is cancelled after it asked the server deletes, too."""
    async with AsyncStoringWorld(world, store, key) as storing:
        outcome = await arun(Revocation(provider=provider, expected=expected), storing)
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

    async def perform(self, effect: SignInEffect) -> Event:
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
