"""`codex-oauth trace show` and `trace replay`: what a trace says, and whether today's code does the same.

Rules of this file: a file that is no trace is the caller's mistake (exit code 2), never a failure of ours;
no text of a file reaches the terminal unfiltered.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from codex_oauth.cli.exit_codes import OK, UNEXPECTED, USAGE
from codex_oauth.cli.output import complain, emit, failure_fields, hint, result
from codex_oauth.cli.text import printable
from codex_oauth.cli.trace_file import read_text
from codex_oauth.cli.trace_rows import rows_of
from codex_oauth.cli.trace_text import replay_lines, timeline
from codex_oauth_core.traces import Replay, Trace, read_trace, replay

__all__ = ["run_replay", "run_show"]

_CUT = "codex-oauth: the last line is cut, and left out."


def run_show(args: argparse.Namespace) -> int:
    """Show a trace; with `--html` also, or only, as a page."""
    try:
        trace = read_trace(_lines(args))
        if args.html is not None:
            _write_page(args.html, args.file, trace)
    except ValueError as error:
        return _unusable(args, str(error))
    if args.json:
        emit({"ok": True, **_about(trace), "rows": [row.to_dict() for row in rows_of(trace)]})
    elif args.html is None:
        for line in timeline(trace):
            result(line)
    else:
        result(f"Written to {printable(args.html, 4096)}.")
    return OK


def run_replay(args: argparse.Namespace) -> int:
    """Replay a trace: 0 if today's code does the same, 1 if not."""
    try:
        replayed = replay(_lines(args))
    except ValueError as error:
        return _unusable(args, str(error))
    if args.json:
        emit({"ok": replayed.same, **_about(replayed.trace), "differences": _differences(replayed)})
    else:
        for line in replay_lines(replayed):
            result(line)
        if replayed.trace.gap is not None:
            hint("codex-oauth: the trace stops before the end of its sign-in.")
    return OK if replayed.same else UNEXPECTED


def _lines(args: argparse.Namespace) -> Sequence[str]:
    """The lines of the file. Raises ValueError with the reason."""
    text = read_text(args.file)
    if text.cut and not args.json:
        hint(_CUT)
    return text.lines


def _about(trace: Trace) -> dict[str, Any]:
    header = attrs.asdict(trace.header)
    return {"trace": {**header, "steps": len(trace.steps), "gap": trace.gap and trace.gap.value}}


def _differences(replayed: Replay) -> list[dict[str, Any]]:
    return [attrs.asdict(each) for each in replayed.differences]


def _write_page(path: str, source: str, trace: Trace) -> None:
    """Write the page, for its owner alone. Raises ValueError with the reason."""
    from codex_oauth.cli.trace_page import page_of

    text = page_of(trace)
    try:
        if os.path.realpath(path) == os.path.realpath(source):
            raise ValueError("The page would take the place of the trace.")
        descriptor = os.open(Path(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise ValueError(
            f"The page could not be written: {error.strerror or type(error).__name__}."
        ) from None


def _unusable(args: argparse.Namespace, why: str) -> int:
    if args.json:
        emit(failure_fields("unusable_trace", why))
    else:
        complain(f"codex-oauth: {printable(args.file, 200)}: {printable(why)}")
    return USAGE
