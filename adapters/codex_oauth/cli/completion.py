"""`codex-oauth completion`: the script that completes the command line, for one shell.

Rules of this file: the scripts are files beside it, written before they are shipped; they hold what help
says, and run nothing of this program, so that completing reads no login.
"""

from __future__ import annotations

import argparse
from types import MappingProxyType
from typing import Final

from codex_oauth.cli.errors import OK

__all__ = ["SCRIPTS", "completion", "run_completion"]

SCRIPTS: Final = MappingProxyType(
    {"bash": "codex-oauth.bash", "zsh": "_codex-oauth", "fish": "codex-oauth.fish"}
)
"""The file of each shell, in `completions/`."""


def completion(command: argparse.ArgumentParser) -> None:
    """The arguments of `completion`."""
    command.add_argument("shell", metavar="SHELL", choices=tuple(SCRIPTS), help=" or ".join(SCRIPTS))


def run_completion(args: argparse.Namespace) -> int:
    """Print the script of `args.shell`."""
    from importlib.resources import files

    from codex_oauth.cli.output import result

    script = files("codex_oauth.cli") / "completions" / SCRIPTS[args.shell]
    result(script.read_text(encoding="utf-8").rstrip("\n"))
    return OK
