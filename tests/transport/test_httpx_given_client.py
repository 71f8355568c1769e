"""A client of the user's own: mock transports, httpx's default transport, and limits as far as they go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.protocol import SendOutcome
from codex_oauth_core import (
    Cancelled,
    Cause,
    Phase,
    Request,
    RequestFailed,
    ResponseReceived,
    Secret,
    SendRequest,
)
from codex_oauth_core.reading.json_body import MAX_BODY
from tests.transport.servers import OK, Server, answering, at_most, no_new_sockets, post, resetting, silent


def mocked(
    handler: Callable[[httpx.Request], httpx.Response] | httpx.Response, effect: SendRequest | None = None
) -> SendOutcome:
    def answer(request: httpx.Request) -> httpx.Response:
        return handler if isinstance(handler, httpx.Response) else handler(request)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return HttpxTransport(client)(effect or post("https://server.test/"))


def test_a_mock_answers() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"path": request.url.path}, headers={"X-A": "1"})

    answer = mocked(handler)
    assert isinstance(answer, ResponseReceived)
    assert answer.body.reveal() == b'{"path":"/"}'
    assert answer.headers["x-a"] == "1"


def test_the_clients_cookies_headers_credentials_and_redirects_are_left_out() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(307, headers={"Location": "https://other.test/", "Set-Cookie": "sid=2"})

    with httpx.Client(
        transport=httpx.MockTransport(handler),
        headers={"X-Mine": "1"},
        cookies={"sid": "1"},
        auth=("name", "password"),
        follow_redirects=True,
    ) as client:
        send = HttpxTransport(client)
        answers = [send(post("https://server.test/")) for _ in range(2)]
        assert not client.is_closed
    assert [type(answer) for answer in answers] == [ResponseReceived] * 2
    assert len(seen) == 2
    assert not {"x-mine", "cookie", "authorization"} & {name for one in seen for name in one.headers}


def test_a_mock_body_that_is_too_big() -> None:
    answer = mocked(httpx.Response(200, content=b"x" * (MAX_BODY + 1)))
    assert isinstance(answer, RequestFailed)
    assert answer.cause is Cause.TOO_BIG


@pytest.mark.parametrize(
    ("error", "phase", "cause"),
    [
        (httpx.ConnectError("x"), Phase.NOT_SENT, Cause.CONNECT),
        (httpx.ReadTimeout("x"), Phase.MAYBE_SENT, Cause.TIMEOUT),
        (httpx.ReadError("x"), Phase.MAYBE_SENT, Cause.RESET),
        (ConnectionResetError("x"), Phase.MAYBE_SENT, Cause.RESET),
    ],
)
def test_a_mock_failure(error: Exception, phase: Phase, cause: Cause) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    answer = mocked(handler)
    assert isinstance(answer, RequestFailed)
    assert (answer.phase, answer.cause) == (phase, cause)


def test_a_bug_in_a_mock_comes_out() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise LookupError

    with pytest.raises(LookupError):
        mocked(handler)


class Slow(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1000):
            time.sleep(0.05)
            yield b"x"


def test_the_total_limit_is_checked_between_pieces() -> None:
    with at_most(2):
        answer = mocked(httpx.Response(200, stream=Slow()), post("https://server.test/", 0.3))
    assert isinstance(answer, RequestFailed)
    assert (answer.phase, answer.cause) == (Phase.MAYBE_SENT, Cause.TIMEOUT)


def test_a_cancel_is_noticed_between_pieces() -> None:
    with httpx.Client(
        transport=httpx.MockTransport(lambda request: httpx.Response(200, stream=Slow()))
    ) as client:
        until = time.monotonic() + 0.15
        with at_most(2):
            answer = HttpxTransport(client)(post("https://server.test/"), lambda: time.monotonic() > until)
    assert isinstance(answer, Cancelled)


def test_httpx_s_own_transport_is_traced() -> None:
    with (
        no_new_sockets(),
        Server(answering(OK)) as good,
        Server(resetting) as bad,
        Server(silent) as slow,
        httpx.Client(trust_env=False) as client,
    ):
        send = HttpxTransport(client)
        answers = [
            send(post(good.url)),
            send(post(bad.url)),
            send(post("http://127.0.0.1:9/")),
            send(post(slow.url.replace("http", "https", 1), 0.3)),
            send(post(slow.url, 0.3)),
        ]
    assert isinstance(answers[0], ResponseReceived)
    assert [(a.phase, a.cause) for a in answers[1:] if isinstance(a, RequestFailed)] == [
        (Phase.MAYBE_SENT, Cause.RESET),
        (Phase.NOT_SENT, Cause.CONNECT),
        (Phase.NOT_SENT, Cause.TIMEOUT),
        (Phase.MAYBE_SENT, Cause.TIMEOUT),
    ]


UNSENDABLE = {
    "no scheme": Request("POST", "//server.test", (), Secret(b"")),
    "another scheme": Request("POST", "ftp://127.0.0.1/", (), Secret(b"")),
    "no URL": Request("POST", "https://server.test/\0", (), Secret(b"")),
    "port": Request("POST", "https://server.test:x/", (), Secret(b"")),
    "header": Request("POST", "http://127.0.0.1:{port}/", (("X", "a\r\nb: canary"),), Secret(b"")),
}


@pytest.mark.parametrize("case", UNSENDABLE)
def test_a_request_that_is_no_http_is_a_bug_and_not_a_failure_of_the_network(case: str) -> None:
    with no_new_sockets(), Server(silent) as server:
        request = UNSENDABLE[case]
        url = request.url.replace("{port}", str(server.port))
        effect = SendRequest(Request("POST", url, request.headers, request.body), 5.0)
        with pytest.raises(ValueError, match="cannot be sent as HTTP") as caught:
            HttpxTransport()(effect)
    assert "canary" not in str(caught.value)
