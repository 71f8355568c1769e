"""What the exhaustive search is asked of a login in a database that hosts share: rows, windows and controls.

Rules of this file: as of `exhaustive_catalogue`. A name in brackets is that of the rule which is left out.
"""

from __future__ import annotations

from typing import Any, Final

from codex_oauth_core.flows import pace, revoke_login, storing
from tests.simulation import exhaustive_faults, exhaustive_lease
from tests.simulation.exhaustive_catalogue import (
    ALL,
    BOTH,
    COARSE,
    IMPATIENT,
    IN_TIME,
    ITS_OWN,
    LOST,
    NEAR,
    NOBODY,
    SIGN_OUT_AND,
    TWICE,
    WITH_SIGN_IN,
    WITH_SIGN_IN_ALONE,
    WITH_SIGN_OUT,
    Control,
    case_of,
    only_itself,
)
from tests.simulation.exhaustive_state import Case, Excuse, Fault, Kept, Role, Rules, Unsaved

__all__ = ["CONTROLS", "QUICK", "ROWS", "WINDOWS"]

_STOPPED: Final = LOST | {Excuse.STOPPED}
"""What a lease cannot help: its holder is stopped after its last look."""
_FROZEN: Final = _STOPPED | {Excuse.FROZEN}
_CUT_OFF: Final = LOST | {Excuse.CUT_OFF}
_LONG: Final = 250_000.0
_ONLY_STOPPED: Final = frozenset({Excuse.STOPPED})
_BUSY: Final = "somebody is told that the lock is busy, though the login is fine"


def _case(name: str, roles: tuple[Role, ...], *faults: Fault, **more: Any) -> Case:
    return case_of(f"lease: {name}", roles, *faults, kept=Kept.LEASE, **more)


F = Fault
QUICK: Final = (
    _case("no fault", BOTH),
    _case("killed, or an answer lost", BOTH, F.CRASH, F.LOST, F.AGAIN, most=2, tick=COARSE),
    _case("an answer later than the limit", BOTH, F.LATE, F.CRASH, most=2, tick=COARSE),
    _case("stopped once, for any time", BOTH, F.STOP, excuses=_STOPPED, tick=COARSE),
    _case("its own clock stands still", BOTH, F.FREEZE, F.SLOW, excuses=_FROZEN, tick=COARSE),
    _case("clocks an hour ahead, or behind", BOTH, F.OWN_CLOCK, F.OWN_CLOCK, F.AGAIN, tick=COARSE),
    _case("a statement without an answer, or late", BOTH, F.UNANSWERED, F.AGAIN, tick=COARSE),
    _case("the database is away", BOTH, F.AWAY, F.AGAIN, tick=10.0),
    _case("cut off from the database", BOTH, F.CUT_OFF, F.AGAIN, excuses=_CUT_OFF, tick=COARSE),
    _case(
        "an earlier release ignores marks",
        BOTH,
        F.CRASH,
        F.REFUSED,
        F.UNANSWERED,
        most=2,
        former=(1,),
        tick=COARSE,
    ),
    _case("a sign-in", WITH_SIGN_IN, F.CRASH, F.LATE, F.AGAIN, most=2, tick=COARSE),
    _case("a sign-in without an answer", WITH_SIGN_IN, F.UNANSWERED, F.CANCEL, F.AGAIN, tick=COARSE),
    _case(
        "a sign-in that ends the old login", WITH_SIGN_IN_ALONE, F.UNANSWERED, F.CRASH, most=2, tick=COARSE
    ),
    _case("a sign-in that cannot be stored", WITH_SIGN_IN, F.AWAY, F.CRASH, most=2, tick=COARSE),
    _case("a sign-in that is kept beside", WITH_SIGN_IN, F.CANCEL, F.CRASH, F.AGAIN, F.AGAIN),
    _case("a logout", WITH_SIGN_OUT, F.CRASH, F.LATE, F.UNAVAILABLE, most=2, tick=COARSE),
    _case("a logout without an answer", WITH_SIGN_OUT, F.UNANSWERED, F.UNANSWERED, tick=COARSE),
    _case("all three, one without an answer", ALL, F.UNANSWERED, F.CANCEL, tick=COARSE),
    _case(
        "a token that lives for long", BOTH, F.STOP, F.CUT_OFF, F.AWAY, most=2, expires_in=_LONG, tick=COARSE
    ),
)
"""A part that takes seconds."""

