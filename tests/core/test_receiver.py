"""The callback receiver: what it accepts, what it refuses, and how it ends."""

from __future__ import annotations

import pytest

from codex_oauth_core.callback import CallbackRule, read_redirect
from codex_oauth_core.receiver import CallbackGate, CallbackReceiver
from codex_oauth_core.receiver.pages import ALREADY_USED, FAILED, NOT_FOR_YOU, RECEIVED
from codex_oauth_core.secret import Secret
from tests.fuzz.callback_requests import (
    BROWSER,
    GENUINE,
    IN_A_BROWSER,
    ISSUER,
    STATE,
    SUFFIX,
    TARGET,
    answer,
    answer_in_pieces,
    gate,
    request,
    status,
)

QUIET = None
TLS_HELLO = bytes.fromhex("16030100f1010000ed0303") + b"\r\n\r\n" * 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")


def code_of(one: CallbackGate) -> str | None:
    assert one.accepted is not None
    code = read_redirect(one.accepted.query).code
    return None if code is None else code.reveal()


def long_fields(size: int) -> tuple[str, ...]:
    """Header lines of `size` bytes in all, the Host line and the empty one included."""
    left = size - len("Host: localhost:1455\r\n\r\n")
    return ("X: " + "y" * (left - len("X: \r\n")),)


def long_target(size: int) -> str:
    """A target whose request line has `size` bytes, its end included."""
    return TARGET + "&x=" + "y" * (size - len(f"GET {TARGET}&x= HTTP/1.1\r\n"))


# -- the genuine request -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        GENUINE,
        IN_A_BROWSER,
        request(host="127.0.0.1:1455"),
        request(host="[::1]:1455"),
        request(host="LocalHost:1455"),
        request(TARGET, "Content-Length: 0"),
        request(f"/auth/callback?state={STATE}&code=canary-code&iss={ISSUER}&scope=a%20b"),
        request(f"/auth/callback?code=canary-code&state={STATE}{SUFFIX.replace('=', '%3D')}"),
        request(f"/auth/callback?state={STATE}&c%6Fde=canary-code"),
        request(TARGET, "Origin: null", "Cookie: " + "c" * 4000),
        request(TARGET, *("X: y" for _ in range(99))),
        request(TARGET, *long_fields(16 * 1024)),
        request(long_target(8 * 1024)),
        GENUINE + b"GET /again HTTP/1.1\r\n\r\n",
        GENUINE + b"\0\n body that nobody reads" * 9000,
    ],
)
def test_the_genuine_request_is_accepted(data: bytes) -> None:
    one = gate()
    assert answer(data, one) == RECEIVED.head + RECEIVED.body
    assert code_of(one) == "canary-code"


def test_a_code_keeps_the_characters_that_would_be_a_terminals_in_a_paste() -> None:
    one = gate()
    assert status(answer(request(f"/auth/callback?state={STATE}&code=a\\b'c(d)"), one)) == 200
    assert code_of(one) == "a\\b'c(d)"
    assert status(answer(request(f"/auth/callback?code=a&state={STATE[:9]}\\{STATE[9:]}"))) == 400
    assert status(answer(request(f"/auth/callback?code=a&state={STATE})"))) == 400


def test_it_may_come_byte_by_byte_and_completes_with_the_last_one() -> None:
    one = gate()
    receiver = CallbackReceiver(one)
    for byte in IN_A_BROWSER[:-1]:
        assert receiver.receive(bytes([byte])) == b""
        assert (receiver.closed, receiver.complete, one.accepted) == (False, False, None)
    assert receiver.receive(IN_A_BROWSER[-1:]) == RECEIVED.head + RECEIVED.body
    assert receiver.closed
    assert receiver.complete
    assert one.accepted is not None


def test_of_two_connections_the_first_wins() -> None:
    one = gate()
    first, second = CallbackReceiver(one), CallbackReceiver(one)
    assert first.receive(GENUINE[:-1]) == second.receive(GENUINE[:-1]) == b""
    assert status(second.receive(GENUINE[-1:])) == 200
    accepted = one.accepted
    other = GENUINE.replace(b"canary-code", b"another-one")
    assert first.receive(GENUINE[-1:]) == ALREADY_USED.head + ALREADY_USED.body
    assert answer(other, one) == ALREADY_USED.head + ALREADY_USED.body
    assert one.accepted is accepted
    assert code_of(one) == "canary-code"


