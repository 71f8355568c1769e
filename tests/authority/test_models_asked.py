"""Who may ask the model stub, and what a request may say: every refusal, in its order and with its text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth.authority import Account, UsageLimit, endpoints
from codex_oauth_core import Request
from tests.authority.model_client import CODEX, CODEX_BODY, MODEL, PLAN, Asker, error_of, said

BASES = [CODEX, PLAN]
LATER = {"input": "text", "store": True, "stream": False, "model": "gpt-nothing", "temperature": 1}
"""All that is wrong with a body but its instructions."""


# -- the path -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{CODEX}/chat/completions"),
        ("POST", f"{CODEX}/embeddings"),
        ("POST", f"{CODEX}/batches"),
        ("POST", f"{CODEX}/responses/input_tokens"),
        ("GET", f"{CODEX}/models/{MODEL}"),
        ("GET", "/backend-api/wham"),
        ("GET", "/backend-api/"),
    ],
)
def test_the_codex_backend_has_no_other_path(method: str, path: str) -> None:
    assert said(Asker().call(method, path, {}, Authorization=...)) == (404, {"detail": "Not Found"})


def test_the_public_api_serves_no_other_path_with_a_plan() -> None:
    answer = Asker().call("POST", f"{PLAN}/chat/completions", {})
    assert error_of(answer) == (403, "subscription_sharing_route_not_supported", None)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", f"{CODEX}/responses", "POST"),
        ("POST", f"{CODEX}/models", "GET"),
        ("DELETE", "/backend-api/wham/usage", "GET"),
    ],
)
def test_a_path_has_one_method(method: str, path: str, allow: str) -> None:
    answer = Asker().call(method, path, Authorization=...)
    assert said(answer) == (405, {"detail": "Method Not Allowed"})
    assert answer.header("Allow") == allow


def test_without_models_there_are_no_such_paths() -> None:
    asker = Asker()
    asker.authority = type(asker.authority)()
    assert asker.ask().status == 404
    assert asker.ask(base=PLAN).status == 404


# -- the token ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    "authorization", [..., "", "Basic eDp5", "Bearer", "Bearer ", "Bearer made-up", "token", "unused"]
)
def test_without_a_token_of_this_authority_it_is_shut(base: str, authorization: Any) -> None:
    asker = Asker()
    for answer in (
        asker.ask(base=base, Authorization=authorization),
        asker.call("GET", f"{base}/models?client_version=1.0.0", Authorization=authorization),
    ):
        assert said(answer) == (401, {"detail": "Unauthorized"})


def test_the_scheme_has_no_case_and_other_tokens_do_not_open() -> None:
    asker = Asker()
    assert asker.ask(Authorization=f"bearer {asker.tokens['access_token']}").status == 200
    for name in ("refresh_token", "id_token"):
        assert asker.ask(Authorization=f"Bearer {asker.tokens[name]}").status == 401
    elsewhere = Asker()
    assert asker.ask(Authorization=f"Bearer {elsewhere.tokens['access_token']}").status == 401


def test_two_tokens_are_none() -> None:
    asker = Asker()
    good = asker.request("POST", f"{CODEX}/responses", CODEX_BODY)
    for value in ("Bearer unused", f"Bearer {asker.tokens['access_token']}"):
        twice = Request("POST", good.url, (("Authorization", value), *good.headers), good.body)
        assert asker.authority.handle(twice, asker.now, asker.wall).status == 401


@pytest.mark.parametrize("base", BASES)
def test_a_token_that_expired_or_was_revoked_is_told_so(base: str) -> None:
    asker = Asker(lifetime=100)
    expires_at = int(asker.wall) + 100  # as the token says
    asker.wall = expires_at - 0.25
    assert asker.ask(base=base).status == 200
    asker.wall = float(expires_at)
    assert error_of(asker.ask(base=base)) == (401, "token_expired", None)
    asker.renew()
    assert asker.ask(base=base).status == 200
    asker.post("/oauth/revoke", {"token": asker.tokens["access_token"]})
    answer = asker.ask(base=base)
    assert error_of(answer) == (401, "token_invalidated", None)
    assert said(answer)[1]["status"] == 401
    assert said(answer)[1]["error"]["type"] == "invalid_request_error"


def test_the_token_before_the_last_is_good_until_it_expires() -> None:
    asker = Asker()
    old = asker.tokens["access_token"]
    asker.renew()
    assert asker.ask(Authorization=f"Bearer {old}").status == 200


def test_a_refresh_token_that_is_used_twice_ends_the_access_tokens_too() -> None:
    asker = Asker()
    spent = asker.tokens["refresh_token"]
    asker.renew()
    asker.refresh(spent)
    assert error_of(asker.ask()) == (401, "token_invalidated", None)


# -- the headers --------------------------------------------------------------------------------------


HEADERS: list[tuple[dict[str, Any], int, int, int]] = [
    ({}, 200, 200, 200),
    ({"ChatGPT-Account-Id": ...}, 200, 403, 403),
    ({"ChatGPT-Account-Id": ""}, 200, 403, 403),
    ({"ChatGPT-Account-Id": "somebody-else"}, 200, 403, 403),
    ({"originator": ...}, 200, 403, 403),
    ({"originator": ""}, 200, 403, 403),
    ({"User-Agent": ...}, 200, 200, 404),
    ({"User-Agent": "OpenAI/Python 3.57.0"}, 200, 200, 404),
    ({"User-Agent": "demonstration/1.0"}, 200, 200, 404),
    ({"User-Agent": "demo"}, 200, 200, 200),
    ({"User-Agent": "demo (Linux)"}, 200, 200, 200),
    ({"Accept": "application/json", "OpenAI-Beta": ...}, 200, 200, 200),
]


@pytest.mark.parametrize("place", [0, 1, 2], ids=["lenient", "usual", "exact"])
@pytest.mark.parametrize(("changes", *("lenient", "usual", "exact")), HEADERS, ids=str)
def test_which_headers_are_demanded(
    place: int, changes: dict[str, Any], lenient: int, usual: int, exact: int
) -> None:
    asker = Asker(headers=("lenient", "usual", "exact")[place])
    assert asker.ask(**changes).status == (lenient, usual, exact)[place]
    assert asker.ask(base=PLAN, **changes).status == 200


def test_a_missing_account_is_answered_by_a_firewall() -> None:
    answer = Asker().ask(ChatGPT_Account_Id=...)
    assert answer.status == 403
    assert answer.header("cf-mitigated") == "challenge"
    assert (answer.header("Content-Type") or "").startswith("text/html")
    assert answer.body.reveal().startswith(b"<!doctype html>")


def test_a_user_agent_that_does_not_match_is_not_found() -> None:
    answer = Asker(headers="exact").ask(User_Agent="x/1")
    assert said(answer) == (404, {"detail": "Not Found"})


def test_the_name_of_the_account_header_has_no_case() -> None:
    asker = Asker()
    account = asker.authority.policy.account.account_id
    changed: dict[str, Any] = {"ChatGPT-Account-Id": ..., "CHATGPT-ACCOUNT-ID": account}
    assert asker.ask(**changed).status == 200


def test_a_login_without_an_account_need_not_name_one() -> None:
    assert Asker(account=Account(account_id=None)).ask().status == 200


# -- the body, at the Codex backend ---------------------------------------------------------------------

UNSUPPORTED = "The 'gpt-nothing' model is not supported when using Codex with a ChatGPT account."
LEFT_OUT = [
    "max_output_tokens",
    "temperature",
    "top_p",
    "metadata",
    "max_tokens",
    "max_completion_tokens",
    "stream_options",
    "prompt_cache_options",
    "prompt_cache_breakpoint",
    "previous_response_id",
]

BODIES: list[tuple[dict[str, Any], str]] = [
    ({"instructions": ..., **LATER}, "Instructions are required"),
    ({"instructions": ""}, "Instructions are required"),
    ({"instructions": None}, "Instructions are required"),
    ({"instructions": ["x"]}, "Instructions are required"),
    (LATER, "Input must be a list"),
    ({"input": ...}, "Input must be a list"),
    ({"input": {"role": "user"}}, "Input must be a list"),
    ({**LATER, "input": []}, "Store must be set to false"),
    ({"store": ...}, "Store must be set to false"),
    ({"store": 0}, "Store must be set to false"),
    ({**LATER, "input": [], "store": False}, "Stream must be set to true"),
    ({"stream": ...}, "Stream must be set to true"),
    ({"stream": 1}, "Stream must be set to true"),
    ({"input": [{"role": "system", "content": "x"}], "temperature": 1}, "System messages are not allowed"),
    ({"temperature": 1, "model": "gpt-nothing"}, "Unsupported parameter: temperature"),
    ({"temperature": 0}, "Unsupported parameter: temperature"),
    ({"metadata": {}}, "Unsupported parameter: metadata"),
    ({"model": "gpt-nothing"}, UNSUPPORTED),
    ({"model": ...}, UNSUPPORTED.replace("gpt-nothing", "None")),
    ({"model": ["x"]}, UNSUPPORTED.replace("gpt-nothing", "['x']")),
    *(({name: "x"}, f"Unsupported parameter: {name}") for name in LEFT_OUT),
]


@pytest.mark.parametrize(("fields", "text"), BODIES, ids=str)
def test_only_the_first_fault_of_a_body_is_told(fields: dict[str, Any], text: str) -> None:
    assert said(Asker().ask(fields)) == (400, {"detail": text})


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_null_says_nothing(name: str) -> None:
    assert Asker().ask({name: None}).status == 200


def test_instructions_may_have_to_be_the_official_ones() -> None:
    asker = Asker(official_instructions="You are Codex.")
    assert said(asker.ask()) == (400, {"detail": "Instructions are not valid"})
    assert asker.ask({"instructions": "You are Codex."}).status == 200


ITEMS: list[tuple[Any, str, str]] = [
    ("text", "invalid_type", "input[1]"),
    ({"role": "robot", "content": "x"}, "invalid_value", "input[1].role"),
    ({"role": "user"}, "missing_required_parameter", "input[1].content"),
    ({"content": "x"}, "missing_required_parameter", "input[1].role"),
    ({"type": "item_reference"}, "missing_required_parameter", "input[1].id"),
    (
        {"type": "function_call", "name": "f", "arguments": ""},
        "missing_required_parameter",
        "input[1].call_id",
    ),
    ({"type": "function_call_output", "call_id": "c"}, "missing_required_parameter", "input[1].output"),
    ({"type": "custom_tool_call_output", "output": "c"}, "missing_required_parameter", "input[1].call_id"),
    ({"type": "reasoning"}, "missing_required_parameter", "input[1].summary"),
]


@pytest.mark.parametrize(("item", "code", "param"), ITEMS, ids=str)
def test_a_fault_inside_the_input_names_its_place(item: Any, code: str, param: str) -> None:
    items = [CODEX_BODY["input"][0], item]
    answer = Asker().ask({"input": items})
    assert error_of(answer) == (400, code, param)
    assert said(answer)[1]["error"]["type"] == "invalid_request_error"


def test_what_is_taken_is_taken() -> None:
    fields: dict[str, Any] = {
        "input": [
            {"role": "developer", "content": "x"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
            {"type": "reasoning", "summary": [], "encrypted_content": "x"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "x"},
            {"type": "something_new"},
            {"role": "user", "content": "x"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {}}],
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "prompt_cache_key": "k",
        "service_tier": "priority",
        "model": "gpt-5.5-hidden",
    }
    assert Asker().ask(fields).status == 200


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(text: bytes) -> None:
    asker = Asker()
    for base in BASES:
        assert asker.call("POST", f"{base}/responses", text).status == 400
        assert asker.call("POST", f"{base}/responses", CODEX_BODY, Content_Type="text/plain").status == 400


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("0.144.0", 200),
        ("0.143.9", 400),
        ("0.9.0", 400),
        ("0.144.0-alpha.1", 200),
        ("0.0.0", 200),
        ("new", 200),
    ],
)
def test_a_version_below_a_models_minimum_is_refused(version: str, status: int) -> None:
    answer = Asker().ask(version=version)
    assert answer.status == status
    if status == 400:
        assert said(answer)[1] == {"detail": UNSUPPORTED.replace("gpt-nothing", MODEL)}


# -- the body, at the public API ------------------------------------------------------------------------

CAPABILITY = "subscription_sharing_unsupported_capability"
PLAN_LEFT_OUT = [
    "background",
    "conversation",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "moderation",
    "multi_agent",
    "previous_response_id",
    "prompt",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "temperature",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
]
PLAN_BODIES: list[tuple[dict[str, Any], str, str]] = [
    ({"input": "x"}, "invalid_type", "input"),
    ({"store": ...}, CAPABILITY, "store"),
    ({"stream": ...}, CAPABILITY, "stream"),
    ({"input": [{"type": "message", "role": "system"}]}, CAPABILITY, "input[0].role"),
    ({"tools": [{"type": "web_search"}, {"type": "mcp"}]}, CAPABILITY, "tools[1]"),
    ({"tools": [{"type": "image_generation"}]}, CAPABILITY, "tools[0]"),
    ({"tools": [{"type": "file_search"}]}, CAPABILITY, "tools[0]"),
    ({"tools": [{"type": "code_interpreter"}]}, CAPABILITY, "tools[0]"),
    ({"tools": [{"type": "computer_use_preview"}]}, CAPABILITY, "tools[0]"),
    ({"tools": [{"type": "tool_search"}]}, CAPABILITY, "tools[0]"),
    ({"model": "gpt-nothing"}, "model_not_found", "model"),
    *(({name: 1}, CAPABILITY, name) for name in PLAN_LEFT_OUT),
]


@pytest.mark.parametrize(("fields", "code", "param"), PLAN_BODIES, ids=str)
def test_the_public_api_refuses_by_name(fields: dict[str, Any], code: str, param: str) -> None:
    assert error_of(Asker().ask(fields, base=PLAN)) == (400, code, param)


def test_the_public_api_needs_no_instructions_and_may_refuse_flat_functions() -> None:
    asker = Asker()
    flat = {"tools": [{"type": "function", "name": "f"}]}
    assert asker.ask(flat, base=PLAN).status == 200
    asker.models.refuse_flat_tools = True
    assert error_of(asker.ask(flat, base=PLAN)) == (400, CAPABILITY, "tools[0]")
    assert asker.ask({"tools": [{"type": "namespace", "name": "n", "tools": []}]}, base=PLAN).status == 200
    assert asker.ask(flat).status == 200


# -- the order ------------------------------------------------------------------------------------------


def test_the_first_thing_that_is_wrong_is_told() -> None:
    """Path, token, headers, usage limit, body."""
    asker = Asker(usage_limit=None)
    bad: dict[str, Any] = {"instructions": ...}
    nobody: dict[str, Any] = {"Authorization": ..., "ChatGPT-Account-Id": ...}
    assert asker.call("POST", f"{CODEX}/nothing", **nobody).status == 404
    assert asker.ask(bad, **nobody).status == 401
    asker.models.usage_limit = UsageLimit()
    assert asker.ask(bad, ChatGPT_Account_Id=...).status == 403
    assert asker.ask(bad).status == 429
    asker.models.usage_limit = None
    assert asker.ask(bad).status == 400


# -- the record -----------------------------------------------------------------------------------------


def test_what_was_received_can_be_read_and_tokens_are_secret() -> None:
    asker = Asker()
    asker.ask({"prompt_cache_key": "k"})
    asker.ask(base=PLAN, Authorization=...)
    asker.call("GET", f"{CODEX}/models?client_version=1.0.0")
    first, second = asker.authority.received("responses")
    assert (first.number, first.method, first.path, first.status) == (1, "POST", f"{CODEX}/responses", 200)
    assert first.body == {**CODEX_BODY, "prompt_cache_key": "k"}
    assert first.headers["originator"] == "demo"
    assert "authorization" not in first.headers
    assert first.token is not None
    assert first.token.reveal() == asker.tokens["access_token"]
    assert asker.tokens["access_token"] not in repr(asker.authority.requests)
    assert (second.number, second.status, second.token) == (2, 401, None)
    assert [one.path for one in asker.authority.received("models")] == [f"{CODEX}/models"]


def test_the_bodies_of_the_latest_requests_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "MOST_BODIES", 2)
    asker = Asker()
    for number in range(4):
        asker.ask({"prompt_cache_key": str(number)})
    kept = [one.body and one.body["prompt_cache_key"] for one in asker.authority.received("responses")]
    assert kept == [None, None, "2", "3"]


def test_json_is_json() -> None:
    """The texts of refusals survive being shown."""
    assert json.loads(Asker().ask({"model": 'a"b'}).body.reveal())["detail"].startswith("The 'a\"b' model")
