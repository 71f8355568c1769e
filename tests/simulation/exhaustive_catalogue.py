"""What the exhaustive search is asked: the rules hold in every row; a window is known; a mistake must be found.

Rules of this file: data only. A row is one set of faults and what they excuse; a window is a loss that nobody can
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

__all__ = ["CONTROLS", "QUICK", "ROWS", "WINDOWS", "Control"]

Patch = tuple[object, str, Any]


@attrs.frozen
class Control:
    """A case that breaks the rule `expect`, because of what is left out or patched, or because nobody can help it."""

    case: Case
    expect: str
    patches: tuple[Patch, ...] = ()


_BOTH: Final = (Role.RENEW, Role.RENEW)
_WITH_SIGN_IN: Final = (Role.RENEW, Role.SIGN_IN)
_WITH_SIGN_OUT: Final = (Role.RENEW, Role.SIGN_OUT)
_SIGN_OUT_AND: Final = (Role.SIGN_OUT, Role.RENEW)
_WITH_SIGN_IN_ALONE: Final = (Role.RENEW, Role.SIGN_IN_ALONE)
_ALL: Final = (Role.RENEW, Role.SIGN_IN, Role.SIGN_OUT)
_LOST: Final = frozenset({Excuse.CRASH, Excuse.LOST, Excuse.LATE})
_COARSE: Final = 15.0
_RISKY: Final = frozenset({Excuse.STOPPED})
_NEAR: Final[dict[str, Any]] = {"tick": 35.0, "victims": 1}
"""Time in thirds of an intent's life, and faults of one process only: enough to find a mistake soon."""


def _case(name: str, roles: tuple[Role, ...], *faults: Fault, most: int = 9, **more: Any) -> Case:
    """A case with a budget for each fault that is named, once for each time that it is."""
    budget = tuple((fault, faults.count(fault)) for fault in dict.fromkeys(faults))
    settings: dict[str, Any] = {"excuses": _LOST, **more}
    return Case(name=name, roles=roles, faults=budget, most=most, **settings)


F = Fault
QUICK: Final = (
    _case("no fault", _BOTH),
    _case("killed, or an answer lost", _BOTH, F.CRASH, F.LOST, F.AGAIN, most=2, tick=_COARSE),
    _case("an answer later than the limit", _BOTH, F.LATE, F.CRASH, most=2, tick=_COARSE),
    _case("stopped once, for any time", _BOTH, F.STOP, tick=_COARSE),
    _case("unreadable for a while", _BOTH, F.UNREADABLE, F.CRASH, F.AGAIN, most=2, tick=_COARSE),
    _case("commands at an unreadable file", _BOTH, F.UNREADABLE, tick=_COARSE, unsaved=Unsaved.EXITS),
    _case("taken away for a while", _BOTH, F.MOVED, F.AGAIN),
    _case("taken away, and killed", _BOTH, F.MOVED, F.CRASH, victims=1),
    _case("cut short", _BOTH, F.TORN, F.AGAIN, excuses=frozenset({Excuse.TORN})),
    _case("the disk fails for a while", _BOTH, F.DISK, F.AGAIN, tick=_COARSE),
    _case("the server refuses, or is away", _BOTH, F.REFUSED, F.UNAVAILABLE, F.AGAIN, most=2),
    _case("the lock file is removed", _BOTH, F.LOCK_REMOVED, F.CRASH, F.SLOW, most=2, tick=_COARSE),
    _case("the clock jumps", _BOTH, F.CLOCK_JUMP, F.CLOCK_JUMP, F.AGAIN),
    _case("a sign-in", _WITH_SIGN_IN, F.CRASH, F.LATE, F.AGAIN, most=2, tick=_COARSE),
    _case("a sign-in, and the lock file", _WITH_SIGN_IN, F.LOCK_REMOVED, F.CRASH, most=2, tick=_COARSE),
    _case("a sign-in that ends the old login", _WITH_SIGN_IN_ALONE, F.CRASH, F.UNAVAILABLE, F.AGAIN, most=2),
    _case(
        "a sign-in that cannot be stored", _WITH_SIGN_IN, F.DISK, F.UNREADABLE, F.CRASH, most=2, tick=_COARSE
    ),
    _case("a save that is told to have failed", _WITH_SIGN_IN, F.UNSURE, F.UNSURE, F.CRASH, F.AGAIN, most=3),
    _case("a sign-in that is kept beside", _WITH_SIGN_IN, F.CANCEL, F.CRASH, F.AGAIN, F.AGAIN),
    _case("a logout", _WITH_SIGN_OUT, F.CRASH, F.LATE, F.UNAVAILABLE, most=2, tick=_COARSE),
    _case("a logout, and a file that cannot be read", _WITH_SIGN_OUT, F.UNREADABLE, F.MOVED, F.DISK, most=1),
    _case("all three, one killed", _ALL, F.CRASH),
    _case(
        "unsaved, and the only one",
        (Role.RENEW,),
        F.DISK,
        F.UNREADABLE,
        F.AGAIN,
        unsaved=Unsaved.ENDS,
        tick=_COARSE,
    ),
)
"""A part that takes seconds."""

