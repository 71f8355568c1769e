"""Worlds that send another request than they were given, or tell another answer than came: a row for each way.

Rules of this file: each row is one thing that some library does by itself, or that somebody writes by mistake.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import attrs
import httpx

from codex_oauth import HttpxWorld
from codex_oauth_core import (
    Cause,
    Event,
    Phase,
    Request,
    RequestFailed,
    ResponseReceived,
    Secret,
    SendRequest,
    SignInEffect,
)
from tests.conformance.breakage import answering, broken, performing, sending

Header = tuple[str, Any]
Change = Callable[[Request], Request]


def _url(change: Callable[[str], str]) -> Callable[[Request], Request]:
    return lambda request: attrs.evolve(request, url=change(request.url))


def _target(change: Callable[[str], str]) -> Callable[[Request], Request]:
    def of(url: str) -> str:
        begins = url.index("/", url.index("://") + 3) if "/" in url.partition("://")[2] else len(url)
        return url[:begins] + change(url[begins:])

    return _url(of)


def _headers(change: Callable[[list[Header]], Iterable[Header]]) -> Callable[[Request], Request]:
    return lambda request: attrs.evolve(request, headers=tuple(change(list(request.headers))))


def _body(change: Callable[[bytes], bytes]) -> Callable[[Request], Request]:
    return lambda request: attrs.evolve(request, body=Secret(change(request.body.reveal())))


def _method(change: Callable[[str], str]) -> Callable[[Request], Request]:
    return lambda request: attrs.evolve(request, method=change(request.method))


def _without(name: str) -> Callable[[Request], Request]:
    return _headers(lambda headers: [header for header in headers if header[0].lower() != name.lower()])


def _with(*more: Header) -> Callable[[Request], Request]:
    return _headers(lambda headers: [*headers, *more])


def _sorted(path: str) -> str:
    head, mark, query = path.partition("?")
    return f"{head}{mark}{'&'.join(sorted(query.split('&')))}"


TARGETS: Final[dict[str, Change]] = {
    "takes dot segments out": _url(lambda url: str(httpx.URL(url))),
    "parses and writes the URL again": _url(lambda url: urlunsplit(urlsplit(url))),
    "writes escapes in capitals": _target(lambda path: re.sub("%..", lambda found: found[0].upper(), path)),
    "writes escapes in small letters": _target(
        lambda path: re.sub("%..", lambda found: found[0].lower(), path)
    ),
    "undoes escapes that need not be": _target(lambda path: re.sub("%2[dD]", "-", path)),
    "undoes every escape": _target(
        lambda path: unquote(path).encode("ascii", "ignore").decode().replace(" ", "+")
    ),
    "takes plus signs for blanks": _target(lambda path: path.replace("+", "%20")),
    "escapes plus signs": _target(lambda path: path.replace("+", "%2B")),
    "makes one slash of two": _target(lambda path: re.sub("//+", "/", path)),
    "takes the slash at the end off": _target(
        lambda path: path[:-1] if path.endswith("/") and len(path) > 1 else path
    ),
    "puts a slash at the end": _target(
        lambda path: path if path.endswith("/") or "?" in path else f"{path}/"
    ),
    "escapes percent signs again": _target(lambda path: path.replace("%", "%25")),
    "cuts at 2000 letters": _target(lambda path: path[:2000]),
    "drops parameters": _target(lambda path: re.sub(";[^/?]*", "", path)),
    "sorts the query": _target(_sorted),
}


for what, change in TARGETS.items():
    broken(what, sending(change), "every_target_goes_out_as_it_is")

broken("escapes the fragment", sending(_url(lambda url: url.replace("#", "%23"))), "a_fragment_stays_here")
broken(
    "sends the fragment as a query", sending(_url(lambda url: url.replace("#", "?"))), "a_fragment_stays_here"
)

broken("always posts", sending(_method(lambda _: "POST")), "every_method_goes_out_as_it_is")
broken(
    "knows four methods",
    sending(_method(lambda name: name if name in ("GET", "POST", "PUT", "DELETE") else "GET")),
    "every_method_goes_out_as_it_is",
)
broken(
    "posts what has a body",
    sending(lambda request: attrs.evolve(request, method="POST") if request.body.reveal() else request),
    "every_method_goes_out_as_it_is",
)

BODIES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "strips the body": bytes.strip,
    "strips the end of the body": bytes.rstrip,
    "cuts a large body": lambda body: body[: 1 << 16],
    "ends at a zero": lambda body: body.partition(b"\0")[0],
    "writes line ends of its own": lambda body: body.replace(b"\r\n", b"\n"),
    "sends the body as text": lambda body: body.decode("utf-8", "ignore").encode(),
    "packs the body": zlib.compress,
    "drops a byte order mark": lambda body: body.removeprefix(b"\xef\xbb\xbf"),
}
for what, of_a_body in BODIES.items():
    broken(f"{what} that it sends", sending(_body(of_a_body)), "every_body_goes_out_as_it_is")

HEADERS: Final[dict[str, Change]] = {
    "adds what tracing adds": _with(
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    ),
    "adds what a browser adds": _with(("Sec-Fetch-Mode", "cors")),
    "says what it accepts": lambda request: (
        request if any(name == "Accept" for name, _ in request.headers) else _with(("Accept", "*/*"))(request)
    ),
    "says who it is where nobody did": lambda request: (
        request
        if any(name == "User-Agent" for name, _ in request.headers)
        else _with(("User-Agent", "my-world/1"))(request)
    ),
    "asks for packed answers": lambda request: (
        request
        if any(name == "Accept-Encoding" for name, _ in request.headers)
        else _with(("Accept-Encoding", "gzip"))(request)
    ),
    "names a type where nobody did": lambda request: (
        request
        if not request.body.reveal() or any(name == "Content-Type" for name, _ in request.headers)
        else _with(("Content-Type", "application/octet-stream"))(request)
    ),
    "numbers its requests": _with(("X-Request-Id", "1")),
    "forbids caches": _with(("Cache-Control", "no-cache")),
    "writes headers in small letters": _headers(lambda all_: [(name.lower(), value) for name, value in all_]),
    "writes headers in capitals": _headers(lambda all_: [(name.upper(), value) for name, value in all_]),
    "sorts headers": _headers(sorted),
    "keeps headers in a dict": _headers(lambda all_: dict(all_).items()),
    "drops empty headers": _headers(lambda all_: [header for header in all_ if header[1] != ""]),
    "drops credentials": _without("Authorization"),
    "drops types": _without("Content-Type"),
    "drops what it does not know": _headers(
        lambda all_: [header for header in all_ if not header[0].startswith("X-")]
    ),
    "makes one blank of two": _headers(
        lambda all_: [
            (name, re.sub(" +", " ", value) if isinstance(value, str) else value) for name, value in all_
        ]
    ),
    "cuts long headers": _headers(
        lambda all_: [(name, value[:4096] if isinstance(value, str) else value) for name, value in all_]
    ),
    "takes thirty headers": _headers(lambda all_: all_[:30]),
}
for what, of_headers in HEADERS.items():
    broken(what, sending(of_headers), "every_header_goes_out_as_it_is_and_none_is_added")


# -- what is remembered --------------------------------------------------------------------------------


def remembering(name: str, sent: str) -> type[HttpxWorld]:
    """A world that sends what a header of the last answer said as the header `sent`."""

    class Remembering(HttpxWorld):
        told = ""

        def perform(self, effect: SignInEffect) -> Event:
            if isinstance(effect, SendRequest) and self.told:
                effect = attrs.evolve(effect, request=_with((sent, self.told))(effect.request))
            event = super().perform(effect)
            if isinstance(event, ResponseReceived):
                self.told = event.headers.get(name, "")
            return event

    return Remembering


class Caches(HttpxWorld):
    """Asks nobody for what it was told to keep."""

    kept: ResponseReceived | None = None

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and effect.request.method == "GET" and self.kept:
            return self.kept
        event = super().perform(effect)
        if isinstance(event, ResponseReceived) and "max-age" in event.headers.get("cache-control", ""):
            self.kept = event
        return event


class Refers(HttpxWorld):
    """Says where it was last."""

    last = ""

    def perform(self, effect: SignInEffect) -> Event:
        if not isinstance(effect, SendRequest):
            return super().perform(effect)
        before, self.last = self.last, effect.request.url
        if before:
            effect = attrs.evolve(effect, request=_with(("Referer", before))(effect.request))
        return super().perform(effect)


REMEMBERED: Final[dict[str, type[HttpxWorld]]] = {
    "validates what it has": remembering("etag", "If-None-Match"),
    "asks whether it changed": remembering("last-modified", "If-Modified-Since"),
    "keeps cookies": remembering("set-cookie", "Cookie"),
    "caches": Caches,
    "refers": Refers,
}
for what, make in REMEMBERED.items():
    broken(what, make, "nothing_is_remembered_for_the_next_request")


def _user(request: Request) -> str:
    return urlsplit(request.url).netloc.rpartition("@")[0]


broken(
    "logs in with user information",
    sending(lambda request: _with(("Authorization", "Basic bWU="))(request) if _user(request) else request),
    "user_information_is_not_sent",
)
broken(
    "sends user information in the target",
    sending(
        lambda request: (
            attrs.evolve(request, url=f"{request.url}?user={_user(request)}") if _user(request) else request
        )
    ),
    "user_information_is_not_sent",
)


# -- answers -------------------------------------------------------------------------------------------


def _status(*ours: int) -> Callable[[ResponseReceived], Event]:
    def change(event: ResponseReceived) -> Event:
        if event.status in ours:
            return RequestFailed(event.at, Phase.MAYBE_SENT, Cause.RESET)
        return event

    return change


broken("takes 408 for a time limit", answering(_status(408)), "odd_statuses_are_answers")
broken("takes 407 for a proxy's", answering(_status(407)), "odd_statuses_are_answers")
broken("takes 5xx for failures", answering(_status(*range(500, 600))), "odd_statuses_are_answers")
broken("takes 421 for a connection that is none", answering(_status(421)), "odd_statuses_are_answers")
broken("knows no number above 511", answering(_status(*range(512, 600))), "odd_statuses_are_answers")
broken(
    "makes 200 of what is near it",
    answering(lambda event: attrs.evolve(event, status=200 if event.status < 300 else event.status)),
    "odd_statuses_are_answers",
    "every_kind_of_answer_is_delivered",
)


def _told(change: Callable[[dict[str, str]], dict[str, Any]]) -> type[HttpxWorld]:
    return answering(lambda event: attrs.evolve(event, headers=change(dict(event.headers))))


OF_HEADERS: Final[dict[str, Callable[[dict[str, str]], dict[str, Any]]]] = {
    "tells the last of several headers": lambda told: {
        name: value.split(", ")[-1] for name, value in told.items()
    },
    "tells the first of several headers": lambda told: {
        name: value.split(", ")[0] for name, value in told.items()
    },
    "joins headers without a blank": lambda told: {
        name: value.replace(", ", ",") for name, value in told.items()
    },
    "joins headers by line ends": lambda told: {
        name: value.replace(", ", "\n") for name, value in told.items()
    },
    "tells no cookies": lambda told: {name: value for name, value in told.items() if name != "set-cookie"},
    "tells no empty headers": lambda told: {name: value for name, value in told.items() if value},
    "tells equal headers once": lambda told: {
        name: ", ".join(dict.fromkeys(value.split(", "))) for name, value in told.items()
    },
    "tells headers as lists": lambda told: {name: [value] for name, value in told.items()},
    "tells headers in small letters": lambda told: {name: value.lower() for name, value in told.items()},
    "sorts the values of a header": lambda told: {
        name: ", ".join(sorted(value.split(", "))) for name, value in told.items()
    },
    "makes names of variables": lambda told: {name.replace("-", "_"): value for name, value in told.items()},
}
for what, of_told in OF_HEADERS.items():
    broken(what, _told(of_told), "every_header_is_delivered")


def _undone(body: bytes) -> bytes:
    for undo in (gzip.decompress, zlib.decompress):
        try:
            return undo(body)
        except (OSError, EOFError, zlib.error):
            continue
    return body


def _with_body(change: Callable[[bytes], bytes]) -> type[HttpxWorld]:
    return answering(lambda event: attrs.evolve(event, body=change(event.body.reveal())))


OF_BODIES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "drops a byte order mark": lambda body: body.removeprefix(b"\xef\xbb\xbf"),
    "strips the body": bytes.strip,
    "unpacks what it can": _undone,
    "tells text": lambda body: body.decode("utf-8", "replace").encode(),
    "takes no empty body": lambda body: body or b"{}",
}
for what, of_body in OF_BODIES.items():
    broken(
        f"{what} of an answer",
        _with_body(of_body),
        "every_body_is_delivered",
    )
broken(
    "refuses what is packed",
    answering(
        lambda event: (
            RequestFailed(event.at, Phase.MAYBE_SENT, Cause.RESET)
            if "content-encoding" in event.headers
            else event
        )
    ),
    "every_body_is_delivered",
)

broken("takes 204 for no answer", answering(_status(204)), "every_kind_of_answer_is_delivered")
broken("takes 304 for no answer", answering(_status(304)), "every_kind_of_answer_is_delivered")
broken(
    "takes no answer without a length",
    answering(
        lambda event: (
            event
            if {"content-length", "transfer-encoding"} & set(event.headers)
            else RequestFailed(event.at, Phase.MAYBE_SENT, Cause.TRUNCATED)
        )
    ),
    "every_kind_of_answer_is_delivered",
)


def following(when: Callable[[SendRequest, ResponseReceived], str]) -> type[HttpxWorld]:
    """A world that follows where `when` says, which may be nowhere."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: Callable[[SignInEffect], Event]) -> Event:
        event = go_on(effect)
        if isinstance(effect, SendRequest) and isinstance(event, ResponseReceived):
            elsewhere = when(effect, event)
            if elsewhere.startswith("/"):
                elsewhere = str(httpx.URL(effect.request.url).join(elsewhere))
            if elsewhere.startswith("http://127"):
                return go_on(attrs.evolve(effect, request=attrs.evolve(effect.request, url=elsewhere)))
        return event

    return performing(do)


