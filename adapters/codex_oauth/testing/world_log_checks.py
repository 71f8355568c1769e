"""Checks of a world: nothing of a request or an answer is logged, printed or warned of, or shown by an event.

Rules of this file: answers are good and bad, and hold what to look for wherever a library may quote it; so
do requests, that succeed and fail at every stage; see `hearing` for who is listened to.
"""

from __future__ import annotations

import base64
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Final

import attrs

from codex_oauth.testing.checking import case, fail
from codex_oauth.testing.hearing import heard_everywhere
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
from codex_oauth.testing.performing import HEADERS, CheckedClock, MakeAsyncWorld, soon, wait
from codex_oauth.testing.places import known_as
from codex_oauth.testing.surroundings import environment, proxies
from codex_oauth.testing.tolerance import tolerated
from codex_oauth.testing.untrusted import untrusted_context
from codex_oauth.testing.world_failure_checks import nobody_listens
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.events import Event
from codex_oauth_core.reading.json_body import MAX_BODY
from codex_oauth_core.secret import Secret

__all__ = ["LOG_CHECKS", "LOG_OVER_TLS", "MARK", "says_nothing"]

MARK: Final = "kanarie"
_NO_BODY: Final = "Content-Length: 0\r\n\r\n"
_OK: Final = "HTTP/1.1 200 OK\r\n"
_CHUNKS: Final = f"{_OK}Transfer-Encoding: chunked\r\n\r\n"
_FINE: Final = f"{_OK}X-Token: {MARK}\r\nContent-Length: 7\r\n\r\n{MARK}"
_ANSWERS: Final = {
    "a good answer": _FINE,
    "a refusal": _FINE.replace("200 OK", "400 Bad Request"),
    "a failing server": _FINE.replace("200 OK", "503 Later"),
    "a reason phrase": f"HTTP/1.1 200 {MARK}\r\n{_NO_BODY}",
    "a Location": f"HTTP/1.1 302 Found\r\nLocation: http://[{MARK}/?code={MARK}\r\n{_NO_BODY}",
    "a Location that can be followed": f"HTTP/1.1 302 Found\r\nLocation: /{MARK}?code={MARK}\r\n{_NO_BODY}",
    "a challenge": f'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="{MARK}"\r\n{_NO_BODY}',
    "a cookie": f"{_OK}Set-Cookie: {MARK}={MARK}; Expires={MARK}\r\n{_NO_BODY}",
    "a cookie that is none": f"{_OK}Set-Cookie: a[{MARK}]=1\r\n{_NO_BODY}",
    "a status line that is none": f'{{"access_token":"{MARK}"}}\r\n\r\n',
    "a version that is none": f"HTTP/{MARK} 200 OK\r\n\r\n",
    "a status that is none": f"HTTP/1.1 {MARK}\r\n\r\n",
    "a header that is none": f"{_OK}{MARK} {MARK}\r\n{_NO_BODY}",
    "a header's value that is none": f"{_OK}X: \0{MARK}\r\n{_NO_BODY}",
    "a length that is none": f"{_OK}Content-Length: {MARK}\r\n\r\n",
    "an encoding that is none": f"{_OK}Transfer-Encoding: {MARK}\r\n\r\n",
    "a packed body that is none": f"{_OK}Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\n{MARK}",
    "a character set that is none": f"{_OK}Content-Type: text/plain; charset={MARK}\r\n{_NO_BODY}",
    "a chunk that is none": f"{_CHUNKS}{MARK}\r\n{MARK}",
    "a chunk that does not end": f"{_CHUNKS}3\r\nabc{MARK}",
    "a trailer": f"{_CHUNKS}0\r\n{MARK} {MARK}\r\n\r\n",
    "a body cut short": f"{_OK}Content-Length: 99\r\n\r\n{MARK}",
    "an answer after the answer": f"{_FINE}{_FINE}HTTP/1.1 {MARK}",
    "an interim answer": f"HTTP/1.1 103 {MARK}\r\nLink: {MARK}\r\n\r\n{_FINE}",
    "an upgrade": f"HTTP/1.1 101 Switching\r\nUpgrade: {MARK}\r\nConnection: Upgrade\r\n\r\n{MARK}",
}
"""By where the mark is. What becomes of an answer is the business of other checks."""

