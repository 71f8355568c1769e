"""What `codex-oauth login` says beside the sign-in itself: ways out, flags, and what was copied.

Rules of this file: it adds to what a view shows, by the options and the environment, and decides nothing.
"""

from __future__ import annotations

import argparse
import os
from typing import Final

from codex_oauth.cli.verbose import ToldWorld
from codex_oauth.cli.views import View, Wishes, choose_view, terminal_here
from codex_oauth.worlds.world import World
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Prompt

__all__ = ["Guide", "told", "view_for"]

_FLAGS: Final = (
    ("Signing in with a device code:", "--browser"),
    ("Signing in with the browser:", "--device"),
)


def wishes_of(args: argparse.Namespace) -> Wishes:
    """The options that are about how it looks."""
    return Wishes(color=args.color, accessible=args.accessible, quiet=args.quiet, qr=args.qr)


def view_for(args: argparse.Namespace) -> View:
    """The view for these options."""
    return choose_view(as_json=args.json, wishes=wishes_of(args))


def told(world: World, view: View, args: argparse.Namespace) -> World:
    """The world, whose requests the view gets to know; with `--verbose` every step."""
    return ToldWorld(world, view.sending, view.detail if args.verbose else None)


class Guide:
    """Shows prompts and notes with what belongs to them on this machine."""

    def __init__(self, view: View, args: argparse.Namespace) -> None:
        self._view = view
        self._args = args

    def note(self, note: str) -> None:
        """A note; about the choice, with the flag that changes it and, in a remote shell, the other ways."""
        from codex_oauth.cli.remote import is_remote_shell, other_ways

        flag = next((flag for start, flag in _FLAGS if note.startswith(start)), None)
        self._view.note(f"{note} Use {flag} to change that." if flag else note)
        if flag == "--browser" and is_remote_shell(os.environ):
            for line in other_ways(_tunnel(CODEX.redirect_ports[0])):
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
            for line in by_tunnel(_tunnel(port), pastes=self._args.paste):
                self._view.note(line)


def _tunnel(port: int) -> str:
    from getpass import getuser

    from codex_oauth.cli.remote import tunnel

    return tunnel(os.environ, port, getuser)


def _copied(prompt: Prompt, wishes: Wishes) -> str:
    from codex_oauth.cli.clipboard import copy

    if isinstance(prompt, DevicePrompt):
        return copy(prompt.user_code, "the code", terminal_here(wishes))
    return copy(prompt.authorize_url.reveal(), "the page's address", terminal_here(wishes))
