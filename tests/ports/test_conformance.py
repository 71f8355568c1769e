"""Each port passes the checks that are published for everyone's port."""

from __future__ import annotations

import asyncio

import pytest

from codex_oauth.testing import (
    ASYNC_LISTENING_CHECKS,
    ASYNC_WORLD_CHECKS,
    LISTENING_CHECKS,
    TASK_CHECKS,
    WORLD_CHECKS,
    AsyncListeningCheck,
    AsyncWorldCheck,
    ListeningCheck,
    WorldCheck,
)
from codex_oauth.worlds.aiohttp_world import AiohttpWorld
from codex_oauth.worlds.urllib_world import UrllibWorld
from tests.ports.reactors import ReactorWorld
from tests.transport.polls import PollWorld

MAKERS: dict[str, type[UrllibWorld | ReactorWorld]] = {"urllib": UrllibWorld, "twisted": ReactorWorld}


@pytest.mark.parametrize("check", WORLD_CHECKS, ids=lambda check: check.__name__)
def test_urllib(check: WorldCheck) -> None:
    check(UrllibWorld)


@pytest.mark.parametrize("check", WORLD_CHECKS, ids=lambda check: check.__name__)
def test_twisted(check: WorldCheck) -> None:
    check(ReactorWorld)


@pytest.mark.parametrize("check", LISTENING_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("port", MAKERS)
def test_listening(port: str, check: ListeningCheck) -> None:
    check(MAKERS[port])


@pytest.mark.parametrize("check", [*ASYNC_WORLD_CHECKS, *TASK_CHECKS], ids=lambda check: check.__name__)
def test_aiohttp(check: AsyncWorldCheck) -> None:
    asyncio.run(check(AiohttpWorld))


@pytest.mark.parametrize("check", [*ASYNC_WORLD_CHECKS, *TASK_CHECKS], ids=lambda check: check.__name__)
def test_polls_over_aiohttp(check: AsyncWorldCheck) -> None:
    asyncio.run(check(PollWorld))


@pytest.mark.parametrize("check", ASYNC_LISTENING_CHECKS, ids=lambda check: check.__name__)
def test_aiohttp_listening(check: AsyncListeningCheck) -> None:
    asyncio.run(check(AiohttpWorld))
