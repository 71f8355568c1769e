"""A trace in the terminal: a line for each thing that happened, at most 80 columns wide.

Rules of this file: plain text without colours; every text of a trace passes `printable`.
"""

from __future__ import annotations

import textwrap
from typing import Final

from codex_oauth.cli.text import printable
from codex_oauth.cli.trace_rows import Row, rows_of, title_of
from codex_oauth_core.traces.format import Trace
from codex_oauth_core.traces.replay import Difference, Replay

__all__ = ["WIDTH", "replay_lines", "timeline"]

WIDTH: Final = 80
_INDENT: Final = " " * 12


def timeline(trace: Trace) -> list[str]:
    """The trace as lines."""
    lines, state = [printable(line, WIDTH) for line in title_of(trace)] + [""], ""
    for row in rows_of(trace):
        lines += _wrapped(row, state)
        state = row.state
    return lines


def _wrapped(row: Row, before: str) -> list[str]:
    """A row, with the state where that has changed."""
    come = "" if row.state == before else f" -> {printable(row.state, 40)}"
    text = f"{row.at:10.3f}  {printable(row.text)}{come}"
    return textwrap.wrap(text, WIDTH, subsequent_indent=_INDENT)


def replay_lines(replay: Replay) -> list[str]:
    """What a replay found, as lines."""
    steps = len(replay.trace.steps)
    if replay.same:
        return [f"Today's code does the same at {'its one step' if steps == 1 else f'all {steps} steps'}."]
    count = len(replay.differences)
    head = f"Today's code acts differently in {count} place{'' if count == 1 else 's'}:"
    return [head, *(line for each in replay.differences for line in _difference(each))]


def _difference(difference: Difference) -> list[str]:
    recorded, today = printable(repr(difference.recorded)), printable(repr(difference.today))
    lines = [f"line {difference.line}, {printable(difference.field, 60)}:"]
    for name, value in (("in the trace:", recorded), ("today:", today)):
        text = f"    {name:<14}{value}"
        lines += textwrap.wrap(text, WIDTH, subsequent_indent=" " * 18, break_long_words=True)
    return lines
