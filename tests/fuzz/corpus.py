"""Byte strings that the receiver has met: a few of each kind, and whatever `make fuzz` found.

Rules of this file: a file of the folder is one connection's bytes, exactly.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

__all__ = ["CORPUS", "keep", "kept"]

CORPUS: Final = Path(__file__).parent / "corpus"


def kept(folder: Path = CORPUS) -> dict[str, bytes]:
    """The byte strings by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.http"))}


def keep(data: bytes, folder: Path = CORPUS) -> Path:
    """Write a byte string down, once."""
    path = folder / f"found-{hashlib.sha256(data).hexdigest()[:12]}.http"
    path.write_bytes(data)
    return path
