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
from codex_oauth_core.flows import deposit_table, renewal_table, revocation_table
from codex_oauth_core.flows.deposit import Deposit
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.revocation import Revocation
from codex_oauth_core.storage import (
    ANSWERS,
    Delete,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Release,
    Rescue,
    Reserve,
    Save,
    StorageAnswer,
)
from tests.core.storing import (
    EVENTS,
    EXPIRED,
    borrowed,
    recorded_moves,
    slots_of,
    told,
)
from tests.support import T0, W0

R, D, V = renewal_table.State, deposit_table.State, revocation_table.State
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


FAILED: Final = ("StoreFailed", "StoreFailed, rescued")


def both(effect: type[Any], state: Any) -> dict[str, tuple[type[Any], Any]]:
    return dict.fromkeys(FAILED, (effect, state))


# -- the renewal of an expired login -------------------------------------------------------------------

LOCKING: Final[Way] = ("Started", "Loaded")
SENDING: Final[Way] = (*LOCKING, "Locked", "Loaded", "Reserved")
RENEWAL: Final = Kind(
    renewal_table,
    lambda state: Renewal(),
    {
        R.IDLE: (),
        R.READING: ("Started",),
        R.LOCKING: LOCKING,
        R.QUEUED: (*LOCKING, "LockBusy"),
        R.REREADING: (*LOCKING, "Locked"),
        R.RESERVING: (*LOCKING, "Locked", "Loaded"),
        R.SENDING: SENDING,
        R.RESCUING: (*SENDING, "another account"),
        R.SAVING: (*SENDING, "tokens"),
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
            **both(Finished, R.DONE),
        },
        R.LOCKING: {
            "Locked": (Load, R.REREADING),
            "LockBusy": (Wait, R.QUEUED),
            **both(Finished, R.DONE),
        },
        R.QUEUED: {
            "TimeReached": (Load, R.READING),
            "TimeReached too early": (Wait, R.QUEUED),
            "TimeReached much later": (Finished, R.DONE),
            "Cancelled": (Finished, R.DONE),
        },
        R.REREADING: {
            "Loaded": (Reserve, R.RESERVING),
            "Loaded current": (Release, R.RELEASING),
            "Loaded nothing": (Release, R.RELEASING),
            **both(Release, R.RELEASING),
        },
        R.RESERVING: {"Reserved": (SendRequest, R.SENDING), **both(Release, R.RELEASING)},
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
        R.RESCUING: {"Rescued": (Save, R.SAVING), **both(Save, R.SAVING)},
        R.SAVING: {
            "Saved": (Release, R.RELEASING),
            "Conflict": (Release, R.RELEASING),
            "Conflict with nothing": (Release, R.RELEASING),
            **both(Release, R.RELEASING),
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
    D.READING: ("Started", "Locked"),
    D.SAVING: ("Started", "Locked", "Loaded nothing"),
    D.RELEASING: ("Started", "Locked", "Loaded nothing", "Saved"),
    D.RESCUING: ("Started", "LockBusy", "TimeReached much later"),
    D.DONE: ("Started", "StoreFailed"),
}
DEPOSIT_WELCOME: Final[Mapping[Any, Steps]] = {
    D.IDLE: {"Started": (Lock, D.LOCKING), "Cancelled": (Finished, D.DONE)},
    D.LOCKING: {"Locked": (Load, D.READING), "LockBusy": (Wait, D.QUEUED), **both(Finished, D.DONE)},
    D.QUEUED: {
        "TimeReached": (Lock, D.LOCKING),
        "TimeReached too early": (Wait, D.QUEUED),
        "TimeReached much later": (Rescue, D.RESCUING),
        "Cancelled": (Rescue, D.RESCUING),
    },
    D.READING: {
        "Loaded": (Save, D.SAVING),
        "Loaded current": (Save, D.SAVING),
        "Loaded nothing": (Save, D.SAVING),
        **both(Save, D.SAVING),
    },
    D.SAVING: {
        "Saved": (Release, D.RELEASING),
        "Conflict": (Save, D.SAVING),
        "Conflict with nothing": (Save, D.SAVING),
        **both(Release, D.RELEASING),
    },
    D.RELEASING: {"Released": (Finished, D.DONE)},
    D.RESCUING: {"Rescued": (Finished, D.DONE), **both(Finished, D.DONE)},
    D.DONE: {},
}
DEPOSIT: Final = Kind(deposit_table, lambda state: Deposit(record=EXPIRED), DEPOSIT_WAYS, DEPOSIT_WELCOME)
BORROWED: Final = Kind(
    deposit_table,
    lambda state: Deposit(record=borrowed(), force=state is D.RESCUING),
    DEPOSIT_WAYS,
    {
        **DEPOSIT_WELCOME,
        D.QUEUED: {
            **DEPOSIT_WELCOME[D.QUEUED],
            "TimeReached much later": (Finished, D.DONE),
            "Cancelled": (Finished, D.DONE),
        },
        D.READING: {
            "Loaded": (Release, D.RELEASING),
            "Loaded current": (Release, D.RELEASING),
            "Loaded nothing": (Save, D.SAVING),
            **both(Save, D.SAVING),
        },
        D.SAVING: {**DEPOSIT_WELCOME[D.SAVING], "Conflict": (Release, D.RELEASING)},
    },
)

# -- the end of a login --------------------------------------------------------------------------------

ANSWERED: Final = (
    *("tokens", "no access token", "another account", "another account, no refresh token"),
    *("login over", "refused", "blocked", "limited", "limited for long", "503"),
    *("NOT_SENT", "MAYBE_SENT", "certificate"),
)
REVOKING: Final[Way] = ("Started", "Locked", "Loaded")
REVOCATION: Final = Kind(
    revocation_table,
    lambda state: Revocation(
        provider=CODEX, credential=EXPIRED.credential if state is V.REVOKING_UNSTORED else None
    ),
    {
        V.IDLE: (),
        V.LOCKING: ("Started",),
        V.QUEUED: ("Started", "LockBusy"),
        V.READING: ("Started", "Locked"),
        V.REVOKING: REVOKING,
        V.DELETING: (*REVOKING, "503"),
        V.RELEASING: (*REVOKING, "503", "Deleted"),
        V.REVOKING_UNSTORED: ("Started",),
        V.DONE: (*REVOKING, "503", "Deleted", "Released"),
    },
    {
        V.IDLE: {"Started": (Lock, V.LOCKING), "Cancelled": (Finished, V.DONE)},
        V.LOCKING: {"Locked": (Load, V.READING), "LockBusy": (Wait, V.QUEUED), **both(Finished, V.DONE)},
        V.QUEUED: {
            "TimeReached": (Lock, V.LOCKING),
            "TimeReached too early": (Wait, V.QUEUED),
            "TimeReached much later": (Finished, V.DONE),
            "Cancelled": (Finished, V.DONE),
        },
        V.READING: {
            "Loaded": (SendRequest, V.REVOKING),
            "Loaded current": (SendRequest, V.REVOKING),
            "Loaded nothing": (Delete, V.DELETING),
            **both(Delete, V.DELETING),
        },
        V.REVOKING: dict.fromkeys(ANSWERED, (Delete, V.DELETING)),
        V.DELETING: {
            "Deleted": (Release, V.RELEASING),
            "Conflict": (Release, V.RELEASING),
            "Conflict with nothing": (Release, V.RELEASING),
            **both(Release, V.RELEASING),
        },
        V.RELEASING: {"Released": (Finished, V.DONE)},
        V.REVOKING_UNSTORED: dict.fromkeys(ANSWERED, (Finished, V.DONE)),
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
    assert {answer for fitting in ANSWERS.values() for answer in fitting} == answers
    assert {type(event) for event in map(EVENTS.get, ANSWERED)} == {ResponseReceived, RequestFailed}


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
    if "renewal" in names:
        taken |= _the_rows_beyond_an_expired_login()
    if "revocation" in names:
        taken |= _the_row_of_what_is_not_stored()
    assert taken == set(KINDS[names[0]].table.TABLE)


def _the_rows_beyond_an_expired_login() -> set[Any]:
    """The busy lock of a login that is not pressing, and the end of a back-off in time."""
    flow = Renewal()
    advisory = attrs.evolve(
        EXPIRED, credential=attrs.evolve(EXPIRED.credential, expires_at=round((W0 + 40_000) * 1000))
    )
    backing_off = RENEWAL.flow_in(R.BACKING_OFF)
    with recorded_moves() as moves:
        for event in (EVENTS["Started"], told(Loaded(advisory)), EVENTS["LockBusy"]):
            flow.receive(event)
        backing_off.receive(TimeReached(T0 + 1.5))
    return set(moves)


def _the_row_of_what_is_not_stored() -> set[Any]:
    flow = REVOCATION.make(V.REVOKING_UNSTORED)
    with recorded_moves() as moves:
        flow.receive(EVENTS["Started"])
    return set(moves)
