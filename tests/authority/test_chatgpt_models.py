"""The model API behind the official sign-in: whom it opens for, what it takes, and what it streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth.authority import Answer, Person, StreamEnd, Workspace
from tests.authority.chatgpt_client import API, MODEL, Client, api_error, read

UNSUPPORTED = "subscription_sharing_unsupported_capability"


def signed_in(**policy: Any) -> Client:
    client = Client(**policy)
    client.walk_in()
    return client


def events(answer: Answer) -> list[dict[str, Any]]:
    assert (answer.status, answer.header("Content-Type")) == (200, "text/event-stream; charset=utf-8")
    found: list[dict[str, Any]] = []
    for block in answer.body.reveal().decode().split("\n\n")[:-1]:
        kind, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert kind == f"event: {found[-1]['type']}"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


# -- the token ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", ["", "Basic eDp5", "Bearer ", "Bearer made-up"])
def test_without_a_token_of_ours_it_stays_shut(authorization: str) -> None:
    client = signed_in()
    answer = client.ask(Authorization=authorization)
    assert (answer.status, json.loads(answer.body.reveal())) == (401, {"detail": "Unauthorized"})


def test_other_tokens_than_the_access_token_do_not_open_it() -> None:
    client = signed_in()
    assert client.ask(Authorization=f"Basic {client.tokens['access_token']}").status == 401
    assert client.ask(Authorization=f"bearer {client.tokens['access_token']}").status == 200
    for name in ("refresh_token", "id_token"):
        assert client.ask(Authorization=f"Bearer {client.tokens[name]}").status == 401


def test_an_expired_token_is_told_apart_from_a_revoked_one() -> None:
    client = signed_in()
    client.sleep(3599)
    assert client.ask().status == 200
    client.sleep(1)
    assert api_error(client.ask()) == (401, "token_expired")
    assert api_error(client.models()) == (401, "token_expired")
    client.refresh()
    assert client.ask().status == 200
    client.revoke()
    assert api_error(client.ask()) == (401, "token_invalidated")


def test_the_old_access_token_lives_until_it_expires() -> None:
    client = signed_in()
    old = client.tokens["access_token"]
    client.refresh()
    assert client.ask(Authorization=f"Bearer {old}").status == 200


REFUSALS = {
    "subscription_sharing_usage_limit_exceeded": 429,
    "subscription_sharing_workplace_individual_usage_limit_exceeded": 429,
    "subscription_sharing_usage_unavailable": 503,
    "subscription_sharing_user_unavailable": 503,
    "subscription_sharing_user_not_eligible": 403,
    "subscription_sharing_invalid_user": 401,
    "chatpass_v2_scope_not_authorized": 403,
    "chatpass_v2_invalid_authorization_context": 403,
}


@pytest.mark.parametrize(("code", "status"), REFUSALS.items())
def test_a_plan_may_be_refused_with_every_code(code: str, status: int) -> None:
    client = signed_in(plan_refusal=code)
    assert api_error(client.ask()) == (status, code)
    client.policy.plan_refusal = None
    assert client.ask().status == 200


@pytest.mark.parametrize("status", [401, 403, 503])
def test_admission_may_be_refused_without_a_code(status: int) -> None:
    client = signed_in(admission=status)
    answer = client.ask()
    assert (answer.status, set(json.loads(answer.body.reveal()))) == (status, {"detail"})


def test_a_workspace_may_not_be_eligible() -> None:
    person = Person(workspaces=(Workspace(eligible=False),))
    assert api_error(signed_in(people=(person,)).ask()) == (403, "subscription_sharing_user_not_eligible")


@pytest.mark.parametrize("header", ["ChatGPT_Account_Id", "originator"])
def test_headers_of_the_codex_api_are_noted(header: str) -> None:
    client = signed_in()
    assert client.ask(**{header: "x"}).status == 200
    assert client.mistakes == [("responses", "invalid_request")]


# -- the routes ---------------------------------------------------------------------------------------


def test_the_catalogue_is_a_list_of_models() -> None:
    answer = read(signed_in().models())
    assert set(answer) == {"models"}
    shown = [(one["slug"], one["visibility"]) for one in answer["models"]]
    assert shown == [("gpt-5.5-codex", "list"), ("gpt-5.5-hidden", "hide")]
    assert all(one["display_name"] for one in answer["models"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "chat/completions"),
        ("GET", "responses"),
        ("POST", "models"),
        ("GET", "models/gpt-5.5-codex"),
        ("POST", "files"),
    ],
)
def test_other_routes_and_methods_are_not_served(method: str, path: str) -> None:
    client = signed_in()
    bearer = f"Bearer {client.tokens['access_token']}"
    answer = client.send(method, f"{API}/v1/{path}", b"{}", Authorization=bearer)
    assert api_error(answer) == (403, "subscription_sharing_route_not_supported")
    ((_, code),) = client.mistakes
    assert code == "subscription_sharing_route_not_supported"


# -- the request --------------------------------------------------------------------------------------


LEFT_OUT = [
    "background",
    "conversation",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "moderation",
    "multi_agent",
    "prompt",
    "prompt_cache_retention",
    "safety_identifier",
    "temperature",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "previous_response_id",
    "service_tier",
]


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_parameter_that_must_be_left_out_is_named(name: str) -> None:
    client = signed_in()
    answer = client.ask({**MODEL, name: 1})
    assert api_error(answer) == (400, UNSUPPORTED)
    assert json.loads(answer.body.reveal())["error"]["param"] == name
    assert client.mistakes == [("responses", UNSUPPORTED)]
    assert client.ask({**MODEL, name: None}).status == 200


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"input": "text"}, "invalid_type", "input"),
        ({"input": ...}, "invalid_type", "input"),
        ({"store": True}, UNSUPPORTED, "store"),
        ({"store": ...}, UNSUPPORTED, "store"),
        ({"stream": False}, UNSUPPORTED, "stream"),
        ({"stream": ...}, UNSUPPORTED, "stream"),
        ({"stream": 1}, UNSUPPORTED, "stream"),
        ({"input": [{}, {"type": "message", "role": "system"}]}, UNSUPPORTED, "input[1].role"),
        ({"tools": [{"type": "web_search"}, {"type": "file_search"}]}, UNSUPPORTED, "tools[1]"),
        ({"tools": [{"type": "image_generation"}]}, UNSUPPORTED, "tools[0]"),
        ({"tools": [{"type": "code_interpreter"}]}, UNSUPPORTED, "tools[0]"),
        ({"tools": [{"type": "computer_use_preview"}]}, UNSUPPORTED, "tools[0]"),
        ({"tools": [{"type": "mcp"}]}, UNSUPPORTED, "tools[0]"),
        ({"tools": [{"type": "tool_search"}]}, UNSUPPORTED, "tools[0]"),
        ({"tools": [{"type": ["x"]}]}, UNSUPPORTED, "tools[0]"),
        ({"tools": ["x"]}, UNSUPPORTED, "tools[0]"),
        ({"tools": {"type": "x"}}, "invalid_type", "tools"),
        ({"model": "gpt-nothing"}, "model_not_found", "model"),
        ({"model": ["x"]}, "model_not_found", "model"),
        ({"model": ...}, "model_not_found", "model"),
    ],
    ids=str,
)
def test_a_request_that_is_wrong_is_refused(changes: dict[str, Any], code: str, param: str) -> None:
    client = signed_in()
    body = {name: value for name, value in {**MODEL, **changes}.items() if value is not ...}
    answer = client.ask(body)
    assert api_error(answer) == (400, code)
    assert json.loads(answer.body.reveal())["error"]["param"] == param
    assert client.mistakes == [("responses", code)]


def test_what_a_plan_may_be_asked_is_taken() -> None:
    client = signed_in()
    body = {
        **MODEL,
        "model": "gpt-5.5-hidden",
        "instructions": "Be brief.",
        "input": [{"type": "message", "role": "developer", "content": "x"}, "odd"],
        "tools": [{"type": "namespace"}, {"type": "function"}, {"type": "custom"}, {"type": "web_search"}],
        "reasoning": {"effort": "low"},
    }
    assert client.ask(body).status == 200
    client.policy.refuse_flat_tools = True
    assert api_error(client.ask(body)) == (400, UNSUPPORTED)
    assert client.ask({**body, "tools": [{"type": "namespace"}]}).status == 200


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff"])
def test_a_body_is_one_json_object(text: bytes) -> None:
    client = signed_in()
    sent = {"Authorization": f"Bearer {client.tokens['access_token']}", "Content_Type": "application/json"}
    answer = client.send("POST", f"{API}/v1/responses", text, **sent)
    assert api_error(answer) == (400, "invalid_request")
    answer = client.send(
        "POST", f"{API}/v1/responses", json.dumps(MODEL).encode(), **{**sent, "Content_Type": "text/plain"}
    )
    assert api_error(answer) == (400, "invalid_request")


# -- the answer ---------------------------------------------------------------------------------------


def test_an_answer_comes_piece_by_piece_and_its_items_before_its_end() -> None:
    seen = events(signed_in(model_text="Hello, you").ask())
    assert [event["type"].removeprefix("response.") for event in seen] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert "".join(event.get("delta", "") for event in seen) == "Hello, you"
    assert seen[8]["item"]["content"][0]["text"] == "Hello, you"
    assert seen[9]["response"]["output"] == []
    assert seen[9]["response"]["usage"]["total_tokens"] == 2
    assert seen[9]["response"]["model"] == "gpt-5.5-codex"


def test_a_response_and_its_message_are_whole() -> None:
    """What four libraries need of it."""
    seen = events(signed_in(model_text="Hello").ask())
    response = seen[0]["response"]
    assert {name: value for name, value in response.items() if name != "id"} == {
        "object": "response",
        "created_at": 1_800_000_007,
        "status": "in_progress",
        "model": "gpt-5.5-codex",
        "output": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": None,
        "top_p": None,
        "tool_choice": "auto",
        "tools": [],
        "text": {"format": {"type": "text"}},
        "reasoning": {"effort": None, "summary": None},
        "store": False,
    }
    part: dict[str, Any] = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    place = {"item_id": seen[2]["item"]["id"], "output_index": 0, "content_index": 0}
    message = {"type": "message", "id": place["item_id"], "role": "assistant"}
    assert seen[2]["item"] == {**message, "status": "in_progress", "content": []}
    assert seen[3]["part"] == {**part, "text": ""}
    assert seen[7]["part"] == part
    assert seen[8]["item"] == {**message, "status": "completed", "content": [part]}
    for event in seen[3:8]:
        assert {name: event[name] for name in place} == place
    assert seen[6]["text"] == "Hello"
    assert seen[-1]["response"]["id"] == response["id"]
    assert seen[-1]["response"]["status"] == "completed"
    assert seen[-1]["response"]["usage"] == {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2,
    }


def test_the_last_event_may_hold_the_items_too() -> None:
    seen = events(signed_in(empty_output=False).ask())
    assert seen[-1]["response"]["output"] == [seen[-2]["item"]]


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (StreamEnd.FAILED, "response.failed"),
        (StreamEnd.INCOMPLETE, "response.incomplete"),
        (StreamEnd.CUT, "response.output_text.delta"),
    ],
)
def test_an_answer_may_end_badly(end: StreamEnd, last: str) -> None:
    seen = events(signed_in(stream_end=end).ask())
    assert seen[-1]["type"] == last
    if end is StreamEnd.FAILED:
        assert seen[-1]["response"]["error"]["code"] == "server_is_overloaded"
    if end is StreamEnd.INCOMPLETE:
        assert seen[-1]["response"]["status"] == "incomplete"
