"""A trace as one self-contained page: the states it went through, a strip of time, and its rows.

Rules of this file: no script and nothing from elsewhere; every text of a trace is filtered, then escaped; a
light and a dark scheme, with a contrast of at least 4.5 to 1 (WCAG 2.2 §1.4.3); colour never stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from codex_oauth.cli.text import printable
from codex_oauth.cli.trace_diagram import diagram
from codex_oauth.cli.trace_rows import Row, rows_of, title_of
from codex_oauth_core.traces.format import Sent, Trace, Waited

__all__ = ["page_of"]

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
