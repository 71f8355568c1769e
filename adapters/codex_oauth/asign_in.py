"""The front door of an asynchronous program: `login()` for asyncio and trio.

Rules of this file: as in `sign_in`. A cancelled task leaves the sign-in at once, but for what is at stake:
an exchange that was begun is finished, and what it grants is stored, or revoked where there is no store; then
the cancellation is raised. No task, no socket and no lock is left behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Literal, Unpack, overload

import attrs

if TYPE_CHECKING:
    from codex_oauth.listener.async_listener import AsyncCallbackListener

from codex_oauth.default_provider import default_provider
from codex_oauth.event_loops import load_anyio, maybe_await, run_blocking
from codex_oauth.loading import loading
from codex_oauth.print_prompt import check_that_it_is_seen, print_line
from codex_oauth.sign_in import (
    ANY_PORT,
    NOT_CONFIRMED,
    Recording,
    browser_flow,
    can_use_device_code,
    check_device_code,
    choice_note,
    choose,
    for_others,
    ignore_note,
    no_recording,
    only_a_paste,
    only_way,
    open_page,
    with_a_device_code,
)
from codex_oauth.sign_in_client import SignInClient, client_for
from codex_oauth.sign_in_options import SignInOptions
from codex_oauth.stored_login import afinish_sign_in, agive_up
from codex_oauth.stores.store import Store, prepare_store
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.prompted import AsyncPromptedWorld
from codex_oauth.worlds.registering import AsyncRegisteringWorld
from codex_oauth.worlds.world import AsyncWorld, arun
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Prompt
from codex_oauth_core.errors import SignInError
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.flows.sign_in import SignInFlow, as_ids
from codex_oauth_core.identity import Identity
from codex_oauth_core.provider import Provider

__all__ = ["AsyncOnPrompt", "AsyncWorldMaker", "alogin"]

AsyncWorldMaker = Callable[[Sequence[CallbackSource]], AsyncWorld]
"""Makes the world of one sign-in. It gets the sources that bring the browser's redirect, if there are any."""

AsyncOnPrompt = Callable[[Prompt], Awaitable[None] | None]
"""Shows a person the prompt. It may be a coroutine function."""


@overload
async def alogin(
    *,
    device: Literal[True],
    on_prompt: Callable[[DevicePrompt], Awaitable[None] | None] | None = None,
    make_world: AsyncWorldMaker | None = None,
    **options: Unpack[SignInOptions],
) -> Credential: ...


@overload
async def alogin(
    *,
    device: Literal[False],
    on_prompt: Callable[[BrowserPrompt], Awaitable[None] | None] | None = None,
    make_world: AsyncWorldMaker | None = None,
    **options: Unpack[SignInOptions],
) -> Credential: ...


@overload
async def alogin(
    *,
    on_prompt: AsyncOnPrompt | None = None,
    device: bool | None = None,
    provider: Provider | None = None,
    store: Store | None = None,
    revoke_old: bool = False,
    workspaces: Iterable[str] = (),
    account: Identity | str | None = None,
    open_browser: bool = True,
    ports: Sequence[int] | None = None,
    callbacks: Iterable[CallbackSource] = (),
    on_note: Callable[[str], None] | None = None,
    make_world: AsyncWorldMaker | None = None,
    record: Recording | None = None,
    app_name: str | None = None,
    enable_plan: bool = False,
    register_anew: bool = False,
) -> Credential: ...


async def alogin(
    *,
    on_prompt: Callable[..., Awaitable[None] | None] | None = None,
    device: bool | None = None,
    provider: Provider | None = None,
    store: Store | None = None,
    revoke_old: bool = False,
    workspaces: Iterable[str] = (),
    account: Identity | str | None = None,
    open_browser: bool = True,
    ports: Sequence[int] | None = None,
    callbacks: Iterable[CallbackSource] = (),
    on_note: Callable[[str], None] | None = None,
    make_world: AsyncWorldMaker | None = None,
    record: Recording | None = None,
    app_name: str | None = None,
    enable_plan: bool = False,
    register_anew: bool = False,
) -> Credential:
    """Sign in, on asyncio or trio. The parameters are those of `login()`; `on_prompt` may be a coroutine
    function. Raises what `login()` raises.

    The task may be cancelled at any time, by asyncio, anyio or trio. It leaves the sign-in at once. Only an
    exchange that has begun is finished first: its login is stored, or revoked without a store, and then the
    cancellation is raised. `make_world` makes the world that performs the effects; by default an
    `AsyncHttpxWorld`. It may be called a second time, for a world that revokes a login which cannot be
    returned.
    """
    provider = default_provider(provider)
    if on_prompt is None:
        check_that_it_is_seen()
    load_anyio()
    from anyio.lowlevel import checkpoint

    check_device_code(provider, device)
    if make_world is None:
        await run_blocking(lambda: _check_settings(provider))
    if store is not None:
        await run_blocking(lambda: prepare_store(store))
    client = await run_blocking(
        lambda: client_for(
            provider,
            store,
            account=account,
            app_name=app_name,
            enable_plan=enable_plan,
            register_anew=register_anew,
        )
    )
    door = _Door(
        client,
        store,
        revoke_old,
        workspaces,
        on_prompt or print_line,
        on_note or (ignore_note if on_prompt else print_line),
        make_world or _usual_world,
        record or no_recording,
    )
    try:
        credential = await _through(door, device, ports, tuple(callbacks), open_browser=open_browser)
        await checkpoint()  # a cancellation that came late is raised here, while the login is in hand
    except BaseException:
        await door.give_back()
        raise
    return credential


