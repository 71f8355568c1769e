"""openai-agents with a login."""

from __future__ import annotations

import asyncio
from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesWSModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

from codex_oauth import async_openai_client
from tests.consumers.child import Stub

set_tracing_disabled(disabled=True)


@function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


def agent(stub: Stub, client: Any, kind: Any = OpenAIResponsesModel, **options: Any) -> Any:
    settings = ModelSettings(store=False)
    return Agent(
        name="a", instructions="Be brief.", model=kind(stub.model, client), model_settings=settings, **options
    )


def streamed(stub: Stub) -> str:
    async def run() -> str:
        done = Runner.run_streamed(agent(stub, async_openai_client(stub.source)), stub.question)
        pieces = [
            event.data.delta
            async for event in done.stream_events()
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        ]
        assert "".join(pieces) == done.final_output
        return str(done.final_output)

    return asyncio.run(run())


def tools(stub: Stub) -> str:
    async def run() -> str:
        one = agent(stub, async_openai_client(stub.source), tools=[weather])
        done = Runner.run_streamed(one, "Use weather.")
        async for _ in done.stream_events():
            pass
        called = [item for item in done.new_items if item.type == "tool_call_output_item"]
        assert [item.output for item in called] == ["rain in fake"], called
        return str(done.final_output)

    return asyncio.run(run())


def plain(stub: Stub) -> str:
    async def run() -> str:
        client = async_openai_client(stub.source, dialect=True)
        return str((await Runner.run(agent(stub, client), stub.question)).final_output)

    return asyncio.run(run())


def plain_without_dialect(stub: Stub) -> str:
    async def run() -> str:
        client = async_openai_client(stub.source)
        return str((await Runner.run(agent(stub, client), stub.question)).final_output)

    return asyncio.run(run())


def websocket(stub: Stub) -> str:
    async def run() -> str:
        headers = {k: v for k, v in (await stub.source.aheaders(stub.url)).items() if k != "Authorization"}
        client = AsyncOpenAI(base_url=stub.url, api_key=stub.source.atoken, default_headers=headers)
        return str(
            (await Runner.run(agent(stub, client, OpenAIResponsesWSModel), stub.question)).final_output
        )

    return asyncio.run(run())
