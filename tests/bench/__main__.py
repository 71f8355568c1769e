"""`python -m tests.bench [--rows P3,P6] [--rounds N]`: rows side by side with their peers.

Without `--rows` it measures all, and writes docs/performance.md with its charts. What got slower since the last release
is in its last lines; `--released VERSION` measures nothing, and keeps what the page says as that release's figures.
Each row runs in a process of its own. It exits with 0 whatever the verdicts are, 1 if a row could not be measured, 2 for a usage error. A row whose
servers this machine has not got is left out, with the reason.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from multiprocessing import active_children, get_context
from typing import Final

from tests.bench.machine import described, versions
from tests.bench.page import CHARTS, PAGE, Run, overview, slower, write
from tests.bench.ratios import NotMeasurable, Result
from tests.bench.released import Released
from tests.bench.table import Row, chosen
from tests.bench.words import figure_lines

LIMIT: Final = 300.0
"""Seconds that a row may take."""


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", help="which rows, as in P3,P6 (default: all, and the page is written)")
    parser.add_argument("--rounds", type=int, help="rounds of each row (default: as many as suit it)")
    parser.add_argument(
        "--released", metavar="VERSION", help="keep the page's figures as those of this release"
    )
    asked = parser.parse_args()
    if asked.released:
        Released.of_page(asked.released, PAGE.read_text()).write(CHARTS)
        return 0
    if asked.rounds is not None and asked.rounds < 1:
        parser.error("--rounds: a whole number, at least 1")
    try:
        rows = chosen(asked.rows)
    except ValueError as error:
        parser.error(str(error))
    run = measured(rows, asked.rounds, asked.rows)
    if not asked.rows:
        write(run)
    print("\n".join((*overview(run), "", *slower(run))))
    return 1 if run.failed else 0


def measured(rows: tuple[Row, ...], rounds: int | None, named: str | None) -> Run:
    """Measure the rows, one after the other, and print each as soon as it is there."""
    results: list[tuple[Row, Result]] = []
    failed: dict[str, str] = {}
    left_out: dict[str, str] = {}
    machine, began = described(), time.monotonic()
    for row in rows:
        started = time.monotonic()
        try:
            result = _apart(row, rounds)
        except NotMeasurable as why:
            left_out[row.number] = f"left out: {why}"
            print(f"{row.number}: {left_out[row.number]}", file=sys.stderr)
            continue
        except (Exception, BrokenProcessPool) as error:  # noqa: BLE001  # one row's failure is not the others'
            failed[row.number] = f"{type(error).__name__}: {error}"
            print(f"{row.number}: {failed[row.number]}", file=sys.stderr)
            continue
        results.append((row, result))
        print(
            "\n".join(figure_lines(row, result)), f"\n- took {time.monotonic() - started:.0f} s\n", flush=True
        )
    command = "make bench" + (f" ROWS={named}" if named else "")
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    took, before = time.monotonic() - began, Released.read(CHARTS)
    return Run(command, date, machine, versions(), took, results, failed, left_out, before)


def _apart(row: Row, rounds: int | None) -> Result:
    """Measure in a process of its own. Raises TimeoutError, and ends that process, after `LIMIT`."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        measured = process.submit(row.measure, rounds)
        own = active_children()
        try:
            return measured.result(LIMIT)
        except TimeoutError:
            for each in own:
                each.terminate()
            raise


if __name__ == "__main__":
    raise SystemExit(main())
