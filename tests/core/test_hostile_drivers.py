"""What a driver with a bug can do to a flow: nothing. Fields of the wrong type, races, copies, pickles.

Rules of this file: every flow in every state in which it takes events, and every field of every event that it
takes there; a flow is compared slot by slot.
"""

from __future__ import annotations

import copy
import math
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs
import pytest

from codex_oauth_core import (
    CallbackReceived,
    Cancelled,
    DeviceFlow,
    Event,
    Finished,
    IllegalEvent,
    RequestFailed,
    ResponseReceived,
    Resumed,
    Secret,
    SignInError,
    Started,
    TimeReached,
    Wait,
)
from codex_oauth_core.checkpoints.restore import restore
from codex_oauth_core.events import StoreAnswered
from codex_oauth_core.flows.device import State
from codex_oauth_core.flows.machine import Flow
from codex_oauth_core.flows.pace import Pace
from codex_oauth_core.traces import Recorder
from tests.core import test_finish_sign_in_by_event as finish
from tests.core import test_state_by_event as device
from tests.core import test_stored_state_by_event as stored
from tests.core.storing import EVENTS as STORE_EVENTS
from tests.core.test_browser_flow import WAYS as BROWSER_WAYS
from tests.core.test_browser_flow import drive
from tests.support import T0, W0, code

AnyFlow = Flow[Any, Any] | Recorder
Make = Callable[[], AnyFlow]


def _recorder() -> AnyFlow:
    made = Recorder(flow=DeviceFlow(), write=lambda line: None)
    for event in device.WAITING:
        made.receive(event)
    return made


def _browser(way: tuple[Event, ...]) -> AnyFlow:
    return drive(*way)[0]


def _restored() -> AnyFlow:
    flow = device.flow_in(State.WAITING)
    return restore(flow.checkpoint(at=T0, wall=W0), flow.provider)


MAKERS: Final[dict[str, Make]] = {
    **{f"device {state.value}": partial(device.flow_in, state) for state in State if device.WELCOME[state]},
    **{
        f"browser {state.value}": partial(_browser, way)
        for state, way in BROWSER_WAYS.items()
        if not isinstance(drive(*way)[1], Finished)
    },
    **{
        f"{name} {state.value}": partial(kind.flow_in, state)
        for name, kind in stored.KINDS.items()
        for state in kind.table.State
        if kind.welcome[state]
    },
    **{
        f"finish {finish.name_of(place)}": partial(finish.flow_in, place)
        for place in finish.WAYS
        if finish.WELCOME[place]
    },
    "recorder": _recorder,
    "restored": _restored,
}
EVENTS: Final[tuple[Event, ...]] = (
    *device.EVENTS.values(),
    *(event for event in STORE_EVENTS.values() if isinstance(event, StoreAnswered)),
)
every_flow = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())

SECONDS: Final[tuple[Any, ...]] = (
    math.nan,
    math.inf,
    -math.inf,
    10**400,
    None,
    "5",
    True,
    [],
    1j,
    Secret("5"),
)
WRONG: Final[dict[str, tuple[Any, ...]]] = {
    "at": SECONDS,
    "wall": SECONDS,
    "sent_at": SECONDS,
    "status": (None, "200", 200.0, True, b"200"),
    "headers": (None, [], [("a", "b")], {"a": 1}, {b"a": "b"}, {1: "b"}, {"a": None}, "a: b"),
    "body": (None, "text", 7, Secret("text")),
    "phase": (None, "not_sent", "maybe_sent", 7, True),
    "cause": (None, "dns", 7),
    "setting": ("HTTP_PROXY", 7, ("HTTP_PROXY", "bad_port"), True),
    "errno": (111, True, b"ECONNREFUSED", ("ECONNREFUSED",)),
    "query": (None, "code=x", b"code=x", Secret(b"code=x"), 7),
}


ANSWERS: Final = (
    ("record", "text"),
    ("record", 7),
    ("error", "disk full"),
    ("rescued", "yes"),
    ("problem", "disk full"),
    ("intent", "somebody"),
    ("intent", 7),
)
"""Fields of a store's answers, wrong."""


def slots_of(flow: AnyFlow) -> dict[str, Any]:
    names = [
        name for cls in type(flow).__mro__ for name in getattr(cls, "__slots__", ()) if name != "__weakref__"
    ]
    return {name: _comparable(getattr(flow, name)) for name in names if hasattr(flow, name)}


