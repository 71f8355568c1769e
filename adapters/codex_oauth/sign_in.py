"""The front door: sign in, with the browser or with a device code; and what `alogin()` shares with it.

Rules of this file: nothing is printed but a prompt that nobody else shows, and the notes beside it; a failed
sign-in is raised; the listener is bound before a page is shown; what opens or shows a page never ends a
sign-in; where no port can be had, a device code is the way out, unless the caller insists. A note is one
plain line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Literal, Unpack, overload
from urllib.parse import urlsplit

import attrs

from codex_oauth.default_provider import default_provider
from codex_oauth.entropy import new_nonce, new_pkce, new_state
from codex_oauth.loading import loading
from codex_oauth.print_prompt import check_that_it_is_seen, print_line
from codex_oauth.sign_in_client import SignInClient, client_for
from codex_oauth.sign_in_options import SignInOptions
from codex_oauth.stored_login import finish_sign_in
from codex_oauth.stores.store import Store, prepare_store
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.prompted import PromptedWorld
from codex_oauth.worlds.registering import RegisteringWorld
from codex_oauth.worlds.world import World, run
from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Prompt
from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind, SignInError
from codex_oauth_core.flows.browser import BrowserFlow
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.flows.machine import Drivable
from codex_oauth_core.flows.sign_in import SignInFlow, as_ids
from codex_oauth_core.identity import Identity
from codex_oauth_core.provider import Provider

if TYPE_CHECKING:
    from codex_oauth.browser.choose import FlowChoice
    from codex_oauth.listener.sync_listener import CallbackListener

__all__ = [
    "ANY_PORT",
    "NOT_CONFIRMED",
    "NOT_OPENED",
    "OnPrompt",
    "Recording",
    "WorldMaker",
    "browser_flow",
    "can_use_device_code",
    "check_device_code",
    "choice_note",
    "choose",
    "for_others",
    "ignore_note",
    "login",
    "no_recording",
    "only_a_paste",
    "only_way",
    "open_page",
    "with_a_device_code",
]


NOT_CONFIRMED: Final = "The server did not confirm that it ended the replaced login."

NOT_OPENED: Final = "The browser was not opened"
"""How the note begins that says so."""

Recording = Callable[[SignInFlow], Drivable[SignInEffect, Credential]]
"""Makes the flow that is driven in place of another, such as its `codex_oauth_core.traces.Recorder`."""

ANY_PORT: Final = (0,)
"""For a provider that has registered none (RFC 8252 §7.3)."""

_WAYS: Final = {"device": "a device code", "browser": "the browser"}


def choose() -> FlowChoice:
    """How to sign in on this machine."""
    with loading("codex_oauth.browser.choose"):
        from codex_oauth.browser.choose import choose_here

    return choose_here()


def choice_note(choice: FlowChoice) -> str:
    """The choice, for a person."""
    return f"Signing in with {_WAYS[choice.flow]}: {choice.reason}."


def only_way(provider: Provider, device: bool | None) -> bool | None:
    """`device`; where nobody said, and the provider has only one of the two ways, that one."""
    browser, code = provider.authorization_endpoint, provider.device_authorization_endpoint
    if device is not None or (browser is not None and code is not None):
        return device
    return browser is None


def can_use_device_code(error: SignInError, device: bool | None) -> bool:
    """Whether a device code is the way out, after the browser could not be used."""
    return device is not False and error.kind is ErrorKind.CALLBACK_PORT_UNAVAILABLE


def with_a_device_code(error: SignInError) -> str:
    """Why the browser is not used, for a person."""
    return f"Signing in with a device code: {error.message}"


def only_a_paste(error: SignInError) -> str:
    """Why nobody listens, for a person."""
    return f"{error.message} To finish this sign-in, paste the address of the last page."


def browser_flow(
    client: SignInClient, workspaces: tuple[str, ...], redirect_uri: str, *, opens: bool
) -> BrowserFlow:
    """A new sign-in with the browser. `opens`: the page is opened here, and not only shown."""
    provider = client.provider
    return BrowserFlow(
        redirect_uri=redirect_uri,
        pkce=new_pkce(),
        state=new_state(),
        nonce=new_nonce() if provider.has_nonce else None,
        provider=provider,
        workspaces=workspaces,
        account=client.account,
        id_token_hint=client.id_token_hint if opens else None,
        login_hint=client.login_hint if opens else None,
        prompt=client.prompt,
    )


def for_others(prompt: Prompt) -> Prompt:
    """What others get to see of a prompt: a page whose address holds a token is for our own browser alone."""
    return attrs.evolve(prompt, open_url=None) if isinstance(prompt, BrowserPrompt) else prompt


def check_device_code(provider: Provider, device: bool | None) -> None:
    """Raise SignInError (`device_code_unsupported`) where somebody wants a device code, and the provider has
    none: before anything is prepared.
    """
    if device and provider.device_authorization_endpoint is None:
        kind = ErrorKind.DEVICE_CODE_UNSUPPORTED
        raise SignInError.by(provider.texts.facts(kind, NO_ENDPOINT), kind, reason=NO_ENDPOINT)


def open_page(prompt: BrowserPrompt, provider: Provider) -> str | None:
    """Open the page in a browser, within a second; a note if that failed. Never raises.

    The page is on the provider's authorization endpoint, which need not be on its issuer (RFC 8414 §2).
    """
    with loading("codex_oauth.browser.open_browser"):
        from codex_oauth.browser.open_browser import NotOpened, open_url

    endpoint = urlsplit(provider.authorization_endpoint or provider.issuer)
    outcome = open_url(
        prompt.open_url or prompt.authorize_url, origin=f"{endpoint.scheme}://{endpoint.netloc}"
    )
    if not isinstance(outcome, NotOpened):
        return None
    return f"{NOT_OPENED}: {outcome.reason}. Open the page yourself."


def no_recording(flow: SignInFlow) -> Drivable[SignInEffect, Credential]:
    """Nobody asked for a trace."""
    return flow


def ignore_note(note: str) -> None:
    """Nobody asked for notes."""


# -- sign in -------------------------------------------------------------------------------------------


OnPrompt = Callable[[Prompt], None]
"""Shows a person the prompt."""

WorldMaker = Callable[[Sequence[CallbackSource]], World]
"""Makes the world of one sign-in. It gets the sources that bring the browser's redirect, if there are any."""


