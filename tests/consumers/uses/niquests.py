"""niquests with a login."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import niquests

from codex_oauth import AsyncTokenRequestsAuth, CodexRequestsAuth
from tests.consumers.child import Stub


def body(stub: Stub) -> dict[str, Any]:
    return {
        "model": stub.model,
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": stub.question}],
        "store": False,
        "stream": True,
    }


def text_in(lines: list[bytes]) -> str:
    events = [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: ")]
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def streamed(stub: Stub) -> str:
    with niquests.Session() as session:
        session.auth = CodexRequestsAuth(stub.source)
        answer = session.post(f"{stub.url}/responses", json=body(stub), stream=True)
        answer.raise_for_status()
        return text_in(list(answer.iter_lines()))


def asynchronous(stub: Stub) -> str:
    async def run() -> str:
        async with niquests.AsyncSession() as session:
            session.auth = AsyncTokenRequestsAuth(stub.source)
            answer = await session.post(f"{stub.url}/responses", json=body(stub), stream=True)
            answer.raise_for_status()
            return text_in([line async for line in answer.iter_lines()])

    return asyncio.run(run())
