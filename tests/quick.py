"""The tests of `make quick`: few, and they kill most mutants of the core (`make mutants`). `quick.txt` names them.

Rules of this file: a line of `quick.txt` is what pytest takes: a file, or a test in it; a test that kills what the
others let pass is added there, one that is never needed goes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["QUICK"]

QUICK: Final = tuple(Path(__file__).with_name("quick.txt").read_text(encoding="utf-8").splitlines())
"""In the order in which they are run: those that kill most come first."""
