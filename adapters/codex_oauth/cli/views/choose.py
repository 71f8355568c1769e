"""Which view suits stderr."""

from __future__ import annotations

import os
import sys

from codex_oauth.cli.views.json_view import JsonView
from codex_oauth.cli.views.line_view import LineView, QuietView
from codex_oauth.cli.views.live_view import LiveView
from codex_oauth.cli.views.terminal import Terminal, ViewOptions, terminal_of
from codex_oauth.cli.views.view import View

__all__ = ["choose_view", "terminal_here"]

_USUAL = ViewOptions()


def terminal_here(wishes: ViewOptions = _USUAL) -> Terminal:
    """The terminal behind stderr."""
    return terminal_of(sys.stderr, os.environ, wishes)


def choose_view(*, as_json: bool, wishes: ViewOptions = _USUAL) -> View:
    """JSON, or for a person: live on a terminal that can write over a line, else line by line."""
    if as_json:
        return JsonView()
    terminal = terminal_here(wishes)
    if wishes.quiet:
        return QuietView(terminal)
    return LiveView(terminal) if terminal.redraws else LineView(terminal)
