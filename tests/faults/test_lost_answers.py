"""F21 to F25, F27, F29: the request went out, and its answer did not come, or was none.

What became of the refresh token is open then: the login is marked uncertain, the old access token is used
while it lives, and the refresh token is not sent again now.
"""

from __future__ import annotations

import gzip
import socket
import zlib

import attrs
import pytest

from codex_oauth import Store
from codex_oauth_core import ErrorKind, NotRenewed
from codex_oauth_core.outcomes import NotRenewedReason
from codex_oauth_core.reading.json_body import MAX_BODY
from tests.faults.runs import NEW, Fate, Peer, SkippingClock, answer, granting, in_turn, login, put, renew
from tests.transport.certificates import Authority
from tests.transport.servers import (
    Script,
    answering,
    at_most,
    no_new_sockets,
    read_request,
    resetting,
    silent,
    trickling,
)

E = ErrorKind
HEAD = b"HTTP/1.1 200 OK\r\n"
TOKENS = b'{"access_token": "at-canary-1", "refresh_token": "%s"}' % NEW.encode()
BOMB = gzip.compress(b"\0" * 20 * MAX_BODY)
LIMIT = 50.0
"""Seconds for a request. They pass when the server has it, where it lets the request run into its limit."""


def _closing(sock: socket.socket) -> None:
    read_request(sock)


def _endless(sock: socket.socket) -> None:
    read_request(sock)
    sock.sendall(HEAD + b"Content-Type: application/json\r\n\r\n")
    while True:
        sock.sendall(b" " * 65536)


def _encoded(coding: bytes, body: bytes) -> Script:
    return answering(HEAD + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body)), body)


def _sized(size: int) -> Script:
    return answering(HEAD + b"Content-Length: %d\r\n\r\n" % size, b" " * size)


@attrs.frozen
class Lost:
    """A script, and what the renewal says: its kind, and the cause or the status in the details."""

    script: Script
    kind: ErrorKind
    said: str | int
    late: bool = False


def slow(script: Script) -> Lost:
    return Lost(script, E.NETWORK, "timeout", late=True)


LOST = {
    # F21: connected, and not a byte comes, or only one
    "F21 silence": slow(silent),
    "F21 one byte": slow(answering(b"H", pause=1.0)),
    # F22: the connection ends after the body was sent
    "F22 reset": Lost(resetting, E.NETWORK, "reset"),
    "F22 end": Lost(_closing, E.NETWORK, "reset"),
    "F22 end within the head": Lost(answering(b"HTTP/1.1 200 OK\r\nContent-"), E.NETWORK, "reset"),
    "F22 no HTTP": Lost(answering(b"SSH-2.0-OpenSSH_9\r\n\r\n"), E.NETWORK, "reset"),
    # F23: a byte now and then, so that no single read ever takes too long
    "F23 trickled head": slow(trickling(HEAD + b"X: ", b"x")),
    "F23 trickled interim answers": slow(trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "F23 trickled body": slow(trickling(HEAD + b"Content-Length: 1000\r\n\r\n", b" ")),
    "F23 trickled chunks": slow(trickling(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")),
    # F24: less than was announced, although what came would be tokens
    "F24 shorter than its length": Lost(
        answering(HEAD + b"Content-Length: 999\r\n\r\n" + TOKENS), E.NETWORK, "truncated"
    ),
    "F24 chunks without end": Lost(
        answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(TOKENS), TOKENS)),
        E.NETWORK,
        "truncated",
    ),
    "F24 no chunk size": Lost(
        answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), E.NETWORK, "truncated"
    ),
    # F25: more than a body may be, and encodings that nobody asked for
    "F25 one byte more than a body may have": Lost(_sized(MAX_BODY + 1), E.INVALID_RESPONSE, "too_big"),
    "F25 endless": Lost(_endless, E.INVALID_RESPONSE, "too_big"),
    "F25 gzip bomb": Lost(_encoded(b"gzip", BOMB), E.INVALID_RESPONSE, 200),
    "F25 a little bomb": Lost(
        _encoded(b"deflate", zlib.compress(b" " * (MAX_BODY + 1))), E.INVALID_RESPONSE, 200
    ),
    "F25 gzip cut short": Lost(_encoded(b"gzip", gzip.compress(TOKENS)[:-30]), E.INVALID_RESPONSE, 200),
    "F25 gzip of noise": Lost(_encoded(b"gzip", gzip.compress(b"canary")), E.INVALID_RESPONSE, 200),
    "F25 no gzip": Lost(_encoded(b"gzip", b"\x1f\x8bcanary"), E.INVALID_RESPONSE, 200),
    "F25 nested": Lost(_encoded(b"gzip, gzip", gzip.compress(BOMB)), E.INVALID_RESPONSE, 200),
    "F25 nested tokens": Lost(
        _encoded(b"gzip, gzip", gzip.compress(gzip.compress(TOKENS))), E.INVALID_RESPONSE, 200
    ),
    "F25 unknown": Lost(_encoded(b"br", b"\x1b\x0f\0\0"), E.INVALID_RESPONSE, 200),
    # F26: a success that is none (R3: a 200 with garbage)
    "F26 captive portal": Lost(answer(200, b"<html>canary portal", Content_Type="text/html"), E.BLOCKED, 200),
    "F26 garbage": Lost(answer(200, b"canary garbage"), E.INVALID_RESPONSE, 200),
    "F26 empty": Lost(answer(200), E.INVALID_RESPONSE, 200),
    "F26 a list": Lost(answer(200, b'[{"access_token": "canary"}]'), E.INVALID_RESPONSE, 200),
    # F29: the server fails
    **{
        f"F29 {status}": Lost(answer(status, {"error": "canary prose"}), E.NETWORK, status)
        for status in (500, 502, 503, 504, 520)
    },
    "F29 502 page": Lost(answer(502, b"<html>canary", Content_Type="text/html"), E.NETWORK, 502),
    "F29 408": Lost(answer(408), E.NETWORK, 408),
    # F31: no token that can be used
    "F31 neither token": Lost(granting("access_token", "refresh_token"), E.INVALID_RESPONSE, 200),
    "F31 tokens of no use": Lost(
        granting(access_token="canary token", refresh_token=["canary"]), E.INVALID_RESPONSE, 200
    ),
}


@pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])
@pytest.mark.parametrize("name", LOST)
def test_a_lost_answer_leaves_the_login_uncertain_and_is_not_asked_for_again(
    name: str, usable: bool, store: Store
) -> None:
    lost, clock = LOST[name], SkippingClock()
    passing = (lambda: clock.sleep(LIMIT)) if lost.late else (lambda: None)
    with no_new_sockets(), Peer(lost.script, heard_it=passing) as peer, at_most(4):
        ran = renew(peer.issuer, store, usable=usable, clock=clock, timeout=LIMIT)
        assert peer.connections == 1
    assert peer.sent == 1
    assert ran.fate is Fate.UNCERTAIN
    assert ran.waits == []
    assert isinstance(ran.outcome, NotRenewed) is usable
    assert ran.error.kind is lost.kind
    assert ran.error.details["uncertain"] is True
    assert lost.said in (ran.error.details.get("cause"), ran.error.details.get("status"))


def _redirecting(status: int, url: str) -> Script:
    return answer(status, b"<html>canary", Location=url, Content_Type="text/html")


# F27
@pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])
@pytest.mark.parametrize("where", ["another host", "the same host", "https to http", "a name that is no URL"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_token_is_not_sent_twice(
    status: int, where: str, usable: bool, store: Store, ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.ca_file))
    tls = ca.server("127.0.0.1") if where == "https to http" else None
    with no_new_sockets(), Peer(granting()) as other:
        targets = {"the same host": "/oauth/token", "a name that is no URL": "http://[canary"}
        target = targets.get(where, f"{other.issuer}/oauth/token")
        with Peer(_redirecting(status, target), tls) as peer:
            ran = renew(peer.issuer, store, usable=usable)
            assert (peer.connections, other.connections) == (1, 0)
    assert (peer.sent, other.sent, ran.fate) == (1, 0, Fate.UNCERTAIN)
    assert (ran.error.kind, ran.error.details["status"]) == (E.BLOCKED, status)
    assert isinstance(ran.outcome, NotRenewed) is usable


# R3
def test_an_uncertain_login_is_tried_once_more_only_when_it_must_be(store: Store) -> None:
    clock = SkippingClock()
    with Peer(in_turn(resetting, granting())) as peer:
        assert renew(peer.issuer, store, usable=True, clock=clock).fate is Fate.UNCERTAIN
        soon = renew(peer.issuer, store, usable=True, clock=clock)
        assert isinstance(soon.outcome, NotRenewed)
        assert (soon.outcome.why, soon.fate, peer.connections) == (NotRenewedReason.SPACED, Fate.INTACT, 1)
        clock.sleep(61)
        later = renew(peer.issuer, store, usable=True, clock=clock)
        assert (later.fate, peer.connections) == (Fate.RENEWED, 2)
    assert later.after.uncertain_at is None


# R3
def test_in_the_advisory_window_an_uncertain_login_is_left_alone(store: Store) -> None:
    clock = SkippingClock()
    with Peer(resetting) as peer:
        young = login(peer.issuer, clock.wall(), left=3600.0)
        put(store, young)
        assert renew(peer.issuer, store, usable=True, clock=clock).fate is Fate.UNCERTAIN
        clock.sleep(600)
        later = renew(peer.issuer, store, usable=True, clock=clock)
    assert isinstance(later.outcome, NotRenewed)
    assert (later.outcome.why, peer.connections) == (NotRenewedReason.UNCERTAIN, 1)


# R3, F2
def test_a_login_that_a_lost_answer_has_ended_says_so(store: Store) -> None:
    clock = SkippingClock()
    reused = answer(401, {"error": {"code": "refresh_token_reused", "message": "canary"}})
    with Peer(in_turn(resetting, reused)) as peer:
        renew(peer.issuer, store, usable=False, clock=clock)
        at_once = renew(peer.issuer, store, usable=False, clock=clock)
        assert (at_once.error.kind, at_once.error.details["reason"]) == (E.NETWORK, "uncertain")
        assert peer.connections == 1
        clock.sleep(61)
        ended = renew(peer.issuer, store, usable=False, clock=clock)
        again = renew(peer.issuer, store, usable=False, clock=clock)
        assert peer.connections == 2
    assert (ended.error.kind, ended.fate) == (E.LOGIN_REQUIRED, Fate.DEAD)
    assert "lost its answer" in ended.error.message
    assert ended.error.details["code"] == "refresh_token_reused"
    assert (again.error.kind, again.fate) == (E.LOGIN_REQUIRED, Fate.INTACT)
