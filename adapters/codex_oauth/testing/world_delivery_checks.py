"""Checks of a world: an answer is delivered as it came, whatever it is, and nothing is done about it.

Rules of this file: tables of answers, by what is special about each; every one of them is whole, so each
is a `ResponseReceived`. What must be an answer of HTTP/1.1 in one way only is in `world_failure_checks`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.loopback import OK_ANSWER, LoopbackServer, chunked, closing, in_turn
from codex_oauth.testing.performing import BODY, HEADERS, CheckedClock, MakeAsyncWorld, response
from codex_oauth.testing.tolerance import tolerated
from codex_oauth.testing.world_request_checks import ways
from codex_oauth_core.effects import Request
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY
from codex_oauth_core.secret import Secret

__all__ = ["DELIVERY_CHECKS"]


@attrs.frozen
class _Answer:
    """What is sent, and what must be delivered. A header that must not be there has the value None."""

    sent: bytes = attrs.field(repr=False)
    status: int = 200
    headers: Mapping[str, str | None] = attrs.field(factory=dict[str, "str | None"])
    body: bytes = b"ok"
    method: str = "POST"


_OK: Final = "HTTP/1.1 200 OK\r\n"
_END: Final = "Content-Length: 2\r\n\r\nok"
_EMPTY: Final = "Content-Length: 0\r\n\r\n"
_NO_BODY: Final = "\r\n"


def _headed(*lines: str) -> bytes:
    return (_OK + "".join(f"{line}\r\n" for line in lines) + _END).encode("latin-1")


def _encoded(name: str, body: bytes) -> _Answer:
    head = f"{_OK}Content-Encoding: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
    return _Answer(head.encode() + body, body=body, headers={"content-encoding": name})


_HEADERS: Final[Mapping[str, _Answer]] = {
    "two of one name": _Answer(_headed("X-Two: a", "X-Two: b"), headers={"x-two": "a, b"}),
    "two of one name, in other letters and apart": _Answer(
        _headed("X-Two: z", "X-One: 1", "x-TWO: a", "X-Three: 3", "X-Two: m"),
        headers={"x-two": "z, a, m", "x-one": "1", "x-three": "3"},
    ),
    "two equal ones": _Answer(_headed("X-Two: a", "X-Two: a"), headers={"x-two": "a, a"}),
    "one with a comma beside another": _Answer(_headed("X: a,b", "X: c"), headers={"x": "a,b, c"}),
    "two cookies": _Answer(
        _headed("Set-Cookie: a=1; Expires=Wed, 09 Jun 2021 10:18:14 GMT", "Set-Cookie: b=2"),
        headers={"set-cookie": "a=1; Expires=Wed, 09 Jun 2021 10:18:14 GMT, b=2"},
    ),
    "two challenges": _Answer(
        _headed('WWW-Authenticate: Bearer error="a"', "WWW-Authenticate: Basic"),
        headers={"www-authenticate": 'Bearer error="a", Basic'},
    ),
    "two values of Retry-After": _Answer(
        _headed("Retry-After: 7", "Retry-After: 9"), headers={"retry-after": "7, 9"}
    ),
    "an empty one": _Answer(_headed("X-Empty:", "X-Full: x"), headers={"x-empty": "", "x-full": "x"}),
    "blanks around and within": _Answer(_headed("X-Wide: \t a  b\t "), headers={"x-wide": "a  b"}),
    "no blank after the colon": _Answer(_headed("X-Tight:a:b"), headers={"x-tight": "a:b"}),
    "quotes and other signs": _Answer(
        _headed('X-Odd: "a\\"b" (c) <d>;e=\'f\''), headers={"x-odd": '"a\\"b" (c) <d>;e=\'f\''}
    ),
    "odd letters in the name": _Answer(_headed("x-ODD-name_1!: a"), headers={"x-odd-name_1!": "a"}),
    "a long one": _Answer(_headed("X-Long: " + "x" * 6000), headers={"x-long": "x" * 6000}),
    "sixty": _Answer(
        _headed(*(f"X-{number}: {number}" for number in range(60))),
        headers={f"x-{number}": str(number) for number in range(60)},
    ),
    "a date": _Answer(
        _headed("Date: Tue, 15 Nov 1994 08:12:31 GMT"), headers={"date": "Tue, 15 Nov 1994 08:12:31 GMT"}
    ),
    "what came before the answer": _Answer(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX: early\r\n\r\n" + _headed("X: late"),
        headers={"x": "late", "link": None},
    ),
    "a trailer": _Answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: head\r\n\r\n"
        b"2\r\nok\r\n0\r\nX: tail\r\nX-T: t\r\n\r\n",
        headers={"x": "head"},
    ),
}

_BODIES: Final[Mapping[str, _Answer]] = {
    "a byte order mark": _Answer(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n\xef\xbb\xbf{}",
        body=b"\xef\xbb\xbf{}",
    ),
    "another character set": _Answer(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-16\r\nContent-Length: 6\r\n\r\n"
        b"\xff\xfea\0b\0",
        body=b"\xff\xfea\0b\0",
    ),
    "white space at both ends": _Answer(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\r\n {} \t\r\n", body=b"\r\n {} \t\r\n"
    ),
    "zeros": _Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\0a\0\0", body=b"\0a\0\0"),
    "what looks like an answer": _Answer(
        f"{_OK}Content-Length: {len(_OK)}\r\n\r\n{_OK}".encode(), body=_OK.encode()
    ),
    "chunks of one byte": _Answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50 + b"0\r\n\r\n",
        body=b"x" * 50,
    ),
    "chunks with extensions": _Answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0A;a=b\r\n0123456789\r\n2;c\r\nok\r\n0\r\n\r\n",
        body=b"0123456789ok",
    ),
    "no chunk": _Answer(chunked(b""), body=b""),
    "gzip": _encoded("gzip", gzip.compress(b"{}")),
    "gzip twice": _encoded("gzip, gzip", gzip.compress(gzip.compress(b"{}"))),
    "gzip that is none": _encoded("gzip", b"{}"),
    "gzip in capitals": _encoded("GZIP", gzip.compress(b"{}")),
    "gzip without its name": _Answer(
        f"{_OK}Content-Length: {len(gzip.compress(b'{}', mtime=0))}\r\n\r\n".encode()
        + gzip.compress(b"{}", mtime=0),
        body=gzip.compress(b"{}", mtime=0),
    ),
    "x-gzip": _encoded("x-gzip", gzip.compress(b"{}")),
    "deflate": _encoded("deflate", zlib.compress(b"{}")),
    "deflate that is none": _encoded("deflate", b"{}"),
    "br": _encoded("br", b"\x0b\x01\x80{}\x03"),
    "zstd": _encoded("zstd", b"\x28\xb5\x2f\xfd\x04\x00\x11\x00\x00{}\x9f\x7f\x7f\xc6"),
    "an encoding that nobody knows": _encoded("rot13", b"{}"),
    "gzip of an empty body": _encoded("gzip", b""),
    "a bomb": _encoded("gzip", gzip.compress(b"x" * 4 * MAX_BODY)),
}

_FRAMES: Final[Mapping[str, _Answer]] = {
    "100 before the answer": _Answer(f"HTTP/1.1 100 Continue\r\n\r\n{_OK}{_END}".encode()),
    "103 twice before the answer": _Answer(
        ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + _OK + _END).encode(), headers={"link": None}
    ),
    "102 and then a refusal": _Answer(
        f"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 400 Bad\r\n{_EMPTY}".encode(), status=400, body=b""
    ),
    "204": _Answer(b"HTTP/1.1 204 No Content\r\n\r\n", status=204, body=b""),
    "304": _Answer(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n', 304, {"etag": '"a"'}, b""),
    "304 with the length of what it has not": _Answer(
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", status=304, body=b""
    ),
    "the answer to HEAD, with the length of what it has not": _Answer(
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", body=b"", method="HEAD"
    ),
    "the answer to HEAD in chunks that do not come": _Answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body=b"", method="HEAD"
    ),
    "no reason phrase": _Answer(f"HTTP/1.1 200 \r\n{_END}".encode()),
    "another reason phrase": _Answer(f"HTTP/1.1 200 Not Found At All\r\n{_END}".encode()),
    "no length before 204": _Answer(b"HTTP/1.1 204 \r\nX: a\r\n\r\n", 204, {"x": "a"}, b""),
}

_TO_ITS_END: Final[Mapping[str, _Answer]] = {
    "HTTP/1.0": _Answer(b"HTTP/1.0 200 OK\r\nX: a\r\n\r\nok", headers={"x": "a"}),
    "HTTP/1.0 with a length": _Answer(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "a body that ends with its connection": _Answer(b"HTTP/1.1 200 OK\r\nX: a\r\n\r\n" + BODY, body=BODY),
    "an answer that says it closes": _Answer(f"{_OK}Connection: close\r\n{_END}".encode()),
    "no body that ends with its connection": _Answer(b"HTTP/1.1 401 No\r\n\r\n", status=401, body=b""),
}

_STATUSES: Final = (
    *(200, 201, 202, 203, 205, 206, 207, 208, 218, 226, 299),
    *(400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 419),
    *(421, 422, 423, 424, 425, 426, 428, 429, 431, 440, 444, 449, 451, 460, 494, 495, 498, 499),
    *(500, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510, 511, 520, 521, 525, 529, 530, 598, 599),
)
_REDIRECTS: Final = (300, 301, 302, 303, 304, 305, 306, 307, 308, 201, 202)


async def every_header_is_delivered(make: MakeAsyncWorld) -> None:
    await _are_delivered(make, _HEADERS, in_turn)


async def every_body_is_delivered(make: MakeAsyncWorld) -> None:
    await _are_delivered(make, _BODIES, in_turn)


async def every_kind_of_answer_is_delivered(make: MakeAsyncWorld) -> None:
    await _are_delivered(make, _FRAMES, in_turn)
    await _are_delivered(make, _TO_ITS_END, closing)


async def odd_statuses_are_answers(make: MakeAsyncWorld) -> None:
    rows = {
        f"status {status}": _Answer(f"HTTP/1.1 {status} Odd\r\nX: a\r\n{_END}".encode(), status, {"x": "a"})
        for status in _STATUSES
    }
    rows["status 205 without a body"] = _Answer(f"HTTP/1.1 205 Reset\r\n{_EMPTY}".encode(), 205, body=b"")
    await _are_delivered(make, rows, in_turn)


async def no_redirect_of_any_kind_is_followed(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with LoopbackServer(in_turn(OK_ANSWER)) as other:
        async with make(now=clock) as world:
            for name, headers, status in _ways_to_lead(other.url):
                lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
                sent = f"HTTP/1.1 {status} Elsewhere\r\n{lines}{_NO_BODY if status == 304 else _EMPTY}"
                for method in ("POST", "GET", "HEAD", "PUT"):
                    with (
                        case(f"{name}, status {status}, of {method}"),
                        LoopbackServer(in_turn(sent.encode())) as server,
                    ):
                        body = BODY if method in ("POST", "PUT") else b""
                        request = Request(method, f"{server.url}/here", HEADERS[:3], Secret(body))
                        for effect in tuple(ways(request, clock.instant()))[:2]:
                            before = len(server.received)
                            found = response(await world.perform(effect))
                            same(found.status, status, "the status")
                            _has_headers(found, dict(headers))
                            same(len(server.received) - before, 1, "the number of requests that came")
                        same(other.connections, 0, "the number of connections to where it leads")


def _ways_to_lead(elsewhere: str) -> list[tuple[str, Mapping[str, str], int]]:
    """A name, headers and a status. The later ones have one usual status each: so many are enough."""
    whole: list[tuple[str, Mapping[str, str], int]] = [
        ("a Location", {"Location": f"{elsewhere}/there"}, status) for status in _REDIRECTS
    ]
    others: dict[str, Mapping[str, str]] = {
        "a Location on this server": {"Location": "/there"},
        "a Location beside this page": {"Location": "there?x=1"},
        "an empty Location": {"Location": ""},
        "a Location of a query": {"Location": "?code=1"},
        "a Location without a scheme": {"Location": elsewhere.partition(":")[2]},
        "a Location that is none": {"Location": "http://[/"},
    }
    more: dict[str, Mapping[str, str]] = {
        "a Refresh": {"Refresh": f"0; url={elsewhere}/there"},
        "a Content-Location": {"Content-Location": f"{elsewhere}/there"},
        "a Link": {"Link": f"<{elsewhere}/there>; rel=preload, <{elsewhere}/b>; rel=next"},
        "an Alt-Svc": {"Alt-Svc": f'http/1.1="{elsewhere.partition("//")[2]}"; ma=60'},
    }
    whole += [(name, headers, 302) for name, headers in others.items()]
    return whole + [(name, headers, 200) for name, headers in more.items()]


async def _are_delivered(
    make: MakeAsyncWorld, rows: Mapping[str, _Answer], sending: Callable[[bytes], Callable[..., None]]
) -> None:
    clock = CheckedClock()
    async with make(now=clock) as world:
        for name, row in rows.items():
            if row.method in tolerated().methods:
                continue
            with LoopbackServer(sending(row.sent)) as server:
                body = BODY if row.method == "POST" else b""
                request = Request(row.method, f"{server.url}/", HEADERS[:3], Secret(body))
                for effect in tuple(ways(request, clock.instant()))[:2]:
                    with case(f"{name}{', once' if effect.once else ''}"):
                        found = response(await world.perform(effect))
                        same(found.status, row.status, "the status")
                        _has_headers(found, row.headers)
                        same(len(found.body.reveal()), len(row.body), "the size of the body")
                        true(found.body.reveal() == row.body, "the body is not the one that was sent")
                        same(len(server.received), 1 + effect.once, "the number of requests that came")


def _has_headers(found: ResponseReceived, wanted: Mapping[str, str | None]) -> None:
    lowered: dict[str, str] = {}
    for name, value in found.headers.items():
        same((type(name), type(value)), (str, str), f"the types of the header {name}")
        if name.lower() in lowered:
            fail(f"the header {name} was delivered twice")
        lowered[name.lower()] = value
    joined: dict[str, str | None] = {}
    for name, one in wanted.items():
        before = joined.get(name.lower())
        joined[name.lower()] = one if before is None else f"{before}, {one}"
    for name, all_of_it in joined.items():
        came = lowered.get(name)
        if (came if came is None else came.strip(" \t")) != all_of_it:  # blanks around it are no part of it
            fail(f"the header {name}: expected {_short(all_of_it)}, found {_short(lowered.get(name))}")


def _short(value: str | None) -> str:
    return "none" if value is None else repr(value[:80])


DELIVERY_CHECKS: Final = (
    odd_statuses_are_answers,
    every_header_is_delivered,
    every_body_is_delivered,
    every_kind_of_answer_is_delivered,
    no_redirect_of_any_kind_is_followed,
)
