"""P3: what every request pays for a token that is fresh.

Rules of this file: floors are what a hand-written program would do; each is one call, as ours is.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from codex_oauth import FileStore, TokenSource
from tests.bench.contest import Contestant, contest, figures, repeated
from tests.bench.logins import TOKEN, credential, keep
from tests.bench.peers import has
from tests.bench.ratios import Result, Target
from tests.bench.token_peers import TOKEN_PEERS

UNIT = "attribute and clock"


class Box:
    """A token, and until when it is good."""

    __slots__ = ("lock", "token", "until")

    def __init__(self) -> None:
        self.token = TOKEN
        self.until = time.time() + 86_400
        self.lock = threading.Lock()

    def fresh(self) -> str:
        """The token, if the clock allows it."""
        if time.time() < self.until:
            return self.token
        raise ValueError

    def locked(self) -> str:
        """The same under a lock."""
        with self.lock:
            return self.fresh()


def _floors() -> list[Contestant]:
    box = Box()

    def checked() -> str:
        if time.time() < box.until:
            return box.token
        raise ValueError

    return [
        Contestant(UNIT, "a function: the token, if time.time() is before its end", repeated(checked)),
        Contestant("attribute alone", "a function that returns an attribute", repeated(lambda: box.token)),
        Contestant("slotted method", "the same check as a method", repeated(box.fresh)),
        Contestant("method with a lock", "the same check under threading.Lock", repeated(box.locked)),
    ]


def measure(rounds: int) -> Result:
    """The row."""
    present = [peer for peer in TOKEN_PEERS if has(peer[1])]
    with TemporaryDirectory() as home:
        store = FileStore(Path(home))
        keep(store, credential())
        with TokenSource(store) as source:
            assert source.token() == TOKEN
            all_of = _floors()
            all_of.append(Contestant("codex-oauth", "TokenSource.token()", repeated(source.token), ours=True))
            all_of += [Contestant(name, called, repeated(make())) for name, _, called, make in present]
            times = contest(all_of, rounds, UNIT)
    targets = [Target(f"of {UNIT}", times.ratio("codex-oauth"), 1.4)]
    for name, limit in (("MSAL", 100), ("google-auth", 25), ("Authlib", 3)):
        if name in times.taken:
            faster = times.ratio(name, "codex-oauth")
            targets.append(Target(f"faster than {name}", faster, limit, at_least=True))
    return Result("P3", UNIT, figures(all_of, times), tuple(targets))
