"""What a person sees and can do while a sign-in waits, beside the page and the code.

Rules of this file: what is said here (ways out, flags, keys, what was copied) is added to what a view shows,
and decides nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from codex_oauth.browser.paste import WARNING
from codex_oauth.cli.views import Offers, View, ViewOptions, choose_view, terminal_here
from codex_oauth.sign_in import NOT_OPENED
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Prompt
from codex_oauth_core.provider import Provider
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth.cli.keys import PressedKeys

__all__ = ["Guide", "view_for"]


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


class Guide:
    """Shows prompts and notes with what belongs to them on this machine. Close it: it listens to keys."""

    def __init__(self, view: View, args: argparse.Namespace, provider: Provider) -> None:
        self._view = view
        self._args = args
        self._provider = provider
        self._prompt: Prompt | None = None
        self._keys: PressedKeys | None = None

    def note(self, note: str) -> None:
        """A note; about the choice, with the flag that changes it and, in a remote shell, the other ways."""
        from codex_oauth.cli.remote import is_remote_shell, other_ways

        flag = next((flag for start, flag in _FLAGS if note.startswith(start)), None)
        self._view.note(f"{note.removesuffix('.')} (or use {flag})." if flag else note)
        if note.startswith(NOT_OPENED):
            self._view.whole_page()
        if flag == "--browser" and is_remote_shell(os.environ):
            for line in other_ways(_tunnel(self._provider.redirect_ports[0])):
                self._view.note(line)

    def prompt(self, prompt: Prompt) -> None:
        """A prompt, in a remote shell below the way back for a browser elsewhere; on request copied."""
        self._prompt = prompt
        if isinstance(prompt, BrowserPrompt):
            self._way_back(prompt)
        self._view.prompt(prompt, self._offers(prompt))
        if self._args.copy:
            self._view.note(_copied(prompt, wishes_of(self._args)))
        if self._keys is not None:
            self._keys.start()

    def close(self) -> None:
        """Listen to no keys any more."""
        if self._keys is not None:
            self._keys.stop()

    def _offers(self, prompt: Prompt) -> Offers:
        from codex_oauth.cli.remote import is_remote_shell

        args = self._args
        pastes = _PASTE if isinstance(prompt, BrowserPrompt) and getattr(args, "paste", False) else ()
        here = not (args.no_open or is_remote_shell(os.environ))
        opens = isinstance(prompt, BrowserPrompt) and here
        return Offers(opens=opens, keys="" if pastes else self._listen(prompt), pastes=pastes)

    def _listen(self, prompt: Prompt) -> str:
        """What can be pressed, in a sentence; nothing where nobody is at the keyboard."""
        from codex_oauth.cli.keys import COPY, OPEN, PressedKeys, can_be_pressed

        args = self._args
        if args.json or args.quiet or not (terminal_here(wishes_of(args)).redraws and can_be_pressed()):
            return ""
        actions: dict[str, Callable[[], None]] = {COPY: self._copy}
        is_code = isinstance(prompt, DevicePrompt)
        if _page_to_open(prompt, self._provider) and not args.no_open:
            actions[OPEN] = self._open
        self._keys = self._keys or PressedKeys(actions)
        copies = "c copies the code." if is_code else "c copies the address."
        opens = "Enter opens the page here" if is_code else "Enter opens the page again"
        return f"{opens}, {copies}" if OPEN in actions else copies

    def _copy(self) -> None:
        if self._prompt is not None:
            self._view.note(_copied(self._prompt, wishes_of(self._args)))

    def _open(self) -> None:
        from codex_oauth.browser.open_browser import NotOpened, open_url

        if self._prompt is None or (page := _page_to_open(self._prompt, self._provider)) is None:
            return
        url, origin = page
        outcome = open_url(url, origin=origin)
        if isinstance(outcome, NotOpened):
            self.note(f"{NOT_OPENED}: {outcome.reason}.")

    def _way_back(self, prompt: BrowserPrompt) -> None:
        from codex_oauth.cli.remote import by_tunnel, is_remote_shell, listening_port

        port = listening_port(prompt)
        if port is not None and is_remote_shell(os.environ):
            device = self._provider.device_authorization_endpoint is not None
            for line in by_tunnel(_tunnel(port), pastes=self._args.paste, device=device):
                self._view.note(line)


def _page_to_open(prompt: Prompt, provider: Provider) -> tuple[Secret[str], str] | None:
    """The page of a prompt, and the origin that it must have; None where none can be opened here."""
    from codex_oauth.browser.choose import choose_here
    from codex_oauth.browser.open_browser import refused_url

    if isinstance(prompt, BrowserPrompt):
        url, origin = prompt.authorize_url, provider.authorization_endpoint or provider.issuer
    else:
        page = prompt.verification_uri_complete or prompt.verification_uri
        url, origin = Secret(page), prompt.issuer
    if refused_url(url.reveal(), origin) is not None or choose_here().flow != "browser":
        return None
    return url, origin


_PASTE: Final = (
    "Or paste the address of the last page here, and press Enter.",
    WARNING,
)


def _tunnel(port: int) -> str:
    from getpass import getuser

    from codex_oauth.cli.remote import tunnel

    return tunnel(os.environ, port, getuser)


def _copied(prompt: Prompt, wishes: ViewOptions) -> str:
    from codex_oauth.cli.clipboard import copy

    if isinstance(prompt, DevicePrompt):
        return copy(prompt.user_code, "the code", terminal_here(wishes))
    return copy(prompt.authorize_url.reveal(), "the address", terminal_here(wishes))
