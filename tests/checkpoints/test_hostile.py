"""A checkpoint is hostile input: whatever is wrong with one is a CheckpointError that says nothing of it."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Iterator
from typing import Any, cast

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_oauth_core import (
    CODEX,
    Cause,
    CheckpointError,
    Effect,
    Finished,
    Phase,
    RequestFailed,
    Resumed,
    SendRequest,
    StoreAnswered,
    TimeReached,
    Wait,
    restore,
)
from codex_oauth_core.storage import Register, Registered
from tests.checkpoints.journeys import JOURNEYS, Journey, through_json
from tests.support import T0, W0

MARKS = ("canary", "CANARY")
SINCE: set[tuple[str | int, ...]] = {
    ("fields", "account"),
    ("fields", "unwanted", "client_id"),
    ("fields", "verdict", "signed_in"),
    ("fields", "answer", "headers", "content-type"),
    ("fields", "answer", "headers", "date"),
    ("fields", "code", "query"),
    ("fields", "code", "nonce"),
    ("fields", "nonce"),
    ("fields", "id_token_hint"),
    ("fields", "login_hint"),
    ("fields", "prompt"),
    ("fields", "keys"),
}
"""What only later releases write."""
NAMED = {journey.name: journey for journey in JOURNEYS}
WAITING = NAMED["device: approved after a pending"]
Place = tuple[str | int, ...]


def checkpoint(journey: Journey = WAITING, count: int = 2) -> dict[str, Any]:
    at, wall = journey.time(count)
    return through_json(journey.after(count).checkpoint(at=at, wall=wall))


ONE_OF_EACH_STATE = {
    (journey.make().layout.kind, flow.state.value): (journey, count)
    for journey in JOURNEYS
    for count in journey.stops()
    for flow in (journey.after(count),)
}


def refused(mapping: Any) -> CheckpointError:
    with pytest.raises(CheckpointError) as raised:
        restore(mapping, CODEX)
    text = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + repr(vars(raised.value))
    assert not any(mark in text for mark in MARKS)
    return raised.value


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    if at:
        yield at
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield from places(inner, (*at, name))


def changed(mapping: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    mapping = copy.deepcopy(mapping)
    inner: Any = mapping
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return mapping


WRONG: list[tuple[Place, Any]] = [
    (("wall",), -1.0),
    (("wall",), float("nan")),
    (("wall",), 1e300),
    (("wall",), 10**400),
    (("wall",), "1800000000"),
    (("wall",), True),
    (("wall",), None),
    (("seq",), -1),
    (("seq",), 1.0),
    (("seq",), 10**30),
    (("handed_over",), 1),
    (("handed_over",), None),
    (("state",), "idle"),
    (("state",), "signed_in"),
    (("state",), "CANARY"),
    (("state",), ["waiting"]),
    (("state",), "polling"),  # which waits for nothing
    (("wait",), None),  # and this state waits
    (("wait", "until"), -0.5),
    (("wait", "until"), float("inf")),
    (("wait", "why"), "CANARY"),
    (("wait", "cause"), "CANARY"),
    (("fields", "deadline"), -5.0),
    (("fields", "deadline"), 1e10),
    (("fields", "device"), None),
    (("fields", "device"), []),
    (("fields", "device", "device_auth_id"), ""),
    (("fields", "device", "device_auth_id"), "CANARY" * 10_000),
    (("fields", "device", "device_auth_id"), 7),
    (("fields", "device", "user_code"), "CANARY\x1b[31m"),
    (("fields", "device", "user_code"), "CANARY\u202e"),
    (("fields", "device", "verification_uri"), "https://CANARY.example/codex/device"),
    (("fields", "device", "verification_uri"), "https://auth.openai.com@CANARY.example/"),
    (("fields", "device", "verification_uri"), "https://auth.openai.com.CANARY.example/"),
    (("fields", "device", "verification_uri"), "https://auth.openai.com\\@CANARY.example/"),
    (("fields", "device", "verification_uri"), "http://auth.openai.com/"),
    (("fields", "device", "verification_uri"), "javascript:CANARY"),
    (("fields", "device", "verification_uri"), "https://auth.openai.com/CANARY CANARY"),
    (("fields", "pace", "interval"), "5"),
    (("fields", "pace", "failures"), -1),
    (("fields", "pace", "failures"), 0.5),
    (("fields", "request_timeout"), 0),
    (("fields", "request_timeout"), 301),
    (("fields", "workspaces"), "CANARY"),
    (("fields", "workspaces"), ["CANARY"] * 10_000),
    (("fields", "workspaces"), [["CANARY"]]),
    (("fields", "workspaces"), {"CANARY": 1}),
    (("fields", "code"), {"CANARY": "CANARY"}),
    (("fields", "failure"), {"kind": "CANARY"}),
    (("fields", "CANARY"), 1),
    (("CANARY",), 1),
]


@pytest.mark.parametrize(("place", "value"), WRONG)
def test_a_field_that_is_wrong_is_refused_and_named_as_ours(place: Place, value: Any) -> None:
    error = refused(changed(checkpoint(), place, value))
    assert error.reason == "malformed"
    assert error.where


def test_every_field_is_needed() -> None:
    for journey, count in ONE_OF_EACH_STATE.values():
        whole = checkpoint(journey, count)
        for place in places(whole):
            if place in SINCE:
                continue
            with pytest.raises(CheckpointError):
                restore(without(whole, place), journey.provider)


def without(whole: Any, place: Place) -> Any:
    part = copy.deepcopy(whole)
    inner: Any = part
    for name in place[:-1]:
        inner = inner[name]
    del inner[place[-1]]
    return part


def test_a_field_that_an_earlier_release_did_not_have_may_be_absent() -> None:
    found: set[Place] = set()
    for journey, count in ONE_OF_EACH_STATE.values():
        whole = checkpoint(journey, count)
        for place in SINCE & set(places(whole)):
            found.add(place)
            if journey.provider.needs_signatures:  # no earlier release had such a sign-in
                go_on(restore(without(whole, place), journey.provider))
                continue
            ended = restore(without(whole, place), journey.provider).receive(Resumed(T0, W0))
            assert repr(ended) == repr(restore(whole, journey.provider).receive(Resumed(T0, W0)))
    assert found == SINCE


def test_what_a_state_needs_is_there_or_it_is_refused() -> None:
    for journey, count in ONE_OF_EACH_STATE.values():
        flow = journey.after(count)
        whole = checkpoint(journey, count)
        for name in flow.layout.needs[flow.state]:
            place: Place = ("wait",) if name == "wait" else ("fields", name.lstrip("_"))
            with pytest.raises(CheckpointError) as raised:
                restore(changed(whole, place, None), journey.provider)
            assert raised.value.where in (name, ".".join(map(str, ("checkpoint", *place))))


@pytest.mark.parametrize("version", [2, 99, 10**40])
def test_a_newer_checkpoint_is_refused_as_such_whatever_else_it_holds(version: int) -> None:
    assert refused({"version": version, "CANARY": "CANARY"}).reason == "too_new"


@pytest.mark.parametrize(
    "mapping",
    [
        None,
        [],
        "CANARY",
        b"CANARY",
        7,
        {},
        {"version": 0},
        {"version": True},
        {"version": 1.0},
        {"version": "1"},
        {"version": None},
        {"CANARY": "CANARY"},
    ],
)
def test_what_is_no_checkpoint_at_all(mapping: Any) -> None:
    assert refused(mapping).reason == "not_a_checkpoint"


@pytest.mark.parametrize("kind", ["CANARY", "browser", None, ["device"], {}])
def test_another_kind_of_flow(kind: Any) -> None:
    assert refused({**checkpoint(), "flow": kind}).reason == "malformed"


def test_a_key_that_is_no_text() -> None:
    assert refused({**checkpoint(), 7: "CANARY"}).reason == "malformed"


@pytest.mark.parametrize(
    "provider",
    [
        CODEX.at("https://other.example"),
        CODEX.at("http://127.0.0.1:9"),
        attrs.evolve(CODEX, client_id="another"),
    ],
)
def test_a_checkpoint_of_another_issuer_or_client(provider: Any) -> None:
    with pytest.raises(CheckpointError) as raised:
        restore(checkpoint(), provider)
    assert raised.value.reason == "other_provider"


def test_endpoints_come_from_the_provider_alone() -> None:
    elsewhere = attrs.evolve(CODEX, device_token_endpoint="https://mirror.example/poll")
    flow = restore(checkpoint(), elsewhere)
    flow.receive(Resumed(T0, W0))
    effect = flow.receive(TimeReached(T0 + 60))
    assert isinstance(effect, SendRequest)
    assert effect.request.url == "https://mirror.example/poll"


def test_whole_numbers_are_seconds_too() -> None:
    """As other languages write them."""
    mapping = changed(checkpoint(), ("fields", "request_timeout"), 15)
    assert restore(mapping, CODEX).request_timeout == 15.0


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["waiting", "exchanging", "device", "", "\ud800", "a" * 20_000, 10**400]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


def go_on(flow: Any) -> None:
    """A flow that was accepted goes on without ever raising, to its end if nothing answers."""
    effect: Effect = flow.receive(Resumed(T0, W0))
    for step in range(60):
        if isinstance(effect, Finished):
            return
        at = T0 + step
        if isinstance(effect, Wait):
            effect = flow.receive(TimeReached(max(at, effect.until)))
        elif isinstance(effect, Register):
            effect = flow.receive(StoreAnswered(at, W0, Registered()))
        else:
            effect = flow.receive(RequestFailed(at, Phase.NOT_SENT, Cause.DNS))


@given(mapping=json_values)
@example(mapping={"version": 1, "flow": "device"})
def test_any_json_is_refused_in_order(mapping: Any) -> None:
    refused(mapping)


stops = st.sampled_from(sorted(ONE_OF_EACH_STATE))


@given(stop=stops, data=st.data(), value=json_values)
def test_any_value_in_any_place_is_refused_or_makes_a_flow_that_works(
    stop: tuple[str, str], data: st.DataObject, value: Any
) -> None:
    journey, count = ONE_OF_EACH_STATE[stop]
    whole = checkpoint(journey, count)
    place = data.draw(st.sampled_from(list(places(whole))))
    try:
        flow = restore(changed(whole, place, value), journey.provider)
    except CheckpointError:
        return
    go_on(flow)


@given(
    stop=stops, state=st.sampled_from(sorted({state for _, state in ONE_OF_EACH_STATE})), over=st.booleans()
)
def test_any_state_with_any_fields_is_refused_or_makes_a_flow_that_works(
    stop: tuple[str, str], state: str, over: bool
) -> None:
    journey, count = ONE_OF_EACH_STATE[stop]
    mapping = {**checkpoint(journey, count), "state": state, "handed_over": over}
    try:
        flow = restore(mapping, journey.provider)
    except CheckpointError:
        return
    go_on(flow)


def test_a_restored_flow_shows_no_secret() -> None:
    for journey, count in ONE_OF_EACH_STATE.values():
        flow = restore(checkpoint(journey, count), journey.provider)
        before = repr(flow) + str(flow)
        effect = flow.receive(Resumed(T0, W0))
        seen = before + repr(flow) + repr(effect)
        seen += repr([getattr(flow, name, None) for name in dir(flow) if not name.startswith("__")])
        assert "canary" not in seen
