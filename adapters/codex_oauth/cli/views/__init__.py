"""What a person, or a program, sees while a sign-in waits: one view a file."""

from __future__ import annotations

from codex_oauth.cli.views.choose import choose_view as choose_view
from codex_oauth.cli.views.choose import terminal_here as terminal_here
from codex_oauth.cli.views.terminal import ViewOptions as ViewOptions
from codex_oauth.cli.views.view import Offers as Offers
from codex_oauth.cli.views.view import View as View
from codex_oauth.cli.views.view import prompt_lines as prompt_lines

__all__ = ["Offers", "View", "ViewOptions", "choose_view", "prompt_lines", "terminal_here"]
