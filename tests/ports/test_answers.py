"""Each port hands over answers as they came, and calls every failure by its phase and cause."""

from __future__ import annotations

import socket
import time

import pytest

from codex_oauth.clock import instant
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY
from tests.ports.ports import PORTS, Perform
from tests.transport.servers import (
    BODY,
    OK,
    Script,
    Server,
    answering,
    at_most,
    no_new_sockets,
    post,
    read_request,
    silent,
)
from tests.transport.test_httpx_answers import LOST, TOO_SLOW


@pytest.fixture(params=PORTS)
def perform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Perform:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return PORTS[request.param]


def received(perform: Perform, script: Script) -> ResponseReceived:
    with no_new_sockets(), Server(script) as server:
        answer = perform(post(server.url))
    assert isinstance(answer, ResponseReceived), answer
    return answer


def failed(perform: Perform, script: Script, timeout: float = 5.0) -> tuple[Phase, Cause]:
    with no_new_sockets(), Server(script) as server:
        answer = perform(post(server.url, timeout))
        assert server.connections <= 1  # 0: it gave up before a busy server looked
    assert isinstance(answer, RequestFailed), answer
    return answer.phase, answer.cause


def test_an_answer_carries_status_headers_body_and_the_times(perform: Perform) -> None:
    before = instant(), time.time()
    head = b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\n"
    answer = received(perform, answering(head, b"no"))
    assert (answer.status, answer.body.reveal()) == (429, b"no")
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["x-a"] == "1, 2"
    assert before[0] <= answer.sent_at <= answer.at <= instant()
    assert before[1] <= answer.wall <= time.time()


def test_the_request_goes_out_as_written_with_three_headers_more(perform: Perform) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def script(sock: socket.socket) -> None:
        seen.append(read_request(sock))
        sock.sendall(OK)

    with Server(script) as server:
        perform(post(server.url))
    head, body = seen[0]
    assert body == BODY
    assert head.split(b"\r\n")[0] == b"POST /path?q=1 HTTP/1.1"
    assert sorted(line.decode().lower() for line in head.split(b"\r\n")[1:]) == [
        "accept-encoding: identity",
        "accept: application/json",
        "connection: close",
        f"content-length: {len(BODY)}",
        "content-type: application/json",
        f"host: 127.0.0.1:{server.port}",
        "user-agent: codex-oauth/test",
    ]


def test_interim_answers_are_passed_over(perform: Perform) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert received(perform, answering(interim, OK)).status == 200


def test_an_old_server_ends_its_body_by_closing(perform: Perform) -> None:
    assert received(perform, answering(b"HTTP/1.0 200 OK\r\n\r\n", b"a", b"b")).body.reveal() == b"ab"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_without_a_body_ends_with_its_head(perform: Perform, status: bytes) -> None:
    with at_most(3):
        assert received(perform, answering(b"HTTP/1.1 " + status + b"\r\n\r\n")).body.reveal() == b""


def test_chunks_are_joined(perform: Perform) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert received(perform, answering(head, b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n")).body.reveal() == b"abc"


# F27
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(perform: Perform, status: int) -> None:
    with no_new_sockets(), Server(answering(OK)) as other:
        head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode()
        assert received(perform, answering(head)).status == status
        assert other.connections == 0


# F25
def test_an_encoded_body_is_handed_over_undecoded(perform: Perform) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
    assert received(perform, answering(head, b"\x1f\x8bab")).body.reveal() == b"\x1f\x8bab"


# F25
def test_the_largest_body_is_taken_and_one_byte_more_is_not(perform: Perform) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    assert len(received(perform, answering(head % MAX_BODY, b"x" * MAX_BODY)).body.reveal()) == MAX_BODY
    too_big = answering(head % (MAX_BODY + 1), b"x" * (MAX_BODY + 1))
    assert failed(perform, too_big) == (Phase.MAYBE_SENT, Cause.TOO_BIG)


# F25
@pytest.mark.parametrize(
    "piece", [b"x" * 100_000, b"186a0\r\n" + b"x" * 100_000 + b"\r\n"], ids=["to the end", "chunks"]
)
def test_a_body_without_end_is_cut_off(perform: Perform, piece: bytes) -> None:
    coding = b"Transfer-Encoding: chunked\r\n" if piece[:1] == b"1" else b""

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + coding + b"\r\n")
        for _ in range(500):
            sock.sendall(piece)

    assert failed(perform, script) == (Phase.MAYBE_SENT, Cause.TOO_BIG)


# F25
@pytest.mark.parametrize("start", [b"-1\r\n", b"ffffffffffff\r\n"], ids=["less than nothing", "a huge chunk"])
def test_no_size_of_a_chunk_makes_the_standard_library_read_on_and_on(start: bytes) -> None:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + start)
        for _ in range(500):
            sock.sendall(b"x" * 100_000)

    assert failed(PORTS["urllib"], script) == (Phase.MAYBE_SENT, Cause.TOO_BIG)


EARLY = {("with_aiohttp", "a chunk of no size"): Cause.RESET}
"""aiohttp reads the first chunk with the head: a bad one is a bad head to it."""


# F22, F24
@pytest.mark.parametrize("case", LOST)
def test_an_answer_that_is_none_may_mean_that_the_server_acted(perform: Perform, case: str) -> None:
    script, cause = LOST[case]
    expected = (cause, EARLY.get((perform.__name__, case), cause))
    phase, found = failed(perform, script)
    assert phase is Phase.MAYBE_SENT
    assert found in expected


# F21, F23
@pytest.mark.parametrize("case", TOO_SLOW)
def test_the_total_limit_holds_against(perform: Perform, case: str) -> None:
    with at_most(3):
        assert failed(perform, TOO_SLOW[case], timeout=1.5) == (Phase.MAYBE_SENT, Cause.TIMEOUT)


def test_silence(perform: Perform) -> None:
    with at_most(3):
        assert failed(perform, silent, timeout=1.5) == (Phase.MAYBE_SENT, Cause.TIMEOUT)
