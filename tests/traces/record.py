"""Write the corpus of traces anew: `python -m tests.traces.record`.

Rules of this file: one file for each run, and none for what is no run any more. Look at the difference
before it is kept: a changed trace is a changed behaviour.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.traces.runs import RUNS

__all__ = ["CORPUS", "main"]

CORPUS: Final = Path(__file__).resolve().parent / "corpus"


def main(folder: Path = CORPUS) -> int:
    """Write every trace into `folder`; how many."""
    for path in folder.glob("*.jsonl"):
        if path.stem not in RUNS:
            path.unlink()
    for name, run in RUNS.items():
        (folder / f"{name}.jsonl").write_text(run().text, encoding="ascii", newline="\n")
    return len(RUNS)


if __name__ == "__main__":
    print(f"{main()} traces")
    sys.exit(0)
