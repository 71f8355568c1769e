"""Searches for bytes that the callback receiver does not stand. `make fuzz` runs this.

Rules of this file: every round draws new examples, from nothing and from the corpus; what breaks a
promise is made as small as possible and kept in the corpus, where the tests replay it from then on.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.callback_requests import check
from tests.fuzz.corpus import CORPUS, keep, kept
from tests.fuzz.strategies import cuts, inputs

__all__ = ["falsify", "main"]

ROUND: Final = settings(
    max_examples=500,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.target, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow,),
    print_blob=False,
)

Promise = Callable[[bytes, list[int]], None]


def falsify(
    promise: Promise, seeds: Sequence[bytes], number: int, how: settings = ROUND
) -> tuple[bytes, Exception] | None:
    """One round: the smallest input that breaks the promise, with the reason, or None."""
    last = b""

    @seed(number)
    @how
    @given(inputs(seeds), cuts)
    def search(data: bytes, places: list[int]) -> None:
        nonlocal last
        last = data
        promise(data, places)

    try:
        search()
    except Exception as error:  # noqa: BLE001  # whatever it is, it was promised not to be
        return last, error
    return None


def main(arguments: Sequence[str] | None = None, promise: Promise = check) -> int:
    """Search for so many seconds. 0: nothing was found; 1: something is in the corpus now."""
    parser = argparse.ArgumentParser(description="Fuzz the callback receiver.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to search (%(default)s)")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where findings are kept")
    options = parser.parse_args(arguments)
    seeds = list(kept(options.corpus).values())
    ends, rounds = time.monotonic() + options.seconds, 0
    while not rounds or time.monotonic() < ends:
        number = random.SystemRandom().getrandbits(64)
        found = falsify(promise, seeds, number)
        rounds += 1
        if found is not None:
            data, error = found
            print(f"{keep(data, options.corpus)}: {type(error).__name__} ({len(data)} bytes, seed {number})")
            return 1
    print(f"nothing found in {rounds * ROUND.max_examples} examples from {len(seeds)} seeds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
