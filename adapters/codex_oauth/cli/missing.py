"""How a command says that an extra of the package is not installed."""

from __future__ import annotations

from codex_oauth.cli.errors import USAGE
from codex_oauth.cli.output import complain_in_lines, emit, failure_fields, say_action
from codex_oauth.extras import INSTALL

__all__ = ["say_missing"]


def say_missing(text: str, extra: str, *, as_json: bool) -> int:
    """Say what needs the extra, and how to get it; the exit code."""
    install = INSTALL.format(extra)
    if as_json:
        emit(failure_fields("authority", text, install))
    else:
        complain_in_lines(f"codex-oauth: {text}")
        say_action(install)
    return USAGE
