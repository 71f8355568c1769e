"""The events of a model's answer, in their order: a text, or a call of a function that was asked for.

Rules of this file: pure; every client library of `make consumers` gets along with these events, and each
needs another part of them; so nothing may be left out here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

import attrs

from codex_oauth.authority.models.examples import example_of

__all__ = [
    "TOKEN_USAGE",
    "ModelEvent",
    "ModelReply",
    "empty_response",
    "events_of",
    "failed_events",
    "reply_to",
]

ModelEvent = dict[str, Any]

TOKEN_USAGE: Final = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 1,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 2,
}


@attrs.frozen(kw_only=True)
class ModelReply:
    """What the model says: a text, or a call of a tool. `call` is the tool, `text` then its arguments."""

    text: str
    call: Mapping[str, Any] | None = None
    namespace: str | None = None
    reasoning: bool = False
    encrypted: bool = False
    """Whether the reasoning is there too, encrypted."""


# -- what is answered ----------------------------------------------------------------------------------


def reply_to(body: Mapping[str, Any], text: str, *, reasoning: bool) -> ModelReply:
    """What the model says to a request: a call where a tool is asked for, else `text`, or text that fits the
    schema of the request.
    """
    encrypted = "reasoning.encrypted_content" in _list(body.get("include"))
    for namespace, tool in _asked_for(body):
        custom = tool.get("type") == "custom"
        arguments = "fake" if custom else json.dumps(example_of(tool.get("parameters")) or {})
        return ModelReply(
            text=arguments, call=tool, namespace=namespace, reasoning=reasoning, encrypted=encrypted
        )
    wanted = _dict(_dict(body.get("text")).get("format"))
    if wanted.get("type") == "json_schema":
        text = json.dumps(example_of(wanted.get("schema")))
    elif wanted.get("type") == "json_object":
        text = "{}"
    return ModelReply(text=text, reasoning=reasoning, encrypted=encrypted)


def _asked_for(body: Mapping[str, Any]) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """The tools that the request asks for: its `tool_choice` does, or the person's last message names one."""
    choice = body.get("tool_choice")
    items = _list(body.get("input"))
    if choice == "none" or any(_is_result(item) for item in items[_last_message(items) + 1 :]):
        return
    said = json.dumps(items[_last_message(items) :][:1])
    named = _dict(choice).get("name")
    for namespace, tool in _tools(body):
        name = str(tool.get("name"))
        mentioned = re.search(rf"\b{re.escape(name)}\b", said) is not None
        if name == named or (named is None and (choice == "required" or mentioned)):
            yield namespace, tool


def _tools(body: Mapping[str, Any]) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    offered = [_dict(tool) for tool in _list(body.get("tools"))]
    for item in map(_dict, _list(body.get("input"))):
        if item.get("type") == "additional_tools":
            offered += [_dict(tool) for tool in _list(item.get("tools"))]
    for tool in offered:
        if tool.get("type") == "namespace":
            yield from ((str(tool.get("name")), _dict(one)) for one in _list(tool.get("tools")))
        elif tool.get("type") in ("function", "custom"):
            yield None, tool


def _last_message(items: list[Any]) -> int:
    """The place of the person's last message; -1 without one."""
    return max((n for n, item in enumerate(items) if _dict(item).get("role") == "user"), default=-1)


def _is_result(item: object) -> bool:
    return str(_dict(item).get("type")).endswith("_call_output")