@pytest.mark.parametrize(
    "target",
    [TARGET, "/auth/callback", "/auth/callback?state=wrong", f"/auth/callback?error=x&state={STATE}"],
)
def test_a_used_gate_judges_nothing_any_more(target: str) -> None:
    one = gate()
    answer(GENUINE, one)
    assert answer(request(target), one) == ALREADY_USED.head + ALREADY_USED.body
    assert status(answer(request("/favicon.ico"), one)) == 404


def test_a_gate_admits_one_redirect_even_if_nobody_asks_first() -> None:
    one = gate()
    target = Secret(TARGET.encode())
    assert one.admit(target) is one.accepted is not None
    assert one.admit(target) is None


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("error=access_denied", "access_denied"),
        ("error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E", "access_denied"),
        ("error=server_error&code=canary-code", "server_error"),
        ("error=%1b%5b31mred", "other"),
        ("error=", "other"),
        ("code=", None),
        ("code=a+b", None),
        ("code=%00", None),
        ("code=" + "x" * 2049, None),
        ("nothing=else", None),
    ],
)
def test_an_error_or_a_lack_of_code_counts_with_the_right_state(query: str, error: str | None) -> None:
    one = gate()
    assert answer(request(f"/auth/callback?{query}&state={STATE}"), one) == FAILED.head + FAILED.body
    assert code_of(one) is None
    assert one.accepted is not None
    assert read_redirect(one.accepted.query).error == error


def test_another_rule_has_its_own_path_port_and_issuer() -> None:
    rule = CallbackRule("http://127.0.0.1:1457/back", Secret(STATE), (), "https://other.example")
    target = f"/back?code=c&state={STATE}"
    assert status(answer(request(target, host="localhost:1457"), gate(rule))) == 200
    assert status(answer(request(target, host="localhost:1455"), gate(rule))) == 421
    assert status(answer(request(host="localhost:1457"), gate(rule))) == 404
    assert status(answer(request(f"{target}&iss={ISSUER}", host="localhost:1457"), gate(rule))) == 400
    assert status(answer(request(target + SUFFIX, host="localhost:1457"), gate(rule))) == 400


def test_the_port_of_http_need_not_be_said() -> None:
    rule = CallbackRule("http://localhost/auth/callback", Secret(STATE), (), ISSUER)
    assert status(answer(request(host="localhost"), gate(rule))) == 200
    assert status(answer(request(host="localhost:80"), gate(rule))) == 200
    assert status(answer(request(host="localhost"), gate())) == 421


# -- everything else -----------------------------------------------------------------------------------

