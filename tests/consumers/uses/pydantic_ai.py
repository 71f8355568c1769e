"""pydantic-ai with a login."""

from __future__ import annotations

import asyncio
from typing import Any

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModel

from codex_oauth import async_openai_client
from tests.consumers.child import Stub


class City(BaseModel):
    name: str
    people: int


def codex(stub: Stub, **options: Any) -> Any:
    from pydantic_ai.models.openai_codex import OpenAICodexModel
    from pydantic_ai.providers.openai_codex import OpenAICodexProvider

    client = async_openai_client(stub.source)
    model = OpenAICodexModel(stub.model, provider=OpenAICodexProvider(openai_client=client))
    return Agent(model, instructions="Be brief.", **options)


def plain(stub: Stub) -> str:
    return str(codex(stub).run_sync(stub.question).output)


def streamed(stub: Stub) -> str:
    async def run() -> str:
        async with codex(stub).run_stream(stub.question) as result:
            return "".join([piece async for piece in result.stream_text(delta=True)])

    return asyncio.run(run())


def structured(stub: Stub) -> str:
    city = codex(stub, output_type=City).run_sync(stub.question).output
    assert city == City(name="fake", people=1), city
    return stub.question


def official(stub: Stub) -> str:
    from pydantic_ai.providers.openai_chatgpt import OpenAIChatGPTProvider

    client = async_openai_client(stub.source, base_url=stub.official)
    model = OpenAIResponsesModel(stub.model, provider=OpenAIChatGPTProvider(openai_client=client))
    return str(Agent(model, instructions="Be brief.").run_sync(stub.question).output)


def usual_provider(stub: Stub, *, dialect: bool = True) -> str:
    from pydantic_ai.providers.openai import OpenAIProvider

    client: AsyncOpenAI = async_openai_client(stub.source, dialect=dialect)
    model = OpenAIResponsesModel(stub.model, provider=OpenAIProvider(openai_client=client))
    return str(Agent(model, instructions="Be brief.").run_sync(stub.question).output)


def usual_provider_without_dialect(stub: Stub) -> str:
    return usual_provider(stub, dialect=False)