def _location(event: ResponseReceived) -> str:
    return event.headers.get("location", "")


FOLLOWED: Final[dict[str, Callable[[SendRequest, ResponseReceived], str]]] = {
    "follows redirects of GET": lambda sent, came: _location(came) if sent.request.method == "GET" else "",
    "follows 303": lambda sent, came: _location(came) if came.status == 303 else "",
    "follows 300": lambda sent, came: _location(came) if came.status == 300 else "",
    "follows 201": lambda sent, came: _location(came) if came.status == 201 else "",
    "follows on the same server": lambda sent, came: _location(came) if _location(came)[:1] == "/" else "",
    "follows what may be repeated": lambda sent, came: "" if sent.once else _location(came),
    "refreshes": lambda sent, came: came.headers.get("refresh", "").partition("url=")[2],
    "loads what is linked": lambda sent, came: (
        came.headers.get("link", "").partition("<")[2].partition(">")[0]
    ),
}
for what, when in FOLLOWED.items():
    broken(what, following(when), "no_redirect_of_any_kind_is_followed")
broken(
    "keeps a Location for itself",
    _told(lambda told: {name: value for name, value in told.items() if name != "location"}),
    "no_redirect_of_any_kind_is_followed",
)
broken(
    "makes a Location whole",
    _told(
        lambda told: {name: f"http://a{value}" if value[:1] == "/" else value for name, value in told.items()}
    ),
    "no_redirect_of_any_kind_is_followed",
)
