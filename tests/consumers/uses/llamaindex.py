"""LlamaIndex with a login."""

from __future__ import annotations

from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAIResponses

from codex_oauth import CodexAuth, CodexTransport
from tests.consumers.child import Stub


def responses(stub: Stub, *, dialect: bool) -> Any:
    import openai

    base: Any = openai.DefaultHttpxClient.__mro__[1]
    library = __import__(base.__module__.partition(".")[0])
    transport = library.HTTPTransport()
    http = library.Client(
        auth=CodexAuth(stub.source), transport=CodexTransport(transport) if dialect else transport
    )
    return OpenAIResponses(
        model=stub.model,
        api_base=stub.url,
        api_key="unused",
        http_client=http,
        context_window=100_000,
    )


def messages(stub: Stub) -> list[ChatMessage]:
    return [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=stub.question)]


def plain(stub: Stub) -> str:
    return str(responses(stub, dialect=True).chat(messages(stub)).message.content)


def streamed(stub: Stub) -> str:
    return "".join(piece.delta or "" for piece in responses(stub, dialect=True).stream_chat(messages(stub)))


def plain_without_dialect(stub: Stub) -> str:
    return str(responses(stub, dialect=False).chat(messages(stub)).message.content)
