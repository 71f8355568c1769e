"""P18: the memory of a process that holds a `TokenSource`, and of one `TokenSource` more.

Rules of this file: resident bytes of a whole process that has done its work once, in a process of its own each time;
what one more takes is counted by tracemalloc, among many.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from codex_oauth import FileStore
from tests.bench.contest import Contestant, contest, figures
from tests.bench.logins import TOKEN, credential, keep
from tests.bench.processes import PYTHON, clean_packages, said
from tests.bench.ratios import NotMeasurable, Result, Spread, Target

HTTPX: Final = "httpx alone"
HOLDS: Final = "codex-oauth, a token"
SIGNS: Final = "codex-oauth, with httpx"
MORE: Final = 500
"""So many more."""

_RESIDENT: Final = """
import os
print(int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
"""
_CLIENT: Final = "import httpx; client = httpx.Client()"
_SOURCE: Final = """
from codex_oauth import FileStore, TokenSource
source = TokenSource(FileStore({home!r}))
assert source.token() == {token!r}
"""
_SIGNED: Final = """
import httpx
from codex_oauth import TokenAuth
client = httpx.Client(auth=TokenAuth(source))
"""
_MORE: Final = """
import gc, tracemalloc
def made():
    one = TokenSource(FileStore({home!r}))
    if {asked}: one.token()
    return one
made()
gc.collect()
tracemalloc.start()
held = [made() for _ in range({more})]
gc.collect()
print(tracemalloc.get_traced_memory()[0] / {more})
"""


def _bytes(code: str, path: Path) -> float:
    """What a new process with these packages and the standard library says of itself."""
    return float(said([PYTHON, "-S", "-c", code], {"PYTHONPATH": str(path)}))


def measure(rounds: int) -> Result:
    """The row. Raises NotMeasurable where the system does not tell a process's size."""
    if not Path("/proc/self/statm").exists():
        raise NotMeasurable("this system has no /proc/self/statm")
    with TemporaryDirectory() as home, clean_packages() as path:
        store = FileStore(Path(home))
        keep(store, credential())
        source = _SOURCE.format(home=home, token=TOKEN)

        def contestant(name: str, called: str, code: str) -> Contestant:
            return Contestant(name, called, partial(_bytes, code + _RESIDENT, path), ours=name != HTTPX)

        all_of = [
            contestant(HTTPX, "`import httpx; client = httpx.Client()`", _CLIENT),
            contestant(HOLDS, "`source = TokenSource(store); source.token()`", source),
            contestant(SIGNS, "the same, and `httpx.Client(auth=TokenAuth(source))`", source + _SIGNED),
        ]
        times = contest(all_of, rounds, HTTPX)
        idle, asked = (
            _bytes(source + _MORE.format(home=home, more=MORE, asked=asked), path) for asked in (False, True)
        )
    targets = (
        Target("a process that holds one, of one with httpx alone", times.ratio(HOLDS), 1.2),
        Target("a process that signs its requests, of the same", times.ratio(SIGNS), 1.2),
        Target("one more that is idle", Spread.of([idle]), 2048, unit="B"),
    )
    note = f"One that has read its login, whose tokens have some 3 000 letters, takes {asked:.0f} B."
    return Result("P18", HTTPX, figures(all_of, times), targets, notes=(note,), scale="B")
