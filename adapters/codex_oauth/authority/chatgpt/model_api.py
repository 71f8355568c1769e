"""The model API behind the official sign-in: it opens for a good token, or says why not.

Rules of this file: a request is looked at in this order: its path, its token, who may use the plan, its body;
the first thing that is wrong is what is told. Whatever a program should leave out is refused by its name,
unless it is null, because many libraries send nulls. The answer is always the same made-up text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

import attrs

from codex_oauth.authority.chatgpt.plan_grants import PlanGrants, SignedIn
from codex_oauth.authority.chatgpt.script import Script
from codex_oauth.authority.chatgpt.settings import PLAN_REFUSALS, PLAN_SCOPE, ChatGptPolicy, StreamEnd
from codex_oauth.authority.chatgpt.token_endpoint import as_json_answer
from codex_oauth.authority.endpoints import Fields
from codex_oauth.authority.messages import JSON, Answer, Call
from codex_oauth_core.secret import Secret

__all__ = ["API_PREFIX", "ModelApi"]

API_PREFIX: Final = "/v1/"

LEFT_OUT: Final = frozenset(
    {
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
    }
)
"""What a request to the plan must not say."""

TOOLS: Final = frozenset({"namespace", "function", "custom", "web_search", "web_search_preview"})
_FOREIGN_HEADERS: Final = ("chatgpt-account-id", "originator")
_UNSUPPORTED: Final = "subscription_sharing_unsupported_capability"


class _Refused(Exception):  # a request that is not served, not an error of ours
    def __init__(self, status: int, code: str, why: str, param: str | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.code = code
        self.why = why
        self.param = param

    def answer(self) -> Answer:
        """The answer as the public API gives it."""
        fields = {
            "message": self.why,
            "type": "invalid_request_error",
            "param": self.param,
            "code": self.code,
        }
        return as_json_answer(self.status, {"error": fields})


@attrs.define(eq=False)
class ModelApi:
    """The two routes of one authority's API."""

    policy: ChatGptPolicy
    grants: PlanGrants
    script: Script
    entropy: Callable[[int], bytes] = attrs.field(repr=False)

    def models(self, call: Call, fields: Fields) -> Answer:
        """The catalogue."""
        del fields
        return self._opened("models", call) or as_json_answer(
            200,
            {
                "models": [
                    {"slug": slug, "display_name": slug.replace("-", " "), "visibility": visibility}
                    for slug, visibility in self.policy.models
                ]
            },
        )

    def responses(self, call: Call, fields: Fields) -> Answer:
        """A model's answer, as server-sent events."""
        del fields
        closed = self._opened("responses", call)
        if closed is not None:
            return closed
        try:
            body = _body(call)
            self._check(body)
        except _Refused as refused:
            self.script.accuse("responses", refused.code, refused.why)
            return refused.answer()
        events = list(self._events(str(body["model"]), int(call.wall)))
        text = "".join(
            f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"
            for number, event in enumerate(events)
        )
        headers = (("Content-Type", "text/event-stream; charset=utf-8"),)
        return Answer(status=200, headers=headers, body=Secret(text.encode()))

    def elsewhere(self, call: Call, endpoint: str) -> Answer:
        """Any other route or method below `API_PREFIX`."""
        self.script.accuse(endpoint, "subscription_sharing_route_not_supported", f"{call.method} {call.path}")
        return _Refused(
            403, "subscription_sharing_route_not_supported", "This route is not served with a plan."
        ).answer()

    # -- who may use it ------------------------------------------------------------------------------

    def _opened(self, endpoint: str, call: Call) -> Answer | None:
        """None if the request's token opens the API, else the answer."""
        for name in _FOREIGN_HEADERS:
            if name in call.headers:
                self.script.accuse(endpoint, "invalid_request", f"{name} is another API's header")
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return as_json_answer(401, {"detail": "Unauthorized"})
        session = self.grants.opened_by(Secret(token.strip()), call.now)
        if session == "invalid_token":
            return as_json_answer(401, {"detail": "Unauthorized"})
        if isinstance(session, str):
            return _Refused(401, session, "This access token is over.").answer()
        if self.policy.admission is not None:
            return as_json_answer(self.policy.admission, {"detail": "Not admitted by this test."})
        code = self._plan_refusal(session)
        return None if code is None else _Refused(PLAN_REFUSALS[code], code, "No plan use.").answer()

    def _plan_refusal(self, session: SignedIn) -> str | None:
        if PLAN_SCOPE not in session.scope:
            return "chatpass_v2_scope_not_authorized"
        if not session.registration.workspace.eligible:
            return "subscription_sharing_user_not_eligible"
        return self.policy.plan_refusal

    # -- what a request may say ----------------------------------------------------------------------

    def _check(self, body: Mapping[str, Any]) -> None:
        if not isinstance(body.get("input"), list):
            raise _Refused(400, "invalid_type", "Input must be a list", "input")
        for name, wanted in (("store", False), ("stream", True)):
            if body.get(name) is not wanted:
                raise _Refused(400, _UNSUPPORTED, f"{name} must be set to {str(wanted).lower()}", name)
        for place, item in enumerate(body["input"]):
            if _is_system_message(item):
                raise _Refused(400, _UNSUPPORTED, "System messages are not allowed", f"input[{place}].role")
        for name in sorted(LEFT_OUT & body.keys()):
            if body[name] is not None:
                raise _Refused(400, _UNSUPPORTED, f"Unsupported parameter: {name}", name)
        for place, kind in enumerate(_tool_kinds(body)):
            flat = kind in ("function", "custom") and self.policy.refuse_flat_tools
            if kind not in TOOLS or flat:
                raise _Refused(400, _UNSUPPORTED, f"Unsupported tool: {kind}", f"tools[{place}]")
        if body.get("model") not in [slug for slug, _ in self.policy.models]:
            raise _Refused(400, "model_not_found", "The model does not exist.", "model")

    # -- the answer ----------------------------------------------------------------------------------

    def _events(self, model: str, created_at: int) -> Iterator[dict[str, Any]]:
        text = self.policy.model_text
        ids = {"item_id": f"msg_fake_{self.entropy(8).hex()}", "output_index": 0, "content_index": 0}
        part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        item = {"type": "message", "id": ids["item_id"], "role": "assistant"}
        done: dict[str, Any] = {**item, "status": "completed", "content": [part]}
        response = _response(f"resp_fake_{self.entropy(8).hex()}", model, created_at)
        yield {"type": "response.created", "response": response}
        yield {"type": "response.in_progress", "response": response}
        added: dict[str, Any] = {**item, "status": "in_progress", "content": []}
        yield {"type": "response.output_item.added", "output_index": 0, "item": added}
        yield {"type": "response.content_part.added", **ids, "part": {**part, "text": ""}}
        half = (len(text) + 1) // 2
        for delta in (text[:half], text[half:]):
            yield {"type": "response.output_text.delta", **ids, "delta": delta, "logprobs": []}
        if self.policy.stream_end is StreamEnd.CUT:
            return
        if self.policy.stream_end is StreamEnd.FAILED:
            error = {"code": "server_is_overloaded", "message": "This test fails."}
            yield {"type": "response.failed", "response": {**response, "status": "failed", "error": error}}
            return
        if self.policy.stream_end is StreamEnd.INCOMPLETE:
            short = {**response, "status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
            yield {"type": "response.incomplete", "response": short}
            return
        yield {"type": "response.output_text.done", **ids, "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **ids, "part": part}
        yield {"type": "response.output_item.done", "output_index": 0, "item": done}
        output: list[object] = [] if self.policy.empty_output else [done]
        whole = {**response, "status": "completed", "output": output, "usage": _USAGE}
        yield {"type": "response.completed", "response": whole}


_USAGE: Final = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 1,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 2,
}


def _response(response_id: str, model: str, created_at: int) -> dict[str, Any]:
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "model": model,
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


def _body(call: Call) -> dict[str, Any]:
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise _Refused(400, "invalid_request", f"the body must be {JSON}")
    try:
        body: object = json.loads(call.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _Refused(400, "invalid_request", "the body is no JSON object")
    return cast("dict[str, Any]", body)


def _is_system_message(item: object) -> bool:
    return isinstance(item, dict) and cast("dict[str, object]", item).get("role") == "system"


def _tool_kinds(body: Mapping[str, Any]) -> list[str]:
    """The types of the tools; of what is no tool, its text."""
    tools: object = body.get("tools") or []
    if not isinstance(tools, list):
        raise _Refused(400, "invalid_type", "tools is a list", "tools")
    return [
        str(cast("dict[str, object]", tool).get("type") if isinstance(tool, dict) else tool)
        for tool in cast("list[object]", tools)
    ]
