"""Copies what the core needs into a folder, for Pyodide: as it was installed here, from hash-locked requirements.

Rules of this file: the libraries are plain Python, so what runs here runs there; a compiled file is refused.

    python -m tests.ports.libraries FOLDER
"""

from __future__ import annotations

import sys
from importlib.metadata import distribution
from pathlib import Path

__all__ = ["copy_libraries"]

LIBRARIES = ("attrs", "transitions", "six")
"""What the core imports, and what that needs."""


def copy_libraries(folder: Path) -> None:
    """Put them there. Raises ValueError for a library that is not plain Python."""
    for name in LIBRARIES:
        for file in distribution(name).files or ():
            if file.suffix in (".so", ".pyd"):
                raise ValueError(f"{name} is not plain Python: {file}")
            if file.suffix == ".py" and ".." not in file.parts:
                there = folder / file
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(Path(str(file.locate())).read_bytes())


if __name__ == "__main__":
    copy_libraries(Path(sys.argv[1]))