def _comparable(value: Any) -> Any:
    """Errors are equal only to themselves, and a pace and a flow too."""
    flow: Any = value
    if isinstance(value, Finished | SignInError):
        return repr(value)
    if isinstance(value, Flow):
        return slots_of(flow)
    return attrs.astuple(value) if isinstance(value, Pace) else value


def answers_to(make: Make) -> Iterator[Event]:
    """The events that a flow takes there."""
    for event in EVENTS:
        try:
            make().receive(event)
        except IllegalEvent:
            continue
        yield event


def spoilt(event: Event) -> Iterator[tuple[str, Event]]:
    """An event with each of its fields wrong, in every way."""
    for field in attrs.fields(type(event)):
        for value in WRONG.get(field.name, ()):
            yield field.name, attrs.evolve(event, **{field.name: value})
    answer: Any = event.answer if isinstance(event, StoreAnswered) else None
    for name, value in ANSWERS:
        if hasattr(answer, name):
            yield f"answer.{name}", attrs.evolve(event, answer=attrs.evolve(answer, **{name: value}))


# -- fields ----------------------------------------------------------------------------------------------


def test_every_field_of_every_event_is_spoilt_somewhere() -> None:
    fields = {field.name for kind in Event.__args__ for field in attrs.fields(kind)}
    assert fields - {"answer"} == set(WRONG)
    assert {type(event) for event in EVENTS} == set(Event.__args__)


@every_flow
def test_a_field_that_is_not_what_its_type_says_is_named_and_changes_nothing(make: Make) -> None:
    tried = 0
    for event in answers_to(make):
        flow = make()
        before = slots_of(flow)
        for name, wrong in spoilt(event):
            with pytest.raises(IllegalEvent) as raised:
                flow.receive(wrong)
            assert str(raised.value).startswith(f"{type(event).__name__}: {name} "), (name, wrong)
            assert slots_of(flow) == before
            tried += 1
        flow.receive(event)
    assert tried > 0


@pytest.mark.parametrize(
    ("sent_at", "at", "wall", "named"),
    [
        (0.0, 1e300, -1e300, "at"),
        (-1e20, 1e20, 1_800_000_000.0, "at"),
        (0.0, 5.0, 1e16, "wall"),
        (-9e15, 9e14, 8.9e15, "wall"),
        (-1e16, 5.0, 9e14, "sent_at"),
    ],
)
def test_instants_that_only_their_sum_makes_plausible_are_refused(
    sent_at: float, at: float, wall: float, named: str
) -> None:
    flow = DeviceFlow()
    flow.receive(Started(1.0, 1_800_000_000.0))
    before = slots_of(flow)
    with pytest.raises(IllegalEvent, match=f"ResponseReceived: {named} is no finite number of seconds"):
        flow.receive(ResponseReceived(sent_at, at, wall, 200, {}, b"{}"))
    assert slots_of(flow) == before


@pytest.mark.parametrize("wrong", [None, "Started", 7, Started, object(), Wait])
def test_what_is_no_event_is_refused_too(wrong: Any) -> None:
    with pytest.raises(IllegalEvent):
        DeviceFlow().receive(wrong)


def test_whole_numbers_and_subclasses_are_as_good() -> None:
    class Later(TimeReached):
        pass

    class Seconds(float):
        pass

    flow = DeviceFlow()
    flow.receive(Started(1, 1_800_000_000))
    flow.receive(ResponseReceived(1, Seconds(2), 1_800_000_001, 200, {}, bytearray(b"{}")))  # type: ignore[arg-type]
    with pytest.raises(IllegalEvent, match="at is no finite"):
        device.flow_in(State.WAITING).receive(Later(math.nan))


# -- copies and pickles ----------------------------------------------------------------------------------


@every_flow
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_a_copy_is_whole(make: Make, copied: Callable[[AnyFlow], AnyFlow]) -> None:
    flow = make()
    if isinstance(flow, Recorder):
        with pytest.raises(TypeError, match="not copied"):
            copied(flow)
        return
    twin, before = copied(flow), slots_of(flow)
    assert type(twin) is type(flow)
    assert slots_of(twin) == before
    for event in answers_to(make):
        one, other = copied(flow), copied(flow)
        assert repr(one.receive(event)) == repr(other.receive(event))
        assert slots_of(one) == slots_of(other) != before
        assert slots_of(flow) == before


