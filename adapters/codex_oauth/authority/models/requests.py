"""What the body of a model request may say, at the Codex backend and at the public API with a plan.

Rules of this file: pure; the checks are made in a fixed order and only the first fault is told; a field that
must be left out may be null, because many libraries send nulls for all that they do not use.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, cast

from codex_oauth.authority.messages import JSON, Call
from codex_oauth.authority.models.refusals import not_supported
from codex_oauth.authority.models.settings import ModelPolicy

__all__ = [
    "CODEX_LEFT_OUT",
    "PLAN_LEFT_OUT",
    "PLAN_TOOLS",
    "BodyRefused",
    "check_codex",
    "check_plan",
    "json_object",
    "parsed_object",
]

CODEX_LEFT_OUT: Final = (
    "max_output_tokens",
    "temperature",
    "top_p",
    "metadata",
    "max_tokens",
    "max_completion_tokens",
    "stream_options",
    "prompt_cache_options",
    "prompt_cache_breakpoint",
)
"""What a request to the Codex backend must not say."""

PLAN_LEFT_OUT: Final = (
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
)
"""What a request to the public API with a plan must not say."""

PLAN_TOOLS: Final = frozenset({"namespace", "function", "custom", "web_search", "web_search_preview"})

_UNSUPPORTED: Final = "subscription_sharing_unsupported_capability"
_ROLES: Final = ("user", "assistant", "developer")
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "message": ("role", "content"),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id", "output"),
    "reasoning": ("summary",),
    "item_reference": ("id",),
}
"""What items of the input must have; items of other types are taken as they are."""


class BodyRefused(Exception):  # a client's mistake, not an error of ours
    """The body is not served. With a `param` it is told as the public API tells it."""

    def __init__(self, why: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.code = code
        self.param = param


def json_object(call: Call) -> dict[str, Any]:
    """The body of a request. BodyRefused if it is no JSON object."""
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise BodyRefused(f"the body must be {JSON}", "invalid_request")
    return parsed_object(call.body)


def parsed_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object. BodyRefused for anything else."""
    try:
        body: object = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise BodyRefused("the body is no JSON object", "invalid_request")
    return cast("dict[str, Any]", body)


def check_codex(
    body: Mapping[str, Any],
    policy: ModelPolicy,
    *,
    version: str | None = None,
    answered: Collection[str] | None = None,
) -> None:
    """BodyRefused for what the Codex backend does not serve. `version` is what the client says that it is.

    On a WebSocket, `answered` are the responses of the connection: there `store` and `stream` may be left
    out, and one of the responses may be gone on from.
    """
    over_socket = answered is not None
    instructions = body.get("instructions")
    if not isinstance(instructions, str) or not instructions:
        raise BodyRefused("Instructions are required")
    if policy.official_instructions not in (None, instructions):
        raise BodyRefused("Instructions are not valid")
    if not isinstance(body.get("input"), list):
        raise BodyRefused("Input must be a list")
    if body.get("store", False if over_socket else None) is not False:
        raise BodyRefused("Store must be set to false")
    if not over_socket and body.get("stream") is not True:
        raise BodyRefused("Stream must be set to true")
    if any(_role(item) == "system" for item in body["input"]):
        raise BodyRefused("System messages are not allowed")
    left_out = CODEX_LEFT_OUT if over_socket else (*CODEX_LEFT_OUT, "previous_response_id")
    for name in left_out:
        if body.get(name) is not None:
            raise BodyRefused(f"Unsupported parameter: {name}")
    _check_model(body.get("model"), policy, version)
    _check_previous(body.get("previous_response_id"), answered)
    _check_items(body["input"])


def check_plan(
    body: Mapping[str, Any],
    *,
    slugs: Collection[str],
    refuse_flat_tools: bool,
    answered: Collection[str] | None = None,
) -> None:
    """BodyRefused for what the public API does not serve with a plan; `answered` as in `check_codex`."""
    over_socket = answered is not None
    if not isinstance(body.get("input"), list):
        raise BodyRefused("Input must be a list", "invalid_type", "input")
    if body.get("store", False if over_socket else None) is not False:
        raise BodyRefused("store must be set to false", _UNSUPPORTED, "store")
    if not over_socket and body.get("stream") is not True:
        raise BodyRefused("stream must be set to true", _UNSUPPORTED, "stream")
    for place, item in enumerate(body["input"]):
        if _role(item) == "system":
            raise BodyRefused("System messages are not allowed", _UNSUPPORTED, f"input[{place}].role")
    for name in PLAN_LEFT_OUT:
        if body.get(name) is not None and not (over_socket and name == "previous_response_id"):
            raise BodyRefused(f"Unsupported parameter: {name}", _UNSUPPORTED, name)
    for place, kind in enumerate(_tool_kinds(body)):
        flat = kind in ("function", "custom") and refuse_flat_tools
        if kind not in PLAN_TOOLS or flat:
            raise BodyRefused(f"Unsupported tool: {kind}", _UNSUPPORTED, f"tools[{place}]")
    if body.get("model") not in list(slugs):
        raise BodyRefused("The model does not exist.", "model_not_found", "model")
    _check_previous(body.get("previous_response_id"), answered)


def _role(item: object) -> object:
    return cast("dict[str, object]", item).get("role") if isinstance(item, dict) else None


def _check_model(slug: object, policy: ModelPolicy, version: str | None) -> None:
    found = next((model for model in policy.models if model.slug == slug), None)
    if found is None or (version is not None and not found.is_shown_to(version)):
        raise BodyRefused(not_supported(slug))


def _check_previous(previous: object, answered: Collection[str] | None) -> None:
    if previous is not None and answered is not None and previous not in list(answered):
        raise BodyRefused(
            f"Previous response with id '{previous}' not found.",
            "previous_response_not_found",
            "previous_response_id",
        )


def _check_items(items: list[object]) -> None:
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            raise BodyRefused("Invalid type: an item is an object.", "invalid_type", f"input[{place}]")
        fields = cast("dict[str, object]", item)
        for name in _NEEDED.get(str(fields.get("type", "message")), ()):
            if fields.get(name) is None:
                param = f"input[{place}].{name}"
                raise BodyRefused(
                    f"Missing required parameter: '{param}'.", "missing_required_parameter", param
                )
        role = fields.get("role")
        if role is not None and role not in _ROLES:
            raise BodyRefused(f"Invalid value: '{role}'.", "invalid_value", f"input[{place}].role")


def _tool_kinds(body: Mapping[str, Any]) -> Iterator[str]:
    """The types of the tools; of what is no tool, its text."""
    tools: object = body.get("tools") or []
    if not isinstance(tools, list):
        raise BodyRefused("tools is a list", "invalid_type", "tools")
    for tool in cast("list[object]", tools):
        yield str(cast("dict[str, object]", tool).get("type") if isinstance(tool, dict) else tool)
