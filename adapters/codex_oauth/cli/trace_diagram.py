"""The state diagram of a traced flow as SVG, drawn from the flow's own table, with what was visited marked.

Rules of this file: every state and every move of the table is drawn; live states stand in layers by their
distance from the first, ends in the bottom row, and an arrow to an end leaves the box of the live states.
What comes from a trace only chooses what is marked: no text of it is drawn.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, StrEnum
from types import ModuleType
from typing import Final

import attrs

from codex_oauth_core.flows import browser, device
from codex_oauth_core.traces.format import Trace

__all__ = ["diagram"]

_TABLES: Final[Mapping[str, ModuleType]] = {"device": device, "browser": browser}
_WIDTH: Final = 780
_LAYER: Final = 104
_BOX_TOP: Final = 14
_HIGH: Final = 42
_WIDE: Final = 148
_ASIDE: Final = 20
"""Pixels between an arrow and the one that leads back."""

Move = tuple[str, str]
"""From one state to another."""


@attrs.frozen
class _Chart:
    """A table's states by name, with their places."""

    places: Mapping[str, tuple[float, float]]
    layers: Mapping[str, int]
    triggers: Mapping[Move, Sequence[str]]
    ends: Mapping[str, Sequence[str]]
    """The triggers that lead to each end."""
    height: float
    bottom: float
    """Of the box."""


def diagram(trace: Trace) -> str:
    """The diagram as an SVG element."""
    chart = _chart(_TABLES[trace.header.flow])
    visits, moves = _visited(trace)
    last = trace.steps[-1].state if trace.steps else ""
    parts = [
        *_frame(chart),
        *(_arrow(chart, move).svg(marked=move in moves) for move in chart.triggers),
        *(_ending(chart, end).svg(marked=end in visits) for end in chart.ends),
        *(_node(chart, name, visits[name], last=name == last) for name in chart.places),
    ]
    size = f'viewBox="0 0 {_WIDTH} {chart.height:g}"'
    label = "The states of the sign-in; those that it went through are marked"
    return f'<svg class="states" {size} role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _visited(trace: Trace) -> tuple[Counter[str], set[Move]]:
    """How often each state was come to, and the moves that were made."""
    visits, moves, state = Counter(["idle"]), set[Move](), "idle"
    for step in trace.steps:
        if step.trigger is not None:
            visits[step.state] += 1
            moves.add((state, step.state))
        state = step.state
    return visits, moves


# -- places -----------------------------------------------------------------------------------------


def _chart(table: ModuleType) -> _Chart:
    rows: Sequence[tuple[StrEnum, Enum, Enum]] = table.TABLE
    ends, triggers = defaultdict[str, list[str]](list), defaultdict[Move, list[str]](list)
    for trigger, source, dest in rows:
        found = ends[dest.value] if dest in table.FINAL else triggers[source.value, dest.value]
        if trigger.value not in found:
            found.append(trigger.value)
    layers = _layers([state.value for state in table.LIVE], triggers)
    depth = max(layers.values()) + 1
    bottom = _BOX_TOP + depth * _LAYER - 20
    places = {name: _place(name, layers) for name in layers}
    foot = bottom + 84
    places |= {name: ((i + 0.5) * _WIDTH / len(ends), foot) for i, name in enumerate(ends)}
    return _Chart(places, layers, triggers, ends, foot + _HIGH / 2 + 6, bottom)


def _layers(live: Sequence[str], triggers: Mapping[Move, Sequence[str]]) -> dict[str, int]:
    """How many moves each live state is from the first."""
    layers = {live[0]: 0}
    waiting = [live[0]]
    for state in waiting:
        for source, dest in triggers:
            if source == state and dest not in layers:
                layers[dest] = layers[state] + 1
                waiting.append(dest)
    return layers


def _place(name: str, layers: Mapping[str, int]) -> tuple[float, float]:
    row = [other for other, layer in layers.items() if layer == layers[name]]
    return (row.index(name) + 0.5) * _WIDTH / len(row), _BOX_TOP + 34 + layers[name] * _LAYER


# -- strokes ----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _Stroke:
    """An arrow from one point to another, with a label at a third."""

    start: tuple[float, float]
    end: tuple[float, float]
    label_at: tuple[float, float]
    anchor: str
    label: str

    def svg(self, *, marked: bool) -> str:
        """The arrow as SVG."""
        kind, ends = "marked" if marked else "plain", (*self.start, *self.end)
        path = "M{:g} {:g}L{:g} {:g}".format(*ends)
        line = f'<path d="{path}" marker-end="url(#{kind})"/>'
        x, y = self.label_at
        text = f'<text x="{x:g}" y="{y:g}" text-anchor="{self.anchor}">{self.label}</text>'
        return f'<g class="move {kind}">{line}{text}</g>'


def _frame(chart: _Chart) -> Iterator[str]:
    for name in ("plain", "marked"):
        shape = '<path d="M0 0L8 4L0 8z"/>'
        where = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
        yield f'<marker id="{name}" class="{name}" {where}>{shape}</marker>'
    size = f'width="{_WIDTH - 4}" height="{chart.bottom - 4:g}"'
    yield f'<rect class="box" x="2" y="4" {size} rx="14"/>'


def _arrow(chart: _Chart, move: Move) -> _Stroke:
    (x1, y1), (x2, y2) = chart.places[move[0]], chart.places[move[1]]
    label = " | ".join(chart.triggers[move])
    if y1 == y2:
        side = _WIDE / 2 if x1 < x2 else -_WIDE / 2
        above = (x1 + x2) / 2, y1 - 8
        return _Stroke(
            start=(x1 + side, y1), end=(x2 - side, y2), label_at=above, anchor="middle", label=label
        )
    down = y2 > y1
    aside, half = (-_ASIDE, _HIGH / 2) if down else (_ASIDE, -_HIGH / 2)
    start, end = (x1 + aside, y1 + half), (x2 + aside, y2 - half)
    beside = (start[0] + end[0]) / 2 + (-6 if down else 6), (start[1] + end[1]) / 2 + 4
    return _Stroke(start=start, end=end, label_at=beside, anchor="end" if down else "start", label=label)


def _ending(chart: _Chart, end: str) -> _Stroke:
    (x, y), below = chart.places[end], chart.bottom
    label = " | ".join(chart.ends[end])
    beside = x + 6, below + 34
    return _Stroke(start=(x, below), end=(x, y - _HIGH / 2), label_at=beside, anchor="start", label=label)


def _node(chart: _Chart, name: str, visits: int, *, last: bool) -> str:
    x, y = chart.places[name]
    kind = "state" + (" visited" if visits else "") + (" last" if last else "")
    rect = f'<rect x="{x - _WIDE / 2:g}" y="{y - _HIGH / 2:g}" width="{_WIDE}" height="{_HIGH}" rx="9"/>'
    often = f" ×{visits}" if visits > 1 else ""  # noqa: RUF001  # the sign of a multiplication is meant
    text = f'<text x="{x:g}" y="{y + 4:g}" text-anchor="middle">{name}{often}</text>'
    return f'<g class="{kind}">{rect}{text}</g>'