def _dict(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[object]", value) if isinstance(value, list) else []


# -- the events ----------------------------------------------------------------------------------------


_ECHOED: Final = ("instructions", "parallel_tool_calls", "reasoning", "text", "tool_choice", "tools")


def empty_response(body: Mapping[str, Any], response_id: str, created_at: int) -> dict[str, Any]:
    """A response that is in progress. It says again what the request said of these things; some clients read
    there how they asked.
    """
    usual: dict[str, Any] = {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "model": body["model"],
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
    return {**usual, **{name: body[name] for name in _ECHOED if body.get(name) is not None}}


def events_of(
    reply: ModelReply, response: Mapping[str, Any], new_id: Callable[[], str], *, empty_output: bool
) -> Iterator[ModelEvent]:
    """Every event of an answer, without its `sequence_number`. `response` is an empty one."""
    yield {"type": "response.created", "response": response}
    yield {"type": "response.in_progress", "response": response}
    output: list[Mapping[str, Any]] = []
    if reply.reasoning:
        output.append(_reasoning(new_id(), encrypted=reply.encrypted))
        yield {"type": "response.output_item.added", "output_index": 0, "item": output[0]}
        yield {"type": "response.output_item.done", "output_index": 0, "item": output[0]}
    spoken = _text(reply, new_id(), len(output)) if reply.call is None else _call(reply, new_id, len(output))
    for event in spoken:
        if event["type"] == "response.output_item.done":
            output.append(event["item"])
        yield event
    told = [] if empty_output else output
    yield {
        "type": "response.completed",
        "response": {**response, "status": "completed", "output": told, "usage": TOKEN_USAGE},
    }


def failed_events(response: Mapping[str, Any], code: str, message: str) -> Iterator[ModelEvent]:
    """An answer that begins and fails."""
    yield {"type": "response.created", "response": response}
    yield {"type": "response.in_progress", "response": response}
    error = {"code": code, "message": message}
    yield {"type": "response.failed", "response": {**response, "status": "failed", "error": error}}


def _text(reply: ModelReply, item_id: str, index: int) -> Iterator[ModelEvent]:
    ids = {"item_id": f"msg_fake_{item_id}", "output_index": index, "content_index": 0}
    part: dict[str, Any] = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    item = {"type": "message", "id": ids["item_id"], "role": "assistant"}
    added: dict[str, Any] = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": index, "item": added}
    yield {"type": "response.content_part.added", **ids, "part": {**part, "text": ""}}
    for piece in _pieces(reply.text):
        yield {"type": "response.output_text.delta", **ids, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **ids, "text": reply.text, "logprobs": []}
    yield {"type": "response.content_part.done", **ids, "part": part}
    done: dict[str, Any] = {**item, "status": "completed", "content": [part]}
    yield {"type": "response.output_item.done", "output_index": index, "item": done}


def _call(reply: ModelReply, new_id: Callable[[], str], index: int) -> Iterator[ModelEvent]:
    tool = reply.call or {}
    custom = tool.get("type") == "custom"
    kind, holds, about = (
        ("custom_tool_call", "input", "ctc") if custom else ("function_call", "arguments", "fc")
    )
    name = str(tool.get("name"))
    item: dict[str, Any] = {
        "type": kind,
        "id": f"{about}_fake_{new_id()}",
        "call_id": f"call_fake_{new_id()}",
        "name": name,
        **({} if reply.namespace is None else {"namespace": reply.namespace}),
    }
    ids = {"item_id": item["id"], "output_index": index}
    stem = f"response.{kind}_{holds}"
    added = {**item, holds: "", "status": "in_progress"}
    yield {"type": "response.output_item.added", "output_index": index, "item": added}
    for piece in _pieces(reply.text):
        yield {"type": f"{stem}.delta", **ids, "delta": piece}
    yield {"type": f"{stem}.done", **ids, holds: reply.text, **({} if custom else {"name": name})}
    done = {**item, holds: reply.text, "status": "completed"}
    yield {"type": "response.output_item.done", "output_index": index, "item": done}


def _reasoning(item_id: str, *, encrypted: bool) -> dict[str, Any]:
    more = {"encrypted_content": f"fake-encrypted-{item_id}"} if encrypted else {}
    return {"type": "reasoning", "id": f"rs_fake_{item_id}", "summary": [], **more}


def _pieces(text: str) -> list[str]:
    """A text in the pieces that it is sent in: its words, and two pieces at least if it has two letters."""
    words: list[str] = re.findall(r"\s*\S+(?:\s+$)?|\s+", text)
    if len(words) > 1 or len(text) < 2:
        return words
    half = (len(text) + 1) // 2
    return [text[:half], text[half:]]
