"""A trace as rows: what happened, when, and what it led to; and the rows as text, at most 80 columns wide.

Rules of this file: plain data, which the terminal and the page share. What a trace says of itself may be
anything: it is filtered where it is shown. The text has no colours.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final, assert_never

import attrs

from codex_oauth.cli.output import left, printable
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    RequestFailed,
    ResponseReceived,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.reading.times import rfc3339
from codex_oauth_core.traces.format import Ended, Gap, Registering, Sent, Step, Trace, Waited
from codex_oauth_core.traces.replay import Difference, Replay

__all__ = ["WIDTH", "Row", "replay_lines", "rows_of", "timeline", "title_of"]


_FLOWS: Final[Mapping[str, str]] = {"device": "a device code", "browser": "the browser"}
_ISSUERS: Final[Mapping[str, str]] = {
    "default": "the usual server",
    "loopback": "a server on this machine",
    "other": "another server",
}
_GAPS: Final[Mapping[Gap, str]] = {
    Gap.UNSUPPORTED: "what came next is nothing that traces have",
    Gap.BEGUN: "the sign-in had begun before",
    Gap.NO_RENDERERS: "the dialect writes no answers",
    Gap.UNREADABLE: "an answer could not be read",
    Gap.NOT_RENDERED: "an answer could not be told without its text",
    Gap.DIFFERS: "without the server's text the sign-in takes another way",
    Gap.FAILED: "the recording failed",
}


@attrs.frozen
class Row:
    """One thing that happened, `at` seconds after the start. `kind` is a word to colour it by."""

    at: float
    kind: str
    text: str
    state: str

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON fields."""
        return attrs.asdict(self)


def title_of(trace: Trace) -> list[str]:
    """What a trace is about, in a few lines."""
    header = trace.header
    way, where = _FLOWS[header.flow], _ISSUERS.get(header.issuer, header.issuer)
    lines = [f"Sign-in with {way}, at {where}", f"Recorded by codex-oauth {header.library}"]
    first = trace.steps[0].event if trace.steps else None
    if isinstance(first, Started):
        lines.append(f"Began at {rfc3339(first.wall)}")
    limits = f"Ends after {left(header.lifetime)}; each request after {left(header.request_timeout)}"
    return [*lines, limits]


def rows_of(trace: Trace) -> list[Row]:
    """The rows of a trace, in order."""
    rows: list[Row] = []
    last: float | None = None
    for step in trace.steps:
        rows += _event(step)
        rows += _asked(step, last)
        if isinstance(step.asked, Waited) and not _woken_early(step):
            last = step.asked.until - step.event.at
    at, state = (rows[-1].at, rows[-1].state) if rows else (0.0, "")
    if trace.gap is not None:
        rows.append(Row(at, "gap", f"the trace stops here: {_GAPS[trace.gap]}", state))
    elif not (trace.steps and isinstance(trace.steps[-1].asked, Ended)):
        rows.append(Row(at, "gap", "the trace stops here: its program was ended, or still runs", state))
    return rows


def _event(step: Step) -> Iterator[Row]:
    event = step.event
    match event:
        case Started():
            pass
        case TimeReached():
            if _woken_early(step):
                yield Row(event.at, "event", "woke early", step.state)
        case ResponseReceived():
            took = f"after {event.at - event.sent_at:.3f} s"
            yield Row(event.at, "answer", f"answer {event.status} {took}: {_meaning(step)}", step.state)
        case RequestFailed():
            sent = event.phase.value.replace("_", " ")
            yield Row(event.at, "failure", f"no answer: {event.cause.value}, {sent}", step.state)
        case CallbackReceived():
            text = f"the browser came back: {_meaning(step)}"
            yield Row(event.at, "answer", text, step.state)
        case StoreAnswered():
            yield Row(event.at, "event", f"the store answered: {_meaning(step)}", step.state)
        case Cancelled():
            yield Row(event.at, "event", "cancelled by the person or the program", step.state)
        case _:
            raise AssertionError(f"a trace has no {type(event).__name__}")


def _meaning(step: Step) -> str:
    return "not for this sign-in" if step.trigger is None else step.trigger


def _asked(step: Step, last: float | None) -> Iterator[Row]:
    at, asked = step.event.at, step.asked
    match asked:
        case Sent():
            once = ", once" if asked.once else ""
            yield Row(at, "send", f"send {asked.request} (up to {asked.timeout:g} s{once})", step.state)
        case Waited():
            if not _woken_early(step):
                yield Row(at, "wait", _waiting(asked, at, last), step.state)
        case Registering():
            yield Row(at, "event", "keep the registration", step.state)
        case Ended():
            yield Row(at, "good" if asked.error is None else "bad", _ending(asked), step.state)
        case _:
            assert_never(asked)


def _waiting(asked: Waited, at: float, last: float | None) -> str:
    length = asked.until - at
    cause = "" if asked.cause is None else f": {asked.cause}"
    grown = "" if last is None or length < last + 0.001 else f", {length - last:.3f} s longer"
    return f"wait {length:.3f} s ({asked.why}{cause}){grown}"


def _ending(asked: Ended) -> str:
    if asked.error is None:
        return "end: signed in"
    details = ", ".join(f"{name}: {value}" for name, value in asked.details.items())
    return f"end: {asked.error}" + (f" ({details})" if details else "")


def _woken_early(step: Step) -> bool:
    """Whether a wait went on after a wake-up."""
    event, asked = step.event, step.asked
    return isinstance(event, TimeReached) and isinstance(asked, Waited) and step.trigger is None


# -- the rows as text ----------------------------------------------------------------------------------


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
