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
from codex_oauth_core.renewal_times import WAIT_EXPIRED
from tests.simulation.exhaustive_values import Token

__all__ = [
    "NONE",
    "SIGN_INS",
    "Case",
    "Copy",
    "Excuse",
    "Fault",
    "Hold",
    "Kept",
    "Lease",
    "Net",
    "Process",
    "Role",
    "Rules",
    "Shared",
    "Statement",
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
    AWAY = "away"
    """The database is away for a while."""
    CUT_OFF = "cut off"
    """One process does not reach the database for a while."""
    UNANSWERED = "unanswered"
    """A statement's answer is lost: it was executed, or will be at any later time."""
    OWN_CLOCK = "own clock"
    """A process's clock is put forward or back by about an hour."""
    AGAIN = "again"
    """A process that is done renews once more."""


@unique
class Excuse(StrEnum):
    """Why a refresh token may be presented twice, or a login be lost, and nobody could help it."""

    CRASH = "crash between the first byte and the first durable copy"
    LOST = "answer lost"
    LATE = "answer later than the limit"
    STOPPED = "stopped after its last look, for longer than its lock or its mark counts"
    FROZEN = "its clock stood still while it connected, and the database's did not"
    JUMPED = "a jump of the clock by which marks are judged"
    CUT_OFF = "cut off from the database at its save, for longer than its mark counts"
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
    """Who only reads is given what was rescued, or waits for its lock."""
    owner_per_hold: bool = True
    """Each hold of a lease draws its owner; else all threads of a process have one."""
    store_asked: bool = True
    """`Held.sending` asks the database, by its clock; else only the process's own clock."""
    counted_from_before: bool = True
    """`SEND_BY` counts from before the reservation was asked for; else from its answer."""
    lease_as_long_as_mark: bool = True
    """A reservation makes the lease as long as its mark counts."""
    save_by_fingerprint: bool = True
    """A save needs only what was read; else the lease as well."""
    only_its_own: bool = True
    """A save takes back the mark and the lease of its own hold only."""
    grace: bool = True
    """A mark that ran out while the database was away counts for a moment more."""
    unsure_said: bool = True
    """Who does not know whether a sign-in was stored says so, whatever it sees: it may be stored later."""
    store_clock: bool = True
    """Marks are judged by the database's clock; else by that of the process."""
    adopt: bool = True
    """What was rescued, and what a killed process staged, is put in its place."""


@unique
class Kept(StrEnum):
    """Where the login is kept."""

    FILE = "a file, and a lock of the kernel"
    LEASE = "a row of a database, and a lease in it"


@attrs.frozen(kw_only=True)
class Case:
    """What is explored: who does what at one login, what may befall them, and what is then explained."""

    name: str
    roles: tuple[Role, ...] = (Role.RENEW, Role.RENEW)
    kept: Kept = Kept.FILE
    former: tuple[int, ...] = ()
    """Which processes are of an earlier release, which takes a lease whatever was marked."""
    lock_limit: float = WAIT_EXPIRED
    """Seconds that a sign-in and a logout wait for the lock."""
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


class Lease(NamedTuple):
    """Who has the row. `left`: ticks of the database's clock until somebody else may have it."""

    owner: str
    left: int


class Statement(NamedTuple):
    """What a hold asked of the database: `what` with a record, where `expected` is stored."""

    what: str
    by: int
    owner: str
    record: int
    expected: str | None


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
    lease: Lease = Lease("", 0)
    database_away: bool = False
    cut_off: int = NONE
    """Which process does not reach the database."""
    grace: int = 0
    """Ticks for which marks that have run out count, after the database was away."""
    to_come: tuple[Statement, ...] = ()
    """Statements that the database has yet to execute, whose process waits for no answer."""


class Hold(NamedTuple):
    """A lock that a process has. `asked`: ticks since it asked for the reservation, NONE before that."""

    lock_file: int
    owner: str
    asked: int
    marked: bool
    """Its intent is in the login, and nothing was saved since."""
    expected: str = ""
    """The fingerprint of what it has reserved."""


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
    clock: int = 0
    """Seconds that its time of day is ahead."""
    unsure: bool = False
    """It was not told whether a sign-in is stored, and was not told since that it is."""


Move = tuple[str, Process, Shared]
"""A step of one process: what to call it, and what comes of it."""
