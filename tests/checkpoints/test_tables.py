"""The tables of what is kept cover what there is: a new field cannot be forgotten."""

from __future__ import annotations

from enum import Enum
from typing import Any, cast

import attrs
import pytest

from codex_oauth_core import (
    BrowserFlow,
    CheckpointError,
    DeviceAuthorization,
    DeviceFlow,
    ErrorKind,
    Pkce,
    ResponseReceived,
    Secret,
)
from codex_oauth_core.checkpoints.codec import (
    COUNT,
    HIDDEN,
    INSTANT,
    LARGEST_NUMBER,
    SECONDS,
    SECRET,
    FieldCodec,
    each,
    number,
    optional,
)
from codex_oauth_core.checkpoints.layout import ANSWER, DEVICE, PACE, PKCE, REFUSED, TRY_AGAIN
from codex_oauth_core.facts import Refusal, TryAgain
from codex_oauth_core.flows.pace import Pace
from codex_oauth_core.flows.sign_in import SIGN_IN_FIELDS
from tests.checkpoints.journeys import through_json

REBUILT = {
    "provider": "the caller gives it",
    "state": "in the header",
    "_seq": "in the header",
    "_turn": "a driver's, while it has it",
    "_effect": "rebuilt from the state and the provider",
    "_now": "the present instant",
    "_prompt": "rebuilt from the device authorization",
    "_resting": "what a restored flow waits with",
    "_handed_over": "true of the flow that was left",
    "max_lifetime": "used at the start only",
    "lifetime": "used at the start only",
    "metadata_problem": "for who watches the start",
    "_ahead": "the present times",
    "_page_of": "rebuilt from the provider",
    "_trouble": "rebuilt from the last failure",
}


@pytest.mark.parametrize("flow", [DeviceFlow, BrowserFlow])
def test_every_attribute_of_a_flow_is_kept_or_rebuilt(flow: Any) -> None:
    names = {field.name for field in attrs.fields(flow)}
    assert set(flow.layout.fields) <= names
    assert not set(flow.layout.fields) & set(REBUILT)
    assert names - set(flow.layout.fields) <= set(REBUILT)


@pytest.mark.parametrize("flow", [DeviceFlow, BrowserFlow])
def test_the_needs_cover_every_state_that_has_an_outstanding_effect(flow: Any) -> None:
    states = cast("type[Enum]", type(next(iter(flow.layout.needs))))
    over = {"signed_in", "denied", "expired", "timed_out", "cancelled", "failed", "idle"}
    assert {state.value for state in flow.layout.needs} == {state.value for state in states} - over
    assert {need for needs in flow.layout.needs.values() for need in needs} <= {*flow.layout.fields, "wait"}


VALUES: list[tuple[FieldCodec[Any], Any]] = [
    (DEVICE, DeviceAuthorization(Secret("an-id"), "ABCD-1", 5.5, "https://x.example/device", 890.25)),
    (PACE, Pace(15.0, 1100.5, 3)),
    (TRY_AGAIN, TryAgain(ErrorKind.BLOCKED, True, 3.0, "code", 429, "reset")),
    (REFUSED, Refusal(ErrorKind.DENIED, "code", 403, "reason", True, "reset", "A fixed text.")),
    (PKCE, Pkce.from_entropy(bytes(32))),
]


@pytest.mark.parametrize(("codec", "value"), VALUES, ids=[type(value).__name__ for _, value in VALUES])
def test_every_field_of_a_value_is_kept(codec: FieldCodec[Any], value: Any) -> None:
    back = codec.shift(codec.decode(codec.encode(value, 1000.0), "here"), 1000.0)
    assert attrs.asdict(back) == attrs.asdict(value)


def test_an_instant_is_kept_as_what_is_left_to_it() -> None:
    assert INSTANT.encode(1010.5, 1000.0) == 10.5
    assert INSTANT.encode(990.0, 1000.0) == 0.0
    assert INSTANT.encode(float("inf"), 1000.0) == LARGEST_NUMBER
    assert INSTANT.shift(10.5, 2000.0) == 2010.5
    assert SECONDS.shift(10.5, 2000.0) == 10.5


def test_instants_are_moved_wherever_they_are() -> None:
    assert each(INSTANT).shift((1.0, 2.0), 5.0) == (6.0, 7.0)
    assert optional(INSTANT).shift(None, 5.0) is None
    assert optional(PACE).shift(Pace(5.0, 1.0, 2), 5.0).deadline == 6.0  # type: ignore[union-attr]  # there is one


@pytest.mark.parametrize(
    ("codec", "raw"),
    [
        (COUNT, True),
        (COUNT, 1.0),
        (COUNT, -1),
        (SECONDS, float("nan")),
        (SECONDS, False),
        (number(1, 2), 2.5),
        (SECRET, ""),
        (SECRET, "a\nb"),
        (SECRET, "é"),
        (HIDDEN, ""),
        (HIDDEN, 1),
    ],
)
def test_what_a_form_does_not_take(codec: FieldCodec[Any], raw: object) -> None:
    with pytest.raises(CheckpointError) as refused:
        codec.decode(raw, "fields.here")
    assert (refused.value.reason, refused.value.where) == ("malformed", "fields.here")
    assert str(refused.value) == "the checkpoint is damaged: fields.here"


def test_what_the_flows_share_is_kept_by_both() -> None:
    assert all(
        DeviceFlow.layout.fields[name] is BrowserFlow.layout.fields[name] is codec
        for name, codec in SIGN_IN_FIELDS.items()
    )


def test_an_answer_that_is_kept_is_the_same_when_it_is_taken_up() -> None:
    headers = {"Content-Type": "application/json", "Date": "x", "Set-Cookie": "canary", "x-other": "y"}
    answer = ResponseReceived(990.0, 995.5, 1_800_000_000.5, 200, headers, Secret(b'{"a":\n"\xff"}'))
    there = through_json(ANSWER.encode(answer, 1000.0))
    assert "canary" not in str(there)
    again = ANSWER.shift(ANSWER.decode(there, "here"), 2000.0)
    assert (again.sent_at, again.at, again.wall, again.status) == (1990.0, 1995.5, 1_800_000_000.5, 200)
    assert again.body == answer.body
    assert again.headers == {"content-type": "application/json", "date": "x"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("body", "not base64"),
        ("body", 7),
        ("body", "QQ" * 3_000_000),
        ("headers", []),
        ("headers", {"set-cookie": "x"}),
        ("headers", {"date": 7}),
        ("headers", {"date": "a\nb"}),
        ("at", 1.0),
        ("at", -1e12),
        ("status", "200"),
    ],
)
def test_an_answer_that_does_not_fit_is_not_taken_up(name: str, value: Any) -> None:
    answer = ResponseReceived(990.0, 995.5, 1_800_000_000.5, 200, {}, Secret(b"{}"))
    with pytest.raises(CheckpointError) as refused:
        ANSWER.decode({**ANSWER.encode(answer, 1000.0), name: value}, "here")
    assert refused.value.reason == "malformed"
