"""What only the asynchronous transport does: it uses connections again, takes a client, and can be cancelled."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpcore
import httpx
import pytest

from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth.transport.async_network import AnyioNetwork
from codex_oauth.transport.protocol import KEPT_ALIVE, AsyncSendOutcome
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived, SendRequest
from codex_oauth_core.reading.json_body import MAX_BODY
from tests.asynchronous.running import each_backend, run, run_virtual
from tests.transport.certificates import Authority
from tests.transport.servers import (
    OK,
    Server,
    answering,
    at_most,
    black_hole,
    no_new_sockets,
    over_tls,
    post,
    read_request,
    resetting,
    silent,
    trickling,
)


def served_forever(sock: socket.socket) -> None:
    while True:
        read_request(sock)
        sock.sendall(OK)


async def answers(send: AsyncHttpxTransport, *effects: SendRequest) -> list[AsyncSendOutcome]:
    found = [await send(effect) for effect in effects]
    await send.aclose()
    return found


@each_backend
def test_connections_are_used_again_but_never_for_a_once_request(backend: str) -> None:
    async def main() -> None:
        url = server.url
        effects = (post(url), post(url), post(url, once=True), post(url), post(url, once=True))
        found = await answers(AsyncHttpxTransport(), *effects)
        assert [type(answer) for answer in found] == [ResponseReceived] * 5
        assert server.connections == 3

    with Server(served_forever) as server:
        run(main, backend)


def test_an_idle_connection_is_dropped_before_servers_drop_it() -> None:
    assert KEPT_ALIVE < 5


@each_backend
def test_a_connection_that_the_server_has_closed_is_not_used_again(backend: str) -> None:
    async def main() -> None:
        send = AsyncHttpxTransport()
        assert isinstance(await send(post(server.url)), ResponseReceived)
        await anyio.sleep(0.1)
        found = await answers(send, post(server.url))
        assert isinstance(found[0], ResponseReceived)
        assert server.connections == 2

    def once(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK)

    with Server(once) as server:
        run(main, backend)


@each_backend
def test_many_requests_at_once(backend: str) -> None:
    async def main() -> None:
        send = AsyncHttpxTransport()
        found: list[AsyncSendOutcome] = []

        async def one() -> None:
            found.append(await send(post(server.url)))

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(one)
        await send.aclose()
        assert [type(answer) for answer in found] == [ResponseReceived] * 30

    with Server(served_forever) as server:
        run(main, backend)


# -- cancelled at any moment ---------------------------------------------------------------------------


def hanging(*args: Any, **kwargs: Any) -> Any:
    time.sleep(3)
    raise socket.gaierror(socket.EAI_AGAIN, "too late")


@each_backend
@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("peer", ["black hole", "TLS", "silent", "trickling", "through a proxy"])
def test_a_request_that_is_cancelled_leaves_no_socket(
    peer: str, once: bool, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        send = AsyncHttpxTransport()
        with anyio.move_on_after(0.1) as scope:
            await send(post(url, 30, once=once))
        assert scope.cancelled_caught
        await send.aclose()

    script = trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x")
    with Server(script if peer == "trickling" else silent) as server, black_hole() as hole, at_most(3):
        url = {
            "black hole": f"http://127.0.0.1:{hole[1]}/",
            "TLS": server.url.replace("http", "https", 1),
            "through a proxy": "https://server.test/",
        }.get(peer, server.url)
        if peer == "through a proxy":
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
        with no_new_sockets():
            run(main, backend)


@each_backend
def test_a_look_up_that_hangs_is_abandoned_by_the_limit_and_by_the_loop(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        answer = await AsyncHttpxTransport()(post("http://slow.test/", 0.1))
        assert isinstance(answer, RequestFailed)
        assert (answer.phase, answer.cause) == (Phase.NOT_SENT, Cause.TIMEOUT)

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with at_most(2):
        run(main, backend)


@each_backend
def test_the_limit_is_the_event_loops_time(backend: str) -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(3600)
        raise AssertionError

    async def main() -> None:
        begun = anyio.current_time()
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
            answer = await AsyncHttpxTransport(client)(post("https://server.test/", 15.0))
        assert isinstance(answer, RequestFailed)
        assert (answer.phase, answer.cause) == (Phase.MAYBE_SENT, Cause.TIMEOUT)
        assert anyio.current_time() - begun == pytest.approx(15)

    with at_most(3):
        run_virtual(main, backend)


# -- a client of the user's own ------------------------------------------------------------------------


def mocked(
    handler: Callable[[httpx.Request], httpx.Response] | httpx.Response, backend: str, timeout: float = 5.0
) -> AsyncSendOutcome:
    async def main() -> AsyncSendOutcome:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await AsyncHttpxTransport(client)(post("https://server.test/", timeout))

    def answer(request: httpx.Request) -> httpx.Response:
        return handler if isinstance(handler, httpx.Response) else handler(request)

    return run(main, backend)


@each_backend
def test_a_mock_answers(backend: str) -> None:
    answer = mocked(httpx.Response(200, json={"a": 1}, headers={"X-A": "1"}), backend)
    assert isinstance(answer, ResponseReceived)
    assert (answer.body.reveal(), answer.headers["x-a"]) == (b'{"a":1}', "1")


@each_backend
def test_the_clients_cookies_headers_credentials_and_redirects_are_left_out(backend: str) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(307, headers={"Location": "https://other.test/", "Set-Cookie": "sid=2"})

    async def main() -> None:
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(handler),
            headers={"X-Mine": "1"},
            cookies={"sid": "1"},
            auth=("name", "password"),
            follow_redirects=True,
        ) as client:
            found = await answers(AsyncHttpxTransport(client), *[post("https://server.test/")] * 2)
            assert [type(answer) for answer in found] == [ResponseReceived] * 2
            assert not client.is_closed

    run(main, backend)
    assert len(seen) == 2
    assert not {"x-mine", "cookie", "authorization"} & {name for one in seen for name in one.headers}


@each_backend
@pytest.mark.parametrize(
    ("error", "phase", "cause"),
    [
        (httpx.ConnectError("x"), Phase.NOT_SENT, Cause.CONNECT),
        (httpx.ReadTimeout("x"), Phase.MAYBE_SENT, Cause.TIMEOUT),
        (httpx.ReadError("x"), Phase.MAYBE_SENT, Cause.RESET),
        (ConnectionResetError("x"), Phase.MAYBE_SENT, Cause.RESET),
    ],
)
def test_a_mock_failure(error: Exception, phase: Phase, cause: Cause, backend: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    answer = mocked(handler, backend)
    assert isinstance(answer, RequestFailed)
    assert (answer.phase, answer.cause) == (phase, cause)


@each_backend
def test_a_bug_in_a_mock_comes_out(backend: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise LookupError

    with pytest.raises(LookupError):
        mocked(handler, backend)


class Stream(httpx.AsyncByteStream):
    """Pieces without end."""

    def __init__(self, piece: bytes, pause: float) -> None:
        self._piece = piece
        self._pause = pause

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await anyio.sleep(self._pause)
            yield self._piece


@each_backend
@pytest.mark.parametrize("piece", [b"x" * MAX_BODY, b"x"])
def test_a_body_without_end_is_too_big_or_too_slow(piece: bytes, backend: str) -> None:
    pause = 0.0 if len(piece) > 1 else 0.05
    answer = mocked(httpx.Response(200, stream=Stream(piece, pause)), backend, timeout=0.3)
    assert isinstance(answer, RequestFailed)
    assert answer.phase is Phase.MAYBE_SENT
    assert answer.cause is (Cause.TOO_BIG if len(piece) > 1 else Cause.TIMEOUT)


@each_backend
def test_httpx_s_own_transport_is_traced(backend: str) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            found = await answers(
                AsyncHttpxTransport(client),
                post(good.url),
                post(bad.url),
                post("http://127.0.0.1:9/"),
                post(slow.url, 0.2),
            )
        assert isinstance(found[0], ResponseReceived)
        assert [(one.phase, one.cause) for one in found[1:] if isinstance(one, RequestFailed)] == [
            (Phase.MAYBE_SENT, Cause.RESET),
            (Phase.NOT_SENT, Cause.CONNECT),
            (Phase.MAYBE_SENT, Cause.TIMEOUT),
        ]

    with Server(answering(OK)) as good, Server(resetting) as bad, Server(silent) as slow:
        run(main, backend)


@each_backend
def test_tls_connections_are_used_again_too(
    backend: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))

    async def main() -> None:
        url = server.url.replace("http", "https", 1)
        found = await answers(AsyncHttpxTransport(), post(url), post(url))
        assert [type(answer) for answer in found] == [ResponseReceived] * 2
        assert server.connections == 1

    with Server(over_tls(served_forever, authority.server("127.0.0.1"))) as server:
        run(main, backend)


@each_backend
def test_no_frame_of_an_error_shows_the_body(backend: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise LookupError

    with pytest.raises(LookupError) as caught:
        mocked(handler, backend)
    frames = [entry.frame for entry in caught.traceback]
    assert not any("rt-canary" in repr(frame.f_locals) for frame in frames)


@each_backend
def test_a_handshake_that_is_cancelled_is_closed_at_once_also_where_connections_are_kept(
    backend: str,
) -> None:
    async def main() -> None:
        send = AsyncHttpxTransport()
        await send(post(server.url.replace("http", "https", 1), 0.1))
        assert send._shared._network._open == set()
        await send.aclose()

    with Server(silent) as server:
        run(main, backend)


@each_backend
def test_a_network_closes_what_nobody_else_closes(backend: str) -> None:
    async def main() -> None:
        network = AnyioNetwork()
        stream = await network.connect_tcp("127.0.0.1", server.port)
        await network.aclose()
        with pytest.raises(httpcore.NetworkError):
            await stream.write(b"x")

    with Server(silent) as server:
        run(main, backend)
