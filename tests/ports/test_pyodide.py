"""The port to Pyodide: the core runs there as it is, signs in, and does what `fetch` lets it do."""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import attrs
import pytest

from codex_oauth.authority import Authority, Policy, serve
from codex_oauth.testing.loopback import (
    OK_ANSWER,
    Act,
    LoopbackServer,
    answer,
    closing,
    in_turn,
    resetting,
    silent,
    trickling,
)
from codex_oauth_core.reading.json_body import MAX_BODY
from tests.house.tree import ROOT
from tests.ports.in_pyodide import in_pyodide

PAGE = (ROOT / "docs" / "ports.md").read_text(encoding="utf-8")
BODY: Final = bytes(range(256))
HEADERS: Final = [["Content-Type", "application/json"], ["X-Empty", ""], ["originator", "codex_cli_rs"]]
LIMIT: Final = 0.6
OK: Final[dict[str, Any]] = {"kind": "ResponseReceived", "status": 200}


def _failed(phase: str, cause: str) -> dict[str, Any]:
    return {"kind": "RequestFailed", "phase": phase, "cause": cause}


@attrs.frozen
class Case:
    """A request to a server that does `act`, and what must come of it; `came`: how often it reached the server."""

    wanted: dict[str, Any]
    act: Act = attrs.field(factory=lambda: in_turn(OK_ANSWER))
    asked: dict[str, Any] = attrs.field(factory=dict[str, Any])
    came: int = 1
    within: tuple[float, float] = (0.0, 60.0)


CASES: Final = {
    "as it is": Case(OK, asked={"path": "/a//b/%2e?q=%2F+1&x=%2d", "headers": HEADERS, "body": BODY.hex()}),
    "GET": Case(OK, asked={"method": "GET"}),
    "a large body": Case(OK, asked={"body": (BODY * 400).hex()}),
    "repeated headers": Case(
        {**OK, "headers": {"x": "1, 2", "content-length": "0"}},
        in_turn(b"HTTP/1.1 200 OK\r\nX: 1\r\nx: 2\r\nContent-Length: 0\r\n\r\n"),
    ),
    "a body that begins with a BOM": Case(
        {**OK, "body": "efbbbf7b7d"}, in_turn(answer(200, b"\xef\xbb\xbf{}"))
    ),
    "no content": Case({"kind": "ResponseReceived", "status": 204}, in_turn(b"HTTP/1.1 204 No\r\n\r\n")),
    "an error": Case({"kind": "ResponseReceived", "status": 503}, in_turn(answer(503, b"later"))),
    "what was packed": Case(
        {**OK, "body": b"unpacked".hex(), "headers": {"y": "1"}},
        in_turn(answer(200, gzip.compress(b"unpacked"), {"Content-Encoding": "gzip", "Y": "1"})),
    ),
    "refused": Case(_failed("not_sent", "connect"), asked={"url": "where nobody listens"}, came=0),
    "a name that can be none": Case(
        _failed("not_sent", "dns"), asked={"url": f"http://{'a' * 64}.example"}, came=0
    ),
    "a reset": Case(_failed("maybe_sent", "reset"), resetting),
    "no answer": Case(_failed("maybe_sent", "reset"), closing(b"")),
    "no HTTP": Case(_failed("maybe_sent", "reset"), closing(b"hello\r\n\r\n")),
    "a body cut short": Case(
        _failed("maybe_sent", "truncated"), closing(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")
    ),
    "too big": Case(_failed("maybe_sent", "too_big"), closing(answer(200, b"x" * (MAX_BODY + 1)))),
    "just not too big": Case(OK, closing(answer(200, b"x" * MAX_BODY))),
    "silent": Case(_failed("maybe_sent", "timeout"), silent, {"limit": LIMIT}, within=(LIMIT / 2, LIMIT + 3)),
    "silent, once": Case(
        _failed("maybe_sent", "timeout"),
        silent,
        {"limit": LIMIT, "once": True},
        within=(LIMIT / 2, LIMIT + 3),
    ),
    "trickling": Case(
        _failed("maybe_sent", "timeout"),
        trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", [b"x"] * 999),
        {"limit": LIMIT},
        within=(LIMIT / 2, LIMIT + 3),
    ),
    "too late to begin": Case(_failed("not_sent", "timeout"), asked={"write_by": 0.0, "once": True}, came=0),
    "cancelled": Case(
        {"kind": "Cancelled"}, silent, {"limit": 30.0, "cancel_after": 0.2}, within=(0.1, 10.0)
    ),
    "cancelled before": Case({"kind": "Cancelled"}, asked={"cancel_after": 0}, came=0),
    "cancelled, once": Case(
        OK,
        trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", [b"x"] * 3),
        {"cancel_after": 0.05, "once": True},
    ),
    "its task is cancelled": Case(
        {"kind": "CancelledError"}, silent, {"limit": 30.0, "end_after": 0.2}, within=(0.1, 10.0)
    ),
    "its task is cancelled, once": Case(
        {"kind": "CancelledError"},
        silent,
        {"limit": LIMIT, "end_after": 0.1, "once": True},
        within=(LIMIT / 2, LIMIT + 3),
    ),
    "a wait": Case({"kind": "TimeReached"}, asked={"wait": 0.3}, came=0, within=(0.25, 5.0)),
    "a wait that is cancelled": Case(
        {"kind": "Cancelled"}, asked={"wait": 30.0, "cancel_after": 0.1}, came=0, within=(0.0, 10.0)
    ),
    "user information": Case(OK, asked={"user": "anna:secret@"}),
    "no URL": Case({"kind": "ValueError"}, asked={"url": "/nowhere"}, came=0),
    "another scheme": Case({"kind": "ValueError"}, asked={"url": "ftp://127.0.0.1/"}, came=0),
    "a space": Case({"kind": "ValueError"}, asked={"url": "http://127.0.0.1:9/a b"}, came=0),
    "a method that is none": Case({"kind": "ValueError"}, asked={"method": "GET:"}, came=0),
    "a header without a name": Case({"kind": "ValueError"}, asked={"headers": [["", "b"]]}, came=0),
    "two headers in one": Case({"kind": "ValueError"}, asked={"headers": [["A", "b\r\nC: d"]]}, came=0),
}


@attrs.frozen
class Came:
    """What came of a case."""

    told: dict[str, Any]
    server: LoopbackServer


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Came]]:
    """All of them run in one Pyodide, which takes seconds to start."""
    with ExitStack() as servers:
        running = {name: servers.enter_context(LoopbackServer(case.act)) for name, case in CASES.items()}
        silent_port = servers.enter_context(socket.socket())
        silent_port.bind(("127.0.0.1", 0))  # and nobody listens
        asked = list[dict[str, Any]]()
        for name, case in CASES.items():
            more = dict(case.asked)
            if more.get("url") == "where nobody listens":
                more["url"] = f"http://127.0.0.1:{silent_port.getsockname()[1]}"
            server = running[name].url.replace("//", f"//{more.pop('user', '')}")
            asked.append({"url": server + more.pop("path", "/"), **more})
        told = in_pyodide(asked)
        yield {name: Came(each, running[name]) for name, each in zip(CASES, told, strict=True)}


