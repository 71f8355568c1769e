"""Answers as every world hands them over: as they came, and nothing beyond; and every failure once a request is out.

Rules of this file: a case is one row, and each row is met by every world. A request is written at once, and its limit
runs from its first byte, so that no case depends on the speed of the machine.
"""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth.clock import instant, now
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
from tests.transport.worlds import WORLDS

SOON = 60.0
SHORT = 0.3


def received(world: str, script: Script) -> ResponseReceived:
    with no_new_sockets(), Server(script) as server:
        answer = WORLDS[world](post(server.url), now)
    assert isinstance(answer, ResponseReceived), answer
    return answer


def failed(world: str, script: Script, timeout: float = SOON) -> tuple[Phase, Cause]:
    with no_new_sockets(), Server(script) as server:
        answer = WORLDS[world](post(server.url, timeout, once=True, write_by=instant() + SOON), now)
        assert server.connections == 1
    assert isinstance(answer, RequestFailed), answer
    return answer.phase, answer.cause


def test_an_answer_carries_status_headers_body_and_the_times(world: str) -> None:
    before = instant(), time.time()
    head = b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\n"
    answer = received(world, answering(head, b"no"))
    assert (answer.status, answer.body.reveal()) == (429, b"no")
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["x-a"] == "1, 2"
    assert before[0] <= answer.sent_at <= answer.at <= instant()
    assert before[1] <= answer.wall <= time.time()


def kept(seen: list[tuple[bytes, bytes]]) -> Script:
    def script(sock: socket.socket) -> None:
        seen.append(read_request(sock))
        sock.sendall(OK)

    return script


def test_the_request_goes_out_as_written_with_three_headers_more(world: str) -> None:
    seen: list[tuple[bytes, bytes]] = []
    with Server(kept(seen)) as server:
        WORLDS[world](post(server.url, once=True), now)
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


def test_netrc_and_user_information_in_the_url_are_not_used(
    world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\ndefault login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    seen: list[tuple[bytes, bytes]] = []
    with Server(kept(seen)) as server:
        for url in (server.url, server.url.replace("//", "//user:password@")):
            WORLDS[world](post(url), now)
    assert len(seen) == 2
    assert [head for head, _ in seen if b"authorization" in head.lower()] == []


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_without_a_body_ends_with_its_head(world: str, status: bytes) -> None:
    with at_most(3):
        answer = received(world, answering(b"HTTP/1.1 " + status + b"\r\n\r\n"))
    assert answer.body.reveal() == b""


def test_interim_answers_are_passed_over(world: str) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert received(world, answering(interim, OK)).status == 200


def test_an_old_server_ends_its_body_by_closing(world: str) -> None:
    assert received(world, answering(b"HTTP/1.0 200 OK\r\n\r\n", b"a", b"b")).body.reveal() == b"ab"


def test_chunks_are_joined(world: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert received(world, answering(head, b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n")).body.reveal() == b"abc"


# F27
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(world: str, status: int) -> None:
    with no_new_sockets(), Server(answering(OK)) as other:
        head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode()
        assert received(world, answering(head)).status == status
        assert other.connections == 0


# F25
@pytest.mark.parametrize("encoding", [b"gzip", b"deflate, gzip", b"br"])
def test_an_encoded_body_is_handed_over_undecoded(world: str, encoding: bytes) -> None:
    bomb = gzip.compress(b"\0" * 20 * MAX_BODY)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    assert received(world, answering(head % (encoding, len(bomb)), bomb)).body.reveal() == bomb


# F25
def test_the_largest_body_is_taken_and_one_byte_more_is_not(world: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    assert len(received(world, answering(head % MAX_BODY, b"x" * MAX_BODY)).body.reveal()) == MAX_BODY
    too_big = answering(head % (MAX_BODY + 1), b"x" * (MAX_BODY + 1))
    assert failed(world, too_big) == (Phase.MAYBE_SENT, Cause.TOO_BIG)


def flooding(head: bytes, piece: bytes) -> Callable[[list[int]], Script]:
    def counted(sent: list[int]) -> Script:
        def script(sock: socket.socket) -> None:
            read_request(sock)
            sock.sendall(b"HTTP/1.1 200 OK\r\n" + head)
            for _ in range(500):
                sock.sendall(piece)
                sent.append(len(piece))

        return script

    return counted


_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_MUCH = b"x" * 100_000
ENDLESS = {
    "to the end": flooding(b"\r\n", _MUCH),
    "a great length": flooding(b"Content-Length: 50000000\r\n\r\n", _MUCH),
    "chunks": flooding(_CHUNKED, b"186a0\r\n" + _MUCH + b"\r\n"),
}
CHUNKS_OF_NO_SIZE = {
    "less than nothing": flooding(_CHUNKED + b"-1\r\n", _MUCH),
    "a huge chunk": flooding(_CHUNKED + b"ffffffffffff\r\n", _MUCH),
}


# F25
@pytest.mark.parametrize("case", ENDLESS)
def test_a_body_without_end_is_cut_off(world: str, case: str) -> None:
    sent: list[int] = []
    assert failed(world, ENDLESS[case](sent)) == (Phase.MAYBE_SENT, Cause.TOO_BIG)
    assert sum(sent) < 50_000_000


# F25
@pytest.mark.parametrize("case", CHUNKS_OF_NO_SIZE)
def test_no_size_of_a_chunk_makes_a_reader_read_on_and_on(world: str, case: str) -> None:
    sent: list[int] = []
    assert failed(world, CHUNKS_OF_NO_SIZE[case](sent))[0] is Phase.MAYBE_SENT
    assert sum(sent) < 50_000_000


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

EARLY = {(world, "a chunk of no size"): Cause.RESET for world in ("aiohttp", "aiohttp, polls")}
"""aiohttp reads the first chunk with the head: a bad one is a bad head to it."""


# F22, F24
@pytest.mark.parametrize("case", LOST)
def test_an_answer_that_is_none_may_mean_that_the_server_acted(world: str, case: str) -> None:
    script, cause = LOST[case]
    phase, found = failed(world, script)
    assert phase is Phase.MAYBE_SENT
    assert found in (cause, EARLY.get((world, case), cause))


TOO_SLOW = {
    "silence": silent,
    "trickled head": trickling(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "interim answers without end": trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trickled body": trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
    "trickled chunks": trickling(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


# F21, F23
@pytest.mark.parametrize("case", TOO_SLOW)
def test_the_total_limit_holds_against(world: str, case: str) -> None:
    with at_most(2):
        assert failed(world, TOO_SLOW[case], SHORT) == (Phase.MAYBE_SENT, Cause.TIMEOUT)


def test_an_early_answer_counts_although_the_body_was_not_taken(world: str) -> None:
    def script(sock: socket.socket) -> None:
        sock.recv(1)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass

    assert received(world, script).status == 413