ROWS: Final = (
    *QUICK,
    _case("three that renew", (Role.RENEW,) * 3, F.CRASH, F.LOST, F.AGAIN, most=2),
    _case("stopped once", BOTH, F.STOP, F.SLOW, excuses=_STOPPED, most=2, tick=10.0),
    _case("stopped twice", BOTH, F.STOP, F.STOP, excuses=_STOPPED, tick=COARSE),
    _case("stopped, killed, late", BOTH, F.STOP, F.CRASH, F.LATE, most=2, excuses=_STOPPED, tick=COARSE),
    _case(
        "two late statements, stopped",
        BOTH,
        F.UNANSWERED,
        F.UNANSWERED,
        F.SLOW,
        F.STOP,
        most=3,
        excuses=_STOPPED,
        tick=COARSE,
    ),
    _case("late statements, killed", BOTH, F.UNANSWERED, F.UNANSWERED, F.CRASH, F.AGAIN, most=3, tick=COARSE),
    _case("late statements, answers lost", BOTH, F.UNANSWERED, F.LOST, F.LATE, F.AGAIN, most=3, tick=COARSE),
    _case("the database is away, and killed", BOTH, F.AWAY, F.CRASH, F.AGAIN, most=3),
    _case("the database is away, and late statements", BOTH, F.AWAY, F.UNANSWERED, F.AGAIN, most=3),
    _case("a sign-in, away and late", WITH_SIGN_IN, F.AWAY, F.UNANSWERED, F.CRASH, F.AGAIN, most=3),
    _case(
        "a sign-in that ends another, away and late",
        WITH_SIGN_IN_ALONE,
        F.AWAY,
        F.UNANSWERED,
        F.CRASH,
        most=2,
    ),
    _case(
        "a logout, stopped",
        WITH_SIGN_OUT,
        F.STOP,
        F.CRASH,
        F.LATE,
        F.UNAVAILABLE,
        F.REFUSED,
        most=2,
        excuses=_STOPPED,
        tick=COARSE,
    ),
    _case("a logout, away and late", WITH_SIGN_OUT, F.AWAY, F.UNANSWERED, F.CRASH, most=3),
    _case("all three, stopped", ALL, F.CRASH, F.STOP, F.AGAIN, most=2, excuses=_STOPPED, tick=COARSE),
    _case("an earlier release, stopped", BOTH, F.STOP, F.CRASH, most=1, former=(1,), excuses=_STOPPED),
    _case(
        "clocks, stopped",
        BOTH,
        F.OWN_CLOCK,
        F.OWN_CLOCK,
        F.STOP,
        F.AGAIN,
        most=3,
        excuses=_STOPPED,
        expires_in=-10_000.0,
        tick=COARSE,
    ),
    _case(
        "a living token is never sent twice",
        BOTH,
        F.STOP,
        F.FREEZE,
        F.CUT_OFF,
        F.AWAY,
        F.AGAIN,
        most=2,
        expires_in=_LONG,
    ),
    _case(
        "nor by late statements",
        BOTH,
        F.UNANSWERED,
        F.STOP,
        F.CRASH,
        F.AGAIN,
        most=3,
        expires_in=_LONG,
        tick=COARSE,
    ),
    _case("nobody waits too long", BOTH, F.CRASH, F.SLOW, F.STOP, most=1, excuses=_STOPPED, **IN_TIME),
    _case("a logout does not, either", WITH_SIGN_OUT, F.CRASH, F.SLOW, most=1, **IN_TIME),
    _case("nor does a sign-in", WITH_SIGN_IN, F.CRASH, F.SLOW, most=1, **IN_TIME),
)
"""All of them, which takes minutes."""

WINDOWS: Final = (
    Control(_case("stopped after the last look (W1)", BOTH, F.STOP, **NEAR), TWICE),
    Control(
        _case("its clock stood still while it connected (W1)", BOTH, F.FREEZE, excuses=_STOPPED, **NEAR),
        TWICE,
    ),
    Control(_case("the database's clock jumps (W2)", BOTH, F.CLOCK_JUMP), TWICE),
    Control(_case("cut off at the save (W3)", BOTH, F.CUT_OFF, F.AGAIN, tick=COARSE), TWICE),
    Control(
        _case("away for longer than a command saves", BOTH, F.AWAY, tick=COARSE, unsaved=Unsaved.EXITS),
        NOBODY,
    ),
)
"""What nobody can help; a killed process and lost answers are `exhaustive_catalogue`'s."""

