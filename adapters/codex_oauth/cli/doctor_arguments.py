"""The arguments of `codex-oauth doctor`."""

from __future__ import annotations

import argparse

from codex_oauth.cli.arguments import store_command
from codex_oauth.cli.colour import CHOICES

__all__ = ["doctor"]


def doctor(command: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    add = command.add_argument
    add("--offline", action="store_true", help="ask nobody: skip the server and the clock")
    where = "another authorization server: https, or http on loopback"
    add("--issuer", metavar="URL", type=_issuer, help=where)
    when = "colours: auto, always or never; NO_COLOR and CLICOLOR_FORCE are honoured"
    add("--color", metavar="WHEN", choices=CHOICES, default="auto", help=when)
    store_command(command)


def _issuer(text: str) -> str:
    from codex_oauth_core.codex import CODEX

    try:
        return CODEX.at(text).issuer
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
