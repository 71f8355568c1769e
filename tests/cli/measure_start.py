"""What a start of the command costs: `python -m tests.cli.measure_start [ROUNDS]` prints two ratios.

Each is a whole process against `python -c pass`, begun in turn; the median of the ratios of each round, and
its quartiles, because absolute times differ from machine to machine and from minute to minute.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.cli.commands import environment
from tests.cli.test_commands import hold

__all__ = ["TARGETS", "ratios"]

TARGETS: Final = {"token": 2.6, "--help": 3.2}
_PYTHON: Final = (sys.executable, "-c")
_NOTHING: Final = (*_PYTHON, "pass")
_SCRIPT: Final = (
    "import sys; from codex_oauth.cli.main import main; sys.exit(main())"  # as an installed script
)


def ratios(home: Path, argument: str, rounds: int) -> list[float]:
    """For each round, what the command takes, in starts of an empty Python."""
    command = (*_PYTHON, _SCRIPT, argument)
    variables = environment(home)
    return [_taken(command, variables) / _taken(_NOTHING, variables) for _ in range(rounds)]


def _taken(command: Sequence[str], variables: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, env=variables, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return time.perf_counter() - begun


def _lines(rounds: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        hold(Path(folder))
        for argument, target in TARGETS.items():
            low, middle, high = statistics.quantiles(ratios(Path(folder), argument, rounds), n=4)
            met = "met" if middle <= target else "MISSED"
            yield f"codex-oauth {argument:8} {middle:.2f} ({low:.2f} to {high:.2f}), at most {target}: {met}"


if __name__ == "__main__":
    for line in _lines(int(sys.argv[1]) if sys.argv[1:] else 40):
        print(line)
