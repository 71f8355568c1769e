"""What the exhaustive search is asked: the rules hold in every row; a window is known; a mistake must be found.

Rules of this file: data only, of a login in a file; that of a login in a database is `exhaustive_lease_catalogue`'s. A row is one set of faults and what they excuse; a window is a loss that nobody can
help, by its name; a control is the protocol with one rule left out, near enough to the situation that it is
found at once.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from codex_oauth_core import Credential, Effect, FinishSignIn, Provider, Record, Renewal, RenewalPolicy
from codex_oauth_core.flows import revoke_login, storing
from codex_oauth_core.flows.pace import SavePace
from codex_oauth_core.storage import Locked
from tests.simulation import exhaustive_store
from tests.simulation.exhaustive_state import Case, Excuse, Fault, Role, Rules, Unsaved

__all__ = [
    "ALL",
    "BOTH",
    "COARSE",
    "CONTROLS",
    "IMPATIENT",
    "IN_TIME",
    "ITS_OWN",
    "LOST",
    "NEAR",
    "NOBODY",
    "QUICK",
    "ROWS",
    "SIGN_OUT_AND",
    "TWICE",
    "WINDOWS",
    "WITH_SIGN_IN",
    "WITH_SIGN_IN_ALONE",
    "WITH_SIGN_OUT",
    "Control",
    "case_of",
    "only_itself",
]

Patch = tuple[object, str, Any]


@attrs.frozen
class Control:
    """A case that breaks the rule `expect`, because of what is left out or patched, or because nobody can help it."""

    case: Case
    expect: str
    patches: tuple[Patch, ...] = ()


BOTH: Final = (Role.RENEW, Role.RENEW)
WITH_SIGN_IN: Final = (Role.RENEW, Role.SIGN_IN)
WITH_SIGN_OUT: Final = (Role.RENEW, Role.SIGN_OUT)
SIGN_OUT_AND: Final = (Role.SIGN_OUT, Role.RENEW)
WITH_SIGN_IN_ALONE: Final = (Role.RENEW, Role.SIGN_IN_ALONE)
ALL: Final = (Role.RENEW, Role.SIGN_IN, Role.SIGN_OUT)
LOST: Final = frozenset({Excuse.CRASH, Excuse.LOST, Excuse.LATE})
COARSE: Final = 15.0
_RISKY: Final = frozenset({Excuse.STOPPED})
NEAR: Final[dict[str, Any]] = {"tick": 35.0, "victims": 1}
"""Time in thirds of an intent's life, and faults of one process only: enough to find a mistake soon."""


def case_of(name: str, roles: tuple[Role, ...], *faults: Fault, most: int = 9, **more: Any) -> Case:
    """A case with a budget for each fault that is named, once for each time that it is."""
    budget = tuple((fault, faults.count(fault)) for fault in dict.fromkeys(faults))
    settings: dict[str, Any] = {"excuses": LOST, **more}
    return Case(name=name, roles=roles, faults=budget, most=most, **settings)


