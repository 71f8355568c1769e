"""`python -m tests.simulation --runs N --seed S [--replay SEED] [--exhaustive] [--markdown]`: many runs, and their table.

It exits with 1 if a rule was broken, and shows the run in which it was: one line for each effect. The same
seed gives the same run, on any machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from tests.simulation.exhaustive import PAIRS, RELEASES, explore
from tests.simulation.exhaustive_report import report
from tests.simulation.invariants import Violation
from tests.simulation.run import traced
from tests.simulation.tally import Tally, tallied

DEFAULT_RUNS: Final = 100_000
_CHUNK: Final = 1000
_MOST_SHOWN: Final = 5


def main() -> int:
    """Do what the command line says; 0, or 1 if a rule was broken."""
    asked = _arguments()
    if asked.replay is not None:
        return _replay(asked.replay)
    if asked.exhaustive:
        return 0 if report(asked.workers) else 1
    if not _explore(quiet=asked.markdown) or not (asked.markdown or report(asked.workers)):
        return 1
    tally = _run(asked.seed, asked.runs, asked.workers)
    print(tally.markdown() if asked.markdown else tally.text())
    for seed, why in tally.violations[:_MOST_SHOWN]:
        print(f"\nseed {seed}: {why}", file=sys.stderr)
    if not tally.violations:
        return 0
    return _replay(tally.violations[0][0])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=DEFAULT_RUNS, help="how many seeds (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the first of them (default: %(default)s)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="show one run, effect by effect")
    parser.add_argument(
        "--exhaustive", action="store_true", help="only every interleaving, and no drawn runs"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table for a document")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes to use")
    return parser.parse_args()


def _explore(*, quiet: bool) -> bool:
    """The exhaustive part, and whether every rule held."""
    for pair in (*PAIRS, *RELEASES):
        try:
            explored = explore(pair)
        except Violation as violation:
            print(f"{pair}: {violation} {violation.__notes__}", file=sys.stderr)
            return False
        if not quiet:
            print(f"{pair.name:<90}{explored.states:>8,} states, {explored.ends:>4} ends")
    return True


def _run(first: int, runs: int, workers: int) -> Tally:
    chunks = [range(start, min(start + _CHUNK, first + runs)) for start in range(first, first + runs, _CHUNK)]
    tally = Tally()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for part in pool.map(tallied, chunks):
            tally += part
    return tally


def _replay(seed: int) -> int:
    lines, why = traced(seed)
    print(f"\nthe run of seed {seed}:")
    print("\n".join(lines))
    if why:
        print(f"BROKEN  {why}")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