REFUSED = [
    # too long
    ("request line", request(long_target(8 * 1024 + 1)), 414),
    ("request line of 70 kB", request(TARGET + "&x=" + "y" * 70_000), 414),
    ("a line that never ends", b"GET /" + b"a" * 9000, 414),
    ("101 headers", request(TARGET, *("X: y" for _ in range(100))), 431),
    ("120 headers", request(TARGET, *("X: y" for _ in range(119))), 431),
    ("header lines", request(TARGET, *long_fields(16 * 1024 + 1)), 431),
    ("a header of 70 kB", request(TARGET, "Cookie: " + "c" * 70_000), 431),
    ("a header that never ends", GENUINE[:-2] + b"X: " + b"y" * 17_000, 431),
    # malformed
    ("bare LF everywhere", GENUINE.replace(b"\r\n", b"\n"), 400),
    ("bare LF after the request line", GENUINE.replace(b"\r\n", b"\n", 1), 400),
    ("bare LF at the end", GENUINE[:-2] + b"\n", 400),
    ("bare CR in a header", request(TARGET, "X: a\rY: b"), 400),
    ("NUL in the path", request(TARGET.replace("code", "\0", 1)), 400),
    ("NUL in a header", request(TARGET, "X: a\0b"), 400),
    ("obs-fold with a space", request(TARGET, "X: a", " b"), 400),
    ("obs-fold with a tab", request(TARGET, "X: a", "\tb"), 400),
    ("obs-fold as the first header", request(TARGET, " X: a", host=None), 400),
    ("HTTP/0.9", b"GET " + TARGET.encode() + b"\r\n\r\n", 400),
    ("two Host headers", request(TARGET, "Host: localhost:1455"), 400),
    ("no Host", request(TARGET, host=None), 400),
    ("space before a colon", request(TARGET, "X : a"), 400),
    ("a header without a colon", request(TARGET, "X"), 400),
    ("a header without a name", request(TARGET, ": x"), 400),
    ("no HTTP at all", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 400),
    ("space in the target", request(TARGET + " x"), 400),
    ("UTF-8 in the target", request(TARGET + "&x=\xc3\xa9"), 400),
    # a body
    ("chunked", request(TARGET, "Transfer-Encoding: chunked"), 400),
    ("identity", request(TARGET, "Transfer-Encoding: identity"), 400),
    ("both lengths", request(TARGET, "Content-Length: 5", "Transfer-Encoding: chunked"), 400),
    ("length 5", request(TARGET, "Content-Length: 5"), 400),
    ("length 00", request(TARGET, "Content-Length: 00"), 400),
    ("length -1", request(TARGET, "Content-Length: -1"), 400),
    ("two lengths", request(TARGET, "Content-Length: 0", "Content-Length: 5"), 400),
    ("a length of 5000 digits", request(TARGET, "Content-Length: " + "9" * 5000), 400),
    # versions and forms
    ("HTTP/1.0", request(version="HTTP/1.0"), 400),
    ("HTTP/1.0 without Host", request(version="HTTP/1.0", host=None), 400),
    ("HTTP/1.2", request(version="HTTP/1.2"), 400),
    ("HTTP/2.0", request(version="HTTP/2.0"), 400),
    ("absolute form", request(f"http://localhost:1455{TARGET}"), 400),
    ("asterisk form", request("*"), 400),
    ("fragment", request(f"{TARGET}#x"), 400),
    ("fragment in the path", request(TARGET.replace("?", "#?")), 400),
    ("no slash", request(TARGET[1:]), 400),
    # methods
    *((method, request(method=method), 405) for method in ("POST", "HEAD", "OPTIONS", "PUT", "TRACE", "get")),
    ("CONNECT", request("localhost:1455", method="CONNECT"), 405),
    ("PRI over HTTP/1.1", request("*", method="PRI"), 405),
    ("POST with a body", request(TARGET, "Content-Length: 3", method="POST") + b"a=b", 405),
    # paths
    *(
        (path, request(TARGET.replace("/auth/callback", path)), 404)
        for path in (
            "/",
            "/favicon.ico",
            "/auth",
            "//auth/callback",
            "//evil/auth/callback",
            "/auth/callback/",
            "/auth//callback",
            "/auth/../auth/callback",
            "/auth/./callback",
            "/%61uth/callback",
            "/auth%2Fcallback",
            "/auth/%2e/callback",
            "/auth/Callback",
            "/AUTH/callback",
            "/auth/callback;x",
            "/auth/callback%3Fx",
            "/auth/callbackx",
        )
    ),
    # hosts
    *(
        (f"Host {host}", request(host=host), 421)
        for host in (
            "",
            "evil.example:1455",
            "localhost",
            "localhost:1456",
            "localhost:01455",
            "localhost.:1455",
            "127.0.0.2:1455",
            "0.0.0.0:1455",
            "127.1:1455",
            "::1:1455",
            "[::]:1455",
            "localhost:1455, evil.example",
            "localhost:1455.evil.example",
            "user@localhost:1455",
        )
    ),
    # what a web page can do
    *(
        (f"Sec-Fetch-Mode {mode}", request(TARGET, f"Sec-Fetch-Mode: {mode}"), 403)
        for mode in ("cors", "no-cors", "same-origin", "websocket", "")
    ),
    *(
        (
            f"Sec-Fetch-Dest {dest}",
            request(TARGET, "Sec-Fetch-Mode: navigate", f"Sec-Fetch-Dest: {dest}"),
            403,
        )
        for dest in ("image", "iframe", "frame", "empty", "script", "embed", "object", "")
    ),
    ("two modes", request(TARGET, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Mode: cors"), 403),
    *(
        (field, request(TARGET, *BROWSER, field), 503)
        for field in (
            "Sec-Purpose: prefetch",
            "Sec-Purpose: prefetch;prerender",
            "sec-purpose: Prefetch",
            "Purpose: prefetch",
            "X-Purpose: preview",
            "X-Moz: prefetch",
        )
    ),
    # the query
    *(
        (query[:60] or "no query", request(f"/auth/callback?{query}"), 400)
        for query in (
            "",
            "code=c",
            "code=c&state=",
            "code=c&state=wrong",
            f"code=c&state={STATE[:-1]}",
            f"code=c&state={STATE}x",
            f"code=c&state={STATE.upper()}",
            f"code=c&state={STATE}&state={STATE}",
            f"code=c&state=wrong&state={STATE}",
            f"code=c&state={STATE}{SUFFIX}{SUFFIX}",
            f"code=c&state={SUFFIX}",
            f"code=c&State={STATE}",
            f"code=c&state={STATE}%00",
            f"code=c&state=%FF{STATE}",
            f"code=c;state={STATE}",
            f"code=c&code=d&state={STATE}",
            f"code=c&c%6Fde=d&state={STATE}",
            f"error=a&error=b&state={STATE}",
            f"code=c&state={STATE}&iss=https://evil.example",
            f"code=c&state={STATE}&iss={ISSUER}/",
            f"code=c&state={STATE}&iss={ISSUER}&iss={ISSUER}",
            f"error=access_denied&state={STATE}&iss=https://evil.example",
            "error=access_denied",
            "error=access_denied&state=wrong",
            f"code=c&state={STATE}&x=%FF",
            "&".join(["a=b"] * 101) + f"&code=c&state={STATE}",
        )
    ),
    ("no question mark", request("/auth/callback"), 400),
    # no HTTP/1.1 for us
    ("TLS hello", TLS_HELLO, QUIET),
    ("half a TLS hello", TLS_HELLO[:1], QUIET),
    ("HTTP/2 preface", PREFACE, QUIET),
    ("WebSocket", request(TARGET, *WEBSOCKET), QUIET),
    ("WebSocket from a page", request("/", *WEBSOCKET, "Sec-Fetch-Mode: websocket"), QUIET),
    ("h2c", request(TARGET, "Upgrade: h2c"), QUIET),
    ("garbage", bytes(range(128, 256)) * 300, QUIET),
    ("NULs", bytes(100), QUIET),
    ("SOCKS 5", b"\x05\x01\x00", QUIET),
    ("an empty line first", b"\r\n" + GENUINE, QUIET),
    ("a space first", b" " + GENUINE, QUIET),
    # no request at all
    ("nothing", b"", QUIET),
    ("a partial request line", GENUINE[:20], QUIET),
    ("all but the last byte", GENUINE[:-1], QUIET),
]


@pytest.mark.parametrize(("data", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_not_the_genuine_request_changes_nothing(data: bytes, expected: int | None) -> None:
    one = gate()
    sent = answer(data, one)
    assert status(sent) == expected
    assert answer_in_pieces((bytes([byte]) for byte in data), gate()) == sent
    assert b"canary" not in sent
    assert one.accepted is None
    assert status(answer(IN_A_BROWSER, one)) == 200


@pytest.mark.parametrize("data", [TLS_HELLO, PREFACE[:16], b"\0", b"GET / HTTP/1.1\n", b"G" * 8192])
def test_a_hopeless_peer_is_closed_at_once_and_is_not_complete(data: bytes) -> None:
    receiver = CallbackReceiver(gate())
    receiver.receive(data)
    assert receiver.closed
    assert not receiver.complete


def test_a_refused_request_is_complete() -> None:
    receiver = CallbackReceiver(gate())
    receiver.receive(request("/favicon.ico"))
    assert receiver.closed
    assert receiver.complete


def test_a_head_request_gets_no_body() -> None:
    assert answer(request(method="HEAD")) == NOT_FOR_YOU[405].head
    assert answer(request(TARGET, "X: \0", method="HEAD")) == NOT_FOR_YOU[400].head


def test_nothing_shows_what_was_received() -> None:
    one = gate()
    receiver = CallbackReceiver(one)
    receiver.receive(GENUINE[:-1])
    before = repr(receiver) + repr(one)
    receiver.receive(GENUINE[-1:])
    assert "canary" not in before + repr(receiver) + repr(one) + repr(one.accepted)
