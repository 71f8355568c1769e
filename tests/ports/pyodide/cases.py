"""Runs in Pyodide: performs the effects that it is told, and prints what came of each as JSON.

Rules of this file: run.mjs calls `main`; a case is a mapping of what `case` takes.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from pyodide_world import PyodideWorld

from codex_oauth.clock import now
from codex_oauth.worlds.world import arun
from codex_oauth_core import CODEX, DeviceFlow, Request, Secret, SendRequest, Wait, Why
from codex_oauth_core.events import RequestFailed, ResponseReceived


async def case(
    url: str = "",
    *,
    method: str = "POST",
    headers: tuple[tuple[str, str], ...] = (),
    body: str = "",
    limit: float = 3.0,
    once: bool = False,
    write_by: float | None = None,
    wait: float | None = None,
    cancel_after: float | None = None,
    end_after: float | None = None,
    sign_in: bool = False,
) -> dict[str, Any]:
    """One effect in a world of its own, or a sign-in. `cancel_after`: cancel the world; `end_after`: its task."""
    begun = time.monotonic()
    prompts: list[Any] = []

    def show(wait: Any) -> None:
        if wait.prompt is not None and wait.prompt not in prompts:
            prompts.append(wait.prompt)

    made: Any = PyodideWorld(on_wait=show)
    async with made as world:
        if sign_in:
            outcome = await arun(DeviceFlow(provider=CODEX.at(url)), world)
            return {"kind": type(outcome).__name__, "prompts": len(prompts), "says": str(outcome)}
        at, _ = now()
        by = None if write_by is None else at + write_by
        request = Request(
            method, url, tuple((name, value) for name, value in headers), Secret(bytes.fromhex(body))
        )
        effect = SendRequest(request, limit, once, by) if wait is None else Wait(at + wait, Why.PENDING)
        if cancel_after == 0:
            world.cancel()
        elif cancel_after is not None:
            asyncio.get_running_loop().call_later(cancel_after, world.cancel)
        doing: asyncio.Future[Any] = asyncio.ensure_future(world.perform(effect))
        if end_after is not None:
            asyncio.get_running_loop().call_later(end_after, doing.cancel)
        try:
            event = await doing
        except (ValueError, asyncio.CancelledError) as error:
            return {"kind": type(error).__name__, "took": time.monotonic() - begun}
    told: dict[str, Any] = {"kind": type(event).__name__, "took": time.monotonic() - begun}
    match event:
        case ResponseReceived():
            told |= {
                "status": event.status,
                "headers": dict(event.headers),
                "body": event.body.reveal().hex(),
            }
            told["in_order"] = at <= event.sent_at <= event.at
        case RequestFailed():
            told |= {"phase": event.phase.value, "cause": event.cause.value}
        case _:
            pass
    return told


async def main(text: str) -> None:
    """Print what came of the cases, in their order."""
    print(json.dumps([await case(**each) for each in json.loads(text)]))
