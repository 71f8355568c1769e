"""What the model stub streams: text, calls, reasoning and structured text, and what befalls them by script."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest

from codex_oauth.authority import (
    LimitKind,
    ModelPolicy,
    UsageLimit,
)
from codex_oauth.authority.models.examples import example_of
from tests.authority.model_client import CODEX, PLAN, Asker, events_in, said, types

BASES = [CODEX, PLAN]
TEXT = "This is a fake answer."
OF_A_TEXT = [
    "created",
    "in_progress",
    "output_item.added",
    "content_part.added",
    *["output_text.delta"] * 5,
    "output_text.done",
    "content_part.done",
    "output_item.done",
    "completed",
]


# -- a text -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
def test_a_text_comes_in_pieces_with_all_that_clients_need(base: str) -> None:
    answer = Asker().ask(base=base)
    events = events_in(answer)
    assert types(events) == OF_A_TEXT
    assert answer.header("Content-Type") == "text/event-stream; charset=utf-8"
    assert [event["delta"] for event in events[4:9]] == ["This", " is", " a", " fake", " answer."]
    item = events[2]["item"]
    part: dict[str, Any] = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}
    assert item == {**item, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    assert all(event == {**event, **place} for event in events[3:11])
    assert events[3]["part"] == {**part, "text": ""}
    assert (events[9]["text"], events[10]["part"]) == (TEXT, part)
    assert events[11]["item"] == {**item, "status": "completed", "content": [part]}
    first, last = events[0]["response"], events[-1]["response"]
    assert (first["status"], first["output"], "usage" in first) == ("in_progress", [], False)
    assert last == {**first, "status": "completed", "output": [], "usage": last["usage"]}
    assert set(last["usage"]) == {
        "input_tokens",
        "input_tokens_details",
        "output_tokens",
        "output_tokens_details",
        "total_tokens",
    }


@pytest.mark.parametrize("text", ["x", "xy", "word", "  two  words ", "a\nb", "", "Ünï çödé 🎉"])
def test_the_pieces_are_the_text(text: str) -> None:
    events = events_in(Asker(text=text).ask())
    deltas = [event["delta"] for event in events if event["type"].endswith("_text.delta")]
    assert "".join(deltas) == text
    assert len(deltas) >= min(2, len(text))
    assert events[-2]["item"]["content"][0]["text"] == text


def test_the_last_event_may_hold_the_items_too() -> None:
    events = events_in(Asker(empty_output=False).ask())
    assert events[-1]["response"]["output"] == [events[-2]["item"]]


def test_a_stream_may_leave_out_its_type() -> None:
    answer = Asker(content_type=False).ask()
    assert answer.header("Content-Type") is None
    assert types(events_in(answer)) == OF_A_TEXT


def test_no_two_answers_have_the_same_ids() -> None:
    asker = Asker()
    first, second = events_in(asker.ask()), events_in(asker.ask())
    assert first[0]["response"]["id"] != second[0]["response"]["id"]
    assert first[2]["item"]["id"] != second[2]["item"]["id"]


@pytest.mark.parametrize("encrypted", [False, True])
def test_reasoning_comes_before_the_answer(encrypted: bool) -> None:
    include: dict[str, Any] = {"include": ["reasoning.encrypted_content"]} if encrypted else {}
    events = events_in(Asker(reasoning=True, empty_output=False).ask(include))
    assert types(events)[2:5] == ["output_item.added", "output_item.done", "output_item.added"]
    item = events[3]["item"]
    assert (item["type"], item["summary"], "encrypted_content" in item) == ("reasoning", [], encrypted)
    assert events[4]["output_index"] == 1
    assert [one["type"] for one in events[-1]["response"]["output"]] == ["reasoning", "message"]


# -- a call -------------------------------------------------------------------------------------------

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"type": "string"}},
        "required": ["city", "days"],
    },
}
CLOCK: dict[str, Any] = {"type": "function", "name": "clock", "parameters": {"type": "object"}}


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def call_in(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    return next((item for item in items if item["type"].endswith("_call")), None)


ASKED: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"tools": [WEATHER, CLOCK]}, None),
    ({"tools": [WEATHER, CLOCK], "tool_choice": "auto"}, None),
    ({"tools": [WEATHER, CLOCK], "tool_choice": "required"}, "weather"),
    ({"tools": [WEATHER, CLOCK], "tool_choice": {"type": "function", "name": "clock"}}, "clock"),
    ({"tools": [WEATHER, CLOCK], "tool_choice": "none", "input": [user("Use clock")]}, None),
    ({"tools": [WEATHER, CLOCK], "input": [user("Use the clock, please.")]}, "clock"),
    ({"tools": [WEATHER, CLOCK], "input": [user([{"type": "input_text", "text": "weather?"}])]}, "weather"),
    ({"tools": [WEATHER, CLOCK], "input": [user("The clockwork")]}, None),
    ({"tools": [WEATHER, CLOCK], "input": [user("clock"), user("thanks")]}, None),
    ({"tool_choice": "required"}, None),
    ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, None),
]


@pytest.mark.parametrize(("fields", "name"), ASKED, ids=str)
def test_a_function_is_called_when_it_is_offered_and_asked_for(
    fields: dict[str, Any], name: str | None
) -> None:
    call = call_in(events_in(Asker().ask(fields)))
    assert (None if call is None else call["name"]) == name


def test_a_call_has_arguments_that_fit() -> None:
    events = events_in(Asker().ask({"tools": [WEATHER], "tool_choice": "required"}))
    deltas = [event for event in events if event["type"].endswith("arguments.delta")]
    assert types(events) == [
        "created",
        "in_progress",
        "output_item.added",
        *["function_call_arguments.delta"] * len(deltas),
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    item = events[2]["item"]
    assert item == {
        **item,
        "type": "function_call",
        "arguments": "",
        "name": "weather",
        "status": "in_progress",
    }
    assert {event["item_id"] for event in events[3:-2]} == {item["id"]}
    arguments = json.loads("".join(event["delta"] for event in deltas))
    jsonschema.validate(arguments, WEATHER["parameters"])
    assert set(arguments) == {"city", "days"}
    assert events[-3]["arguments"] == json.dumps(arguments)
    assert events[-2]["item"] == {**item, "arguments": json.dumps(arguments), "status": "completed"}


def test_after_the_result_of_a_call_comes_a_text() -> None:
    asker = Asker()
    asked = {"tools": [WEATHER], "tool_choice": "required", "input": [user("weather")]}
    call = call_in(events_in(asker.ask(asked)))
    assert call is not None
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
    events = events_in(asker.ask({**asked, "input": [user("weather"), call, result]}))
    assert types(events) == OF_A_TEXT
    more = {**asked, "input": [user("weather"), call, result, user("weather again")]}
    assert call_in(events_in(asker.ask(more))) is not None


def test_functions_in_a_namespace_and_custom_tools_are_called_too() -> None:
    space = {"type": "namespace", "name": "home", "tools": [CLOCK]}
    asked: dict[str, Any] = {"input": [user("clock")]}
    call = call_in(events_in(Asker().ask({**asked, "tools": [space]}, base=PLAN)))
    assert call is not None
    assert (call["name"], call["namespace"]) == ("clock", "home")
    items = [{"type": "additional_tools", "tools": [CLOCK]}, user("clock")]
    assert call_in(events_in(Asker().ask({"input": items}, base=PLAN))) is not None
    events = events_in(Asker().ask({**asked, "tools": [{"type": "custom", "name": "clock"}]}))
    assert "custom_tool_call_input.done" in types(events)
    call = call_in(events)
    assert call is not None
    assert (call["type"], call["input"]) == ("custom_tool_call", "fake")


# -- structured text ----------------------------------------------------------------------------------

SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "string"}}},
    {"type": "array", "items": {"type": "integer", "minimum": 7}, "minItems": 2},
    {"enum": ["b", "c"]},
    {"const": 4},
    {"type": "number"},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"type": "string", "default": "d"},
    {
        "$defs": {"P": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
        "type": "object",
        "properties": {"p": {"$ref": "#/$defs/P"}, "q": {"type": "array", "items": {"$ref": "#/$defs/P"}}},
        "required": ["p", "q"],
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_structured_text_fits_its_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(example_of(schema), schema)
    wanted = {"text": {"format": {"type": "json_schema", "name": "n", "schema": schema}}}
    events = events_in(Asker().ask(wanted))
    jsonschema.validate(json.loads(events[-2]["item"]["content"][0]["text"]), schema)


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {
        "$ref": "#/$defs/T",
        "$defs": {"T": {"type": "object", "properties": {"t": {"$ref": "#/$defs/T"}}, "required": ["t"]}},
    }
    assert example_of(schema)["t"]["t"]
    assert example_of({"$ref": "#/nowhere"}) is None
    assert example_of("text") is None
    assert example_of({"$ref": "#"}) is None


# -- usage --------------------------------------------------------------------------------------------


def test_an_answer_says_how_much_of_the_plan_is_used() -> None:
    asker = Asker(used_percent=34)
    answer = asker.ask()
    wanted = {
        "x-codex-active-limit": "codex",
        "x-codex-plan-type": "plus",
        "x-codex-primary-used-percent": "34",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-after-seconds": "18000",
        "x-codex-primary-reset-at": str(int(asker.wall) + 18_000),
        "x-codex-secondary-window-minutes": "10080",
        "x-codex-credits-has-credits": "False",
        "x-codex-credits-unlimited": "False",
        "x-codex-credits-balance": "",
    }
    assert {name: answer.header(name) for name in wanted} == wanted
    assert answer.header("x-models-etag")
    assert answer.header("x-oai-request-id")
    assert not [name for name, _ in asker.ask(base=PLAN).headers if name.startswith("x-codex")]


@pytest.mark.parametrize("base", BASES)
def test_a_usage_limit_says_when_it_ends(base: str) -> None:
    asker = Asker(usage_limit=UsageLimit(resets_in=90, active="premium"))
    answer = asker.ask(base=base)
    assert said(answer) == (
        429,
        {
            "error": {
                "type": "usage_limit_reached",
                "message": "The usage limit has been reached",
                "plan_type": "plus",
                "resets_at": int(asker.wall) + 90,
                "resets_in_seconds": 90,
                "eligible_promo": None,
            }
        },
    )
    assert answer.header("x-codex-active-limit") == "premium"
    assert answer.header("x-codex-primary-used-percent") == "100"
    assert answer.header("x-codex-primary-reset-after-seconds") == "90"
    assert answer.header("Retry-After") is None


def test_a_plan_may_have_no_codex() -> None:
    error: dict[str, Any] = said(Asker(usage_limit=UsageLimit(kind=LimitKind.NOT_INCLUDED)).ask())[1]["error"]
    assert error["type"] == "usage_not_included"
    assert "resets_at" not in error


@pytest.mark.parametrize("limit", [None, UsageLimit(resets_in=60)])
def test_the_plans_use_can_be_asked_for(limit: UsageLimit | None) -> None:
    asker = Asker(usage_limit=limit)
    status, body = said(asker.call("GET", "/backend-api/wham/usage"))
    assert (status, body["plan_type"]) == (200, "plus")
    assert body["rate_limit"]["allowed"] is (limit is None)
    assert body["rate_limit"]["limit_reached"] is (limit is not None)
    assert body["rate_limit"]["primary_window"] == {
        "used_percent": 12 if limit is None else 100,
        "limit_window_seconds": 18_000,
        "reset_after_seconds": 18_000 if limit is None else 60,
        "reset_at": int(asker.wall) + (18_000 if limit is None else 60),
    }
    assert asker.call("GET", "/backend-api/wham/usage", Authorization=...).status == 401


@pytest.mark.parametrize(
    "setting",
    [{"headers": "strict"}, {"used_percent": 101}, {"used_percent": -1}, {"socket_lifetime": 0}],
    ids=str,
)
def test_a_switch_that_makes_no_sense_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting)) if "headers" not in setting else "strict"):
        ModelPolicy(**setting)


def test_a_response_says_again_how_it_was_asked_for() -> None:
    asked: dict[str, Any] = {
        "tools": [CLOCK],
        "tool_choice": "none",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"const": 4}}},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
    }
    for event in events_in(Asker().ask({**asked, "truncation": None})):
        if "response" in event:
            assert event["response"] == {**event["response"], **asked, "instructions": "Be brief."}
    response = events_in(Asker().ask(base=PLAN))[0]["response"]
    assert (response["instructions"], response["tools"], response["tool_choice"]) == (None, [], "auto")
