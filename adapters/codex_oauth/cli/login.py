"""`codex-oauth login`: sign in with a device code."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from codex_oauth.cli.account import name_of, summary
from codex_oauth.cli.output import emit, report, result
from codex_oauth.cli.text import printable
from codex_oauth.cli.views import choose_view
from codex_oauth.sign_in import login
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["cancelled_by_sigint", "run_login"]


def run_login(args: argparse.Namespace) -> int:
    """Sign in, and keep the login. Raises SignInError."""
    from codex_oauth.worlds.httpx_world import HttpxWorld

    _refuse_without_a_person(device=args.device)
    store = FileStore(args.store)
    provider = CODEX.at(args.issuer) if args.issuer else CODEX
    view = choose_view(as_json=args.json)
    world = HttpxWorld(on_wait=view.wait, on_tick=view.tick)
    try:
        with cancelled_by_sigint(world):
            credential = login(
                device=True, on_prompt=view.prompt, provider=provider, store=store, world=world
            )
    except SignInError as error:
        if not args.json:
            raise
        from codex_oauth.cli.exit_codes import EXIT_CODES

        report(error, as_json=True, event="error")
        return EXIT_CODES[error.kind]
    finally:
        view.close()
    if args.json:
        emit({"event": "done", "ok": True, **summary(credential, store)})
    else:
        result(f"Signed in as {name_of(credential)}.")
        result(f"Stored in {printable(str(store.slot(credential.account_id).path), 4096)}.")
    return 0


def _refuse_without_a_person(*, device: bool) -> None:
    """In CI a login that nobody asked for by name would wait for nobody."""
    if os.environ.get("CI", "").lower() in ("", "0", "false") or device:
        return
    raise SignInError.of(
        ErrorKind.LOGIN_REQUIRED,
        "This looks like CI, where nobody can approve a sign-in. "
        "Sign in with --device if somebody watches, or bring a login in CODEX_OAUTH_HOME.",
    )


class Cancellable(Protocol):
    """What can be cancelled: a world."""

    def cancel(self) -> None:
        """Cancel it."""


@contextmanager
def cancelled_by_sigint(world: Cancellable) -> Generator[None]:
    """The first Ctrl-C cancels in order, so that a granted login is not lost; the second interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def cancel(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        world.cancel()

    before: Any = signal.signal(signal.SIGINT, cancel)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
