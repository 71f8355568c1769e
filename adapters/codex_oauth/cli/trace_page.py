"""A trace as one self-contained page: the states it went through, a strip of time, and its rows.

Rules of this file: no script and nothing from elsewhere; every text of a trace is filtered, then escaped; a
light and a dark scheme, with a contrast of at least 4.5 to 1 (WCAG 2.2 §1.4.3); colour never stands alone.
The diagram is drawn from the flow's own table: every state and every move, live states in layers by their
distance from the first, ends in the bottom row. What comes from a trace only chooses what is marked: no
text of it is drawn.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, StrEnum
from html import escape
from types import ModuleType
from typing import Final

import attrs

from codex_oauth.cli.output import printable
from codex_oauth.cli.trace_rows import Row, rows_of, title_of
from codex_oauth_core.flows import browser, device
from codex_oauth_core.traces.format import Sent, Trace, Waited

__all__ = ["diagram", "page_of"]


_TABLES: Final[Mapping[str, ModuleType]] = {"device": device, "browser": browser}
_DIAGRAM_WIDTH: Final = 780
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
    size = f'viewBox="0 0 {_DIAGRAM_WIDTH} {chart.height:g}"'
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
    places |= {name: ((i + 0.5) * _DIAGRAM_WIDTH / len(ends), foot) for i, name in enumerate(ends)}
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
    return (row.index(name) + 0.5) * _DIAGRAM_WIDTH / len(row), _BOX_TOP + 34 + layers[name] * _LAYER


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
    size = f'width="{_DIAGRAM_WIDTH - 4}" height="{chart.bottom - 4:g}"'
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


# -- the page ------------------------------------------------------------------------------------------


_STYLE: Final = """
:root{color-scheme:light dark;--ground:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#57606a;--line:#d8dce1;
--edge:#7d8590;--accent:#0b5cad;--tint:#e3effb;--bad:#a8071a;--good:#116329;--warn:#7a5a00}
@media (prefers-color-scheme:dark){:root{--ground:#0f1216;--card:#181c22;--text:#e8ebef;--soft:#a5aeb9;
--line:#2d343d;--edge:#7a8591;--accent:#7db7ff;--tint:#16304d;--bad:#ff9a9a;--good:#7fdc9a;--warn:#f3dc9c}}
*{box-sizing:border-box}
html{font:100%/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
body{margin:0;padding:1rem;background:var(--ground);color:var(--text);overflow-wrap:anywhere}
main{max-width:60rem;margin:0 auto}
h1{font-size:1.4rem;margin:.5rem 0}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}
p{margin:0}.soft{color:var(--soft)}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1rem;overflow-x:auto}
svg{display:block;width:100%;min-width:44rem;height:auto}
svg text{font:12.5px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--text)}
.box{fill:none;stroke:var(--line)}
.state rect{fill:var(--card);stroke:var(--edge)}
.state text{fill:var(--soft)}
.visited rect{fill:var(--tint);stroke:var(--accent);stroke-width:2}
.visited text{fill:var(--text)}
.last rect{stroke-width:4}.last text{font-weight:700}
.move path{fill:none;stroke:var(--edge)}
.move text{fill:var(--soft);font-size:11.5px;paint-order:stroke;stroke:var(--card);stroke-width:4px}
.move.marked path{stroke:var(--accent);stroke-width:2.5}.move.marked text{fill:var(--text)}
marker.plain{fill:var(--edge)}marker.marked{fill:var(--accent)}
.wait{fill:var(--tint);stroke:var(--accent)}.ask{fill:var(--text)}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td:first-child,th:first-child{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.send td{color:var(--accent)}tr.failure td,tr.gap td{color:var(--warn)}
tr.bad td{color:var(--bad);font-weight:700}tr.good td{color:var(--good);font-weight:700}
""".strip()

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_WIDTH: Final = 780.0


def page_of(trace: Trace) -> str:
    """The page as HTML text."""
    title, *about = (_shown(line) for line in title_of(trace))
    body = "\n".join(
        [
            f"<h1>{title}</h1>",
            *(f'<p class="soft">{line}.</p>' for line in about),
            f'<h2>States</h2><div class="card">{diagram(trace)}</div>',
            f'<h2>Time</h2><div class="card">{_strip(trace)}</div>',
            f'<h2>What happened</h2><div class="card">{_table(rows_of(trace))}</div>',
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n"
        f"<body><main>\n{body}\n</main></body>\n</html>\n"
    )


def _shown(text: str) -> str:
    return escape(printable(text))


def _table(rows: list[Row]) -> str:
    head = "<thead><tr><th>Seconds</th><th>What</th><th>State</th></tr></thead>"
    lines = (
        f'<tr class="{row.kind}"><td>{row.at:.3f}</td><td>{_shown(row.text)}</td>'
        f"<td>{_shown(row.state)}</td></tr>"
        for row in rows
    )
    body = "\n".join(lines)
    return f"<table>{head}<tbody>\n{body}\n</tbody></table>"


def _strip(trace: Trace) -> str:
    """Time from left to right: each wait a bar, each request a mark."""
    end = max((step.event.at for step in trace.steps), default=0.0)
    scale = (_WIDTH - 20) / end if end > 0 else 0.0
    label = "Waits and requests in the order of time"
    axis = f'<text x="10" y="62">0 s</text><text x="770" y="62" text-anchor="end">{end:.3f} s</text>'
    marks = "".join(_marks(trace, scale))
    legend = '<text x="390" y="62" text-anchor="middle">bar: a wait; mark: a request</text>'
    return f'<svg viewBox="0 0 780 70" role="img" aria-label="{label}">{marks}{axis}{legend}</svg>'


def _marks(trace: Trace, scale: float) -> Iterator[str]:
    ends = [step.event.at for step in trace.steps[1:]]
    for step, end in zip(trace.steps, ends, strict=False):
        start = 10 + max(0.0, step.event.at) * scale
        width = max(0.0, end - step.event.at) * scale
        if isinstance(step.asked, Waited):
            yield f'<rect class="wait" x="{start:.1f}" y="16" width="{width:.1f}" height="22"/>'
        elif isinstance(step.asked, Sent):
            yield f'<rect class="ask" x="{start:.1f}" y="8" width="{max(2.0, width):.1f}" height="38"/>'