_IN_TIME: Final[dict[str, Any]] = {"slow_server": True, "busy_is_wrong": True, "longest_wait": 45}

ROWS: Final = (
    *QUICK,
    _case("killed, lost, late or slow", _BOTH, F.CRASH, F.LOST, F.LATE, F.SLOW, F.AGAIN, most=3),
    _case("stopped once", _BOTH, F.STOP),
    _case("stopped twice", _BOTH, F.STOP, F.STOP, tick=_COARSE),
    _case("stopped, killed, late", _BOTH, F.STOP, F.CRASH, F.LATE, most=2, tick=_COARSE),
    _case("its own clock stands still", _BOTH, F.FREEZE, F.SLOW, F.AGAIN, most=2),
    _case("unreadable, stopped", _BOTH, F.UNREADABLE, F.STOP, most=2, tick=_COARSE),
    _case("the disk, and unreadable", _BOTH, F.DISK, F.UNREADABLE, F.AGAIN, most=3),
    _case("the disk, and taken away", _BOTH, F.DISK, F.MOVED, F.AGAIN, most=3),
    _case("the disk, and killed", _BOTH, F.DISK, F.CRASH, F.AGAIN, most=3),
    _case("taken away, stopped", _BOTH, F.MOVED, F.STOP, most=2, tick=_COARSE),
    _case("the lock file, twice", _BOTH, F.LOCK_REMOVED, F.LOCK_REMOVED, F.CRASH, F.SLOW, F.AGAIN, most=3),
    _case(
        "the lock file, and a stop before the last look",
        _BOTH,
        F.LOCK_REMOVED,
        F.STOP,
        F.AGAIN,
        excuses=_LOST | {Excuse.STOPPED},
        tick=_COARSE,
    ),
    _case("clock jumps, stopped", _BOTH, F.CLOCK_JUMP, F.STOP, most=2, tick=_COARSE),
    _case("a sign-in, stopped", _WITH_SIGN_IN, F.STOP, F.STOP, F.CRASH, F.AGAIN, most=2, tick=_COARSE),
    _case("a sign-in, and files", _WITH_SIGN_IN, F.UNREADABLE, F.MOVED, F.DISK, F.AGAIN, most=3),
    _case("a logout, stopped", _WITH_SIGN_OUT, F.STOP, F.CRASH, F.LATE, F.UNAVAILABLE, F.REFUSED, most=2),
    _case("a logout, and files", _WITH_SIGN_OUT, F.UNREADABLE, F.DISK, F.AGAIN, most=3),
    _case("a logout, and the lock file", _WITH_SIGN_OUT, F.LOCK_REMOVED, F.STOP, tick=_COARSE),
    _case("all three", _ALL, F.CRASH, F.LATE, F.AGAIN, most=2, tick=_COARSE),
    _case("three that renew", (Role.RENEW,) * 3, F.CRASH, F.LOST, F.AGAIN, most=2),
    _case("two that renew, and a logout", (*_BOTH, Role.SIGN_OUT), F.CRASH, F.LATE, most=1, tick=_COARSE),
    _case(
        "a token that still lives",
        _BOTH,
        F.CRASH,
        F.STOP,
        F.LATE,
        F.AGAIN,
        most=2,
        expires_in=250.0,
        tick=_COARSE,
    ),
    _case(
        "a token that lives for long", _BOTH, F.CRASH, F.STOP, F.LATE, F.AGAIN, most=2, expires_in=250_000.0
    ),
    _case("ended while it saves", _BOTH, F.DISK, F.CLOSE, F.AGAIN, excuses=frozenset({Excuse.DISK})),
    _case(
        "commands on a disk that fails",
        _BOTH,
        F.DISK,
        F.AGAIN,
        unsaved=Unsaved.EXITS,
        excuses=frozenset({Excuse.DISK}),
    ),
    _case("nobody waits too long", _BOTH, F.CRASH, F.SLOW, most=1, **_IN_TIME),
    _case("a logout does not, either", _WITH_SIGN_OUT, F.CRASH, F.SLOW, most=1, **_IN_TIME),
    _case("nor does a sign-in", _WITH_SIGN_IN, F.CRASH, F.SLOW, most=1, **_IN_TIME),
)
"""All of them, which takes minutes."""

