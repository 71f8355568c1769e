"""State × Event of the flows about a stored login, enumerated: in every state, every event and every answer
of a store either leads to the effect and the state written here, or raises `IllegalEvent` and changes
nothing. And every row of their tables is taken by a run that is named here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import pytest

from codex_oauth_core.codex import CODEX
from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.errors import IllegalEvent
from codex_oauth_core.events import (
    Event,
    RequestFailed,
    ResponseReceived,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.flows import renewal, revoke_login, store_login
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.revoke_login import Revocation
from codex_oauth_core.flows.store_login import StoreLogin
from codex_oauth_core.storage import (
    Delete,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Locked,
    Release,
    Rescue,
    Reserve,
    Save,
    StorageAnswer,
    StorageEffect,
)
from tests.core.storing import (
    ADVISORY,
    ANOTHER,
    DAY,
    EVENTS,
    EXPIRED,
    borrowed,
    login,
    recorded_moves,
    slots_of,
    told,
)
from tests.support import T0, W0

R, D, V = renewal.State, store_login.State, revoke_login.State
Way = tuple[str, ...]
Steps = Mapping[str, tuple[type[Any], Any]]


@attrs.frozen
class Kind:
    """One kind of flow: how to begin it, how to reach each state, and what each welcome event leads to."""

    table: Any
    make: Callable[[Any], Any]
    ways: Mapping[Any, Way]
    welcome: Mapping[Any, Steps]

    def flow_in(self, state: Any) -> Any:
        flow = self.make(state)
        for name in self.ways[state]:
            flow.receive(EVENTS[name])
        assert flow.state is state
        return flow


FAILED: Final = ("StoreFailed", "StoreFailed, rescued", "StoreFailed, lock lost")
LOCKED: Final = ("Locked", "Locked, current", "Locked, nothing", "Locked, unreadable")
BUSY: Final = ("LockBusy", "LockBusy, with whose intent")
CONFLICT: Final = ("Conflict", "Conflict with another sign-in", "Conflict with nothing")


def each(names: tuple[str, ...], effect: type[Any], state: Any) -> dict[str, tuple[type[Any], Any]]:
    return dict.fromkeys(names, (effect, state))


# -- the renewal of an expired login -------------------------------------------------------------------

LOCKING: Final[Way] = ("Started", "Loaded")
SENDING: Final[Way] = (*LOCKING, "Locked", "Reserved")
RENEWAL: Final = Kind(
    renewal,
    lambda state: Renewal(),
    {
        R.IDLE: (),
        R.READING: ("Started",),
        R.LOCKING: LOCKING,
        R.QUEUED: (*LOCKING, "LockBusy"),
        R.RESERVING: (*LOCKING, "Locked"),
        R.SENDING: SENDING,
        R.RESCUING: (*SENDING, "another account"),
        R.SAVING: (*SENDING, "tokens"),
        R.SAVING_LATER: (*SENDING, "tokens", "StoreFailed"),
        R.RELEASING: (*SENDING, "tokens", "Saved"),
        R.RELEASING_TO_RETRY: (*SENDING, "NOT_SENT"),
        R.BACKING_OFF: (*SENDING, "NOT_SENT", "Released"),
        R.DONE: (*SENDING, "tokens", "Saved", "Released"),
    },
    {
        R.IDLE: {"Started": (Load, R.READING), "Cancelled": (Finished, R.DONE)},
        R.READING: {
            "Loaded": (Lock, R.LOCKING),
            "Loaded current": (Finished, R.DONE),
            "Loaded nothing": (Finished, R.DONE),
            **each(FAILED, Finished, R.DONE),
        },
        R.LOCKING: {
            **each(LOCKED, Release, R.RELEASING),
            "Locked": (Reserve, R.RESERVING),
            **each(BUSY, Wait, R.QUEUED),
            **each(FAILED, Finished, R.DONE),
        },
        R.QUEUED: {
            "TimeReached": (Load, R.READING),
            "TimeReached too early": (Wait, R.QUEUED),
            "TimeReached much later": (Load, R.READING),
            "Cancelled": (Finished, R.DONE),
        },
        R.RESERVING: {
            "Reserved": (SendRequest, R.SENDING),
            **each(FAILED, Release, R.RELEASING),
            "StoreFailed, lock lost": (Release, R.RELEASING_TO_RETRY),
        },
        R.SENDING: {
            "tokens": (Save, R.SAVING),
            "no access token": (Save, R.SAVING),
            "another account": (Rescue, R.RESCUING),
            "another account, no refresh token": (Release, R.RELEASING),
            "login over": (Save, R.SAVING),
            "refused": (Release, R.RELEASING),
            "blocked": (Release, R.RELEASING),
            "limited": (Release, R.RELEASING_TO_RETRY),
            "limited for long": (Release, R.RELEASING),
            "503": (Save, R.SAVING),
            "NOT_SENT": (Release, R.RELEASING_TO_RETRY),
            "MAYBE_SENT": (Save, R.SAVING),
            "certificate": (Release, R.RELEASING),
        },
        R.RESCUING: {"Rescued": (Save, R.SAVING), **each(FAILED, Save, R.SAVING)},
        R.SAVING: {
            "Saved": (Release, R.RELEASING),
            **each(CONFLICT, Release, R.RELEASING),
            **each(FAILED, Wait, R.SAVING_LATER),
            "StoreFailed, rescued": (Release, R.RELEASING),
        },
        R.SAVING_LATER: {
            "TimeReached": (Wait, R.SAVING_LATER),
            "TimeReached too early": (Wait, R.SAVING_LATER),
            "TimeReached much later": (Save, R.SAVING),
            "Cancelled": (Save, R.SAVING),
        },
        R.RELEASING: {"Released": (Finished, R.DONE)},
        R.RELEASING_TO_RETRY: {"Released": (Wait, R.BACKING_OFF)},
        R.BACKING_OFF: {
            "TimeReached": (Wait, R.BACKING_OFF),
            "TimeReached too early": (Wait, R.BACKING_OFF),
            "TimeReached much later": (Finished, R.DONE),
            "Cancelled": (Finished, R.DONE),
        },
        R.DONE: {},
    },
)

# -- the deposit of a sign-in, and of a borrowed one ---------------------------------------------------

DEPOSIT_WAYS: Final[Mapping[Any, Way]] = {
    D.IDLE: (),
    D.LOCKING: ("Started",),
    D.QUEUED: ("Started", "LockBusy"),
    D.SAVING: ("Started", "Locked, nothing"),
    D.RELEASING: ("Started", "Locked, nothing", "Saved"),
    D.RESCUING: ("Started", "LockBusy", "Cancelled"),
    D.DONE: ("Started", "StoreFailed"),
}
DEPOSIT_WELCOME: Final[Mapping[Any, Steps]] = {
    D.IDLE: {"Started": (Lock, D.LOCKING), "Cancelled": (Finished, D.DONE)},
    D.LOCKING: {
        **each(LOCKED, Save, D.SAVING),
        **each(BUSY, Wait, D.QUEUED),
        **each(FAILED, Finished, D.DONE),
    },
    D.QUEUED: {
        "TimeReached": (Lock, D.LOCKING),
        "TimeReached too early": (Wait, D.QUEUED),
        "TimeReached much later": (Lock, D.LOCKING),
        "Cancelled": (Rescue, D.RESCUING),
    },
    D.SAVING: {
        "Saved": (Release, D.RELEASING),
        **each(CONFLICT, Save, D.SAVING),
        **each(FAILED, Release, D.RELEASING),
    },
    D.RELEASING: {"Released": (Finished, D.DONE)},
    D.RESCUING: {"Rescued": (Finished, D.DONE), **each(FAILED, Finished, D.DONE)},
    D.DONE: {},
}
DEPOSIT: Final = Kind(store_login, lambda state: StoreLogin(record=EXPIRED), DEPOSIT_WAYS, DEPOSIT_WELCOME)
BORROWED: Final = Kind(
    store_login,
    lambda state: StoreLogin(record=borrowed(), force=state is D.RESCUING),
    DEPOSIT_WAYS,
    {
        **DEPOSIT_WELCOME,
        D.LOCKING: {
            **DEPOSIT_WELCOME[D.LOCKING],
            "Locked": (Release, D.RELEASING),
            "Locked, current": (Release, D.RELEASING),
        },
        D.QUEUED: {**DEPOSIT_WELCOME[D.QUEUED], "Cancelled": (Finished, D.DONE)},
        D.SAVING: {
            **DEPOSIT_WELCOME[D.SAVING],
            "Conflict": (Release, D.RELEASING),
            "Conflict with another sign-in": (Release, D.RELEASING),
        },
    },
)

# -- the end of a login --------------------------------------------------------------------------------

ENDED: Final = (
    *("tokens", "no access token", "another account", "another account, no refresh token"),
    *("login over", "refused", "limited for long", "certificate"),
)
NOT_NOW: Final = ("blocked", "limited", "503", "NOT_SENT", "MAYBE_SENT")
REVOKING: Final[Way] = ("Started", "Locked", "Reserved")
UNSTORED: Final = (V.REVOKING_UNSTORED, V.BACKING_OFF_UNSTORED)
REVOCATION: Final = Kind(
    revoke_login,
    lambda state: Revocation(provider=CODEX, credential=EXPIRED.credential if state in UNSTORED else None),
    {
        V.IDLE: (),
        V.LOCKING: ("Started",),
        V.QUEUED: ("Started", "LockBusy"),
        V.RESERVING: ("Started", "Locked"),
        V.REVOKING: REVOKING,
        V.DELETING: (*REVOKING, "refused"),
        V.RELEASING: (*REVOKING, "refused", "Deleted"),
        V.RELEASING_TO_RETRY: (*REVOKING, "503"),
        V.BACKING_OFF: (*REVOKING, "503", "Released"),
        V.REVOKING_UNSTORED: ("Started",),
        V.BACKING_OFF_UNSTORED: ("Started", "503"),
        V.DONE: (*REVOKING, "refused", "Deleted", "Released"),
    },
    {
        V.IDLE: {"Started": (Lock, V.LOCKING), "Cancelled": (Finished, V.DONE)},
        V.LOCKING: {
            "Locked": (Reserve, V.RESERVING),
            "Locked, current": (Reserve, V.RESERVING),
            "Locked, nothing": (Delete, V.DELETING),
            "Locked, unreadable": (Delete, V.DELETING),
            **each(BUSY, Wait, V.QUEUED),
            **each(FAILED, Finished, V.DONE),
        },
        V.QUEUED: {
            "TimeReached": (Lock, V.LOCKING),
            "TimeReached too early": (Wait, V.QUEUED),
            "TimeReached much later": (Lock, V.LOCKING),
            "Cancelled": (Finished, V.DONE),
        },
        V.RESERVING: {
            "Reserved": (SendRequest, V.REVOKING),
            **each(FAILED, Delete, V.DELETING),
            "StoreFailed, lock lost": (Release, V.RELEASING_TO_RETRY),
        },
        V.REVOKING: {
            **each(ENDED, Delete, V.DELETING),
            **each(NOT_NOW, Release, V.RELEASING_TO_RETRY),
        },
        V.DELETING: {
            "Deleted": (Release, V.RELEASING),
            "Conflict": (Release, V.RELEASING_TO_RETRY),
            "Conflict with another sign-in": (Release, V.RELEASING),
            "Conflict with nothing": (Release, V.RELEASING),
            **each(FAILED, Release, V.RELEASING),
            "StoreFailed, lock lost": (Release, V.RELEASING_TO_RETRY),
        },
        V.RELEASING: {"Released": (Finished, V.DONE)},
        V.RELEASING_TO_RETRY: {"Released": (Wait, V.BACKING_OFF)},
        V.BACKING_OFF: {
            "TimeReached": (Wait, V.BACKING_OFF),
            "TimeReached too early": (Wait, V.BACKING_OFF),
            "TimeReached much later": (Lock, V.LOCKING),
            "Cancelled": (Lock, V.LOCKING),
        },
        V.REVOKING_UNSTORED: {
            **each(ENDED, Finished, V.DONE),
            **each(NOT_NOW, Wait, V.BACKING_OFF_UNSTORED),
        },
        V.BACKING_OFF_UNSTORED: {
            "TimeReached": (Wait, V.BACKING_OFF_UNSTORED),
            "TimeReached too early": (Wait, V.BACKING_OFF_UNSTORED),
            "TimeReached much later": (Finished, V.DONE),
            "Cancelled": (Finished, V.DONE),
        },
        V.DONE: {},
    },
)

KINDS: Final = {"renewal": RENEWAL, "deposit": DEPOSIT, "borrowed": BORROWED, "revocation": REVOCATION}
EVERY: Final = [
    pytest.param(kind, state, id=f"{name}-{state.value}")
    for name, kind in KINDS.items()
    for state in kind.table.State
]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_state_has_a_way_and_its_welcomes(kind: Kind) -> None:
    assert set(kind.ways) == set(kind.welcome) == set(kind.table.State)


def test_the_events_are_all_events_and_all_answers() -> None:
    assert {type(event) for event in EVENTS.values()} == set(Event.__args__)
    answers = {type(event.answer) for event in EVENTS.values() if isinstance(event, StoreAnswered)}
    assert answers == set(StorageAnswer.__args__)
    assert {answer for effect in StorageEffect.__args__ for answer in effect.answers} == answers
    asked = {name for name, event in EVENTS.items() if isinstance(event, ResponseReceived | RequestFailed)}
    assert asked == set(ENDED) | set(NOT_NOW)


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize(("kind", "state"), EVERY)
def test_event_in_state(kind: Kind, state: Any, name: str) -> None:
    flow = kind.flow_in(state)
    step = kind.welcome[state].get(name)
    if step is None:
        before = slots_of(flow)
        with pytest.raises(IllegalEvent) as raised:
            flow.receive(EVENTS[name])
        after = slots_of(flow)
        assert after == before
        assert flow.effect is before["_effect"]
        assert str(raised.value) == f"{type(EVENTS[name]).__name__} is no answer in state {state.name}"
        return
    effect = flow.receive(EVENTS[name])
    assert (type(effect), flow.state) == step
    assert effect is flow.effect
    assert (flow.state in kind.table.FINAL) is isinstance(effect, Finished)


def test_a_revocation_of_what_is_not_stored_begins_with_the_request() -> None:
    flow = Revocation(provider=CODEX, credential=EXPIRED.credential)
    assert isinstance(flow.receive(EVENTS["Started"]), SendRequest)
    assert flow.state is V.REVOKING_UNSTORED


def test_a_storage_answer_in_the_past_does_not_turn_the_clock_back() -> None:
    flow = Renewal()
    flow.receive(Started(T0 + 50, W0))
    flow.receive(told(Loaded(EXPIRED), T0))
    effect: Any = flow.receive(told(LockBusy(), T0 - 50))
    assert effect.until == T0 + 50.025


# -- every row is taken --------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("renewal",), ("deposit", "borrowed"), ("revocation",)])
def test_every_row_is_taken_by_an_event_in_a_state_and_by_nothing_else(names: tuple[str, ...]) -> None:
    taken: set[Any] = set()
    for kind in map(KINDS.__getitem__, names):
        for state in kind.table.State:
            for name in kind.welcome[state]:
                flow = kind.flow_in(state)
                with recorded_moves() as moves:
                    flow.receive(EVENTS[name])
                taken.update(moves)
    for make, events in BEYOND[names[0]]:
        flow = make()
        with recorded_moves() as moves:
            for event in events:
                flow.receive(EVENTS[event] if isinstance(event, str) else event)
        taken.update(moves)
    assert taken == set(KINDS[names[0]].table.TABLE)


SUCCESSOR: Final = login(9 * DAY, number=2, parent=EXPIRED.fingerprint, generation=8)
AT_LAST: Final = (TimeReached(T0 + 210), told(LockBusy(), T0 + 210))
Run = tuple[Callable[[], Any], tuple[str | Event, ...]]
BEYOND: Final[Mapping[str, tuple[Run, ...]]] = {
    "renewal": (
        (Renewal, ("Started", told(Loaded(ADVISORY)), "LockBusy")),
        (lambda: RENEWAL.flow_in(R.BACKING_OFF), (TimeReached(T0 + 1.5),)),
        (lambda: RENEWAL.flow_in(R.QUEUED), (AT_LAST[0], "Loaded", AT_LAST[1])),
        (lambda: Renewal(known=SUCCESSOR), (*LOCKING, "Locked", "Saved", "Released")),
    ),
    "deposit": (
        (lambda: DEPOSIT.flow_in(D.QUEUED), AT_LAST),
        (lambda: BORROWED.flow_in(D.QUEUED), AT_LAST),
    ),
    "revocation": (
        (lambda: REVOCATION.flow_in(V.QUEUED), AT_LAST),
        (lambda: REVOCATION.flow_in(V.BACKING_OFF), ("Cancelled", told(Locked(ANOTHER)))),
        (lambda: REVOCATION.flow_in(V.RESERVING), ("StoreFailed", "Deleted", "Released")),
        (lambda: REVOCATION.flow_in(V.BACKING_OFF_UNSTORED), (TimeReached(T0 + 0.5),)),
        (lambda: REVOCATION.make(V.REVOKING_UNSTORED), ("Started",)),
    ),
}
"""What leads along the rows that no single event takes: from where, and how it goes on from there."""