_UNANSWERED: Final[Mapping[str, Act]] = {
    "a reset": resetting,
    "an end without an answer": closing(b""),
    "silence": silent,
    "a trickling body": trickling(_FINE.replace(": 7", ": 99").encode(), [MARK.encode()] * 40),
    "too large a body": in_turn(answer(200, MARK.encode() * (MAX_BODY // 7 + 1))),
}


async def nothing_of_a_request_or_an_answer_is_logged(make: MakeAsyncWorld) -> None:
    with says_nothing() as looked_at:
        for where, sent in _ANSWERS.items():
            with looked_at(where):
                for once in (False, True):
                    with LoopbackServer(closing(sent.encode("latin-1"))) as server:
                        async with make(now=CheckedClock()) as world:
                            await world.perform(_marked(server.url, once=once))
                await _let_it_speak(make)


async def nothing_of_a_request_that_fails_is_logged(make: MakeAsyncWorld) -> None:
    with says_nothing() as looked_at:
        for where, act in _UNANSWERED.items():
            with looked_at(where), LoopbackServer(act) as server:
                for once in (False, True):
                    async with make(now=CheckedClock()) as world:
                        limit = 0.1 if where in ("silence", "a trickling body") else 3.0
                        _shows_nothing(await world.perform(_marked(server.url, limit, once=once)))
                await _let_it_speak(make)
        with looked_at("a port that refuses"), nobody_listens() as url:
            await _perform_both(make, url)
        with looked_at("a name that is not found"), known_as(lambda _: []) as host:
            await _perform_both(make, f"http://{host}")
        with looked_at("no time to begin"), LoopbackServer(in_turn(OK_ANSWER)) as server:
            clock = CheckedClock()
            async with make(now=clock) as world:
                late = attrs.evolve(_marked(server.url, once=True), write_by=clock.instant())
                _shows_nothing(await world.perform(late))
        with looked_at("a cancel"), LoopbackServer(silent) as server:
            async with make(now=CheckedClock()) as world:
                with soon(world.cancel, 0.05):
                    _shows_nothing(await world.perform(_marked(server.url)))
        for name, refusal, scheme in (
            ("that refuses", answer(403), "http"),
            ("that is none", answer(), "ftp"),
        ):
            if tolerated().tls:
                await _asks_a_proxy(make, looked_at(f"a proxy with a password {name}"), refusal, scheme)


async def _asks_a_proxy(
    make: MakeAsyncWorld, looking: AbstractContextManager[None], sent: bytes, scheme: str
) -> None:
    with (
        looking,
        LoopbackServer(in_turn(sent)) as proxy,
        known_as(lambda _: []) as host,
        proxies(proxy.url.replace("http://", f"{scheme}://me:{MARK}@")),
    ):
        await _perform_both(make, f"https://{host}")


async def nothing_of_a_bad_handshake_is_logged(make: MakeAsyncWorld) -> None:
    with says_nothing() as looked_at, LoopbackServer(in_turn(OK_ANSWER), untrusted_context()) as server:
        with looked_at("a certificate that nobody trusts"):
            await _perform_both(make, server.url)
        with looked_at("certificates that are none"), environment({"SSL_CERT_FILE": f"/{MARK}"}):
            await _perform_both(make, server.url)


Looking = Callable[[str], AbstractContextManager[None]]


class says_nothing:  # noqa: N801  # a context manager
    """Listens; gives what is asked to look at one row. Fails if the mark came out, and says with which."""

    def __init__(self, mark: str = MARK) -> None:
        self._marks = (mark, *_spellings(mark))
        self._listening: AbstractContextManager[list[str]] = heard_everywhere()
        self._heard: list[str] = []

    def __enter__(self) -> Looking:
        self._heard = self._listening.__enter__()
        return self._look

    def __exit__(self, *exc_info: object) -> None:
        self._listening.__exit__(None, None, None)
        if exc_info[0] is None:
            self._judge()

    def _look(self, where: str) -> AbstractContextManager[None]:
        print(f"-- {where}")  # noqa: T201  # it comes among what is printed
        self._heard.append(f"-- {where}")
        return case(where)

    def _judge(self) -> None:
        where = ""
        for text in self._heard:
            if "-- " in text[:12]:
                where = text.partition("-- ")[2]
            elif any(mark in text for mark in self._marks):
                fail(f"with {where}, this came out: {text[:300]}")


def _spellings(mark: str) -> Iterator[str]:
    """In other letters and encodings."""
    yield mark.upper()
    yield mark.encode().hex()
    yield base64.b64encode(mark.encode()).decode().rstrip("=")
    yield mark[::-1]


def _marked(url: str, timeout: float = 3.0, *, once: bool = False) -> SendRequest:
    headers = (*HEADERS, ("X-Token", MARK), ("Authorization", Secret(f"Bearer {MARK}")))
    request = Request("POST", f"{url}/{MARK}?code={MARK}", headers, Secret(MARK.encode()))
    return SendRequest(request, timeout, once)


async def _perform_both(make: MakeAsyncWorld, url: str) -> None:
    async with make(now=CheckedClock()) as world:
        for once in (False, True):
            _shows_nothing(await world.perform(_marked(url, once=once)))
    await _let_it_speak(make)


def _shows_nothing(event: Event) -> None:
    if MARK in repr(event):
        fail(f"a {type(event).__name__} shows a part of the request")


async def _let_it_speak(make: MakeAsyncWorld) -> None:
    """What an event loop, or the collector, still has to say."""
    clock = CheckedClock()
    async with make(now=clock) as world:
        await world.perform(wait(clock, 0.002))
    gc.collect(0)


LOG_OVER_TLS: Final = (nothing_of_a_bad_handshake_is_logged,)
"""Those that need TLS."""

LOG_CHECKS: Final = (
    nothing_of_a_request_or_an_answer_is_logged,
    nothing_of_a_request_that_fails_is_logged,
    *LOG_OVER_TLS,
)