_TWICE: Final = "r0.0 is sent twice"
_SUCCESSOR: Final = "r0.0 is sent, and its successor is in the store"
_NOBODY: Final = "the login is lost: nobody has the living refresh token"
_ITS_OWN: Final = "a login that is stored is ended by its own sign-in"
_OLDER: Final = "an older login took the place of a newer one"

WINDOWS: Final = (
    Control(_case("killed after the first byte", _BOTH, F.CRASH, excuses=frozenset()), _NOBODY),
    Control(_case("an answer that is lost", _BOTH, F.LOST, excuses=frozenset()), _NOBODY),
    Control(_case("an answer after a minute", _BOTH, F.LATE, excuses=frozenset()), _NOBODY),
    Control(
        _case("the lock file, and a stop after the last look", _BOTH, F.LOCK_REMOVED, F.STOP, **_NEAR), _TWICE
    ),
    Control(_case("the lock file, and a jump of the clock", _BOTH, F.LOCK_REMOVED, F.CLOCK_JUMP), _TWICE),
    Control(
        _case(
            "the disk, for longer than a command saves", _BOTH, F.DISK, tick=_COARSE, unsaved=Unsaved.EXITS
        ),
        _NOBODY,
    ),
)
"""What nobody can help, or can only make rarer; everything else that goes wrong is a mistake."""


def _by_the_first_look(flow: Renewal, locked: Locked) -> Effect:
    """What was read before the lock was had is renewed."""
    return _has_the_lock(flow, attrs.evolve(locked, record=flow._record))


def _only_itself(record: Record, read: Record) -> bool:
    return record.fingerprint == read.fingerprint


def _never(*_args: object) -> bool:
    return False


def _no_more(*_args: object, **_kwargs: object) -> None:
    return


_has_the_lock: Final = Renewal._has_the_lock
_revoke: Final = FinishSignIn._revoke

_IMPATIENT: Final = RenewalPolicy(expired_lock_limit=20.0)


def _its_own(flow: FinishSignIn, _credential: Credential, provider: Provider | None) -> Effect:
    """The new login is ended in place of the old one."""
    return _revoke(flow, flow.record.credential, provider)