F = Fault
QUICK: Final = (
    case_of("no fault", BOTH),
    case_of("killed, or an answer lost", BOTH, F.CRASH, F.LOST, F.AGAIN, most=2, tick=COARSE),
    case_of("an answer later than the limit", BOTH, F.LATE, F.CRASH, most=2, tick=COARSE),
    case_of("stopped once, for any time", BOTH, F.STOP, tick=COARSE),
    case_of("unreadable for a while", BOTH, F.UNREADABLE, F.CRASH, F.AGAIN, most=2, tick=COARSE),
    case_of("commands at an unreadable file", BOTH, F.UNREADABLE, tick=COARSE, unsaved=Unsaved.EXITS),
    case_of("taken away for a while", BOTH, F.MOVED, F.AGAIN),
    case_of("taken away, and killed", BOTH, F.MOVED, F.CRASH, victims=1),
    case_of("cut short", BOTH, F.TORN, F.AGAIN, excuses=frozenset({Excuse.TORN})),
    case_of("the disk fails for a while", BOTH, F.DISK, F.AGAIN, tick=COARSE),
    case_of("the server refuses, or is away", BOTH, F.REFUSED, F.UNAVAILABLE, F.AGAIN, most=2),
    case_of("the lock file is removed", BOTH, F.LOCK_REMOVED, F.CRASH, F.SLOW, most=2, tick=COARSE),
    case_of("the clock jumps", BOTH, F.CLOCK_JUMP, F.CLOCK_JUMP, F.AGAIN),
    case_of("a sign-in", WITH_SIGN_IN, F.CRASH, F.LATE, F.AGAIN, most=2, tick=COARSE),
    case_of("a sign-in, and the lock file", WITH_SIGN_IN, F.LOCK_REMOVED, F.CRASH, most=2, tick=COARSE),
    case_of("a sign-in that ends the old login", WITH_SIGN_IN_ALONE, F.CRASH, F.UNAVAILABLE, F.AGAIN, most=2),
    case_of(
        "a sign-in that cannot be stored", WITH_SIGN_IN, F.DISK, F.UNREADABLE, F.CRASH, most=2, tick=COARSE
    ),
    case_of("a save that is told to have failed", WITH_SIGN_IN, F.UNSURE, F.UNSURE, F.CRASH, F.AGAIN, most=3),
    case_of("a sign-in that is kept beside", WITH_SIGN_IN, F.CANCEL, F.CRASH, F.AGAIN, F.AGAIN),
    case_of("a logout", WITH_SIGN_OUT, F.CRASH, F.LATE, F.UNAVAILABLE, most=2, tick=COARSE),
    case_of("a logout, and a file that cannot be read", WITH_SIGN_OUT, F.UNREADABLE, F.MOVED, F.DISK, most=1),
    case_of("all three, one killed", ALL, F.CRASH),
    case_of(
        "unsaved, and the only one",
        (Role.RENEW,),
        F.DISK,
        F.UNREADABLE,
        F.AGAIN,
        unsaved=Unsaved.ENDS,
        tick=COARSE,
    ),
)
"""A part that takes seconds."""

IN_TIME: Final[dict[str, Any]] = {"slow_server": True, "busy_is_wrong": True, "longest_wait": 45}

ROWS: Final = (
    *QUICK,
    case_of("killed, lost, late or slow", BOTH, F.CRASH, F.LOST, F.LATE, F.SLOW, F.AGAIN, most=3),
    case_of("stopped once", BOTH, F.STOP),
    case_of("stopped twice", BOTH, F.STOP, F.STOP, tick=COARSE),
    case_of("stopped, killed, late", BOTH, F.STOP, F.CRASH, F.LATE, most=2, tick=COARSE),
    case_of("its own clock stands still", BOTH, F.FREEZE, F.SLOW, F.AGAIN, most=2),
    case_of("unreadable, stopped", BOTH, F.UNREADABLE, F.STOP, most=2, tick=COARSE),
    case_of("the disk, and unreadable", BOTH, F.DISK, F.UNREADABLE, F.AGAIN, most=3),
    case_of("the disk, and taken away", BOTH, F.DISK, F.MOVED, F.AGAIN, most=3),
    case_of("the disk, and killed", BOTH, F.DISK, F.CRASH, F.AGAIN, most=3),
    case_of("taken away, stopped", BOTH, F.MOVED, F.STOP, most=2, tick=COARSE),
    case_of("the lock file, twice", BOTH, F.LOCK_REMOVED, F.LOCK_REMOVED, F.CRASH, F.SLOW, F.AGAIN, most=3),
    case_of(
        "the lock file, and a stop before the last look",
        BOTH,
        F.LOCK_REMOVED,
        F.STOP,
        F.AGAIN,
        excuses=LOST | {Excuse.STOPPED},
        tick=COARSE,
    ),
    case_of("clock jumps, stopped", BOTH, F.CLOCK_JUMP, F.STOP, most=2, tick=COARSE),
    case_of("a sign-in, stopped", WITH_SIGN_IN, F.STOP, F.STOP, F.CRASH, F.AGAIN, most=2, tick=COARSE),
    case_of("a sign-in, and files", WITH_SIGN_IN, F.UNREADABLE, F.MOVED, F.DISK, F.AGAIN, most=3),
    case_of("a logout, stopped", WITH_SIGN_OUT, F.STOP, F.CRASH, F.LATE, F.UNAVAILABLE, F.REFUSED, most=2),
    case_of("a logout, and files", WITH_SIGN_OUT, F.UNREADABLE, F.DISK, F.AGAIN, most=3),
    case_of("a logout, and the lock file", WITH_SIGN_OUT, F.LOCK_REMOVED, F.STOP, tick=COARSE),
    case_of("all three", ALL, F.CRASH, F.LATE, F.AGAIN, most=2, tick=COARSE),
    case_of("three that renew", (Role.RENEW,) * 3, F.CRASH, F.LOST, F.AGAIN, most=2),
    case_of("two that renew, and a logout", (*BOTH, Role.SIGN_OUT), F.CRASH, F.LATE, most=1, tick=COARSE),
    case_of(
        "a token that still lives",
        BOTH,
        F.CRASH,
        F.STOP,
        F.LATE,
        F.AGAIN,
        most=2,
        expires_in=250.0,
        tick=COARSE,
    ),
    case_of(
        "a token that lives for long", BOTH, F.CRASH, F.STOP, F.LATE, F.AGAIN, most=2, expires_in=250_000.0
    ),
    case_of("ended while it saves", BOTH, F.DISK, F.CLOSE, F.AGAIN, excuses=frozenset({Excuse.DISK})),
    case_of(
        "commands on a disk that fails",
        BOTH,
        F.DISK,
        F.AGAIN,
        unsaved=Unsaved.EXITS,
        excuses=frozenset({Excuse.DISK}),
    ),
    case_of("nobody waits too long", BOTH, F.CRASH, F.SLOW, most=1, **IN_TIME),
    case_of("a logout does not, either", WITH_SIGN_OUT, F.CRASH, F.SLOW, most=1, **IN_TIME),
    case_of("nor does a sign-in", WITH_SIGN_IN, F.CRASH, F.SLOW, most=1, **IN_TIME),
)
"""All of them, which takes minutes."""

