"""The three speeds of the tests: which are run at every save, which at every change, and which every night.

Rules of this file: the choices are data beside it. `quick.txt` names the tests of `make quick`: few, and they kill most
mutants of the core (`make mutants`). `nightly.txt` names those that cost much, each with a cheaper test of
`make test` that finds the same fault: `test | cheaper test`. A name is a file, a test, or a case of it, in which
`*` stands for anything.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["NIGHTLY", "QUICK", "is_named"]

_HERE: Final = Path(__file__).parent


def _lines(name: str) -> list[str]:
    return (_HERE / name).read_text(encoding="utf-8").splitlines()


QUICK: Final = tuple(_lines("quick.txt"))
"""In the order in which they are run: those that kill most come first."""

NIGHTLY: Final = {line.partition(" | ")[0]: line.partition(" | ")[2] for line in _lines("nightly.txt")}
"""By name: the cheaper test."""


def is_named(name: str, test: str) -> bool:
    """Whether a name of `nightly.txt` means a test, by pytest's id of that."""
    pattern = ".*".join(map(re.escape, name.split("*")))
    return re.fullmatch(f"{pattern}(?:(?:::|\\[).*)?", test, re.DOTALL) is not None
