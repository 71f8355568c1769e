"""Write the machines and two recorded traces as data for `live.js`, with which people click through them.

Rules of this file: the data are the rows of the tables and the steps of the traces, and nothing else;
`--check` writes nothing, prints what differs, and exits with 1 if anything does.

    python -m docs.diagrams.live [--check]
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from docs.diagrams.draw import CHARTS, Chart

from codex_oauth.cli.trace_rows import rows_of
from codex_oauth_core.traces.format import Trace, read_trace

HERE: Final = Path(__file__).resolve().parent
CORPUS: Final = HERE.parents[1] / "tests" / "traces" / "corpus"
FILE: Final = HERE / "machines.js"

RECORDED: Final = {
    "429-slows-down-and-keeps-its-retry-after-once": "A device sign-in; the server is busy once",
    "browser-the-exchange-is-not-reached-at-first": "A browser sign-in; a request is lost",
}
"""The traces that are shown, by file, and what each is about."""

ASKED: Final = ("send", "wait", "good", "bad")
"""The kinds of rows with which a step ends: what the flow asked for."""


def machine(chart: Chart) -> dict[str, Any]:
    """A table as data."""
    return {
        "name": chart.name,
        "title": chart.title,
        "initial": chart.initial.value,
        "live": [state.value for state in chart.live],
        "final": [state.value for state in chart.final],
        "triggers": list(dict.fromkeys(row[0].value for row in chart.rows)),
        "rows": [[trigger.value, source.value, dest.value] for trigger, source, dest in chart.rows],
    }


def trace(name: str, title: str) -> dict[str, Any]:
    """A recorded trace as data."""
    lines = (CORPUS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = read_trace(lines)
    return {"name": name, "title": title, "machine": recorded.header.flow, "steps": [*steps(recorded)]}


def steps(recorded: Trace) -> Iterator[dict[str, Any]]:
    """Each event: when it came, what it was and led to, the trigger that it meant, and the state after it."""
    rows = rows_of(recorded)
    for step in recorded.steps:
        text: list[str] = []
        while rows and rows[0].at == step.event.at:
            row = rows.pop(0)
            text.append(row.text)
            if row.kind in ASKED:
                break
        yield {"at": step.event.at, "text": text, "trigger": step.trigger, "state": step.state}


def script() -> str:
    """The text of the file."""
    machines = ",\n".join(_line(machine(chart)) for chart in CHARTS)
    traces = ",\n".join(_line(trace(*each)) for each in RECORDED.items())
    return (
        "// Written from the tables and from recorded traces by `make diagrams`. Do not edit.\n"
        f"window.CODEX_OAUTH_MACHINES = {{\nmachines: [\n{machines}\n],\ntraces: [\n{traces}\n]}};\n"
    )


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(fields).replace("</", "<\\/")


def differences() -> list[str]:
    """A unified diff from the file to what should be in it; empty if they are equal."""
    old = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    new = script()
    return list(
        difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), FILE.name, f"{FILE.name} (tables)"
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Write, or check; the exit code."""
    parser = argparse.ArgumentParser(description="Write the machines and traces for the page of machines.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the file differs")
    if parser.parse_args(arguments).check:
        changes = differences()
        sys.stdout.writelines(changes)
        return 1 if changes else 0
    FILE.write_text(script(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