@overload
def login(
    *,
    device: Literal[True],
    on_prompt: Callable[[DevicePrompt], None] | None = None,
    make_world: WorldMaker | None = None,
    **options: Unpack[SignInOptions],
) -> Credential: ...


@overload
def login(
    *,
    device: Literal[False],
    on_prompt: Callable[[BrowserPrompt], None] | None = None,
    make_world: WorldMaker | None = None,
    **options: Unpack[SignInOptions],
) -> Credential: ...


@overload
def login(
    *,
    on_prompt: OnPrompt | None = None,
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
    make_world: WorldMaker | None = None,
    record: Recording | None = None,
    app_name: str | None = None,
    enable_plan: bool = False,
    register_anew: bool = False,
) -> Credential: ...


def login(
    *,
    on_prompt: Callable[..., None] | None = None,
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
    make_world: WorldMaker | None = None,
    record: Recording | None = None,
    app_name: str | None = None,
    enable_plan: bool = False,
    register_anew: bool = False,
) -> Credential:
    """Sign in, and block until that has succeeded or failed.

    `device`: sign in with a device code (True, RFC 8628), with the browser (False, RFC 8252), or as suits
    this machine (None). `on_prompt` gets a `DevicePrompt` or a `BrowserPrompt` for the person to see;
    `on_note` gets one plain line if a choice needs an explanation. Without `on_prompt` both are printed on
    stderr. `provider`: by default `CODEX`, at the issuer that the variable `CODEX_OAUTH_ISSUER` names, if it
    is set.

    With a `store` the login is kept there and becomes its current one; a `TokenSource` of that store then
    gives its token. `revoke_old` then ends the login that it replaces at the server, which may end other
    sessions of that account too. Without a store, `store_login()` keeps the credential later.

    `workspaces`: the account must be one of these. `account`: who must sign in, by an e-mail address, an
    account id, a user id, the beginning of a key, or the `Identity` of a known login; the login of another
    person is revoked (`account_changed`).

    For the browser: `open_browser` also opens the page; `ports` replace the provider's ports for the
    redirect; `callbacks` are further ways in which the redirect can come, such as a `PasteSource`.
    `make_world` performs the effects; by default an `HttpxWorld`. `record` may wrap the flow in a `Recorder`.

    For a provider that issues client ids (`CHATGPT`): `app_name` is the name of your application, which the
    person sees at its first registration. A `store` keeps the issued client id for the next sign-in, which
    uses the client id of the login named by `account`, else of the current login, else the only one that is
    kept. `register_anew` asks for a new one: for another person or workspace, or if the old one was deleted.
    `enable_plan` asks the person once more to let the application use the plan.

    Raises SignInError: its `kind` says why, and docs/errors.md what to do. Raises ValueError before anything
    is shown: without `on_prompt` if there is no stderr; without `app_name`, or with a store that keeps no
    registrations, for a provider that issues client ids; with `enable_plan` or `register_anew` for another
    provider.
    """
    provider = default_provider(provider)
    if on_prompt is None:
        check_that_it_is_seen()
    check_device_code(provider, device)
    if make_world is None:
        _check_settings(provider)
    if store is not None:
        prepare_store(store)
    client = client_for(
        provider,
        store,
        account=account,
        app_name=app_name,
        enable_plan=enable_plan,
        register_anew=register_anew,
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
    device = only_way(provider, device)
    if device or (device is None and _suits_a_device_code(door)):
        return door.enter(door.device_flow())
    try:
        return _with_browser(
            door, ports or provider.redirect_ports or ANY_PORT, tuple(callbacks), open_browser=open_browser
        )
    except SignInError as error:
        if not can_use_device_code(error, device):
            raise
        door.on_note(with_a_device_code(error))
    return door.enter(door.device_flow())


@attrs.frozen
class _Door:
    """What both ways share."""

    client: SignInClient
    store: Store | None
    revoke_old: bool
    workspaces: tuple[str, ...] = attrs.field(converter=as_ids)
    on_prompt: Callable[[Prompt], None]
    on_note: Callable[[str], None]
    make_world: WorldMaker
    record: Recording

    @property
    def provider(self) -> Provider:
        """Where to sign in, with the client that we are there."""
        return self.client.provider

    def device_flow(self) -> DeviceFlow:
        """A new sign-in with a device code."""
        return DeviceFlow(provider=self.provider, workspaces=self.workspaces, account=self.client.account)

    def enter(
        self,
        flow: SignInFlow,
        sources: Sequence[CallbackSource] = (),
        on_prompt: Callable[[Prompt], None] | None = None,
    ) -> Credential:
        """Run a flow to its end, and keep what it grants."""
        with PromptedWorld(self.make_world(sources), on_prompt or self.on_prompt) as world:
            outcome = run(self.record(flow), RegisteringWorld(world, self.client.store))
            if isinstance(outcome, SignInError):
                raise outcome
            if self.store is not None:
                provider = self.provider.registered(outcome.client_id)
                signed_in = finish_sign_in(outcome, self.store, provider, world, revoke_old=self.revoke_old)
                if signed_in.replaced_revoked is False:
                    self.on_note(NOT_CONFIRMED)
        return outcome


def _with_browser(
    door: _Door, ports: Sequence[int], callbacks: tuple[CallbackSource, ...], *, open_browser: bool
) -> Credential:
    with ExitStack() as closing:
        sources = callbacks
        redirect_uri = door.provider.redirect_uri(ports[0])
        listener = _listener(door, ports, required=not callbacks or ports == ANY_PORT)
        if listener is not None:
            closing.enter_context(listener)
            sources, redirect_uri = (listener, *callbacks), listener.redirect_uri
        flow = browser_flow(door.client, door.workspaces, redirect_uri, opens=open_browser)
        return door.enter(flow, sources, _opening(door) if open_browser else None)


def _listener(door: _Door, ports: Sequence[int], *, required: bool) -> CallbackListener | None:
    with loading("codex_oauth.listener.sync_listener"):
        from codex_oauth.listener.sync_listener import CallbackListener

    try:
        return CallbackListener(ports, door.provider.redirect_host, door.provider.redirect_path)
    except SignInError as error:
        if required:
            raise
        door.on_note(only_a_paste(error))
    return None


def _opening(door: _Door) -> Callable[[Prompt], None]:
    """Show the page's address, and then open it; if that fails, the address is there."""

    def show_and_open(prompt: Prompt) -> None:
        door.on_prompt(for_others(prompt))
        if isinstance(prompt, BrowserPrompt) and (note := open_page(prompt, door.provider)) is not None:
            door.on_note(note)

    return show_and_open


def _suits_a_device_code(door: _Door) -> bool:
    choice = choose()
    door.on_note(choice_note(choice))
    return choice.flow == "device"


def _check_settings(provider: Provider) -> None:
    """Else a person would approve a sign-in whose code cannot be exchanged."""
    with loading("codex_oauth.transport.httpx_messages"):
        from codex_oauth.transport.httpx_messages import check_settings

    check_settings(provider)


def _usual_world(callbacks: Sequence[CallbackSource]) -> World:
    with loading("codex_oauth.worlds.httpx_world"):
        from codex_oauth.worlds.httpx_world import HttpxWorld

    return HttpxWorld(callbacks=callbacks)