CONTROLS: Final = (
    Control(
        _case(
            "reserved whoever has the lease (C1)",
            BOTH,
            F.STOP,
            victims=1,
            excuses=_ONLY_STOPPED,
            rules=Rules(reserve_compares=False, store_asked=False),
        ),
        TWICE,
    ),
    Control(
        _case(
            "sent until 5 s after the answer (C2)",
            BOTH,
            F.STOP,
            excuses=_ONLY_STOPPED,
            **NEAR,
            rules=Rules(counted_from_before=False, store_asked=False, write_look=False),
        ),
        TWICE,
    ),
    Control(
        _case(
            "no look when it is connected (C3)",
            BOTH,
            F.STOP,
            excuses=_ONLY_STOPPED,
            **NEAR,
            rules=Rules(write_look=False),
        ),
        TWICE,
    ),
    Control(
        _case(
            "the database is not asked before (C4)",
            BOTH,
            F.FREEZE,
            excuses=_FROZEN,
            **NEAR,
            rules=Rules(store_asked=False),
        ),
        TWICE,
    ),
    Control(
        _case(
            "a process has one owner (C5)",
            BOTH,
            slow_server=True,
            rules=Rules(owner_per_hold=False, lease_as_long_as_mark=False),
        ),
        TWICE,
    ),
    Control(
        _case(
            "a late release ends a later hold (C5b)",
            BOTH,
            F.UNANSWERED,
            F.UNANSWERED,
            F.AGAIN,
            victims=1,
            rules=Rules(owner_per_hold=False),
            slow_server=True,
            tick=35.0,
        ),
        TWICE,
    ),
    Control(
        _case(
            "the lease ends before the mark (C6)",
            BOTH,
            former=(1,),
            slow_server=True,
            rules=Rules(lease_as_long_as_mark=False),
        ),
        TWICE,
    ),
    Control(
        _case(
            "saved only with the lease (C6b)",
            (Role.RENEW,),
            F.STOP,
            unsaved=Unsaved.EXITS,
            tick=COARSE,
            rules=Rules(save_by_fingerprint=False),
        ),
        NOBODY,
    ),
    Control(
        _case(
            "marks end while the database is away (C7)",
            BOTH,
            F.AWAY,
            F.AGAIN,
            tick=10.0,
            rules=Rules(grace=False),
        ),
        TWICE,
    ),
    Control(
        _case("and a moment is too short where tries take time", BOTH, F.AWAY, F.AGAIN, tick=10.0),
        TWICE,
        ((pace, "SAVE_PAUSES", (0.25, 10.0)), (exhaustive_faults, "GRACE", 10.0)),
    ),
    Control(
        _case(
            "a save ends what is another's",
            BOTH,
            F.LOST,
            F.UNANSWERED,
            F.AGAIN,
            tick=35.0,
            rules=Rules(only_its_own=False),
        ),
        TWICE,
    ),
    Control(
        _case(
            "a logout waits for 20 s (C11)",
            WITH_SIGN_OUT,
            slow_server=True,
            busy_is_wrong=True,
            lock_limit=20.0,
        ),
        _BUSY,
    ),
    Control(
        _case(
            "readers are blind to what was rescued (C12)",
            WITH_SIGN_IN,
            F.CANCEL,
            F.AGAIN,
            rules=Rules(readers_see_rescued=False),
        ),
        "the older login is served while a finished sign-in is beside",
    ),
    Control(
        _case("a logout leaves what was renewed (C13)", SIGN_OUT_AND, F.STOP, **NEAR),
        "a logout was not done: the login was renewed meanwhile",
        ((revoke_login, "_is_of_one_sign_in", only_itself),),
    ),
    Control(
        _case(
            "a dead token waits for 20 s (C19)", BOTH, policy=IMPATIENT, slow_server=True, busy_is_wrong=True
        ),
        _BUSY,
    ),
    Control(
        _case(
            "a sign-in without an answer is ended by a look",
            WITH_SIGN_IN,
            F.UNANSWERED,
            rules=Rules(unsure_said=False),
        ),
        ITS_OWN,
    ),
    Control(
        _case(
            "marks are judged by the own clock",
            BOTH,
            F.OWN_CLOCK,
            slow_server=True,
            rules=Rules(store_clock=False, lease_as_long_as_mark=False),
        ),
        TWICE,
    ),
    Control(
        _case("a mark counts for 20 s", BOTH, slow_server=True),
        TWICE,
        ((exhaustive_lease, "INTENT_LIFE", 20.0),),
    ),
    Control(
        _case("a request goes out after minutes", BOTH, F.SLOW, **NEAR),
        TWICE,
        ((storing, "WRITE_BY", 150.0),),
    ),
)
"""The rules, each left out once; where two keep the same, both."""