async def _through(
    door: _Door,
    device: bool | None,
    ports: Sequence[int] | None,
    callbacks: tuple[CallbackSource, ...],
    *,
    open_browser: bool,
) -> Credential:
    device = only_way(door.provider, device)
    if device or (device is None and await _suits_a_device_code(door)):
        return await door.enter(door.device_flow())
    try:
        ports = ports or door.provider.redirect_ports or ANY_PORT
        return await _with_browser(door, ports, callbacks, open_browser=open_browser)
    except SignInError as error:
        if not can_use_device_code(error, device):
            raise
        door.on_note(with_a_device_code(error))
    return await door.enter(door.device_flow())


@attrs.define(eq=False)
class _Door:
    """What both ways share, and what has been granted."""

    client: SignInClient
    store: Store | None
    revoke_old: bool
    workspaces: tuple[str, ...] = attrs.field(converter=as_ids)
    on_prompt: AsyncOnPrompt
    on_note: Callable[[str], None]
    make_world: AsyncWorldMaker
    record: Recording
    granted: Credential | None = attrs.field(default=None, init=False)

    @property
    def provider(self) -> Provider:
        """Where to sign in, with the client that we are there."""
        return self.client.provider

    def device_flow(self) -> DeviceFlow:
        """A new sign-in with a device code."""
        return DeviceFlow(provider=self.provider, workspaces=self.workspaces, account=self.client.account)

    async def enter(
        self,
        flow: SignInFlow,
        sources: Sequence[CallbackSource] = (),
        on_prompt: AsyncOnPrompt | None = None,
    ) -> Credential:
        """Run a flow to its end, and keep what it grants. Between the grant and the store nothing is cut."""
        async with AsyncPromptedWorld(self.make_world(sources), on_prompt or self.on_prompt) as world:
            outcome = await arun(self.record(flow), AsyncRegisteringWorld(world, self.client.store))
            if isinstance(outcome, SignInError):
                raise outcome
            self.granted = outcome
            if self.store is not None:
                provider = self.provider.registered(outcome.client_id)
                signed_in = await afinish_sign_in(
                    outcome, self.store, provider, world, revoke_old=self.revoke_old
                )
                if signed_in.replaced_revoked is False:
                    self.on_note(NOT_CONFIRMED)
        return outcome

    async def give_back(self) -> None:
        """End what was granted, and is neither stored nor handed over; best effort."""
        with loading("codex_oauth.stores.memory_store"):
            from codex_oauth.stores.memory_store import MemoryStore

        if self.granted is None or self.store is not None:
            return
        with suppress(Exception):  # the caller is told why it gets no login, and not of this
            async with self.make_world(()) as world:
                provider = self.provider.registered(self.granted.client_id)
                await agive_up(self.granted, MemoryStore(), provider, world)


async def _with_browser(
    door: _Door, ports: Sequence[int], callbacks: tuple[CallbackSource, ...], *, open_browser: bool
) -> Credential:
    async with AsyncExitStack() as closing:
        sources = callbacks
        redirect_uri = door.provider.redirect_uri(ports[0])
        listener = _listener(door, ports, required=not callbacks or ports == ANY_PORT)
        if listener is not None:
            with loading("codex_oauth.listener.async_listener"):
                from codex_oauth.listener.async_listener import AsyncListenerSource

            await closing.enter_async_context(listener)
            source = await closing.enter_async_context(AsyncListenerSource(listener))
            sources, redirect_uri = (source, *callbacks), listener.redirect_uri
        flow = browser_flow(door.client, door.workspaces, redirect_uri, opens=open_browser)
        return await door.enter(flow, sources, _opening(door) if open_browser else None)
    raise AssertionError("nothing here swallows an exception")


def _listener(door: _Door, ports: Sequence[int], *, required: bool) -> AsyncCallbackListener | None:
    with loading("codex_oauth.listener.async_listener"):
        from codex_oauth.listener.async_listener import AsyncCallbackListener

    try:
        return AsyncCallbackListener(ports, door.provider.redirect_host, door.provider.redirect_path)
    except SignInError as error:
        if required:
            raise
        door.on_note(only_a_paste(error))
    return None


def _opening(door: _Door) -> AsyncOnPrompt:
    """Show the page's address, and then open it; if that fails, the address is there."""

    async def show_and_open(prompt: Prompt) -> None:
        await maybe_await(door.on_prompt(for_others(prompt)))
        if not isinstance(prompt, BrowserPrompt):
            return
        if (note := await run_blocking(lambda: open_page(prompt, door.provider))) is not None:
            door.on_note(note)

    return show_and_open


async def _suits_a_device_code(door: _Door) -> bool:
    choice = await run_blocking(choose)
    door.on_note(choice_note(choice))
    return choice.flow == "device"


def _check_settings(provider: Provider) -> None:
    """Else a person would approve a sign-in whose code cannot be exchanged."""
    with loading("codex_oauth.transport.httpx_messages"):
        from codex_oauth.transport.httpx_messages import check_settings

    check_settings(provider)


def _usual_world(callbacks: Sequence[CallbackSource]) -> AsyncWorld:
    with loading("codex_oauth.worlds.async_httpx_world"):
        from codex_oauth.worlds.async_httpx_world import AsyncHttpxWorld

    return AsyncHttpxWorld(callbacks=callbacks)
