"""Answers as the transport hands them over: as they came, and nothing beyond."""

from __future__ import annotations

import gzip
import logging
import socket
import time
from pathlib import Path

import pytest

from codex_oauth.clock import instant
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY
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
    resetting,
    silent,
    trickling,
)


def received(script: Script) -> ResponseReceived:
    with no_new_sockets(), Server(script) as server:
        answer = HttpxTransport()(post(server.url))
    assert isinstance(answer, ResponseReceived), answer
    return answer


def failed(script: Script, timeout: float = 5.0) -> tuple[Phase, Cause]:
    with no_new_sockets(), Server(script) as server:
        answer = HttpxTransport()(post(server.url, timeout))
        assert server.connections == 1
    assert isinstance(answer, RequestFailed), answer
    return answer.phase, answer.cause


def test_an_answer_carries_status_headers_body_and_the_times() -> None:
    before = instant(), time.time()
    head = b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\n"
    answer = received(answering(head, b"no"))
    assert (answer.status, answer.body.reveal()) == (429, b"no")
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["x-a"] == "1, 2"
    assert before[0] <= answer.sent_at <= answer.at <= instant()
    assert before[1] <= answer.wall <= time.time()


def test_the_request_goes_out_as_written_with_three_headers_more() -> None:
    seen: list[tuple[bytes, bytes]] = []

    def script(sock: socket.socket) -> None:
        seen.append(read_request(sock))
        sock.sendall(OK)

    with Server(script) as server:
        HttpxTransport()(post(server.url))
    head, body = seen[0]
    assert body == BODY
    assert head.split(b"\r\n")[0] == b"POST /path?q=1 HTTP/1.1"
    assert sorted(line.decode() for line in head.split(b"\r\n")[1:]) == [
        "Accept-Encoding: identity",
        "Accept: application/json",
        "Connection: close",
        f"Content-Length: {len(BODY)}",
        "Content-Type: application/json",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: codex-oauth/test",
    ]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_without_a_body_ends_with_its_head(status: bytes) -> None:
    with at_most(3):
        answer = received(answering(b"HTTP/1.1 " + status + b"\r\n\r\n"))
    assert answer.body.reveal() == b""


def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert received(answering(interim, OK)).status == 200


def test_an_old_server_ends_its_body_by_closing() -> None:
    assert received(answering(b"HTTP/1.0 200 OK\r\n\r\n", b"a", b"b")).body.reveal() == b"ab"


def test_chunks_are_joined() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert received(answering(head, b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n")).body.reveal() == b"abc"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    with Server(answering(OK)) as other, Server(_redirect(status, other.url)) as server:
        answer = HttpxTransport()(post(server.url))
        assert (server.connections, other.connections) == (1, 0)
    assert isinstance(answer, ResponseReceived)
    assert answer.status == status


def _redirect(status: int, url: str) -> Script:
    return answering(f"HTTP/1.1 {status} Elsewhere\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode())


def test_each_request_has_its_own_connection_and_no_memory_of_cookies() -> None:
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        for _ in range(2):  # a second request on this connection would be served
            heads.append(read_request(sock)[0])
            sock.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=1; Path=/\r\nContent-Length: 0\r\n\r\n")

    send = HttpxTransport()
    with no_new_sockets(), Server(script) as server:
        for _ in range(2):
            send(post(server.url))
        assert server.connections == 2
    assert len(heads) == 2
    assert all(b"cookie" not in head.lower() for head in heads)


def test_netrc_and_user_information_in_the_url_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\ndefault login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        sock.sendall(OK)

    with Server(script) as server:
        HttpxTransport()(post(server.url))
        HttpxTransport()(post(server.url.replace("//", "//user:password@")))
    assert len(heads) == 2
    assert all(b"authorization" not in head.lower() for head in heads)


def test_a_body_of_five_megabytes_is_not_read_to_its_end() -> None:
    sent: list[int] = []

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(500):
            sock.sendall(b"x" * 100_000)
            sent.append(100_000)

    assert failed(script) == (Phase.MAYBE_SENT, Cause.TOO_BIG)
    assert sum(sent) < 50_000_000


def test_the_largest_body_is_taken_and_one_byte_more_is_not() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    assert len(received(answering(head % MAX_BODY, b"x" * MAX_BODY)).body.reveal()) == MAX_BODY
    assert failed(answering(head % (MAX_BODY + 1), b"x" * (MAX_BODY + 1)))[1] is Cause.TOO_BIG


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate, gzip", b"br"])
def test_an_encoded_body_is_handed_over_undecoded(encoding: bytes) -> None:
    bomb = gzip.compress(b"\0" * 20 * MAX_BODY)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    assert received(answering(head % (encoding, len(bomb)), bomb)).body.reveal() == bomb


def test_no_log_at_any_level_shows_the_body_or_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"
    received(answering(head, b"at-canary-token"))
    assert "httpcore" not in caplog.text
    assert "canary" not in caplog.text


# -- failures once the request is out ----------------------------------------------------------------


def _close_at_once(sock: socket.socket) -> None:
    read_request(sock)


LOST = {
    "reset before an answer": (resetting, Cause.RESET),
    "end before an answer": (_close_at_once, Cause.RESET),
    "end within the head": (answering(b"HTTP/1.1 200 OK\r\nContent-"), Cause.RESET),
    "no HTTP at all": (answering(b"SSH-2.0-OpenSSH_9\r\n\r\n"), Cause.RESET),
    "a head that begins folded": (answering(b"HTTP/1.1 200 OK\r\n folded\r\n\r\n"), Cause.RESET),
    "a header without a name": (answering(b"HTTP/1.1 200 OK\r\n: x\r\n\r\n"), Cause.RESET),
    "two lengths": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        Cause.RESET,
    ),
    "a head without end": (answering(*[b"HTTP/1.1 200 OK\r\nX: ", *[b"x" * 65536] * 4]), Cause.RESET),
    "another protocol unasked": (
        answering(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"),
        Cause.RESET,
    ),
    "a body cut short": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), Cause.TRUNCATED),
    "chunks without end": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        Cause.TRUNCATED,
    ),
    "a chunk of no size": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"),
        Cause.TRUNCATED,
    ),
}


@pytest.mark.parametrize("case", LOST)
def test_an_answer_that_is_none_may_mean_that_the_server_acted(case: str) -> None:
    script, cause = LOST[case]
    assert failed(script) == (Phase.MAYBE_SENT, cause)


TOO_SLOW = {
    "silence": silent,
    "trickled head": trickling(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "interim answers without end": trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trickled body": trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
    "trickled chunks": trickling(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@pytest.mark.parametrize("case", TOO_SLOW)
def test_the_total_limit_holds_against(case: str) -> None:
    with at_most(2):
        assert failed(TOO_SLOW[case], timeout=1.5) == (Phase.MAYBE_SENT, Cause.TIMEOUT)


def test_an_early_answer_counts_although_the_body_was_not_taken() -> None:
    def script(sock: socket.socket) -> None:
        sock.recv(1)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass

    assert received(script).status == 413
