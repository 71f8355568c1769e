"""`codex-oauth login`: sign in with the browser or with a device code."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any, Protocol, Self, TypeVar

import attrs

from codex_oauth.cli.account import name_of, summary
from codex_oauth.cli.accounts import signing_in
from codex_oauth.cli.login_view import Guide, told, view_for
from codex_oauth.cli.output import NoOutput, emit, hint, hint_from_a_signal, report, result
from codex_oauth.cli.process import ENDING
from codex_oauth.cli.text import printable
from codex_oauth.cli.trace_file import tracing
from codex_oauth.cli.views import View
from codex_oauth.sign_in import login
from codex_oauth.stores.file_store import FileStore
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.world import World
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import Record

__all__ = ["Interrupt", "run_login", "say_signed_in"]


def run_login(args: argparse.Namespace) -> int:
    """Sign in, and keep the login. Raises SignInError."""
    from codex_oauth.transport.httpx_messages import check_settings
    from codex_oauth.worlds.httpx_world import HttpxWorld

    _refuse_without_a_person(named=args.device or args.browser)
    store = FileStore(args.store)
    provider = CODEX.at(args.issuer) if args.issuer else CODEX
    workspaces = signing_in(args, store)
    view = view_for(args)
    guide = Guide(view, args)
    interrupt = Interrupt()

    def make_world(callbacks: Sequence[CallbackSource]) -> World:
        world = HttpxWorld(on_wait=view.wait, on_tick=view.tick, callbacks=callbacks)
        return interrupt.cancels(told(world, view, args))

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
                open_browser=not args.no_open,
                ports=None if args.port is None else (args.port,),
                callbacks=_pastes(view) if args.paste else (),
                make_world=make_world,
                record=record,
            )
            view.done()
    except SignInError as error:
        if not args.json:
            raise
        from codex_oauth.cli.exit_codes import EXIT_CODES

        report(error, as_json=True, event="error")
        return EXIT_CODES[error.kind]
    finally:
        view.close()
    try:
        say_signed_in(args, credential, store)
    except NoOutput:
        hint("codex-oauth: you are signed in; the login was stored before its description failed.")
        raise
    return 0


def say_signed_in(args: argparse.Namespace, credential: Credential, store: FileStore) -> None:
    """Describe the login that is now stored. Raises NoOutput."""
    if args.json:
        emit({"event": "done", "ok": True, **summary(Record(credential), store)})
    else:
        result(f"Signed in as {name_of(credential)}.")
        result(f"Stored in {printable(str(store.slot(credential.account_id).path), 4096)}.")


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
