"""What the system called a failure of the network reaches the event, over every transport that knows it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import anyio
import pytest

from codex_oauth.transport.aiohttp_transport import AiohttpTransport
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.protocol import never
from codex_oauth.transport.system_error import errno_name
from codex_oauth.worlds.urllib_world import UrllibTransport
from codex_oauth_core import Cause, Request, RequestFailed, Secret, SendRequest


def request() -> SendRequest:
    """To a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return SendRequest(Request("GET", f"http://127.0.0.1:{port}/", (), Secret(b"")), 5.0)


def by_aiohttp(effect: SendRequest) -> object:
    async def send() -> object:
        return await AiohttpTransport()(effect)

    return anyio.run(send)


def by_httpx(effect: SendRequest) -> object:
    return HttpxTransport()(effect, never)


def by_urllib(effect: SendRequest) -> object:
    return UrllibTransport()(effect, never)


@pytest.mark.parametrize("send", [by_httpx, by_urllib, by_aiohttp])
def test_a_refused_connection_is_told_as_what_it_is(send: Callable[[SendRequest], object]) -> None:
    event = send(request())
    assert isinstance(event, RequestFailed)
    assert (event.cause, event.errno) == (Cause.CONNECT, "ECONNREFUSED")


def test_it_is_found_behind_what_libraries_raise() -> None:
    refused = OSError(errno.ECONNREFUSED, "x")
    outer = ValueError()
    outer.__cause__ = refused
    assert errno_name(outer) == "ECONNREFUSED"
    assert errno_name(ConnectionRefusedError()) == "ECONNREFUSED"
    assert (
        errno_name(ExceptionGroup("all of them", [ValueError(), OSError(errno.ENETUNREACH, "x")]))
        == "ENETUNREACH"
    )


@pytest.mark.parametrize(
    "error",
    [ValueError(), OSError("without a number"), OSError(0, "none"), socket.gaierror(-2, "no such name")],
)
def test_what_has_no_name_of_the_system_has_none(error: Exception) -> None:
    assert errno_name(error) is None
