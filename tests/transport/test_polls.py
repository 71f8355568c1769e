"""The transport for polls: which connections it uses again, and which it does not."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest

from codex_oauth.clock import now
from codex_oauth.transport.aiohttp_poll_transport import ROUTE_LIFE, AiohttpPollTransport
from codex_oauth.transport.protocol import KEPT_ALIVE
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived, SendRequest
from codex_oauth_core.reading.json_body import MAX_BODY
from tests.transport.certificates import Authority
from tests.transport.servers import OK, Server, at_most, no_new_sockets, over_tls, post, read_request

KEPT = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=canary\r\nContent-Length: 2\r\n\r\nok"


def keeping(times: int = 100, then: bytes = b"") -> Callable[[socket.socket], None]:
    """Answers so many requests on one connection, and then something else, and closes it."""

    def script(sock: socket.socket) -> None:
        for _ in range(times):
            try:
                head, _body = read_request(sock)
            except (OSError, EOFError, ValueError):
                return
            if not head:
                return
            heads.append(head)
            sock.sendall(KEPT)
        read_request(sock)
        sock.sendall(then)

    heads: list[bytes] = []
    script.__dict__["heads"] = heads
    return script


class Hands:
    """A clock that is moved beside the time."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> tuple[float, float]:
        at, wall = now()
        return at + self.slept, wall + self.slept


def using(main: Callable[[AiohttpPollTransport], Awaitable[None]], hands: Hands | None = None) -> None:
    """Run it with a transport that leaves nothing open."""

    async def within() -> None:
        send = AiohttpPollTransport(now=hands.now if hands else now)
        try:
            await main(send)
        finally:
            await send.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with no_new_sockets(), at_most(5):
        asyncio.run(within())


async def ok(send: AiohttpPollTransport, effect: SendRequest) -> None:
    answer = await send(effect)
    assert isinstance(answer, ResponseReceived), answer
    assert answer.body.reveal() == b"ok"


async def how(send: AiohttpPollTransport, effect: SendRequest) -> tuple[Phase, Cause]:
    answer = await send(effect)
    assert isinstance(answer, RequestFailed), answer
    return answer.phase, answer.cause


def test_polls_share_a_connection_and_cookies_are_not_kept() -> None:
    script = keeping()

    async def main(send: AiohttpPollTransport) -> None:
        for _ in range(5):
            await ok(send, post(server.url))

    with Server(script) as server:
        using(main)
        assert server.connections == 1
    heads = script.__dict__["heads"]
    assert len(heads) == 5
    assert set(heads) == {heads[0]}, "nothing of an answer goes out with the next request"
    assert b"connection: close" not in heads[0].lower()


@pytest.mark.parametrize(("once", "write_by"), [(True, None), (False, 1e9)])
def test_what_is_sent_once_has_a_connection_of_its_own_that_is_closed(
    once: bool, write_by: float | None
) -> None:
    script = keeping()

    async def main(send: AiohttpPollTransport) -> None:
        await ok(send, post(server.url))
        for _ in range(2):
            await ok(send, post(server.url, once=once, write_by=write_by))
        await ok(send, post(server.url))

    with Server(script) as server:
        using(main)
        assert server.connections == 3
    assert [b"connection: close" in head.lower() for head in script.__dict__["heads"]] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_a_kept_connection_that_dies_under_a_poll_is_told_and_nothing_is_repeated(method: str) -> None:
    async def main(send: AiohttpPollTransport) -> None:
        effect = attrs.evolve(post(server.url), request=attrs.evolve(post(server.url).request, method=method))
        await ok(send, effect)
        assert await how(send, effect) == (Phase.MAYBE_SENT, Cause.RESET)
        assert server.connections == 1
        await ok(send, effect)
        assert server.connections == 2

    with Server(keeping(1)) as server:
        using(main)


def test_a_connection_that_its_server_closed_is_not_used_again() -> None:
    async def main(send: AiohttpPollTransport) -> None:
        await ok(send, post(server.url))
        await asyncio.sleep(0.05)
        await ok(send, post(server.url))

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK)

    with Server(script) as server:
        using(main)
        assert server.connections == 2


@pytest.mark.parametrize(("idle", "connections"), [(KEPT_ALIVE - 0.5, 1), (KEPT_ALIVE + 0.5, 2)])
def test_a_connection_that_was_idle_for_long_is_not_used_again_suspended_time_included(
    idle: float, connections: int
) -> None:
    hands = Hands()

    async def main(send: AiohttpPollTransport) -> None:
        await ok(send, post(server.url))
        hands.slept += idle
        await ok(send, post(server.url))

    with Server(keeping()) as server:
        using(main, hands)
        assert server.connections == connections


def test_a_connection_in_use_stays_young() -> None:
    hands = Hands()

    async def main(send: AiohttpPollTransport) -> None:
        for _ in range(4):
            await ok(send, post(server.url))
            hands.slept += KEPT_ALIVE - 0.5

    with Server(keeping()) as server:
        using(main, hands)
        assert server.connections == 1


def test_many_are_in_flight_at_a_time() -> None:
    meeting = threading.Barrier(8)

    def script(sock: socket.socket) -> None:
        read_request(sock)
        meeting.wait(5)
        sock.sendall(OK)

    async def main(send: AiohttpPollTransport) -> None:
        await asyncio.gather(*(ok(send, post(server.url)) for _ in range(8)))

    with Server(script) as server:
        using(main)
        assert server.connections == 8