def test_a_copy_has_a_pace_of_its_own() -> None:
    flow = device.flow_in(State.POLLING)
    for twin in (copy.copy(flow), copy.deepcopy(flow)):
        before = slots_of(flow)
        effect: Any = twin.receive(device.answer(code("slow_down")))
        assert effect.until == T0 + 10 + 10
        assert slots_of(flow) == before
    slower: Any = flow.receive(device.answer(code("slow_down")))
    assert slower.until == T0 + 10 + 10


def test_a_subclass_s_own_attributes_are_copied() -> None:
    class Mine(DeviceFlow):
        pass

    flow = Mine()
    flow.name = "mine"  # type: ignore[attr-defined]
    assert copy.copy(flow).name == "mine"  # type: ignore[attr-defined]


@every_flow
def test_a_flow_is_not_pickled_and_checkpoint_is_named(make: Make) -> None:
    flow = make()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=r"checkpoint\(\)"):
            pickle.dumps(flow, protocol)


# -- races -----------------------------------------------------------------------------------------------


def _told_meanwhile(flow: AnyFlow, event: Event) -> list[BaseException]:
    """What another driver meets that tells `event` twice, on a thread of its own."""
    met: list[BaseException] = []

    def tell() -> None:
        for _ in range(2):
            try:
                flow.receive(event)
            except BaseException as error:  # noqa: BLE001  # kept
                met.append(error)

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
    return met


def _interrupted(
    make: Make, event: Event, monkeypatch: pytest.MonkeyPatch
) -> tuple[AnyFlow, list[BaseException]]:
    """A flow that took `event` while another driver told it the same, and what that one met."""
    flow, met = make(), list[BaseException]()
    kind: Any = type(flow.flow if isinstance(flow, Recorder) else flow)
    following = kind._next

    def meanwhile(self: AnyFlow, event: Event) -> Any:
        met.extend(_told_meanwhile(flow, event))
        return following(self, event)

    with monkeypatch.context() as patched:
        patched.setattr(kind, "_next", meanwhile)
        flow.receive(event)
    return flow, met


@every_flow
def test_a_driver_that_comes_in_the_middle_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for event in answers_to(make):
        flow, met = _interrupted(make, event, monkeypatch)
        assert {type(error) for error in met} == {IllegalEvent}
        assert len(met) >= 2
        assert "another driver" in str(met[0])
        expected = make()
        expected.receive(event)
        assert (flow.state, type(flow.effect)) == (expected.state, type(expected.effect))


@every_flow
def test_after_an_event_that_was_refused_the_flow_goes_on(make: Make) -> None:
    for event in answers_to(make):
        flow = make()
        with pytest.raises(IllegalEvent):
            flow.receive(attrs.evolve(event, at=math.nan))
        flow.receive(event)


@pytest.mark.parametrize("name", ["device polling", "device waiting", "renewal locking", "deposit locking"])
def test_of_racing_drivers_one_is_served(name: str) -> None:
    """Many rounds with the interpreter switching as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            _race(MAKERS[name])
    finally:
        sys.setswitchinterval(interval)


def _race(make: Make) -> None:
    event = next(each for each in answers_to(make) if not isinstance(each, Cancelled))
    flow, barrier, found = make(), threading.Barrier(3), list[Any]()

    def drive_on() -> None:
        barrier.wait()
        try:
            found.append(flow.receive(event))
        except BaseException as error:  # noqa: BLE001  # kept
            found.append(error)

    threads = [threading.Thread(target=drive_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    served = [each for each in found if not isinstance(each, IllegalEvent)]
    assert len(served) == 1
    assert not isinstance(served[0], BaseException)
    begun = make()
    assert isinstance(flow, Flow)
    assert isinstance(begun, Flow)
    assert flow._seq == begun._seq + 1


def test_the_events_of_this_file_are_all_kinds() -> None:
    kinds = {
        Started,
        Resumed,
        ResponseReceived,
        RequestFailed,
        TimeReached,
        CallbackReceived,
        StoreAnswered,
        Cancelled,
    }
    assert kinds == set(Event.__args__)
