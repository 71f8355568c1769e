"""langchain-openai with a login."""

from __future__ import annotations

from typing import Any

import httpx2
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from codex_oauth import CodexAuth, CodexTransport
from tests.consumers.child import Stub


class City(BaseModel):
    """A city."""

    name: str
    people: int


def chat(stub: Stub, **options: Any) -> Any:
    http = httpx2.Client(auth=CodexAuth(stub.source))
    given: dict[str, Any] = {
        "model": stub.model,
        "base_url": stub.url,
        "api_key": stub.source.token,
        "use_responses_api": True,
        "http_client": http,
        **options,
    }
    return ChatOpenAI(**given)


def by_itself(stub: Stub, **options: Any) -> Any:
    """With its own options for what the backend wants."""
    return chat(stub, store=False, streaming=True, model_kwargs={"instructions": "Be brief."}, **options)


def with_transport(stub: Stub) -> Any:
    http = httpx2.Client(auth=CodexAuth(stub.source), transport=CodexTransport(httpx2.HTTPTransport()))
    return chat(stub, http_client=http)


def plain(stub: Stub) -> str:
    return str(by_itself(stub).invoke(stub.question).text)


def streamed(stub: Stub) -> str:
    return "".join(piece.text for piece in by_itself(stub).stream(stub.question))


def structured(stub: Stub) -> str:
    city = by_itself(stub).with_structured_output(City).invoke(stub.question)
    assert city == City(name="fake", people=1), city
    return stub.question


def system(stub: Stub) -> str:
    messages = [SystemMessage("Be brief."), HumanMessage(stub.question)]
    return str(by_itself(stub).invoke(messages).text)


def defaults(stub: Stub) -> str:
    messages = [SystemMessage("Be brief."), HumanMessage(stub.question)]
    return str(with_transport(stub).invoke(messages).text)


def defaults_streamed(stub: Stub) -> str:
    return "".join(piece.text for piece in with_transport(stub).stream(stub.question))


def defaults_structured(stub: Stub) -> str:
    city = with_transport(stub).with_structured_output(City).invoke(stub.question)
    assert city == City(name="fake", people=1), city
    return stub.question
