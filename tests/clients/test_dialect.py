"""What becomes of a request's body: the rules of the backend, one row each."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.clients.dialect import DEFAULT_INSTRUCTIONS, translate
from codex_oauth_core import CHATGPT, CODEX
from codex_oauth_core.chatgpt import CHATGPT_API
from codex_oauth_core.codex import CODEX_API
from codex_oauth_core.model_api import ModelApi

ALWAYS = {"stream": True, "store": False}
USER = {"role": "user", "content": "hi"}


def body(asked: object, api: ModelApi = CODEX_API) -> dict[str, Any]:
    found = translate(json.dumps(asked).encode(), api)
    assert found is not None
    sent: dict[str, Any] = json.loads(found.content)
    assert {name: sent.pop(name) for name in ALWAYS} == ALWAYS
    return sent


def of(asked: object, api: ModelApi = CODEX_API) -> tuple[bool, tuple[str, ...]]:
    found = translate(json.dumps(asked).encode(), api)
    assert found is not None
    return found.gather, found.dropped


def system(content: object, **more: Any) -> dict[str, Any]:
    return {"role": "system", "content": content, **more}


def test_a_plain_call_becomes_what_the_backend_takes() -> None:
    text = {"type": "input_text", "text": "hi"}
    assert body({"model": "m", "input": "hi"}) == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [text]}],
        "instructions": DEFAULT_INSTRUCTIONS,
    }


@pytest.mark.parametrize(
    ("asked", "instructions", "items"),
    [
        ({"input": [USER], "instructions": "be"}, "be", [USER]),
        ({"input": [USER], "instructions": ""}, DEFAULT_INSTRUCTIONS, [USER]),
        ({"input": [USER], "instructions": None}, DEFAULT_INSTRUCTIONS, [USER]),
        ({"input": []}, DEFAULT_INSTRUCTIONS, []),
        ({}, DEFAULT_INSTRUCTIONS, []),
        ({"input": None}, DEFAULT_INSTRUCTIONS, []),
        ({"input": [system("s"), USER]}, "s", [USER]),
        (
            {"input": [system("s", type="message"), system("t"), USER], "instructions": "be"},
            "be\n\ns\n\nt",
            [USER],
        ),
        (
            {"input": [system([{"type": "input_text", "text": "a"}, {"type": "text", "text": "b"}]), USER]},
            "a\nb",
            [USER],
        ),
        ({"input": [system(""), USER]}, DEFAULT_INSTRUCTIONS, [USER]),
        # its place counts, or it is more than text
        (
            {"input": [USER, system("s")], "instructions": "be"},
            "be",
            [USER, {"role": "developer", "content": "s"}],
        ),
        (
            {"input": [system([{"type": "input_image", "image_url": "u"}]), USER], "instructions": "be"},
            "be",
            [{"role": "developer", "content": [{"type": "input_image", "image_url": "u"}]}, USER],
        ),
        (
            {"input": [system(None), USER], "instructions": "be"},
            "be",
            [{"role": "developer", "content": None}, USER],
        ),
        (
            {"input": [{"role": "developer", "content": "d"}, USER], "instructions": "be"},
            "be",
            [{"role": "developer", "content": "d"}, USER],
        ),
        # what nobody understands is the backend's to refuse
        ({"input": 7, "instructions": "be"}, "be", 7),
        (
            {"input": [7, "x", {"role": ["system"]}], "instructions": "be"},
            "be",
            [7, "x", {"role": ["system"]}],
        ),
        ({"input": [system("s")], "instructions": ["list"]}, ["list"], []),
    ],
)
def test_input_and_instructions(asked: Any, instructions: Any, items: Any) -> None:
    assert body(asked) == {"input": items, "instructions": instructions}


def test_the_official_api_needs_no_instructions() -> None:
    assert body({"input": [USER]}, CHATGPT_API) == {"input": [USER]}
    assert body({"input": [system("s"), USER]}, CHATGPT_API) == {"input": [USER], "instructions": "s"}


@pytest.mark.parametrize("provider", [CODEX, CHATGPT])
def test_what_is_refused_is_left_out_and_named_if_it_had_a_value(provider: Any) -> None:
    api = provider.model_api
    names = sorted(api.refused)
    values: list[Any] = [0, False, "", 1.5, {"a": "b"}, []]
    for value in values:
        asked = {**dict.fromkeys(names, value), "input": [USER], "instructions": "be", "tools": []}
        assert body(asked, api) == {"input": [USER], "instructions": "be", "tools": []}
        assert sorted(of(asked, api)[1]) == names
    nothing = {**dict.fromkeys(names), "input": [USER], "reasoning": None}
    assert set(body(nothing, api)) <= {"input", "instructions"}
    assert of(nothing, api)[1] == ()


@pytest.mark.parametrize(
    "name", ["previous_response_id", "conversation", "prompt", "multi_agent", "tools", "include"]
)
@pytest.mark.parametrize("api", [CODEX_API, CHATGPT_API])
def test_what_is_part_of_the_question_stays(name: str, api: ModelApi) -> None:
    assert body({"input": [USER], name: "x"}, api)[name] == "x"


@pytest.mark.parametrize(
    ("stream", "gather"),
    [
        ({}, True),
        ({"stream": False}, True),
        ({"stream": None}, True),
        ({"stream": True}, False),
        ({"stream": 1}, True),
    ],
)
def test_who_asks_for_a_stream_gets_one(stream: Any, gather: bool) -> None:
    assert of({"input": [USER], **stream})[0] is gather


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"null", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_not_touched(content: bytes) -> None:
    assert translate(content, CODEX_API) is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=4)
    | st.sampled_from(["system", "user"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "input", "instructions", "stream", "top_p"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["input", "instructions", "store", "stream", "temperature", "metadata", "model"]),
        JSON,
    )
)
def test_whatever_is_asked_comes_out_by_the_rules(asked: dict[str, Any]) -> None:
    found = translate(json.dumps(asked).encode(), CODEX_API)
    assert found is not None
    sent = json.loads(found.content)
    assert (sent["stream"], sent["store"]) == (True, False)
    assert not CODEX_API.refused & set(sent)
    assert None not in sent.values()
    assert sent["instructions"]
    items: list[Any] = sent["input"] if isinstance(sent["input"], list) else []
    roles = [cast("dict[str, Any]", item).get("role") for item in items if isinstance(item, dict)]
    assert "system" not in roles
    again = translate(found.content, CODEX_API)
    assert again is not None
    assert again.content == found.content  # nothing is left to do


def test_text_that_utf_8_has_no_bytes_for_is_passed_on() -> None:
    found = translate(b'{"input": "\\ud800 \xc3\xbc"}', CODEX_API)
    assert found is not None
    assert json.loads(found.content)["input"][0]["content"][0]["text"] == "\ud800 ü"
