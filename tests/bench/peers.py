"""Where the peers are: packages that are measured beside this one, and never needed to run it.

Rules of this file: peers come after everything else on the path, so that what both need is the same; a peer
that is not installed takes no part, and the row says so.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["PEERS", "ROOT", "VENV", "add_peers", "has"]

ROOT: Final = Path(__file__).resolve().parents[2]
VENV: Final = ROOT / ".venv"
PEERS: Final = VENV / "peers"


def add_peers() -> None:
    """Let this process import peers."""
    if str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))


def has(name: str) -> bool:
    """Whether a peer can be imported."""
    add_peers()
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
