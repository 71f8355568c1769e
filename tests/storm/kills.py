"""Processes that are killed at every point of a renewal, or at any instant. F1, F2, and leftovers.

Rules of this file: after each kill one more process renews the same login; what it finds is held against
where the first one was, and against what the authority received. A login may be lost only if the refresh
token had been received and its successor was in no file; then the loss must be explained.
"""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Final

import attrs

from tests.storm import work
from tests.storm.logins import EXPIRED, MANDATORY, Ground, authority
from tests.storm.nursery import Child, Killed, Nursery
from tests.storm.points import Region, region
from tests.storm.tally import Row, Tally
from tests.storm.work import Ended, Job

__all__ = ["Fates", "anytime", "at_every_point", "judge", "points_of"]

ON_TIME: Final = 1.0
"""Seconds in which the next process must have a token: no lock and no intent of a dead process holds it up."""

_ANYWHERE: Final = Region(sent=True, kept=False), Region(sent=True, kept=True), Region(sent=False, kept=False)


def points_of(nursery: Nursery, ground: Ground) -> list[str]:
    """The points of an undisturbed renewal, in order."""
    child = nursery.fork(work.renewal, Job(ground.home, ground.key))
    child.hear()
    child.tell()
    ended: Ended = child.result()
    assert ended.how == "Renewed"
    return ended.points


@attrs.define
class Fates:
    """How many logins came out of it in which way."""

    intact: int = 0
    adopted: int = 0
    lost: int = 0
    slowest: float = 0.0

    def __str__(self) -> str:
        told = f"intact {self.intact}, adopted {self.adopted}, lost {self.lost}"
        return f"{told}; the next process took {self.slowest:.2f} s at most"


def at_every_point(nursery: Nursery, home: Path, rounds: int) -> Row:
    """A process kills itself at one point after the other."""
    tally, fates = Tally("SIGKILL at a trace point", 2), Fates()
    with authority() as server:
        names = points_of(nursery, Ground.of(server, home / "kill-dry"))
        for number in range(rounds):
            point = names[number % len(names)]
            left = (EXPIRED, MANDATORY)[number // len(names) % 2]
            ground = Ground.of(server, home / f"kill-{number}", left)
            victim = nursery.fork(work.renewal, Job(ground.home, ground.key, point, "kill"))
            victim.hear()
            victim.tell()
            victim.gone()
            where = f"killed {point}:"
            judge(tally, fates, nursery, ground, victim, (region(names, point),), where)
    tally.notes = f"{len(names)} points; {fates}"
    return tally.row


def anytime(nursery: Nursery, home: Path, rounds: int, seed: int) -> Row:
    """A process is killed from outside, at some instant."""
    tally, fates = Tally("SIGKILL at any instant", 2), Fates()
    draw = random.Random(seed)
    finished = 0
    with authority(delay=0.01) as server:
        for number in range(rounds):
            ground = Ground.of(server, home / f"any-{number}")
            victim = nursery.fork(work.renewal, Job(ground.home, ground.key))
            victim.hear()
            victim.tell()
            time.sleep(draw.uniform(0.0, 0.09))
            victim.send_signal(signal.SIGKILL)
            finished += _had_ended(victim)
            judge(tally, fates, nursery, ground, victim, _ANYWHERE, f"round {number}, seed {seed}:")
    tally.notes = f"seed {seed}, {finished} were done before; {fates}"
    return tally.row


def _had_ended(victim: Child) -> bool:
    try:
        victim.result()
    except Killed:
        return False
    return True


def judge(
    tally: Tally,
    fates: Fates,
    nursery: Nursery,
    ground: Ground,
    victim: Child,
    regions: tuple[Region, ...],
    where: str,
) -> None:
    """Let one more process renew the login, and take in what became of it."""
    after = nursery.fork(work.renewal, Job(ground.home, ground.key))
    after.hear()
    after.tell()
    ended: Ended = after.result()
    fates.slowest = max(fates.slowest, ended.took)
    tally.check(ended.took < ON_TIME, f"{where} the next process took {ended.took:.2f} s")
    was_sent, is_intact = ground.sent, ground.refused == 0
    over = ended.kind == "login_required"  # with the old token, while it lives
    if ended.how == "Renewed":
        fates.intact += 1
        _check(tally, ground, ended, where, any(not each.kept for each in regions) and was_sent == 1)
    elif not over and ended.how in ("Adopted", "Kept"):
        fates.adopted += 1
        good = any(each.kept for each in regions) and was_sent == 1 and ended.why in (None, "current")
        _check(tally, ground, ended, where, good)
    else:
        explained = any(each.lost for each in regions) and (was_sent, is_intact) == (2, False)
        explained = explained and _explains(ended, victim)
        if tally.check(explained, f"{where} {ended}, {was_sent} sent"):
            fates.lost += 1
            tally.lost += 1
        _ask_once_more(tally, nursery, ground, where)
    tally.check(ground.leftovers() == set(), f"{where} {ground.leftovers()} is left")
    tally.check(ground.duplicates == (was_sent == 2), f"{where} {ground.duplicates} duplicates")
    tally.count(ground)


def _check(tally: Tally, ground: Ground, ended: Ended, where: str, good: bool) -> None:
    """A login that lives: one exchange, everybody has the same token, and nothing is in doubt."""
    stored = ground.stored
    clean = stored is not None and not stored.in_doubt and stored.is_renewable
    good = good and clean and ground.refused == 0 and ended.token == ground.new != ground.old
    tally.check(good, f"{where} {ended}, {ground.sent} sent")


def _explains(ended: Ended, victim: Child) -> bool:
    """Whether the loss is told with its cause: a renewal was interrupted, and whose it was."""
    told = "An earlier renewal was interrupted after the refresh token was sent, or may have been."
    return (
        (ended.kind, ended.details.get("pid")) == ("login_required", victim.pid)
        and bool(ended.details.get("host"))
        and told in ended.message
    )


def _ask_once_more(tally: Tally, nursery: Nursery, ground: Ground, where: str) -> None:
    """A login that is over is asked about no more."""
    sent = ground.sent
    child = nursery.fork(work.renewal, Job(ground.home, ground.key))
    child.hear()
    child.tell()
    again: Ended = child.result()
    tally.check((again.kind, ground.sent) == ("login_required", sent), f"{where} asked again: {again}")
