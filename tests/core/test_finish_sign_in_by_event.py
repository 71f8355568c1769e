"""State × Event of what becomes of a granted login, enumerated: its own state, and that of the deposit or the
revocation that it drives. In every such place every event and every answer of a store leads where it is written
here, or raises `IllegalEvent` and changes nothing.

What happens while it stores or revokes is not written a second time: it is what the deposit and the revocation
do by themselves, and where they end something is to follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any, Final

import pytest

from codex_oauth_core.codex import CODEX
from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.errors import IllegalEvent
from codex_oauth_core.events import Event
from codex_oauth_core.flows import finish_sign_in, revoke_login, store_login
from codex_oauth_core.flows.finish_sign_in import FinishSignIn, State
from codex_oauth_core.storage import Find, Load, Loaded, Lock, Select
from tests.core import storing
from tests.core.storing import DAY, login, recorded_moves, slots_of, told
from tests.core.test_stored_state_by_event import BUSY, DEPOSIT, FAILED, REVOCATION, Kind, Way, each

S, D, V = State, store_login.State, revoke_login.State
Place = tuple[State, Any]
"""Where it stands, and where the flow that it drives does."""
Steps = Mapping[str, tuple[type[Any], Place]]

GRANTED: Final = login(10 * DAY, number=5, generation=0)
EVENTS: Final[Mapping[str, Event]] = {**storing.EVENTS, "Loaded, the granted one": told(Loaded(GRANTED))}

STORED: Final[Way] = ("Started", "Locked", "Saved", "Released")
REPLACED: Final[Way] = (*STORED, "Selected")
BACK: Final[Way] = (*REPLACED, "refused")
FORMER: Final[Way] = (*BACK, "Found")
LOOKING: Final[Way] = ("Started", "StoreFailed")
ENDING: Final[Way] = (*LOOKING, "Loaded")
STORING: Final = tuple(state for state in D if state not in (D.IDLE, D.DONE))
UNSTORED: Final = (V.REVOKING_UNSTORED, V.BACKING_OFF_UNSTORED)
STORED_FORMER: Final = tuple(state for state in V if state not in (V.IDLE, *UNSTORED, V.DONE))

WAYS: Final[Mapping[Place, Way]] = {
    (S.IDLE, None): (),
    **{(S.STORING, state): DEPOSIT.ways[state] for state in STORING},
    (S.SELECTING, None): STORED,
    (S.REVOKING_REPLACED, V.REVOKING_UNSTORED): REPLACED,
    (S.REVOKING_REPLACED, V.BACKING_OFF_UNSTORED): (*REPLACED, "503"),
    (S.LOOKING_BACK, None): BACK,
    **{(S.ENDING_FORMER, state): (*FORMER, *REVOCATION.ways[state][1:]) for state in STORED_FORMER},
    (S.LOOKING, None): LOOKING,
    (S.REVOKING_GRANTED, V.REVOKING_UNSTORED): ENDING,
    (S.REVOKING_GRANTED, V.BACKING_OFF_UNSTORED): (*ENDING, "503"),
    (S.DONE, None): (*BACK, "Found nothing"),
    (S.FAILED, None): (*ENDING, "refused"),
}


def place_of(flow: FinishSignIn) -> Place:
    return flow.state, None if flow._leg is None else flow._leg.state


def flow_in(place: Place, **options: Any) -> FinishSignIn:
    """A sign-in whose login replaces another, which is to be ended."""
    settings: dict[str, Any] = {"provider": CODEX, "revoke_old": True, **options}
    flow = FinishSignIn(record=GRANTED, **settings)
    for name in WAYS[place]:
        flow.receive(EVENTS[name])
    assert place_of(flow) == place
    return flow


def driven(state: State, kind: Kind, inner: Any, then: Mapping[str, tuple[type[Any], Place]]) -> Steps:
    """What `kind` does in `inner` by itself, and what follows where it ends: `then`."""
    steps: dict[str, tuple[type[Any], Place]] = {}
    for name, (effect, to) in kind.welcome[inner].items():
        steps[name] = then[name] if effect is Finished else (effect, (state, to))
    return steps


class Always(dict[str, tuple[type[Any], Place]]):
    """The same after every end, but for some events."""

    def __init__(self, step: tuple[type[Any], Place], **others: tuple[type[Any], Place]) -> None:
        super().__init__(others)
        self._step = step

    def __missing__(self, name: str) -> tuple[type[Any], Place]:
        return self._step


IS_STORED: Final = (Select, (S.SELECTING, None))
LOOKS: Final = (Load, (S.LOOKING, None))
LOOKS_BACK: Final = (Find, (S.LOOKING_BACK, None))
DONE: Final = (Finished, (S.DONE, None))
FAILS: Final = (Finished, (S.FAILED, None))
REVOKES: Final = (SendRequest, (S.REVOKING_GRANTED, V.REVOKING_UNSTORED))

WELCOME: Final[Mapping[Place, Steps]] = {
    (S.IDLE, None): {"Started": (Lock, (S.STORING, D.LOCKING)), "Cancelled": LOOKS},
    **{
        (S.STORING, state): driven(
            S.STORING, DEPOSIT, state, Always(LOOKS, Released=IS_STORED, Rescued=IS_STORED)
        )
        for state in STORING
    },
    (S.SELECTING, None): {
        "Selected": (SendRequest, (S.REVOKING_REPLACED, V.REVOKING_UNSTORED)),
        **dict.fromkeys(FAILED, FAILS),
    },
    (S.LOOKING_BACK, None): {
        "Found": (Lock, (S.ENDING_FORMER, V.LOCKING)),
        "Found, another's": LOOKS_BACK,
        "Found nothing": DONE,
        **dict.fromkeys(FAILED, DONE),
    },
    **{
        (S.ENDING_FORMER, state): driven(S.ENDING_FORMER, REVOCATION, state, Always(LOOKS_BACK))
        for state in STORED_FORMER
    },
    (S.LOOKING, None): {
        "Loaded": REVOKES,
        "Loaded current": REVOKES,
        "Loaded nothing": REVOKES,
        "Loaded, the granted one": FAILS,
        **dict.fromkeys(FAILED, FAILS),
    },
    **{
        (state, inner): driven(state, REVOCATION, inner, Always(end))
        for state, end in ((S.REVOKING_REPLACED, LOOKS_BACK), (S.REVOKING_GRANTED, FAILS))
        for inner in UNSTORED
    },
    (S.DONE, None): {},
    (S.FAILED, None): {},
}


def name_of(place: Place) -> str:
    """For a person."""
    return "-".join(part.value for part in place if part)


EVERY: Final = [pytest.param(place, id=name_of(place)) for place in WAYS]


def test_every_place_has_its_welcomes() -> None:
    assert set(WAYS) == set(WELCOME)
    assert {state for state, _ in WAYS} == set(State)


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("place", EVERY)
def test_event_in_place(place: Place, name: str) -> None:
    flow = flow_in(place)
    step = WELCOME[place].get(name)
    if step is None:
        before = slots_of(flow)
        with pytest.raises(IllegalEvent) as raised:
            flow.receive(EVENTS[name])
        assert slots_of(flow) == before
        assert str(raised.value) == f"{type(EVENTS[name]).__name__} is no answer in state {place[0].name}"
        return
    effect = flow.receive(EVENTS[name])
    assert (type(effect), place_of(flow)) == step
    assert effect is flow.effect
    assert (flow.state in finish_sign_in.FINAL) is isinstance(effect, Finished)


@pytest.mark.parametrize("place", EVERY)
def test_a_copy_goes_its_own_way(place: Place) -> None:
    for name, step in WELCOME[place].items():
        flow = flow_in(place)
        before, twin = slots_of(flow), copy(flow)
        twin.receive(EVENTS[name])
        assert slots_of(flow) == before
        assert (type(flow.receive(EVENTS[name])), place_of(flow)) == step


@pytest.mark.parametrize("place", EVERY)
def test_it_is_undecided_until_it_is_stored_or_is_being_ended(place: Place) -> None:
    assert flow_in(place).is_undecided is (place[0] in (S.IDLE, S.STORING, S.LOOKING))


def _moves(place: Place, *names: str, **options: Any) -> Iterator[tuple[Any, Any, Any]]:
    flow = flow_in(place, **options)
    with recorded_moves() as moves:
        for name in names:
            flow.receive(EVENTS[name])
    return (move for move in moves if isinstance(move[0], finish_sign_in.Trigger))


def test_every_row_is_taken_by_an_event_in_a_place_and_by_nothing_else() -> None:
    taken = {move for place, steps in WELCOME.items() for name in steps for move in _moves(place, name)}
    taken.update(_moves((S.SELECTING, None), "Selected", revoke_old=False))
    for names in (("Cancelled",), ("Started", "StoreFailed")):
        taken.update(_moves((S.IDLE, None), *names, provider=None))
    assert taken == set(finish_sign_in.TABLE)


# -- what another program was granted, and a login that replaces none -----------------------------------


@pytest.mark.parametrize("name", FAILED)
def test_a_copy_of_another_programs_login_is_not_looked_for_and_not_ended(name: str) -> None:
    flow = flow_in((S.STORING, D.LOCKING), provider=None)
    assert isinstance(flow.receive(EVENTS[name]), Finished)
    assert place_of(flow) == (S.FAILED, None)


def test_nor_where_it_is_given_up_before_it_began() -> None:
    flow = flow_in((S.IDLE, None), provider=None)
    effect: Any = flow.receive(EVENTS["Cancelled"])
    assert effect.outcome.kind.value == "cancelled"
    assert "revoked" not in effect.outcome.details


def test_a_lock_that_is_busy_is_waited_for_as_by_a_deposit() -> None:
    assert driven(S.STORING, DEPOSIT, D.LOCKING, Always(LOOKS)) == {
        **WELCOME[S.STORING, D.LOCKING],
        **each(BUSY, Wait, (S.STORING, D.QUEUED)),
    }