TWICE: Final = "r0.0 is sent twice"
_SUCCESSOR: Final = "r0.0 is sent, and its successor is in the store"
NOBODY: Final = "the login is lost: nobody has the living refresh token"
ITS_OWN: Final = "a login that is stored is ended by its own sign-in"
_OLDER: Final = "an older login took the place of a newer one"

WINDOWS: Final = (
    Control(case_of("killed after the first byte", BOTH, F.CRASH, excuses=frozenset()), NOBODY),
    Control(case_of("an answer that is lost", BOTH, F.LOST, excuses=frozenset()), NOBODY),
    Control(case_of("an answer after a minute", BOTH, F.LATE, excuses=frozenset()), NOBODY),
    Control(
        case_of("the lock file, and a stop after the last look", BOTH, F.LOCK_REMOVED, F.STOP, **NEAR), TWICE
    ),
    Control(case_of("the lock file, and a jump of the clock", BOTH, F.LOCK_REMOVED, F.CLOCK_JUMP), TWICE),
    Control(
        case_of(
            "the disk, for longer than a command saves", BOTH, F.DISK, tick=COARSE, unsaved=Unsaved.EXITS
        ),
        NOBODY,
    ),
)
"""What nobody can help, or can only make rarer; everything else that goes wrong is a mistake."""


def _by_the_first_look(flow: Renewal, locked: Locked) -> Effect:
    """What was read before the lock was had is renewed."""
    return _has_the_lock(flow, attrs.evolve(locked, record=flow._record))


def only_itself(record: Record, read: Record) -> bool:
    """Whether it is the very login that was read, and no renewal of it."""
    return record.fingerprint == read.fingerprint


def _never(*_args: object) -> bool:
    return False


def _no_more(*_args: object, **_kwargs: object) -> None:
    return


_has_the_lock: Final = Renewal._has_the_lock
_revoke: Final = FinishSignIn._revoke

IMPATIENT: Final = RenewalPolicy(expired_lock_limit=20.0)


def _its_own(flow: FinishSignIn, _credential: Credential, provider: Provider | None) -> Effect:
    """The new login is ended in place of the old one."""
    return _revoke(flow, flow.record.credential, provider)


