"""`python -m tests.mutation [--seed S] [--count N] [--jobs J] [--quick] [--fail-under F]`: which faults the tests notice.

It draws N faults in the core by their seed, puts each into a copy of the core, and runs the tests of
`make quick` against it, and then, for those that these let pass, the core's own tests and more. It says
where each stood and what noticed it.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import attrs

from tests.mutation.killing import CORE, Stage, baseline, killer
from tests.mutation.mutants import Mutant, drawn
from tests.speeds import QUICK

__all__ = ["main"]

MORE: Final = (
    *("tests/core", "tests/checkpoints", "tests/traces", "tests/simulation", "tests/faults"),
    *("tests/cli/test_fast.py", "tests/transport/test_settings.py", "tests/stores/test_file_store.py"),
)
"""What the faults that the tests of `make quick` let pass are tried against."""

_EVERYWHERE: Final = {"codex", "oauth", "core", "flows", "test"}


def main() -> int:
    """Do what the command line says; 1 if fewer were noticed than `--fail-under` asks for."""
    asked = _arguments()
    stages = [baseline(Stage("quick", QUICK))]
    print(f"the tests of `make quick` are green without a fault; each mutant has {stages[0].limit:.0f} s")
    if not asked.quick:
        stages.append(Stage("more", MORE))
    chosen = drawn(CORE, asked.seed, asked.count)
    begun = time.monotonic()

    def judged(mutant: Mutant) -> str | None:
        near = _near(mutant)
        first = (attrs.evolve(stages[0], tests=near),) if near else ()
        said = killer(mutant, (*first, *stages))
        print(f"{'killed  ' if said else 'SURVIVED'}  {mutant}  [{said or 'nothing noticed it'}]", flush=True)
        return said

    with ThreadPoolExecutor(asked.jobs) as pool:
        said = list(pool.map(judged, chosen))
    quick = sum(each is not None and each.startswith("quick:") for each in said)
    killed = sum(each is not None for each in said)
    share = 100 * killed / len(said)
    print(
        f"\n{killed} of {len(said)} killed ({share:.1f} %), {quick} of them by the tests of `make quick`,",
        end=" ",
    )
    print(f"in {time.monotonic() - begun:.0f} s; seed {asked.seed}. Survived:")
    for mutant, each in zip(chosen, said, strict=True):
        if each is None:
            print(f"  {mutant}")
    return 1 if asked.fail_under is not None and share < asked.fail_under else 0


def _near(mutant: Mutant) -> tuple[str, ...]:
    """Of the tests of `make quick` those whose file has a word of the module's name: most likely they notice it."""
    words = {word for word in re.findall(r"[a-z]{4,}", mutant.name) if word not in _EVERYWHERE}
    return tuple(
        name for name in QUICK if words & set(re.findall(r"[a-z]{4,}", Path(name.partition("::")[0]).name))
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="which faults (default: %(default)s)")
    parser.add_argument("--count", type=int, default=50, help="how many (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="only the tests of `make quick`")
    parser.add_argument("--fail-under", type=float, metavar="PERCENT", help="exit with 1 below this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
