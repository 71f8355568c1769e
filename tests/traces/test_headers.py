"""Every field of a trace's header is the recorded flow's own, and counts at the replay; times are rounded.

Rules of this file: a field is changed in the flow, and the header says so; it is changed in the header, and
the replay goes another way.
"""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from codex_oauth_core import (
    CODEX,
    Cancelled,
    DeviceFlow,
    Event,
    Recorder,
    SignInError,
    Started,
    TimeReached,
    __version__,
)
from codex_oauth_core.traces import replay
from codex_oauth_core.traces.format import Header
from tests.support import T0, W0, approved, issued, response, tokens
from tests.traces.runs import GRANTED, back, browser_flow, tell

OTHER = ("acct_other",)


def recorded(flow: Any, *events: Any) -> list[str]:
    lines: list[str] = []
    tell(Recorder(flow=flow, write=lines.append), events)
    return lines


def device(**options: Any) -> list[str]:
    """Approved at the first poll."""
    wait = T0 + 5.25
    events: tuple[Event, ...] = (
        response(issued(), T0 + 0.25),
        TimeReached(wait + 0.25),
        response(approved(), wait + 0.5),
        response(tokens(), wait + 0.75),
    )
    if options.get("workspaces"):
        events = (*events, response(tokens(), wait + 1.0))
    return recorded(DeviceFlow(**options), *events)


def browser(**options: Any) -> list[str]:
    events = (back(), GRANTED, GRANTED) if options.get("workspaces") else (back(), GRANTED)
    return recorded(browser_flow(**options), *events)


RECORDED = {"device": device, "browser": browser}
LIFETIME = {"device": "max_lifetime", "browser": "lifetime"}


def header_of(lines: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(lines[0])
    return fields


@pytest.mark.parametrize("kind", RECORDED)
def test_the_header_says_each_field_of_the_flow(kind: str) -> None:
    record, lifetime = RECORDED[kind], LIFETIME[kind]
    usual = header_of(record())
    changes: dict[str, tuple[dict[str, Any], object]] = {
        "lifetime": ({lifetime: 432.0}, 432.0),
        "request_timeout": ({"request_timeout": 7.0}, 7.0),
        "workspaces": ({"workspaces": OTHER}, ["fake-account-0001"]),
        "issuer": ({"provider": CODEX.at("http://127.0.0.1:1")}, "loopback"),
    }
    for field, (options, said) in changes.items():
        header = header_of(record(**options))
        assert header[field] == said, field
        assert header[field] != usual[field]
        assert {**header, field: usual[field]} == usual
    assert (usual["flow"], usual["dialect"], usual["library"]) == (kind, "codex", __version__)
    names = {field.name for field in attrs.fields(Header)}
    assert names == {*changes, "flow", "dialect", "library", "client_id"}
    assert set(usual) == names - {"client_id"} | {"format", "version"}  # see test_chatgpt_traces


def with_header(lines: list[str], **fields: Any) -> list[str]:
    return [json.dumps({**header_of(lines), **fields}, separators=(",", ":")), *lines[1:]]


def first_difference(lines: list[str]) -> tuple[str, object, object]:
    found, *_ = replay(lines).differences
    return found.field, found.recorded, found.today


@pytest.mark.parametrize("kind", RECORDED)
@pytest.mark.parametrize("field", ["lifetime", "request_timeout", "workspaces"])
def test_a_replay_builds_its_flow_with_each_field_of_the_header(kind: str, field: str) -> None:
    lines = RECORDED[kind]()
    assert replay(lines).same
    other: dict[str, Any] = {"lifetime": 3.0, "request_timeout": 7.0, "workspaces": ["fake-account-9"]}
    assert not replay(with_header(lines, **{field: other[field]})).same


def test_the_lifetime_of_a_browser_flow_is_until_when_it_waits() -> None:
    lines = recorded(browser_flow(lifetime=432.0), Cancelled(T0 + 1))
    assert json.loads(lines[1])["effect"]["until"] == 432.0
    assert replay(lines).same
    assert first_difference(with_header(lines, lifetime=433.0)) == ("effect.until", 432.0, 433.0)


def test_the_lifetime_of_a_device_flow_is_until_when_it_polls() -> None:
    events = (response(issued(), T0 + 0.25), TimeReached(T0 + 32.0))
    lines = recorded(DeviceFlow(max_lifetime=32.0), *events)
    assert replay(lines).same
    assert not replay(with_header(lines, lifetime=900.0)).same


# -- times ---------------------------------------------------------------------------------------------


def test_instants_are_told_in_millionths_and_unix_time_in_thousandths() -> None:
    lines: list[str] = []
    recorder = Recorder(flow=DeviceFlow(), write=lines.append)
    recorder.receive(Started(T0, W0 + 0.1236))
    answer = response(issued(), T0 + 0.12345678, W0 + 0.9876, took=0.0234567)
    recorder.receive(answer)
    outcome = recorder.receive(Cancelled(T0 + 1.00000049))
    assert isinstance(outcome.outcome, SignInError)  # type: ignore[union-attr]  # it has ended
    started, answered, cancelled = (json.loads(line)["event"] for line in lines[1:])
    assert (started["at"], started["wall"]) == (0.0, round(W0 + 0.1236, 3))
    assert (answered["at"], answered["sent_at"]) == (0.123457, 0.1)
    assert answered["wall"] == round(W0 + 0.9876, 3)
    assert cancelled["at"] == 1.0
    assert replay(lines).same
