"""What goes wrong in a run: drawn beforehand from its seed, as data.

Rules of this file: a strike hits the process whose turn it is at that step of the run, or the first one after
it that holds the lock, because that is where faults matter; a mishap befalls the request with that number.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final

import attrs

from tests.simulation.network import Mishap

__all__ = ["Kind", "Plan", "Strike", "draw_plan"]


@unique
class Kind(StrEnum):
    """What can happen to a process, its files, its clock or its login."""

    CRASH = "crash"
    PAUSE = "pause"
    DISK_FULL = "disk full"
    SAVE_ERROR = "write error at save"
    UNSAVED = "write errors at save and rescue"
    READ_ERROR = "read error"
    STICKY = "leftovers that cannot be removed"
    UNREADABLE = "login file unreadable for a while"
    DISK_AWAY = "no writes for a while"
    FILE_AWAY = "login file away for a while"
    LOCK_REMOVED = "lock file removed"
    LOCK_STOLEN = "lock file removed, holder paused"
    CLOCK_JUMP = "clock jump"
    FAMILY_REVOKED = "login revoked by the server"
    TOKEN_REJECTED = "access token rejected by the API"


_WEIGHTS: Final[Mapping[Kind, float]] = {
    Kind.CRASH: 5,
    Kind.PAUSE: 3,
    Kind.DISK_FULL: 1.5,
    Kind.SAVE_ERROR: 1.5,
    Kind.UNSAVED: 1,
    Kind.READ_ERROR: 0.7,
    Kind.STICKY: 1.2,
    Kind.UNREADABLE: 1.2,
    Kind.DISK_AWAY: 1.2,
    Kind.FILE_AWAY: 0.8,
    Kind.LOCK_REMOVED: 1,
    Kind.LOCK_STOLEN: 1,
    Kind.CLOCK_JUMP: 1,
    Kind.FAMILY_REVOKED: 0.7,
    Kind.TOKEN_REJECTED: 1.5,
}
_WHERE_IT_MATTERS: Final = (
    Kind.CRASH,
    Kind.PAUSE,
    Kind.SAVE_ERROR,
    Kind.UNSAVED,
    Kind.UNREADABLE,
    Kind.DISK_AWAY,
    Kind.FILE_AWAY,
    Kind.LOCK_REMOVED,
    Kind.LOCK_STOLEN,
)
_COUNTS: Final = (0, 1, 1, 1, 2, 2, 3)
_MISHAPS: Final = tuple(Mishap)
_LATEST_STEP: Final = 70


@attrs.frozen
class Strike:
    """A fault from this step of the run on. `amount`, from 0 to 1, is how much of it: seconds, or hours."""

    step: int
    kind: Kind
    holding: bool
    amount: float


@attrs.frozen
class Plan:
    """All faults of a run. `outage`: from which instant, until which one, what befalls every request."""

    strikes: tuple[Strike, ...] = ()
    mishaps: Mapping[int, Mishap] = attrs.field(factory=dict[int, Mishap])
    outage: tuple[float, Mishap] | None = None


def draw_plan(rng: random.Random, began: float) -> Plan:
    """The faults of a run whose processes begin at the instant `began`."""
    kinds = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=rng.choice(_COUNTS))
    strikes = sorted((_strike(rng, kind) for kind in kinds), key=lambda strike: strike.step)
    mishaps = {rng.randint(1, 3): rng.choice(_MISHAPS)} if rng.random() < 0.4 else {}
    outage = (began + 400.0 * rng.random(), rng.choice(_MISHAPS)) if rng.random() < 0.03 else None
    return Plan(tuple(strikes), mishaps, outage)


def _strike(rng: random.Random, kind: Kind) -> Strike:
    holding = kind in _WHERE_IT_MATTERS and rng.random() < 0.7
    return Strike(rng.randint(1, _LATEST_STEP), kind, holding, rng.random())
