"""What the exhaustive search calls a state: what all processes share, and each process by itself.

Rules of this file: plain tuples of small values, which are equal if and only if everything that can follow is
equal; nothing is judged here. Records and flows stand as numbers of a `Table`, `NONE` for none. Times are counts
of ticks.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final, NamedTuple

import attrs

from codex_oauth_core import RenewalPolicy
from tests.simulation.exhaustive_values import Token

__all__ = [
    "NONE",
    "SIGN_INS",
    "Case",
    "Copy",
    "Excuse",
    "Fault",
    "Hold",
    "Net",
    "Process",
    "Role",
    "Rules",
    "Shared",
    "Unsaved",
]

NONE: Final = -1


@unique
class Role(StrEnum):
    """What a process does."""

    RENEW = "renews"
    SIGN_IN = "signs in"
    SIGN_IN_ALONE = "signs in, and ends the old login"
    SIGN_OUT = "signs out"


SIGN_INS: Final = (Role.SIGN_IN, Role.SIGN_IN_ALONE)


@unique
class Fault(StrEnum):
    """What can befall; how often is the case's budget."""

    CRASH = "crash"
    STOP = "stop"
    FREEZE = "freeze"
    """As a stop, and the process's own clock stands still as well."""
    LOST = "lost"
    LATE = "late"
    SLOW = "slow"
    """Connecting takes a while."""
    REFUSED = "refused"
    """The server cannot be reached."""
    UNREADABLE = "unreadable"
    """The login cannot be read for a while: a link, another owner, a newer format."""
    MOVED = "moved"
    """Somebody takes the login's file away for a while."""
    TORN = "torn"
    """The login's file is cut short."""
    DISK = "disk"
    """Nothing can be written for a while."""
    UNSURE = "unsure"
    """A save is told to have failed, and has not."""
    LOCK_REMOVED = "lock removed"
    CLOCK_JUMP = "clock jump"
    UNAVAILABLE = "unavailable"
    """The server answers 503, and does nothing."""
    CANCEL = "cancel"
    """Who waits for the lock to store a sign-in gives up waiting."""
    CLOSE = "close"
    """A process that has something to save is ended, properly."""
    AGAIN = "again"
    """A process that is done renews once more."""


@unique
class Excuse(StrEnum):
    """Why a refresh token may be presented twice, or a login be lost, and nobody could help it."""

    CRASH = "crash between the first byte and the first durable copy"
    LOST = "answer lost"
    LATE = "answer later than the limit"
    STOPPED = "lock removed, and its holder stopped after its last look"
    JUMPED = "lock removed, and a jump of the clock"
    DISK = "disk away for longer than a save is repeated"
    TORN = "torn while nobody had a successor"


@unique
class Unsaved(StrEnum):
    """What becomes of a renewal that could not be saved for 30 seconds."""

    GOES_ON = "saving goes on, with the lock"
    ENDS = "it is known to the process, and saved before its next renewal"
    EXITS = "the process ends, as a command does"


@attrs.frozen(kw_only=True)
class Rules:
    """What the store and the driver keep to; each left out by one control."""

    sending_look: bool = True
    """`Held.sending` is asked right before a request that is sent once."""
    write_look: bool = True
    """A world looks at `write_by` when it is connected."""
    last_read: bool = True
    """At the limit, an answer that is there already is still read."""
    intents: bool = True
    """A young intent of another hold makes the lock busy."""
    one_look: bool = True
    """Leftovers are settled, and the login is judged, by one and the same look."""
    rescue_unreadable: bool = True
    """What is saved over a file that cannot be read is kept beside."""
    reserve_compares: bool = True
    """An intent is marked only in what was read."""
    lock_at_save: bool = True
    """Who has lost its lock puts nothing in place, but beside."""
    readers_see_rescued: bool = True
    adopt: bool = True
    """What was rescued, and what a killed process staged, is put in its place."""


@attrs.frozen(kw_only=True)
class Case:
    """What is explored: who does what at one login, what may befall them, and what is then explained."""

    name: str
    roles: tuple[Role, ...] = (Role.RENEW, Role.RENEW)
    faults: tuple[tuple[Fault, int], ...] = ()
    most: int = 9
    """Faults in all."""
    victims: int = 9
    """Only so many processes, the first ones, are killed or stopped."""
    tick: float = 5.0
    """Seconds that pass at once. The spans of the rules should be multiples of it."""
    expires_in: float = -600.0
    """Seconds for which the stored access token lives."""
    excuses: frozenset[Excuse] = frozenset()
    slow_server: bool = False
    """Whether an answer may take any time within the limit; else it comes at once, or is late."""
    busy_is_wrong: bool = False
    """Whether nobody may be told that the lock is busy while the login is fine."""
    longest_wait: int = 0
    """Ticks that a caller may wait, awake; 0: nobody counts them."""
    holds: int = 4
    """Locks that a process may take: the search must end."""
    unsaved: Unsaved = Unsaved.GOES_ON
    policy: RenewalPolicy = attrs.field(factory=RenewalPolicy)
    rules: Rules = attrs.field(factory=Rules)


class Copy(NamedTuple):
    """A complete record beside the login. `by`: who staged it, NONE where it has the name of a rescued one."""

    by: int
    record: int


class Shared(NamedTuple):
    """The store, the server, and what may still go wrong."""

    login: int
    copies: tuple[Copy, ...]
    holder: int
    lock_file: int
    unreadable: bool
    torn: bool
    away: int
    """The record in the file that was taken away."""
    failing: bool
    dead: tuple[bool, ...]
    families: tuple[tuple[int, bool], ...]
    """Of each sign-in how often it was renewed, and whether it lives."""
    late: tuple[Token, ...]
    """Refresh tokens on their way whose sender has given up."""
    left: tuple[int, ...]
    why: frozenset[tuple[Excuse, Token]]
    ended: frozenset[int]
    """Sign-ins that a logout has revoked."""
    gone: frozenset[int]
    """Sign-ins that a logout has deleted."""
    bad: str
    """The rule that was broken by the last step."""


class Hold(NamedTuple):
    """A lock that a process has. `asked`: ticks since it asked for the reservation, NONE before that."""

    lock_file: int
    owner: str
    asked: int
    marked: bool
    """Its intent is in the login, and nothing was saved since."""


class Net(NamedTuple):
    """A request under way."""

    revokes: bool
    token: Token
    answer: str
    """Empty until the server has acted."""
    late: bool
    lost: bool


class Process(NamedTuple):
    """One process. `at`: the step within the outstanding effect. `due`: ticks until its request's limit."""

    flow: int
    at: int
    stopped: int
    """1: stopped; 2: its clock stands still, too."""
    hold: Hold | None
    holds: int
    net: Net | None
    due: int
    known: int
    """A renewal that it has only in its memory."""
    waited: int
    outcome: str


Move = tuple[str, Process, Shared]
"""A step of one process: what to call it, and what comes of it."""
