"""The arguments of `codex-oauth import` and `codex-oauth export`."""

from __future__ import annotations

import argparse

from codex_oauth.cli.arguments import account, store_command

__all__ = ["give", "take"]


def take(command: argparse.ArgumentParser) -> None:
    """The arguments of `import`."""
    add = command.add_argument
    where = "the Codex CLI's auth.json; default: in CODEX_HOME, else in ~/.codex"
    add("--from-codex", metavar="PATH", nargs="?", const="", required=True, help=where)
    whole = "take the whole login over, and renew it: the Codex CLI must sign in again"
    add("--move", action="store_true", help=whole)
    add("--force", action="store_true", help="replace a login of the same account that can be renewed")
    add("--yes", action="store_true", help="do not ask")
    store_command(command)


def give(command: argparse.ArgumentParser) -> None:
    """The arguments of `export`."""
    add = command.add_argument
    what = "the auth.json to write; without a refresh token it works until the access token expires"
    add("--to-codex", metavar="PATH", required=True, help=what)
    whole = "write the refresh token, too: from then on only that copy may renew"
    add("--include-refresh", action="store_true", help=whole)
    add("--force", action="store_true", help="replace the file if it is there")
    add("--yes", action="store_true", help="do not ask")
    account(command)
    store_command(command)
