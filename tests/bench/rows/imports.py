"""P1 and P2: what an import costs, in a new interpreter each time, with no package that is not required.

Rules of this file: the time is that of the import statement alone; Python's own start is in no figure.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from tests.bench.contest import Contestant, contest, figures
from tests.bench.peers import PEERS, has
from tests.bench.processes import PYTHON, clean_packages, importing, said
from tests.bench.ratios import Result, Spread, Target

HTTPX: Final = "import httpx"
DEVICE: Final = "from codex_oauth_core import DeviceFlow"
FORBIDDEN: Final = ("ssl", "socket", "asyncio", "httpx", "h11")
PEER_IMPORTS: Final = (("MSAL", "msal"), ("Authlib", "authlib.integrations.httpx_client"))


def _contestant(name: str, statement: str, path: Path, *, ours: bool = False) -> Contestant:
    return Contestant(name, f"`{statement}`", partial(importing, statement, path), ours)


def _peers() -> list[Contestant]:
    return [
        _contestant(name, f"import {module}", PEERS)
        for name, module in PEER_IMPORTS
        if has(module.partition(".")[0])
    ]


def _loaded(statement: str, path: Path) -> tuple[str, ...]:
    """Which of the modules that a core has no use for an import loads."""
    code = f"{statement}; import sys; print(*sys.modules)"
    return tuple(
        sorted(set(said([PYTHON, "-S", "-c", code], {"PYTHONPATH": str(path)}).split()) & set(FORBIDDEN))
    )


def _count(text: str, number: int) -> Target:
    return Target(text, Spread.of([float(number)]), 0, unit="")


def core(rounds: int) -> Result:
    """P1."""
    with clean_packages() as path:
        all_of = [
            _contestant("import httpx", HTTPX, path),
            _contestant("codex-oauth, root", "import codex_oauth_core", path, ours=True),
            _contestant("codex-oauth, DeviceFlow", DEVICE, path, ours=True),
            _contestant("attrs", "import attrs", path),
            _contestant("attrs and transitions", "import attrs, transitions", path),
            *_peers(),
        ]
        times = contest(all_of, rounds, "import httpx")
        loaded = _loaded(DEVICE, path)
    targets = (
        Target("the root alone, of `import httpx`", times.ratio("codex-oauth, root"), 0.05),
        Target("with DeviceFlow", times.ratio("codex-oauth, DeviceFlow"), 0.9),
        _count("modules of I/O that it loads", len(loaded)),
    )
    notes = (
        "`ssl`, `socket`, `asyncio`, `httpx` and `h11` were looked for among the loaded modules.",
        *loaded,
    )
    return Result("P1", "import httpx", figures(all_of, times), targets, notes=notes)


def package(rounds: int) -> Result:
    """P2."""
    with clean_packages() as path:
        all_of = [
            _contestant("import httpx", HTTPX, path),
            _contestant("codex-oauth", "import codex_oauth", path, ours=True),
            _contestant("codex-oauth, FileStore", "from codex_oauth import FileStore", path, ours=True),
            _contestant("codex-oauth, login", "from codex_oauth import login", path, ours=True),
        ]
        times = contest(all_of, rounds, "import httpx")
    targets = (Target("of `import httpx`", times.ratio("codex-oauth"), 0.05),)
    return Result("P2", "import httpx", figures(all_of, times), targets)
