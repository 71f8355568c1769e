"""Nothing of ours reaches a log; what a program logs of its own requests stays as it was."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from twisted.logger import STDLibLogObserver, globalLogPublisher

from codex_oauth import AsyncHttpxWorld, HttpxWorld
from codex_oauth.clock import now
from codex_oauth.testing import WORLD_CHECKS
from codex_oauth.testing.world_log_checks import nothing_of_a_request_or_an_answer_is_logged
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.unlogged import LOGGERS, unlogged
from codex_oauth.worlds.aiohttp_world import AiohttpWorld
from codex_oauth.worlds.urllib_world import UrllibWorld
from codex_oauth_core import RequestFailed, ResponseReceived
from tests.ports.reactors import ReactorWorld
from tests.transport.polls import PollWorld
from tests.transport.servers import Server, answering, post
from tests.transport.worlds import WORLDS, each_at_debug

(BLOCKING_CHECK,) = (
    check for check in WORLD_CHECKS if check.__name__ == nothing_of_a_request_or_an_answer_is_logged.__name__
)
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /?code=canary\r\nContent-Length: 0\r\n\r\n"
GARBAGE = b'{"access_token":"canary"}\r\n\r\n'


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Generator[pytest.LogCaptureFixture]:
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        yield caplog
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("package", ["httpcore", "httpx", "aiohttp"])
def test_every_logger_of_a_library_that_carries_requests_is_known(package: str) -> None:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    (folder,) = spec.submodule_search_locations
    names = set[str]()
    for path in Path(folder).rglob("*.py"):
        names.update(re.findall(r"getLogger\(\s*[\"']([^\"']+)", path.read_text(encoding="utf-8")))
    of_servers = {"aiohttp.access", "aiohttp.server", "aiohttp.web", "aiohttp.websocket"}
    found = {name for name in names if name.partition(".")[0] == package} - of_servers
    assert found
    assert found <= set(LOGGERS)


@pytest.mark.parametrize("sent", [REDIRECT, GARBAGE])
def test_a_program_logs_its_own_requests_as_before(logged: pytest.LogCaptureFixture, sent: bytes) -> None:
    with Server(answering(sent)) as server, HttpxWorld() as world:
        assert isinstance(world.perform(post(server.url)), ResponseReceived | RequestFailed)
        assert "canary" not in logged.text
        with httpx.Client(trust_env=False) as client:
            try:
                client.get(server.url)
            except httpx.HTTPError:
                assert sent == GARBAGE
        assert "canary" in logged.text
        assert "httpcore" in logged.text


@pytest.mark.parametrize("sent", [REDIRECT, GARBAGE])
def test_a_client_of_the_users_is_silent_about_ours_alone(
    logged: pytest.LogCaptureFixture, sent: bytes
) -> None:
    with Server(answering(sent)) as server, httpx.Client(trust_env=False) as client:
        HttpxTransport(client)(post(server.url))
        assert "canary" not in logged.text
        assert "HTTP Request" not in logged.text
        with pytest.raises(httpx.HTTPError) if sent == GARBAGE else _nothing():
            client.get(server.url)
        assert "canary" in logged.text


def _nothing() -> Any:
    return pytest.MonkeyPatch.context()


def test_an_asynchronous_client_of_the_users_is_silent_about_ours_alone(
    logged: pytest.LogCaptureFixture,
) -> None:
    async def main(url: str) -> None:
        async with httpx.AsyncClient(trust_env=False) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.get, f"{url}&theirs")
            await AsyncHttpxTransport(client)(post(f"{url}&ours", once=True))
        assert "theirs" in logged.text
        assert "ours" not in logged.text

    with Server(answering(REDIRECT)) as server:
        anyio.run(main, server.url)


def test_levels_and_handlers_are_left_alone() -> None:
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.level, list(logger.handlers), logger.propagate, logger.disabled) for logger in loggers]
    with unlogged(), unlogged():
        assert all(len([f for f in logger.filters if callable(f)]) == 1 for logger in loggers)
    assert before == [(one.level, list(one.handlers), one.propagate, one.disabled) for one in loggers]


def test_a_filter_that_was_taken_away_comes_back(logged: pytest.LogCaptureFixture) -> None:
    for name in LOGGERS:
        logging.getLogger(name).filters.clear()
    with Server(answering(REDIRECT)) as server:
        WORLDS["httpx"](post(server.url), now)
    assert "canary" not in logged.text


@pytest.mark.parametrize("make", [AsyncHttpxWorld, AiohttpWorld, PollWorld], ids=lambda make: make.__name__)
def test_asyncio_in_its_debug_mode_tells_nothing(make: Any) -> None:
    each_at_debug(lambda: nothing_of_a_request_or_an_answer_is_logged(make))


def test_twisteds_own_log_tells_nothing() -> None:
    observer: Any = STDLibLogObserver()
    globalLogPublisher.addObserver(observer)
    try:
        BLOCKING_CHECK(ReactorWorld)
    finally:
        globalLogPublisher.removeObserver(observer)


def test_http_client_prints_nothing_where_a_program_debugs_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(HTTPConnection, "debuglevel", 1)
    BLOCKING_CHECK(UrllibWorld)


def test_the_loggers_of_another_library_are_silent_too_where_they_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            with unlogged("another", "another.part"):
                logging.getLogger("another").info("canary")
                logging.getLogger("another.part").info("canary")
                logging.getLogger("another.whole").info("heard")
        logging.getLogger("another").info("heard after")
    assert [record.getMessage() for record in caplog.records] == ["heard", "heard", "heard after"]
    assert len(logging.getLogger("another").filters) == 1
