"""P3: what every request pays for a token that is fresh.

Rules of this file: what a hand-written program would do is one call, as ours is. The floor keeps the three rules
that ours keeps: a clock that is set back makes no token younger, a renewal on another thread is seen whole, and the
token is in a `Secret`.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from codex_oauth import FileStore, TokenSource
from codex_oauth_core import Secret
from tests.bench.contest import Contestant, contest, figures, repeated
from tests.bench.logins import TOKEN, credential, keep
from tests.bench.peers import has
from tests.bench.ratios import Result, Target
from tests.bench.token_peers import TOKEN_PEERS

UNIT = "attribute and clock"
FLOOR = "by hand, carefully"


class Current:
    """A token, and from when and until when it is good."""

    __slots__ = ("since", "token", "until")

    def __init__(self, token: Secret[str], since: float, until: float) -> None:
        self.token, self.since, self.until = token, since, until


class Box:
    """A token, and until when it is good."""

    __slots__ = ("current", "lock", "token", "until")

    def __init__(self) -> None:
        self.token = TOKEN
        self.until = time.time() + 86_400
        self.current: Current | None = Current(Secret(TOKEN), time.time(), self.until)
        self.lock = threading.Lock()

    def fresh(self) -> str:
        """The token, if the clock allows it."""
        if time.time() < self.until:
            return self.token
        raise ValueError

    def hidden(self) -> str:
        """The token out of a `Secret`, if the clock allows it on both sides; both are replaced as one."""
        current = self.current
        if current is not None and current.since <= (at := time.time()) and at < current.until:
            return current.token.reveal()
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
        Contestant(FLOOR, "a check on both sides, of a `Secret`", repeated(box.hidden)),
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
    targets = [
        Target("of the careful one by hand, which is the floor", times.ratio("codex-oauth", FLOOR), 1.2)
    ]
    for name, wanted in (("MSAL", 100), ("google-auth", 25), ("Authlib", 3)):
        if name in times.taken:
            faster = times.ratio(name, "codex-oauth")
            to_be_had = round(times.ratio(name, FLOOR).median / 1.2, 1)
            targets.append(Target(f"faster than {name}", faster, min(wanted, to_be_had), at_least=True))
    notes = (
        f"The floor takes {times.ratio(FLOOR).median:.2f} times {UNIT}: nobody who keeps its rules has 1.4 times that. "
        "Where the floor is too slow for the wanted multiple of a library, the target is that of 1.2 times the floor.",
    )
    return Result("P3", UNIT, figures(all_of, times), tuple(targets), notes=notes)
