"""A granted login is stored, and a stored one is ended, in blocking code and on asyncio and trio.

Rules of this file: the machines decide. Here they are driven, a failure is raised, and what a person should
know is warned of. Where the storing is interrupted the login is given up before the interruption goes on; a
cancelled task finishes what it began, as fast as can be, before the cancellation is raised.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from codex_oauth.clock import now
from codex_oauth.event_loops import load_anyio
from codex_oauth.loading import loading
from codex_oauth.stores.store import Store, StoreWarning, refuse_earlier_store
from codex_oauth.worlds.lazy_world import LazyWorld, UsualWorld
from codex_oauth.worlds.storing import AsyncStoringWorld, StoringWorld
from codex_oauth.worlds.world import AsyncPerformer, AsyncWorld, Performer, World, arun, run
from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Finished, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cancelled, Event
from codex_oauth_core.flows.finish_sign_in import FinishSignIn
from codex_oauth_core.flows.revoke_login import Revocation
from codex_oauth_core.outcomes import SignedIn
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import provider_of
from codex_oauth_core.record import Record

__all__ = [
    "aend_login",
    "afinish_sign_in",
    "agive_up",
    "astore_login",
    "end_login",
    "finish_sign_in",
    "give_up",
    "signed_in_or_raise",
    "store_login",
]


_KEPT_BESIDE: Final = (
    "Another process has locked the login. The new one is stored beside it until the lock is free"
)


def store_login(
    store: Store,
    granted: Credential | Record,
    *,
    provider: Provider | None = None,
    revoke_old: bool = False,
    make_world: Callable[[], World] | None = None,
) -> SignedIn:
    """Store a new login and make it the store's current one: a credential of a `FlowPool`, of a restored
    flow, or of a flow that you drive. `login(store=...)` does this itself.

    It replaces the login under the same key: `SignedIn.replaced` is the record of that one. With `revoke_old`
    it also ends the replaced login at its server, which may end other sessions of that account
    (`SignedIn.replaced_revoked` says whether the server confirmed it). Other logins of the store stay, and
    are no longer the current one. To store the same credential again changes nothing.

    If the login cannot be stored, this ends it at its server, because nobody would ever use or end it.
    `details["revoked"]` of the error then says whether the server confirmed it; without that detail the login
    is stored, or may be. If another process holds the login's lock for too long, the new login is kept beside
    the old one until the lock is free, and a `StoreWarning` says so.

    `provider`: the server that granted it; by default the known provider of the credential. `make_world`
    performs the requests that end a login; by default an `HttpxWorld`.

    Raises SignInError: `auth_write_failed`, `auth_read_failed`, `corrupt_auth`. Raises TypeError, before it
    does anything, for a store in the form of an earlier release. Make a `TokenSource` of the store next.
    """
    refuse_earlier_store(store)
    provider = provider or provider_of(_credential_of(granted))
    with LazyWorld(UsualWorld(now), now) if make_world is None else make_world() as world:
        outcome = _finished(granted, store, provider, world, revoke_old=revoke_old)
    return signed_in_or_raise(outcome, stacklevel=3)


def finish_sign_in(
    granted: Credential | Record,
    store: Store,
    provider: Provider | None,
    world: Performer,
    *,
    revoke_old: bool = False,
    force: bool = False,
) -> SignedIn:
    """Store a new login and make it the current one, in a world that is already open. If it cannot be stored,
    end it at `provider`. `store_login()` does the same in a world of its own.

    The parameters are those of `FinishSignIn`. `world` waits for the login's lock and sends the revocations;
    it may be the world of the sign-in. If another process holds the lock for too long, the new login is kept
    beside the old one, and a `StoreWarning` says so.

    Raises SignInError: `corrupt_auth`, `auth_read_failed`, `auth_write_failed`; for a copy without a refresh
    token also `invalid_request` (`details.reason`: `renewable_login`) and `network` (`lock_busy`).
    """
    outcome = _finished(granted, store, provider, world, revoke_old=revoke_old, force=force)
    return signed_in_or_raise(outcome, stacklevel=3)


def _credential_of(granted: Credential | Record) -> Credential:
    return granted.credential if isinstance(granted, Record) else granted


def _finished(
    granted: Credential | Record,
    store: Store,
    provider: Provider | None,
    world: Performer,
    *,
    revoke_old: bool = False,
    force: bool = False,
) -> SignedIn | SignInError:
    flow = FinishSignIn(record=granted, provider=provider, revoke_old=revoke_old, force=force)
    try:
        with StoringWorld(world, store, flow.record.credential.key) as storing:
            return run(flow, storing)
    except BaseException:
        if flow.is_undecided:
            give_up(granted, store, provider, world)
        raise


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
    """Sign out: end the stored login `key` at `provider` (RFC 7009), trying for 10 s, and then delete it,
    whatever the server answered. With `expected` only that login is deleted, and not one that another process
    has stored in the meantime. `provider`: see `provider_of()`; None asks no server.

    Returns whether the server confirmed that it ended the login; None if no server was asked. Raises
    SignInError: `network` (`details.reason` is `lock_busy`: another process holds the login's lock),
    `auth_write_failed`.
    """
    with StoringWorld(world, store, key) as storing:
        outcome = run(Revocation(provider=provider, expected=expected), storing)
    if isinstance(outcome, SignInError):
        raise outcome
    return outcome.confirmed


# -- async store login ---------------------------------------------------------------------------------


async def astore_login(
    store: Store,
    granted: Credential | Record,
    *,
    provider: Provider | None = None,
    revoke_old: bool = False,
    make_world: Callable[[], AsyncWorld] | None = None,
) -> SignedIn:
    """`store_login()` for asyncio and trio; `make_world` makes by default an `AsyncHttpxWorld`. A cancelled
    task finishes storing the login, as fast as possible, before the cancellation is raised.
    """
    load_anyio()
    refuse_earlier_store(store)
    provider = provider or provider_of(_credential_of(granted))
    async with (make_world or _usual_world)() as world:
        return await afinish_sign_in(granted, store, provider, world, revoke_old=revoke_old)


def _usual_world() -> AsyncWorld:
    with loading("codex_oauth.worlds.async_httpx_world"):
        from codex_oauth.worlds.async_httpx_world import AsyncHttpxWorld

    return AsyncHttpxWorld()


async def afinish_sign_in(
    granted: Credential | Record,
    store: Store,
    provider: Provider | None,
    world: AsyncPerformer,
    *,
    revoke_old: bool = False,
    force: bool = False,
) -> SignedIn:
    """`finish_sign_in()` for asyncio and trio. A cancelled task does not wait for the login's lock: the new
    login is kept beside the old one.
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
    """`end_login()` for asyncio and trio. If the task is cancelled after the server was asked, the login is
    deleted before the cancellation is raised.
    """
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
