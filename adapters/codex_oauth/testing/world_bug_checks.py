"""Checks of a world: what is no URL, header or method is a bug: ValueError, before anybody is called.

Rules of this file: a table for each part of a request; the error tells nothing of the request.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from typing import Final

from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.loopback import OK_ANSWER, LoopbackServer, in_turn
from codex_oauth.testing.performing import BODY, HEADERS, CheckedClock, MakeAsyncWorld, response
from codex_oauth.testing.world_request_checks import ways
from codex_oauth.worlds.world import AsyncWorld
from codex_oauth_core.effects import Request
from codex_oauth_core.secret import Secret

__all__ = ["BUG_CHECKS"]

_MARK: Final = "telltale"

_URLS: Final[Mapping[str, str]] = {
    "nothing": "",
    "a path alone": f"/{_MARK}",
    "a host alone": f"HOST/{_MARK}",
    "no scheme": f"//HOST/{_MARK}",
    "another scheme": f"ftp://HOST/{_MARK}",
    "a file": f"file:///{_MARK}",
    "data": f"data:,{_MARK}",
    "a scheme alone": "http://",
    "no host": f"http:///{_MARK}",
    "no host, and a port": f"http://:PORT/{_MARK}",
    "user information alone": f"http://me:{_MARK}@/",
    "a port that is no number": f"http://127.0.0.1:abc/{_MARK}",
    "a port that is too large": f"http://127.0.0.1:65536/{_MARK}",
    "a port below nothing": f"http://127.0.0.1:-1/{_MARK}",
    "an address that does not end": f"http://[::1/{_MARK}",
    "an address that is none": f"http://[{_MARK}]/",
    "a line end in the path": f"http://HOST/a\r\nX-Smuggled: {_MARK}",
    "a line end in the query": f"http://HOST/?a\r\n\r\n{_MARK}",
    "a line feed in the path": f"http://HOST/a\n{_MARK}",
    "a carriage return in the path": f"http://HOST/a\r{_MARK}",
    "a line end in the host": f"http://127.0.0.1\r\n:PORT/{_MARK}",
    "a line end at the end": f"http://HOST/{_MARK}\n",
    "a tabulator": f"http://HOST/a\t{_MARK}",
    "a blank in the path": f"http://HOST/a {_MARK}",
    "a blank in the query": f"http://HOST/?a {_MARK}",
    "a blank at the beginning": f" http://HOST/{_MARK}",
    "a blank in the host": f"http://127.0.0.1 a/{_MARK}",
    "a zero": f"http://HOST/a\0{_MARK}",
    "a control character": f"http://HOST/a\x7f{_MARK}",
    "a letter beyond ASCII in the path": f"http://HOST/\xe9{_MARK}",
    "a letter beyond ASCII in the query": f"http://HOST/?\u20ac{_MARK}",
}
_HEADERS: Final[Mapping[str, tuple[str, str]]] = {
    "a name of nothing": ("", _MARK),
    "a name with a blank": ("X Y", _MARK),
    "a name with a colon": ("X:Y", _MARK),
    "a name with a line end": ("X\r\nY", _MARK),
    "a name with a line feed at its end": ("X\n", _MARK),
    "a name with a control character": ("X\x01", _MARK),
    "a name beyond ASCII": ("X-\xe9", _MARK),
    "a name with a bracket": ("X(Y)", _MARK),
    "a value with a line end": ("X", f"{_MARK}\r\nX-Smuggled: a"),
    "a value with two line ends": ("X", f"{_MARK}\r\n\r\nGET / HTTP/1.1"),
    "a value with a line feed": ("X", f"{_MARK}\na"),
    "a value with a carriage return": ("X", f"{_MARK}\ra"),
    "a value with a line end that folds it": ("X", f"{_MARK}\r\n a"),
    "a value with a zero": ("X", f"{_MARK}\0a"),
    "a value with a line feed at its end": ("X", f"{_MARK}\n"),
}
_METHODS: Final[Mapping[str, str]] = {
    "nothing": "",
    "two words": "GET IT",
    "a line end": "GET / HTTP/1.1\r\nX: a\r\n\r\nGET",
    "a zero": "GE\0T",
    "a letter beyond ASCII": "G\xc9T",
    "a colon": "GET:",
}


async def what_is_no_url_is_a_bug(make: MakeAsyncWorld) -> None:
    rows = {f"a URL with {name}": Request("POST", url, HEADERS, Secret(BODY)) for name, url in _URLS.items()}
    await _are_bugs(make, rows)


async def what_is_no_header_is_a_bug(make: MakeAsyncWorld) -> None:
    rows = {
        f"a header with {name}{' in a secret' if secret else ''}": Request(
            "POST",
            "http://HOST/",
            (*HEADERS, (header[0], Secret(header[1]) if secret else header[1])),
            Secret(BODY),
        )
        for name, header in _HEADERS.items()
        for secret in (False, True)
    }
    await _are_bugs(make, rows)


async def what_is_no_method_is_a_bug(make: MakeAsyncWorld) -> None:
    rows = {
        f"a method with {name}": Request(method, f"http://HOST/{_MARK}", HEADERS[:3], Secret(b""))
        for name, method in _METHODS.items()
    }
    await _are_bugs(make, rows)


async def _are_bugs(make: MakeAsyncWorld, rows: Mapping[str, Request]) -> None:
    clock = CheckedClock()
    with LoopbackServer(in_turn(OK_ANSWER)) as server:
        async with make(now=clock) as world:
            for name, row in rows.items():
                url = row.url.replace("HOST", f"127.0.0.1:{server.port}").replace("PORT", str(server.port))
                request = Request(row.method, url, row.headers, row.body)
                for effect in tuple(ways(request, clock.instant()))[:2]:
                    with case(name):
                        try:
                            event = await world.perform(effect)
                        except ValueError as error:
                            _tells_nothing(error)
                        else:
                            fail(f"it is a bug, and the event is {type(event).__name__}, no ValueError")
                        same(len(server.received), 0, "the number of requests that came")
            same(server.connections, 0, "the number of connections for what cannot be sent")
            await _goes_on(world, server, clock)


async def _goes_on(world: AsyncWorld, server: LoopbackServer, clock: CheckedClock) -> None:
    """A bug of one request is none of the next."""
    begun = time.monotonic()
    for effect in ways(Request("POST", server.url, HEADERS, Secret(BODY)), clock.instant()):
        response(await world.perform(effect))
    true(time.monotonic() - begun < 5.0, "the request after a bug hangs")


def _tells_nothing(error: BaseException) -> None:
    """Neither its text, nor that of what lies behind it, shows the request."""
    said = "".join(traceback.TracebackException.from_exception(error).format_exception_only())
    link: BaseException | None = error
    while link is not None:
        said += f" {link} {link.args!r} {getattr(link, '__notes__', '')}"
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    true(_MARK not in said, "the error shows a part of the request")


BUG_CHECKS: Final = (what_is_no_url_is_a_bug, what_is_no_header_is_a_bug, what_is_no_method_is_a_bug)
