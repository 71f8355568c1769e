"""A trace, told again to today's code: does it do the same?

Rules of this file: the events are the trace's, the rest is today's; every step is compared with what is
written, and where an event has no place any more, the comparison ends. Whatever the trace is, the outcome
is a `Replay` or a `TraceError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import attrs

from codex_oauth_core.errors import IllegalEvent
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import KNOWN
from codex_oauth_core.traces.format import Step, Trace, TraceError, as_line, read_trace
from codex_oauth_core.traces.shadow import Shadow, shadow_of

__all__ = ["Difference", "Replay", "replay"]


@attrs.frozen
class Difference:
    """Where today's code acts differently: line and field, what is written and what happens today."""

    line: int
    field: str
    recorded: object
    today: object


@attrs.frozen
class Replay:
    """A recorded trace, and the trace that today's code makes of the same events. `lines` are today's,
    without line ends.
    """

    trace: Trace
    lines: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether today's code does the same at every step."""
        return not self.differences


def replay(lines: Iterable[str], provider: Provider | None = None) -> Replay:
    """Replay a trace with today's code, in the dialect of `provider`. By default the trace names the dialect,
    and a known provider with it is used. Raises TraceError, and nothing else.
    """
    trace = read_trace(lines)
    if provider is not None and provider.dialect.render is None:
        raise TraceError("The dialect of this provider has no renderers: nothing is recorded in it.")
    known = KNOWN if provider is None else (provider,)
    provider = next((each for each in known if _speaks(each, trace.header.dialect)), None)
    if provider is None:
        raise TraceError("It was recorded in another dialect.")
    try:
        shadow = shadow_of(trace.header, provider)
    except ValueError:
        raise TraceError("Its header has limits that no flow takes.") from None
    today, differences = [trace.header.line()], list[Difference]()
    for step in trace.steps:
        found = _told_again(step, shadow)
        differences += _differences(step, found)
        if "event" not in found:
            return Replay(trace, tuple(today), tuple(differences))
        today.append(as_line(found))
    if trace.gap is not None:
        today.append(as_line({"gap": trace.gap.value}))
    return Replay(trace, tuple(today), tuple(differences))


def _speaks(provider: Provider, dialect: str) -> bool:
    return provider.dialect.render is not None and provider.dialect.render.name == dialect


def _told_again(step: Step, shadow: Shadow) -> Mapping[str, Any]:
    """What the shadow does; without an `event`, if it could not take it."""
    state = shadow.state
    try:
        found = shadow.take(step.event)
        as_line(found)
    except IllegalEvent:
        return {"refused": f"no such event in state {state}"}
    except Exception as error:  # noqa: BLE001  # a fault of today's code is what a replay is to find
        return {"refused": f"{type(error).__name__} in state {state}"}
    return found


def _differences(step: Step, found: Mapping[str, Any]) -> Iterator[Difference]:
    if "event" not in found:
        yield Difference(step.number, "event", step.fields["event"]["kind"], found["refused"])
        return
    for name, value in _flat(found).items():
        recorded = _flat(step.fields).get(name)
        if recorded != value or type(recorded) is not type(value):
            yield Difference(step.number, name, recorded, value)
    for name, value in _flat(step.fields).items():
        if name not in _flat(found):
            yield Difference(step.number, name, value, None)


def _flat(fields: Mapping[str, Any]) -> dict[str, object]:
    """The fields of a line, those of the event and of the effect by `effect.until` and the like."""
    found: dict[str, object] = {}
    for name, value in fields.items():
        inner: Mapping[str, object] = cast("Any", value) if isinstance(value, Mapping) else {}
        found |= {f"{name}.{key}": each for key, each in inner.items()} if inner else {name: value}
    return found
