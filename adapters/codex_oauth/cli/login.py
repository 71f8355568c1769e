"""`codex-oauth login`: sign in with the browser or with a device code.

Rules of this file: what is said beside the sign-in itself (ways out, flags, what was copied) is added to
what a view shows, and decides nothing. `--verbose` tells a line for each request, answer and wait: of a
request its method and its address without a query, of an answer its status, kind, length and time: no body,
no header that could hold a secret.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final, Protocol, Self, TypeVar, assert_never

import attrs

from codex_oauth.cli.account import summary
from codex_oauth.cli.accounts import name_of, signing_in
from codex_oauth.cli.output import NoOutput, emit, hint, hint_from_a_signal, printable, report, result
from codex_oauth.cli.process import ENDING
from codex_oauth.cli.providers import chosen_provider, no_device_code
from codex_oauth.cli.trace import tracing
from codex_oauth.cli.views import View, ViewOptions, choose_view, terminal_here
from codex_oauth.provider_names import APP_NAME, is_official, plan_use, sign_in_again
from codex_oauth.sign_in import login
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.find import kept_logins
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.world import World
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Prompt, SendRequest, SignInEffect, Wait
from codex_oauth_core.errors import OTHER_PERSON, ErrorKind, SignInError
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Event,
    RequestFailed,
    ResponseReceived,
    Resumed,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import provider_of
from codex_oauth_core.record import Record
from codex_oauth_core.storage import Register

__all__ = [
    "Guide",
    "Interrupt",
    "ObservedWorld",
    "answer_line",
    "effect_line",
    "named_both",
    "observed",
    "run_login",
    "say_signed_in",
    "view_for",
]


class ObservedWorld:
    """`world`, whose requests are told to `on_send` and whose every step, as a line, to `on_detail`."""

    def __init__(
        self,
        world: World,
        on_send: Callable[[SendRequest], None],
        on_detail: Callable[[str], None] | None = None,
    ) -> None:
        self._world = world
        self._on_send = on_send
        self._on_detail = on_detail

    def now(self) -> tuple[float, float]:
        """The wrapped world's clocks."""
        return self._world.now()

    def perform(self, effect: SignInEffect) -> Event:
        """Tell, and do what the effect asks."""
        if isinstance(effect, SendRequest):
            self._on_send(effect)
        if self._on_detail is None:
            return self._world.perform(effect)
        self._on_detail(effect_line(effect, self.now()[0]))
        event = self._world.perform(effect)
        if (line := answer_line(event)) is not None:
            self._on_detail(line)
        return event

    def cancel(self) -> None:
        """Cancel the wrapped world's run."""
        self._world.cancel()

    def __enter__(self) -> Self:
        self._world.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._world.__exit__(*exc_info)


def effect_line(effect: SignInEffect, at: float) -> str:
    """What is done next, in a line."""
    match effect:
        case SendRequest(request=request, once=once):
            address = request.url.partition("?")[0].partition("#")[0]
            return f"> {request.method} {address}{' (once)' if once else ''}"
        case Wait(until=until, why=why, cause=cause):
            because = f", after {cause.value}" if cause else ""
            return f"= waiting for {max(0.0, until - at):.0f} s: {why.value}{because}"
        case Register():
            return "= keeping what this program was registered as"
        case _:
            assert_never(effect)


def answer_line(event: Event) -> str | None:
    """What came of it, in a line; None for the time, which comes by itself."""
    match event:
        case ResponseReceived():
            kind = event.headers.get("content-type", "no content type").partition(";")[0]
            length = len(event.body.reveal())
            took = event.at - event.sent_at
            return f"< {event.status}, {printable(kind, 40)}, {length} bytes, {took:.1f} s"
        case RequestFailed():
            return f"< no answer: {event.cause.value}, {event.phase.value}"
        case CallbackReceived():
            return "< the browser came back"
        case Cancelled():
            return "< cancelled"
        case TimeReached() | Started() | Resumed() | StoreAnswered():
            return None
        case _:
            assert_never(event)


# -- what is said beside it ----------------------------------------------------------------------------


_FLAGS: Final = (
    ("Signing in with a device code:", "--browser"),
    ("Signing in with the browser:", "--device"),
)


def wishes_of(args: argparse.Namespace) -> ViewOptions:
    """The options that are about how it looks."""
    return ViewOptions(color=args.color, accessible=args.accessible, quiet=args.quiet, qr=args.qr)


def view_for(args: argparse.Namespace) -> View:
    """The view for these options."""
    return choose_view(as_json=args.json, wishes=wishes_of(args))


