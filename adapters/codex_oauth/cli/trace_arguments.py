"""The arguments of `codex-oauth trace`, and which function each of its actions is."""

from __future__ import annotations

import argparse
from importlib import import_module

__all__ = ["run_trace", "trace"]


def trace(command: argparse.ArgumentParser) -> None:
    """The arguments of `trace`."""
    actions = command.add_subparsers(metavar="ACTION", title="actions", required=True)
    show = actions.add_parser(
        "show",
        help="show what happened, and when",
        description="Show what happened, and when.\n\nexamples:\n"
        "  codex-oauth trace show FILE\n"
        "  codex-oauth trace show --html page.html FILE",
        formatter_class=command.formatter_class,
        allow_abbrev=False,
    )
    page = "write a page with the states and the times to this file instead"
    show.add_argument("--html", metavar="OUT", help=page)
    replay = actions.add_parser(
        "replay",
        help="say whether today's code does the same",
        description="Run the same again with today's code, without a network: exit code 0 if it does\n"
        "the same, 1 if not.\n\nexamples:\n"
        "  codex-oauth trace replay FILE",
        formatter_class=command.formatter_class,
        allow_abbrev=False,
    )
    for action, function in ((show, "run_show"), (replay, "run_replay")):
        action.add_argument("file", metavar="FILE", help="the trace")
        action.add_argument("--json", action="store_true", help="machine-readable output")
        action.set_defaults(function=function)


def run_trace(args: argparse.Namespace) -> int:
    """Show a trace, or replay it."""
    return int(getattr(import_module("codex_oauth.cli.trace"), args.function)(args))