@pytest.mark.parametrize("name", list(CASES))
def test_an_effect(name: str, found: dict[str, Came]) -> None:
    case, came = CASES[name], found[name]
    told = {key: came.told[key] for key in case.wanted if key != "headers"}
    assert told == {key: value for key, value in case.wanted.items() if key != "headers"}, came.told
    for header, value in case.wanted.get("headers", {}).items():
        assert came.told["headers"].get(header) == value
    assert len(came.server.received) == case.came
    least, most = case.within
    assert least <= came.told["took"] <= most
    assert came.told.get("in_order", True)


def test_what_was_packed_does_not_say_that_it_is(found: dict[str, Came]) -> None:
    assert not {"content-encoding", "content-length"} & set(found["what was packed"].told["headers"])


def test_a_request_goes_out_as_it_is_but_for_headers_that_the_page_names(found: dict[str, Came]) -> None:
    (request,) = found["as it is"].server.received
    assert (request.method, request.body) == ("POST", BODY)
    assert request.target == "/a//b/%2e?q=%2F+1&x=%2d".replace("/%2e", "/")  # as the URL Standard has it
    ours = {name.lower(): value for name, value in HEADERS}
    came = {name.lower(): value for name, value in request.headers}
    assert {name: came[name] for name in ours} == ours
    added = set(came) - set(ours) - {"host", "content-length", "connection"}
    named = set(
        re.findall(r"`([\w-]+)`", PAGE.partition("Headers that `fetch` adds:")[2].partition("\n\n")[0])
    )
    assert added <= {name.lower() for name in named}


def test_user_information_is_not_sent(found: dict[str, Came]) -> None:
    (request,) = found["user information"].server.received
    assert request.header("Authorization") == ()


def test_a_redirect_is_not_followed() -> None:
    with LoopbackServer(in_turn(OK_ANSWER)) as other:
        redirects = in_turn(*[answer(307, b"", {"Location": f"{other.url}/"})])
        with LoopbackServer(redirects) as server:
            (told,) = in_pyodide([{"url": server.url}])
        assert (told["status"], told["headers"]["location"]) == (307, f"{other.url}/")
        assert not other.received


def test_somebody_signs_in_at_the_authority() -> None:
    with serve(Authority(policy=Policy(approve="auto", interval=1))) as server:
        (told,) = in_pyodide([{"url": server.url, "sign_in": True}])
    assert (told["kind"], told["prompts"]) == ("Credential", 1), told
    assert "***" in told["says"]


def test_who_is_denied_does_not_sign_in() -> None:
    with serve(Authority(policy=Policy(approve="deny", interval=1))) as server:
        (told,) = in_pyodide([{"url": server.url, "sign_in": True}])
    assert (told["kind"], told["prompts"]) == ("SignInError", 1), told
