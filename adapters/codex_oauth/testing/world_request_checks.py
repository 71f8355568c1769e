"""Checks of a world: a request goes out as it is, and nothing else with it.

Rules of this file: tables of requests, by what is special about each; a row is sent as a `once` request,
as one that is none, and as one with `write_by`, because a port may have a way for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.loopback import OK_ANSWER, LoopbackRequest, LoopbackServer, answer, in_turn
from codex_oauth.testing.performing import BODY, HEADERS, CheckedClock, MakeAsyncWorld, response
from codex_oauth.testing.tolerance import tolerated
from codex_oauth_core.effects import Request, RequestHeaders, SendRequest
from codex_oauth_core.secret import Secret

__all__ = ["REQUEST_CHECKS", "ways"]

_MAY_BE_ADDED: Final = frozenset({"host", "content-length", "connection"})
_FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")

_TARGETS: Final[Mapping[str, str]] = {
    "no path": "",
    "a path": "/oauth/token",
    "a slash alone": "/",
    "an empty query": "/?",
    "an empty query after a path": "/a?",
    "a query without a path": "?a=1",
    "dot segments": "/a/./b/../c",
    "dot segments at the beginning": "/../a",
    "encoded dot segments": "/a/%2e%2e/b",
    "two slashes": "/a//b",
    "two slashes at the beginning": "//a/b",
    "a slash at the end": "/a/",
    "lower-case escapes": "/%2d%7e%2f",
    "upper-case escapes": "/%2D%7E%2F",
    "an escape of what needs none": "/%61%2Db",
    "what may be escaped and is not": "/-._~!$&'()*,;=:@",
    "an escaped percent sign": "/%2525",
    "an escaped blank": "/a%20b?c%20d",
    "plus signs": "/a+b?c+d=%2B",
    "a query of every kind": "/a?b=c&d=%2F/&e&&f==;g=?h",
    "an escape beyond ASCII": "/%C3%A9?%e2%82%ac=1",
    "parameters": "/a;b=c/d",
    "a long query": "/?" + "x" * 3000,
}
"""What follows the host and the port of a URL. It is the target, with a slash where no path is."""

_REWRITTEN: Final = frozenset(
    {
        *("an empty query", "an empty query after a path"),
        *("dot segments", "dot segments at the beginning", "encoded dot segments"),
        *("lower-case escapes", "an escape of what needs none", "an escape beyond ASCII"),
    }
)
"""What RFC 3986 §6.2 calls equal to something shorter."""

_BODIES: Final[Mapping[str, bytes]] = {
    "a form": b"grant_type=refresh_token&refresh_token=a%2Bb+c%20d%2f",
    "JSON": b'{"b": 1,\n "a": "\xc3\xa9\\u00e9"}',
    "every byte": BODY,
    "white space at both ends": b" \r\n\t{}\r\n\r\n ",
    "zeros at both ends": b"\0\0a\0",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "what looks like a chunk": b"5\r\nhello\r\n0\r\n\r\n",
    "what looks like a request": b"GET / HTTP/1.1\r\n\r\n",
    "one byte": b"x",
    "a large one": BODY * 2000,
}

_HEADERS: Final[Mapping[str, RequestHeaders]] = {
    "no headers": (),
    "the usual ones": HEADERS,
    "another order": tuple(reversed(HEADERS)),
    "an order that no alphabet has": (("X-B", "1"), ("Accept", "*/*"), ("X-A", "2"), ("User-Agent", "a")),
    "several of one name": (("X-Many", "one"), ("X-Many", "two, three"), ("X-Many", "one")),
    "an empty one": (("X-Empty", ""), ("X-Full", "x")),
    "values of every kind": (
        ("X-Odd", "a  b;c=\"d, e\", f='g' \\ (h) <i> {j}"),
        ("X-Odder", "=?utf-8?q?x?="),
    ),
    "a long one": (("X-Long", "x" * 6000),),
    "many": tuple((f"X-Number-{number}", str(number)) for number in range(40)),
    "a credential": (("Authorization", "Bearer fake-token"),),
    "a credential that is secret": (("Authorization", Secret("Basic ZmFrZTpmYWtl")),),
    "an encoding that may come": (("Accept-Encoding", "gzip, br"),),
    "only what is accepted": (("Accept", "text/plain;q=0.5, */*;q=0.1"),),
    "a type with parameters": (("Content-Type", "application/json; charset=utf-8"),),
}

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
_WITH_A_BODY: Final = ("POST", "PUT", "PATCH")


def ways(request: Request, at: float, timeout: float = 5.0) -> Iterator[SendRequest]:
    """The ways to send a request, at the instant `at`."""
    yield SendRequest(request, timeout)
    yield SendRequest(request, timeout, once=True)
    yield SendRequest(request, timeout, once=True, write_by=at + 100.0)


async def every_target_goes_out_as_it_is(make: MakeAsyncWorld) -> None:
    await _go_out(
        make,
        {
            name: (Request("GET", path, HEADERS[:3], Secret(b"")), path)
            for name, path in _TARGETS.items()
            if not (name in _REWRITTEN and tolerated().target_form)
        },
    )


async def a_fragment_stays_here(make: MakeAsyncWorld) -> None:
    rows = {"a fragment": "/a#b", "a fragment after a query": "/a?b=c#d?e", "a fragment alone": "#a"}
    await _go_out(
        make,
        {
            name: (Request("GET", path, HEADERS[:3], Secret(b"")), path.partition("#")[0])
            for name, path in rows.items()
        },
    )


async def every_method_goes_out_as_it_is(make: MakeAsyncWorld) -> None:
    rows: dict[str, tuple[Request, str]] = {}
    for method in _METHODS:
        if method not in tolerated().methods:
            rows[method] = (Request(method, "/method", HEADERS[:3], Secret(b"")), "/method")
        if method in _WITH_A_BODY:
            rows[f"{method} with a body"] = (Request(method, "/method", HEADERS, Secret(BODY)), "/method")
    await _go_out(make, rows)


async def every_body_goes_out_as_it_is(make: MakeAsyncWorld) -> None:
    headers = (*HEADERS[:3], _FORM)
    await _go_out(
        make,
        {name: (Request("POST", "/b", headers, Secret(body)), "/b") for name, body in _BODIES.items()},
    )


async def every_header_goes_out_as_it_is_and_none_is_added(make: MakeAsyncWorld) -> None:
    rows = {name: (Request("POST", "/h", headers, Secret(BODY)), "/h") for name, headers in _HEADERS.items()}
    for name, headers in _HEADERS.items():
        rows[f"{name}, without a body"] = (Request("GET", "/h", headers, Secret(b"")), "/h")
    await _go_out(make, rows)


async def nothing_is_remembered_for_the_next_request(make: MakeAsyncWorld) -> None:
    """Cookies, validators, credentials, a page that sent one there."""
    told = {
        "Set-Cookie": "sid=1; Path=/",
        "ETag": '"1"',
        "Last-Modified": "Tue, 15 Nov 1994 08:12:31 GMT",
        "Cache-Control": "public, max-age=3600, immutable",
        "Expires": "Fri, 31 Dec 2100 00:00:00 GMT",
        "WWW-Authenticate": 'Basic realm="a"',
        "Alt-Svc": 'h2="127.0.0.1:9"; ma=3600',
        "Strict-Transport-Security": "max-age=3600",
        "Accept-CH": "Sec-CH-UA",
    }
    get = Request("GET", "/next", HEADERS[:3], Secret(b""))
    clock = CheckedClock()
    with LoopbackServer(in_turn(answer(200, b"ok", told))) as server:
        sent = 0
        for _ in range(2):  # nor for another world
            async with make(now=clock) as world:
                for effect in (*ways(get, clock.instant()), *ways(get, clock.instant())):
                    at_the_server = attrs.evolve(effect.request, url=server.url + get.url)
                    response(await world.perform(attrs.evolve(effect, request=at_the_server)))
                    sent += 1
                    same(len(server.received), sent, "the number of requests that came for so many")
                    _same_headers(server.received[-1], get.headers)


async def user_information_is_not_sent(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    refused = answer(401, b"", {"WWW-Authenticate": 'Basic realm="a"'})
    with LoopbackServer(in_turn(refused)) as server:
        async with make(now=clock) as world:
            for user in ("me", "me:fake-password", "me:", ":fake-password", "m%40e:fake%3Apassword"):
                url = server.url.replace("://", f"://{user}@") + "/user"
                request = Request("POST", url, HEADERS, Secret(BODY))
                for effect in ways(request, clock.instant()):
                    with case(f"user information {user!r}"):
                        before = len(server.received)
                        same(response(await world.perform(effect)).status, 401, "the status of the answer")
                        same(len(server.received) - before, 1, "the number of requests that came for one")
                        found = server.received[-1]
                        same(found.target, "/user", "the target")
                        _same_headers(found, HEADERS)
                        same(found.header("Host"), (f"127.0.0.1:{server.port}",), "the values of Host")


async def _go_out(make: MakeAsyncWorld, rows: Mapping[str, tuple[Request, str]]) -> None:
    """Send each request, of which the URL lacks the server, and see whether it comes as it is."""
    clock = CheckedClock()
    with LoopbackServer(in_turn(OK_ANSWER)) as server:
        async with make(now=clock) as world:
            for name, (row, target) in rows.items():
                request = attrs.evolve(row, url=server.url + row.url)
                for effect in ways(request, clock.instant()):
                    with case(f"{name}{', once' if effect.once else ''}"):
                        before = len(server.received)
                        response(await world.perform(effect))
                        same(len(server.received) - before, 1, "the number of requests that came for one")
                        _same_request(server.received[-1], request, target)
                        same(server.received[-1].header("Host"), (f"127.0.0.1:{server.port}",), "Host")


def _same_request(found: LoopbackRequest, sent: Request, target: str) -> None:
    wanted = target if target.startswith("/") else f"/{target}"
    same((found.method, found.target), (sent.method, wanted), "the method and the target")
    _same_headers(found, sent.plain_headers())
    body = sent.body.reveal()
    same(len(found.body), len(body), "the size of the body")
    true(found.body == body, "the body is not the one that was to be sent")


def _same_headers(found: LoopbackRequest, wanted: RequestHeaders) -> None:
    """No header is added, dropped or changed; those of one name may be joined (RFC 9110 §5.3)."""
    may = tolerated()
    asked = {name.lower() for name, _ in wanted}
    passed_over = (_MAY_BE_ADDED | may.added_headers) - asked
    came = _joined([(name, value) for name, value in found.headers if name.lower() not in passed_over])
    expected = _joined([(name, str(value)) for name, value in wanted])
    for name in came:
        if name.lower() not in asked:
            fail(f"the header {name} was added")
    if may.header_case:
        came, expected = _lowered(came), _lowered(expected)
    for name in expected:
        if name not in came:
            fail(f"the header {name} did not come, or in other letters")
        true(came[name] == expected[name], f"the header {name} came with another value")
    if not may.header_order:
        same(list(came), list(expected), "the headers, in their order")
    for name in _MAY_BE_ADDED:
        true(len(found.header(name)) < 2, f"the header {name} came twice")


def _joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


REQUEST_CHECKS: Final = (
    every_target_goes_out_as_it_is,
    a_fragment_stays_here,
    every_method_goes_out_as_it_is,
    every_body_goes_out_as_it_is,
    every_header_goes_out_as_it_is_and_none_is_added,
    nothing_is_remembered_for_the_next_request,
    user_information_is_not_sent,
)