def observed(world: World, view: View, args: argparse.Namespace) -> World:
    """The world, whose requests the view gets to know; with `--verbose` every step."""
    return ObservedWorld(world, view.sending, view.detail if args.verbose else None)


class Guide:
    """Shows prompts and notes with what belongs to them on this machine."""

    def __init__(self, view: View, args: argparse.Namespace, provider: Provider) -> None:
        self._view = view
        self._args = args
        self._provider = provider

    def note(self, note: str) -> None:
        """A note; about the choice, with the flag that changes it and, in a remote shell, the other ways."""
        from codex_oauth.cli.remote import is_remote_shell, other_ways

        flag = next((flag for start, flag in _FLAGS if note.startswith(start)), None)
        self._view.note(f"{note} Use {flag} to change that." if flag else note)
        if flag == "--browser" and is_remote_shell(os.environ):
            for line in other_ways(_tunnel(self._provider.redirect_ports[0])):
                self._view.note(line)

    def prompt(self, prompt: Prompt) -> None:
        """A prompt, in a remote shell below the way back for a browser elsewhere; on request copied."""
        if isinstance(prompt, BrowserPrompt):
            self._way_back(prompt)
        self._view.prompt(prompt)
        if self._args.copy:
            self._view.note(_copied(prompt, wishes_of(self._args)))

    def _way_back(self, prompt: BrowserPrompt) -> None:
        from codex_oauth.cli.remote import by_tunnel, is_remote_shell, listening_port

        port = listening_port(prompt)
        if port is not None and is_remote_shell(os.environ):
            device = self._provider.device_authorization_endpoint is not None
            for line in by_tunnel(_tunnel(port), pastes=self._args.paste, device=device):
                self._view.note(line)


def _tunnel(port: int) -> str:
    from getpass import getuser

    from codex_oauth.cli.remote import tunnel

    return tunnel(os.environ, port, getuser)


def _copied(prompt: Prompt, wishes: ViewOptions) -> str:
    from codex_oauth.cli.clipboard import copy

    if isinstance(prompt, DevicePrompt):
        return copy(prompt.user_code, "the code", terminal_here(wishes))
    return copy(prompt.authorize_url.reveal(), "the page's address", terminal_here(wishes))


# -- who signed in -------------------------------------------------------------------------------------


def named_both(error: SignInError, asked: str | None) -> SignInError:
    """The error, which names who was asked for and who signed in, if it is that. Without a name, it is who
    signed in here before.
    """
    if error.details.get("reason") != OTHER_PERSON:
        return error
    who = printable(str(error.details.get("signed_in_as") or "somebody else"), 130)
    if asked is None:
        text = f"{who} signed in, and not who signed in here before. Nothing was stored."
        again = "Sign in again, in the browser with the account that was used before."
        anew = "To sign in as somebody else, add --register-anew."
        return attrs.evolve(error, message=text, next_actions=(again, anew))
    text = f"You asked for {printable(asked, 130)}, and {who} signed in. Nothing was stored."
    again = "Sign in again, in the browser with the account that you want."
    keep = "To keep the login of whoever signs in, beside the others, add --yes to --account."
    return attrs.evolve(error, message=text, next_actions=(again, keep))


# -- the command ---------------------------------------------------------------------------------------


def run_login(args: argparse.Namespace) -> int:
    """Sign in, and keep the login. Raises SignInError."""
    from codex_oauth.transport.httpx_messages import check_settings
    from codex_oauth.worlds.httpx_world import HttpxWorld

    _refuse_without_a_person(named=args.device or args.browser)
    store = FileStore(args.store)
    provider = chosen_provider(args)
    if args.device and provider.device_authorization_endpoint is None:
        raise no_device_code(provider, args.issuer)
    account, workspaces = signing_in(args, store, provider)
    used_a_plan = _plans_in_use(store) if is_official(provider) else frozenset[str]()
    view = view_for(args)
    guide = Guide(view, args, provider)
    interrupt = Interrupt()

    def make_world(callbacks: Sequence[CallbackSource]) -> World:
        world = HttpxWorld(on_wait=view.wait, on_tick=view.tick, callbacks=callbacks)
        return interrupt.cancels(observed(world, view, args))

    try:
        check_settings(provider)
        with interrupt, tracing(args.trace, view.warn) as record:
            credential = login(
                device=True if args.device else False if args.browser else None,
                on_prompt=guide.prompt,
                on_note=guide.note,
                provider=provider,
                store=store,
                revoke_old=args.revoke_old,
                workspaces=workspaces,
                account=account,
                open_browser=not args.no_open,
                ports=None if args.port is None else (args.port,),
                callbacks=_pastes(view) if args.paste else (),
                make_world=make_world,
                record=record,
                app_name=args.app_name or APP_NAME,
                enable_plan=args.enable_plan,
                register_anew=args.register_anew,
            )
            view.done()
    except SignInError as failed:
        error = named_both(failed, args.account)
        if not args.json:
            raise error from None
        from codex_oauth.cli.errors import EXIT_CODES

        report(error, as_json=True, event="error")
        return EXIT_CODES[error.kind]
    finally:
        view.close()
    try:
        say_signed_in(args, credential, store, new_plan=credential.key not in used_a_plan)
    except NoOutput:
        hint("codex-oauth: you are signed in; the login was stored before its description failed.")
        raise
    return 0


