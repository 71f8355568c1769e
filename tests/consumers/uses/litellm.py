"""litellm, and smolagents over it, with a login."""

from __future__ import annotations

import os
from typing import Any

import httpx
import litellm
from litellm.llms.custom_httpx.http_handler import HTTPHandler

from codex_oauth import CodexAuth
from tests.consumers.child import Stub

os.environ["CHATGPT_ORIGINATOR"] = "codex-oauth"
litellm.suppress_debug_info = True


def asked(stub: Stub, **options: Any) -> Any:
    return litellm.completion(
        model=f"chatgpt/{stub.model}",
        api_base=stub.url,
        messages=[{"role": "user", "content": stub.question}],
        **options,
    )


def with_auth(stub: Stub) -> dict[str, Any]:
    return {"api_key": "-", "client": HTTPHandler(client=httpx.Client(auth=CodexAuth(stub.source)))}


def key(stub: Stub) -> str:
    return str(asked(stub, api_key=stub.source.token()).choices[0].message.content)


def plain(stub: Stub) -> str:
    return str(asked(stub, **with_auth(stub)).choices[0].message.content)


def streamed(stub: Stub) -> str:
    pieces = asked(stub, stream=True, **with_auth(stub))
    return "".join(piece.choices[0].delta.content or "" for piece in pieces)


def responses(stub: Stub) -> str:
    answer = litellm.responses(
        model=f"chatgpt/{stub.model}",
        api_base=stub.url,
        input=stub.question,
        stream=True,
        **with_auth(stub),
    )
    return "".join(event.delta for event in answer if event.type == "response.output_text.delta")


def smolagents(stub: Stub) -> str:
    from smolagents import ChatMessage, LiteLLMModel, MessageRole

    model = LiteLLMModel(f"chatgpt/{stub.model}", api_base=stub.url, api_key=stub.source.token())
    message = ChatMessage(role=MessageRole.USER, content=[{"type": "text", "text": stub.question}])
    return str(model.generate([message]).content)


def smolagents_openai(stub: Stub) -> str:
    from smolagents import ChatMessage, MessageRole, OpenAIModel

    model = OpenAIModel(stub.model, api_base=stub.url, api_key=stub.source.token())
    message = ChatMessage(role=MessageRole.USER, content=[{"type": "text", "text": stub.question}])
    return str(model.generate([message]).content)
