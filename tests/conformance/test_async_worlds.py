"""What our asynchronous world does, by the published checks, on both event loops."""

from __future__ import annotations

import anyio
import pytest

from codex_oauth import AsyncHttpxWorld
from codex_oauth.testing import (
    ASYNC_LISTENING_CHECKS,
    ASYNC_WORLD_CHECKS,
    TASK_CHECKS,
    AsyncListeningCheck,
    AsyncWorldCheck,
)

LOOPS = ("asyncio", "trio")


@pytest.mark.parametrize("check", [*ASYNC_WORLD_CHECKS, *TASK_CHECKS], ids=lambda check: check.__name__)
@pytest.mark.parametrize("loop", LOOPS)
def test_the_world_over_httpx_passes(loop: str, check: AsyncWorldCheck) -> None:
    anyio.run(check, AsyncHttpxWorld, backend=loop)


@pytest.mark.parametrize("check", ASYNC_LISTENING_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("loop", LOOPS)
def test_the_world_over_httpx_listens(loop: str, check: AsyncListeningCheck) -> None:
    anyio.run(check, AsyncHttpxWorld, backend=loop)