CONTROLS: Final = (
    Control(
        _case("the new login is ended with the old one", _WITH_SIGN_IN_ALONE),
        _ITS_OWN,
        ((FinishSignIn, "_revoke", _its_own),),
    ),
    Control(
        _case("a renewal beside a login that is away is removed", _BOTH, F.MOVED, F.CRASH, victims=1),
        _NOBODY,
        ((exhaustive_store.Store, "_is_renewal", _never),),
    ),
    Control(
        _case("a login is ended without a look", _WITH_SIGN_IN, F.UNSURE),
        _ITS_OWN,
        ((FinishSignIn, "_may_be_stored", _never),),
    ),
    Control(
        _case(
            "no look before the first byte",
            _BOTH,
            F.LOCK_REMOVED,
            F.STOP,
            excuses=_RISKY,
            **_NEAR,
            rules=Rules(sending_look=False, write_look=False),
        ),
        _TWICE,
    ),
    Control(
        _case(
            "no look when it is connected",
            _BOTH,
            F.LOCK_REMOVED,
            F.STOP,
            excuses=_RISKY,
            **_NEAR,
            rules=Rules(write_look=False),
        ),
        _TWICE,
    ),
    Control(_case("intents are ignored", _BOTH, F.LOCK_REMOVED, rules=Rules(intents=False)), _TWICE),
    Control(
        _case("an intent lives for 20 s", _BOTH, F.LOCK_REMOVED, slow_server=True),
        _TWICE,
        ((exhaustive_store, "INTENT_LIFE", 20.0),),
    ),
    Control(
        _case(
            "discarded where it cannot be read",
            _BOTH,
            F.UNREADABLE,
            unsaved=Unsaved.EXITS,
            tick=_COARSE,
            rules=Rules(rescue_unreadable=False),
        ),
        _NOBODY,
    ),
    Control(
        _case(
            "saved without a look at the lock",
            _WITH_SIGN_IN,
            F.LOCK_REMOVED,
            tick=_COARSE,
            rules=Rules(lock_at_save=False),
        ),
        _OLDER,
    ),
    Control(_case("two looks under the lock", _BOTH, F.UNREADABLE, rules=Rules(one_look=False)), _SUCCESSOR),
    Control(_case("leftovers are not adopted", _BOTH, F.CRASH, rules=Rules(adopt=False)), _TWICE),
    Control(
        _case("an answer is dropped at the limit", _BOTH, F.STOP, **_NEAR, rules=Rules(last_read=False)),
        _NOBODY,
    ),
    Control(
        _case(
            "readers are blind to what was rescued",
            _WITH_SIGN_IN,
            F.CANCEL,
            F.AGAIN,
            rules=Rules(readers_see_rescued=False),
        ),
        "the older login is served while a finished sign-in is beside",
    ),
    Control(
        _case("judged by what was read without the lock", _BOTH, rules=Rules(reserve_compares=False)),
        _OLDER,
        ((Renewal, "_has_the_lock", _by_the_first_look),),
    ),
    Control(
        _case("the lock of what is unsaved is given back", _BOTH, F.DISK),
        _TWICE,
        ((SavePace, "next", _no_more),),
    ),
    Control(
        _case("what is unsaved is forgotten", (Role.RENEW,), F.DISK, F.AGAIN, unsaved=Unsaved.ENDS),
        _TWICE,
        ((Renewal, "_has_unsaved", _never),),
    ),
    Control(
        _case("a logout leaves what was renewed meanwhile", _SIGN_OUT_AND, F.LOCK_REMOVED, F.STOP, **_NEAR),
        "a logout was not done: the login was renewed meanwhile",
        ((revoke_login, "_is_of_one_sign_in", _only_itself),),
    ),
    Control(
        _case(
            "who waits with a dead token waits for 20 s",
            _BOTH,
            policy=_IMPATIENT,
            slow_server=True,
            busy_is_wrong=True,
        ),
        "somebody is told that the lock is busy, though the login is fine",
    ),
    Control(
        _case("a request goes out after minutes", _BOTH, F.LOCK_REMOVED, F.SLOW, **_NEAR),
        _TWICE,
        ((storing, "WRITE_BY", 150.0),),
    ),
)
"""The rules, each left out once."""