def test_a_request_that_outlasts_a_suspend_is_finished_and_its_connection_closed() -> None:
    hands, asked = Hands(), threading.Barrier(3)
    go_on = {b"slow-1": threading.Event(), b"slow-2": threading.Event()}

    def script(sock: socket.socket) -> None:
        for _ in range(2):
            head, _ = read_request(sock)
            for name, event in go_on.items():
                if name in head:
                    asked.wait(5)
                    event.wait(5)
            sock.sendall(KEPT)

    async def main(send: AiohttpPollTransport) -> None:
        slow = [asyncio.create_task(ok(send, post(f"{server.url}&slow-{n}"))) for n in (1, 2)]
        await asyncio.to_thread(asked.wait)
        hands.slept += 60
        await ok(send, post(server.url))
        for task, event in zip(slow, go_on.values(), strict=True):
            event.set()
            await task
        await ok(send, post(server.url))

    with Server(script) as server:
        using(main, hands)
        assert server.connections == 3


def test_the_connection_of_a_poll_that_was_cut_is_not_used_again() -> None:
    asked = threading.Event()

    def script(sock: socket.socket) -> None:
        head, _ = read_request(sock)
        if b"slow" in head:
            asked.set()
            sock.recv(1)
        else:
            sock.sendall(OK)

    async def main(send: AiohttpPollTransport) -> None:
        slow = asyncio.create_task(send(post(f"{server.url}&slow")))
        await asyncio.to_thread(asked.wait)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        await ok(send, post(server.url))

    with Server(script) as server:
        using(main)
        assert server.connections == 2


def test_a_body_that_is_too_big_ends_its_connection() -> None:
    big = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * MAX_BODY)

    def script(sock: socket.socket) -> None:
        head, _ = read_request(sock)
        sock.sendall(big + bytes(MAX_BODY + 1) if b"big" in head else KEPT)
        sock.recv(1)

    async def main(send: AiohttpPollTransport) -> None:
        assert await how(send, post(f"{server.url}&big")) == (Phase.MAYBE_SENT, Cause.TOO_BIG)
        await ok(send, post(server.url))

    with Server(script) as server:
        using(main)
        assert server.connections == 2


def test_after_its_end_it_begins_with_new_connections_in_another_event_loop_too() -> None:
    send = AiohttpPollTransport()

    async def main() -> None:
        for _ in range(2):
            await ok(send, post(server.url))
            await ok(send, post(server.url))
            await send.aclose()
            await send.aclose()
            assert not send._routes, "they know a proxy's password"

    with Server(keeping()) as server, no_new_sockets():
        asyncio.run(main())
        asyncio.run(main())
        assert server.connections == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_uses_no_connection_of_its_parent() -> None:
    def in_child(send: AiohttpPollTransport) -> int:
        async def child() -> None:
            await ok(send, post(server.url))
            await send.aclose()

        try:
            asyncio.run(child())
        except BaseException:  # noqa: BLE001  # its parent sees the number
            return 1
        return 0

    async def main(send: AiohttpPollTransport) -> None:
        await ok(send, post(server.url))
        child = os.fork()
        if child == 0:
            os._exit(in_child(send))
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert server.connections == 2
        await ok(send, post(server.url))
        assert server.connections == 2, "the parent's goes on"

    with Server(keeping()) as server:
        using(main)


# -- settings ------------------------------------------------------------------------------------------


def test_a_proxy_that_is_set_meanwhile_counts_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands()

    async def main(send: AiohttpPollTransport) -> None:
        assert await how(send, post("http://nobody.invalid/", 2)) == (Phase.NOT_SENT, Cause.DNS)
        monkeypatch.setenv("http_proxy", f"http://me:pass@127.0.0.1:{proxy.port}")
        hands.slept += ROUTE_LIFE
        await ok(send, post("http://nobody.invalid/"))
        await ok(send, post("http://nobody.invalid/"))

    script = keeping()
    with Server(script) as proxy:
        using(main, hands)
        assert proxy.connections == 1
    heads = script.__dict__["heads"]
    assert all(head.startswith(b"POST http://nobody.invalid/ HTTP/1.1") for head in heads)
    assert all(b"proxy-authorization: basic bwu6cgfzcw==" in head.lower() for head in heads)


def test_certificates_that_are_set_meanwhile_count_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, authority = Hands(), Authority(tmp_path)

    async def main(send: AiohttpPollTransport) -> None:
        url = server.url.replace("http", "https", 1)
        assert await how(send, post(url)) == (Phase.NOT_SENT, Cause.TLS_CERTIFICATE)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
        hands.slept += ROUTE_LIFE
        await ok(send, post(url))
        await ok(send, post(url))

    with Server(over_tls(keeping(), authority.server("127.0.0.1"))) as server:
        using(main, hands)
        assert server.connections == 2


def test_routes_are_not_kept_without_end() -> None:
    async def main(send: AiohttpPollTransport) -> None:
        for number in range(200):
            await ok(send, post(f"{server.url}&{number}"))
        assert len(send._routes) <= 64

    with Server(keeping(1000)) as server:
        using(main)
        assert server.connections == 1