def say_signed_in(
    args: argparse.Namespace, credential: Credential, store: FileStore, *, new_plan: bool = False
) -> None:
    """Describe the login that is now stored. `new_plan`: nobody was told yet that it uses a plan. Raises
    NoOutput.
    """
    if args.json:
        emit({"event": "done", "ok": True, **summary(Record(credential), store, credential.key)})
        return
    result(f"Signed in as {name_of(credential)}.")
    result(f"Stored in {printable(str(store.slot(credential.key).path), 4096)}.")
    uses = plan_use(credential)
    if uses is not None:
        for line in _about_the_plan(credential, store, uses=uses, new=new_plan):
            result(line)


def _about_the_plan(credential: Credential, store: FileStore, *, uses: bool, new: bool) -> tuple[str, ...]:
    """What requests with the login use: told in full once."""
    provider = provider_of(credential)
    if provider is None:
        return ()
    service = provider.texts.service
    if not uses:
        ask = sign_in_again(credential, store, "--enable-plan")
        return (
            f"This application may not use your {service} plan: no request can be made yet.",
            f"To ask for it again: {ask}",
        )
    if not new:
        return (f"{provider.texts.in_use}.",)
    told = f"Requests use your {service} plan."
    return (told, f"Manage usage: {provider.texts.usage_page}") if provider.texts.usage_page else (told,)


def _plans_in_use(store: FileStore) -> frozenset[str]:
    """The keys of the logins whose people know that a plan is used."""
    try:
        credentials = [login.credential for login in kept_logins(store)]
    except SignInError:  # the sign-in says what is wrong with the store
        return frozenset()
    return frozenset(each.key for each in credentials if each is not None and plan_use(each))


def _pastes(view: View) -> tuple[CallbackSource, ...]:
    from codex_oauth.browser.paste import EXPLANATIONS, WARNING, PasteSource

    view.warn(f"You can also paste the address of the last page here. {WARNING}")
    return (PasteSource(lambda reason: view.warn(f"{EXPLANATIONS[reason]} Try again.")),)


def _refuse_without_a_person(*, named: bool) -> None:
    """In CI a login that nobody asked for by name would wait for nobody."""
    if os.environ.get("CI", "").lower() in ("", "0", "false") or named:
        return
    error = SignInError.of(
        ErrorKind.LOGIN_REQUIRED, "This looks like CI, where nobody can approve a sign-in."
    )
    ways = (
        "Bring a login that was made elsewhere: set CODEX_OAUTH_HOME to its directory.",
        "Or copy the Codex CLI's access token: codex-oauth import --from-codex PATH",
        "If somebody watches and can approve it: codex-oauth login --device",
    )
    raise attrs.evolve(error, next_actions=ways)


class Cancellable(Protocol):
    """What can be cancelled: a world."""

    def cancel(self) -> None:
        """Cancel it."""


W = TypeVar("W", bound=Cancellable)


class Interrupt:
    """Ctrl-C, SIGTERM or a closed terminal within a `with` block: the first cancels in order, so that a
    granted login is not lost; the second interrupts.
    """

    def __init__(self) -> None:
        self._worlds: list[Cancellable] = []
        self._before: dict[int, Any] = {}

    def cancels(self, world: W) -> W:
        """The world, which the next Ctrl-C cancels."""
        self._worlds.append(world)
        return world

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._cancel) for number in heard}
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _cancel(self, number: int, frame: FrameType | None) -> None:
        for ending in self._before:
            signal.signal(ending, signal.default_int_handler)
        if not self._worlds:
            raise KeyboardInterrupt
        hint_from_a_signal("Stopping; tokens that are on their way are awaited. Ctrl-C again stops at once.")
        for world in self._worlds:
            world.cancel()
