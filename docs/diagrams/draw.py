"""Draw the state machines: each table of moves becomes one Mermaid file beside this one.

Rules of this file: a drawing shows every row of its table and nothing else: the moves between live states
inside a box, and the moves to an end as arrows that leave the box. `--check` writes nothing, prints what
differs, and exits with 1 if anything does.

    python docs/diagrams/draw.py [--check]
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Final

import attrs

from codex_oauth_core.flows import browser, device, finish_sign_in, renewal, revoke_login, store_login

HERE: Final = Path(__file__).resolve().parent
BOX: Final = "live"

Row = tuple[StrEnum, Enum, Enum]
"""Trigger, source, destination."""


@attrs.frozen
class Chart:
    """One table to draw."""

    name: str
    title: str
    source: str
    initial: Enum
    final: tuple[Enum, ...]
    live: tuple[Enum, ...]
    rows: tuple[Row, ...]

    @property
    def path(self) -> Path:
        """The file that it is drawn into."""
        return HERE / f"{self.name}.mmd"


def chart(name: str, title: str, table: Any) -> Chart:
    """The chart of a table module: one with `TABLE`, `FINAL`, `LIVE` and `MACHINE`."""
    initial = table.MACHINE.states[table.MACHINE.initial].value
    return Chart(name, title, table.__name__, initial, table.FINAL, table.LIVE, table.TABLE)


CHARTS: Final = (
    chart("device", "The device flow (RFC 8628)", device),
    chart("browser", "The browser flow (RFC 6749, RFC 8252)", browser),
    chart("renewal", "The renewal of a stored login (RFC 6749)", renewal),
    chart("store_login", "A finished sign-in is stored", store_login),
    chart("finish_sign_in", "What becomes of a granted login", finish_sign_in),
    chart("revoke_login", "The end of a login (RFC 7009)", revoke_login),
)
"""Every table that is drawn. A new flow adds its line here."""


def draw(drawn: Chart) -> str:
    """The chart as Mermaid text."""
    return "\n".join(_lines(drawn)) + "\n"


def _lines(drawn: Chart) -> Iterator[str]:
    yield from ("---", f"title: {drawn.title}", "---")
    yield f"%% Drawn from {drawn.source} by `make diagrams`. Do not edit."
    yield f"%% An arrow from `{BOX}` starts in every state inside it, or in those after `from`;"
    yield "%% `|` joins the triggers of one arrow."
    yield "stateDiagram-v2"
    yield f"    [*] --> {BOX}"
    yield f"    state {BOX} {{"
    yield f"        [*] --> {drawn.initial.value}"
    yield from _inside(row for row in drawn.rows if row[2] not in drawn.final)
    yield "    }"
    yield from _leaving(drawn)
    yield from (f"    {state.value} --> [*]" for state in drawn.final)


def _inside(rows: Iterable[Row]) -> Iterator[str]:
    """One arrow for each pair of live states, with every trigger that leads from one to the other."""
    pairs: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for trigger, source, dest in rows:
        pairs[source.value, dest.value].append(trigger.value)
    for (start, end), triggers in pairs.items():
        yield f"        {start} --> {end}: {' | '.join(triggers)}"


def _leaving(drawn: Chart) -> Iterator[str]:
    """One arrow for each trigger and end. It leaves the box, not a state in it: Mermaid lays the states
    of a box out well only if no arrow from the inside crosses its border.
    """
    sources: defaultdict[tuple[str, Enum], list[Enum]] = defaultdict(list)
    for trigger, source, dest in drawn.rows:
        if dest in drawn.final:
            sources[trigger.value, dest].append(source)
    for (name, end), found in sources.items():
        every = set(found) == set(drawn.live)
        names = "" if every else f" (from {', '.join(state.value for state in found)})"
        yield f"    {BOX} --> {end.value}: {name}{names}"


def differences(drawn: Chart) -> list[str]:
    """A unified diff from the file to what should be in it; empty if they are equal."""
    old = drawn.path.read_text(encoding="utf-8") if drawn.path.exists() else ""
    name = drawn.path.name
    return list(
        difflib.unified_diff(
            old.splitlines(keepends=True), draw(drawn).splitlines(keepends=True), name, f"{name} (table)"
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Draw, or check; the exit code."""
    parser = argparse.ArgumentParser(description="Draw the state machines as Mermaid files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file differs")
    if parser.parse_args(arguments).check:
        changes = [line for drawn in CHARTS for line in differences(drawn)]
        sys.stdout.writelines(changes)
        return 1 if changes else 0
    for drawn in CHARTS:
        drawn.path.write_text(draw(drawn), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