CONTROLS: Final = (
    Control(
        case_of("the new login is ended with the old one", WITH_SIGN_IN_ALONE),
        ITS_OWN,
        ((FinishSignIn, "_revoke", _its_own),),
    ),
    Control(
        case_of("a renewal beside a login that is away is removed", BOTH, F.MOVED, F.CRASH, victims=1),
        NOBODY,
        ((exhaustive_store.Store, "_is_renewal", _never),),
    ),
    Control(
        case_of("a login is ended without a look", WITH_SIGN_IN, F.UNSURE),
        ITS_OWN,
        ((FinishSignIn, "_may_be_stored", _never),),
    ),
    Control(
        case_of(
            "no look before the first byte",
            BOTH,
            F.LOCK_REMOVED,
            F.STOP,
            excuses=_RISKY,
            **NEAR,
            rules=Rules(sending_look=False, write_look=False),
        ),
        TWICE,
    ),
    Control(
        case_of(
            "no look when it is connected",
            BOTH,
            F.LOCK_REMOVED,
            F.STOP,
            excuses=_RISKY,
            **NEAR,
            rules=Rules(write_look=False),
        ),
        TWICE,
    ),
    Control(case_of("intents are ignored", BOTH, F.LOCK_REMOVED, rules=Rules(intents=False)), TWICE),
    Control(
        case_of("an intent lives for 20 s", BOTH, F.LOCK_REMOVED, slow_server=True),
        TWICE,
        ((exhaustive_store, "INTENT_LIFE", 20.0),),
    ),
    Control(
        case_of(
            "discarded where it cannot be read",
            BOTH,
            F.UNREADABLE,
            unsaved=Unsaved.EXITS,
            tick=COARSE,
            rules=Rules(rescue_unreadable=False),
        ),
        NOBODY,
    ),
    Control(
        case_of(
            "saved without a look at the lock",
            WITH_SIGN_IN,
            F.LOCK_REMOVED,
            tick=COARSE,
            rules=Rules(lock_at_save=False),
        ),
        _OLDER,
    ),
    Control(case_of("two looks under the lock", BOTH, F.UNREADABLE, rules=Rules(one_look=False)), _SUCCESSOR),
    Control(case_of("leftovers are not adopted", BOTH, F.CRASH, rules=Rules(adopt=False)), TWICE),
    Control(
        case_of("an answer is dropped at the limit", BOTH, F.STOP, **NEAR, rules=Rules(last_read=False)),
        NOBODY,
    ),
    Control(
        case_of(
            "readers are blind to what was rescued",
            WITH_SIGN_IN,
            F.CANCEL,
            F.AGAIN,
            rules=Rules(readers_see_rescued=False),
        ),
        "the older login is served while a finished sign-in is beside",
    ),
    Control(
        case_of("judged by what was read without the lock", BOTH, rules=Rules(reserve_compares=False)),
        _OLDER,
        ((Renewal, "_has_the_lock", _by_the_first_look),),
    ),
    Control(
        case_of("the lock of what is unsaved is given back", BOTH, F.DISK),
        TWICE,
        ((SavePace, "next", _no_more),),
    ),
    Control(
        case_of("what is unsaved is forgotten", (Role.RENEW,), F.DISK, F.AGAIN, unsaved=Unsaved.ENDS),
        TWICE,
        ((Renewal, "_has_unsaved", _never),),
    ),
    Control(
        case_of("a logout leaves what was renewed meanwhile", SIGN_OUT_AND, F.LOCK_REMOVED, F.STOP, **NEAR),
        "a logout was not done: the login was renewed meanwhile",
        ((revoke_login, "_is_of_one_sign_in", only_itself),),
    ),
    Control(
        case_of(
            "who waits with a dead token waits for 20 s",
            BOTH,
            policy=IMPATIENT,
            slow_server=True,
            busy_is_wrong=True,
        ),
        "somebody is told that the lock is busy, though the login is fine",
    ),
    Control(
        case_of("a request goes out after minutes", BOTH, F.LOCK_REMOVED, F.SLOW, **NEAR),
        TWICE,
        ((storing, "WRITE_BY", 150.0),),
    ),
)
"""The rules, each left out once."""
