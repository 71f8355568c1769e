"""A world of Pyodide: Python in a browser or in node, over `fetch`.

Rules of this file: nothing is imported but the core, the standard library and Pyodide's own modules; no
thread, no socket. What `fetch` cannot obey is in docs/ports.md, and told here where it shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar, assert_never
from urllib.parse import urlsplit

from js import URL, AbortController, Object, fetch
from pyodide.ffi import JsException, to_js

from codex_oauth import (
    MAX_BODY,
    Cancelled,
    Cause,
    Clock,
    Event,
    Phase,
    Register,
    Registered,
    Request,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInEffect,
    StoreAnswered,
    TimeReached,
    Wait,
    check_writable,
    now,
)

__all__ = ["PyodideWorld"]

T = TypeVar("T")

SLICE = 5.0
"""Seconds that are slept at most: then a machine that was suspended is noticed."""

NETWORK_SLICE = 0.25

NODE_SAYS = {  # what a browser does not tell
    "ENOTFOUND": (Phase.NOT_SENT, Cause.DNS),
    "EAI_AGAIN": (Phase.NOT_SENT, Cause.DNS),
    "ECONNREFUSED": (Phase.NOT_SENT, Cause.CONNECT),
    "EHOSTUNREACH": (Phase.NOT_SENT, Cause.CONNECT),
    "ENETUNREACH": (Phase.NOT_SENT, Cause.CONNECT),
    "UND_ERR_CONNECT_TIMEOUT": (Phase.NOT_SENT, Cause.CONNECT),
    "DEPTH_ZERO_SELF_SIGNED_CERT": (Phase.NOT_SENT, Cause.TLS_CERTIFICATE),
    "SELF_SIGNED_CERT_IN_CHAIN": (Phase.NOT_SENT, Cause.TLS_CERTIFICATE),
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE": (Phase.NOT_SENT, Cause.TLS_CERTIFICATE),
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY": (Phase.NOT_SENT, Cause.TLS_CERTIFICATE),
    "CERT_HAS_EXPIRED": (Phase.NOT_SENT, Cause.TLS_CERTIFICATE),
    "ERR_TLS_CERT_ALTNAME_INVALID": (Phase.NOT_SENT, Cause.TLS_CERTIFICATE),
}
DECODED = ("content-encoding", "content-length")
"""Of what came; `fetch` hands over what it has unpacked."""


class PyodideWorld:
    """Performs effects by awaiting. Use it in an `async with` block, for one run.

    `on_wait` gets every `Wait`: show its prompt there, if it is not the one that was shown last.
    """

    def __init__(self, *, on_wait: Callable[[Wait], None] | None = None, now: Clock = now) -> None:
        self._now = now
        self._on_wait = on_wait
        self._cancelled = False
        self._bell = asyncio.Event()

    def now(self) -> tuple[float, float]:
        """The instant, and Unix time; both in seconds."""
        return self._now()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Nothing is open: each request ends with its `perform`."""

    def cancel(self) -> None:
        """Answer `Cancelled` as soon as possible; a `once` request is finished first. There is one thread."""
        self._cancelled = True
        self._bell.set()

    async def perform(self, effect: SignInEffect) -> Event:
        """Do what the effect asks."""
        match effect:
            case SendRequest():
                return await (shielded(self._send(effect)) if effect.once else self._send(effect))
            case Wait():
                return await self._wait(effect)
            case Register():
                return StoreAnswered(*self.now(), Registered())
            case _:
                assert_never(effect)

    async def _wait(self, wait: Wait) -> Event:
        if self._on_wait is not None and not self._cancelled:
            self._on_wait(wait)
        while (at := self._now()[0]) < wait.until and not self._cancelled:
            await self._rest(min(wait.until - at, SLICE))
        return Cancelled(at) if self._cancelled else TimeReached(at)

    async def _rest(self, seconds: float) -> None:
        """Until somebody cancels, or so many seconds are over."""
        ringing = asyncio.ensure_future(self._bell.wait())
        await asyncio.wait({ringing}, timeout=seconds)
        ringing.cancel()

    async def _send(self, effect: SendRequest) -> Event:
        options = prepared(effect.request)
        sent_at, _ = self._now()
        if self._cancelled and not effect.once:
            return Cancelled(sent_at)
        if effect.write_by is not None and sent_at >= effect.write_by:
            return RequestFailed(sent_at, Phase.NOT_SENT, Cause.TIMEOUT)
        ends_at = sent_at + effect.timeout
        controller = AbortController.new()
        options.signal = controller.signal
        exchange = asyncio.ensure_future(exchanged(without_user(effect.request.url), options))
        try:
            while not exchange.done():
                at, _ = self._now()
                if self._cancelled and not effect.once:
                    return Cancelled(at)
                if at >= ends_at:
                    break
                await asyncio.wait({exchange}, timeout=min(ends_at - at, NETWORK_SLICE))
            if not exchange.done():
                return RequestFailed(self._now()[0], Phase.MAYBE_SENT, Cause.TIMEOUT)
            answer = exchange.result()
        finally:
            if not exchange.done():
                controller.abort()
                exchange.cancel()
                await asyncio.wait({exchange})
        if isinstance(answer, NoAnswer):
            controller.abort()  # nobody waits for the rest of a body that is too big
            return RequestFailed(self._now()[0], *answer.failed)
        status, headers, body = answer
        return ResponseReceived(sent_at, *self._now(), status, headers, body)


class NoAnswer:
    """Why there is none."""

    def __init__(self, phase: Phase, cause: Cause) -> None:
        self.failed = (phase, cause)


async def exchanged(url: str, options: Any) -> tuple[int, dict[str, str], bytes] | NoAnswer:
    """Status, headers and body."""
    if not URL.canParse(url):  # it is a URL, so its host can be none
        return NoAnswer(Phase.NOT_SENT, Cause.DNS)
    try:
        answer = await fetch(url, options)
    except (JsException, OSError) as error:
        return NoAnswer(*judged(error))
    if answer.type == "opaqueredirect":  # a browser hides where it leads, and even the status
        return NoAnswer(Phase.MAYBE_SENT, Cause.RESET)
    try:
        headers = {
            str(name).lower(): str(value)
            for name, value in Object.fromEntries(answer.headers).to_py().items()
        }
        if "content-encoding" in headers:
            headers = {name: value for name, value in headers.items() if name not in DECODED}
        body = bytearray()
        if answer.body:  # a 204 has none: JavaScript's null
            reader = answer.body.getReader()
            while not (piece := await reader.read()).done:
                body += piece.value.to_bytes()
                if len(body) > MAX_BODY:
                    return NoAnswer(Phase.MAYBE_SENT, Cause.TOO_BIG)
    except (JsException, OSError):
        return NoAnswer(Phase.MAYBE_SENT, Cause.TRUNCATED)
    return int(answer.status), headers, bytes(body)


def judged(error: Any) -> tuple[Phase, Cause]:
    """A browser says of every failure the same: so it may have been sent."""
    behind = getattr(getattr(error, "js_error", error), "cause", None)
    return NODE_SAYS.get(str(getattr(behind, "code", "")), (Phase.MAYBE_SENT, Cause.RESET))


def without_user(url: str) -> str:
    """The URL without user information, which `fetch` takes for a bug."""
    netloc = urlsplit(url).netloc
    return url.replace(netloc, netloc.rpartition("@")[2], 1)


def prepared(request: Request) -> Any:
    """The options of `fetch`. Raises ValueError for what is no HTTP."""
    check_writable(request)
    headers = [[name, value] for name, value in request.plain_headers()]
    options: dict[str, Any] = {
        "method": request.method,
        "headers": headers,
        "redirect": "manual",
        "credentials": "omit",  # no cookies, and no password of a dialogue
        "cache": "no-store",
        "referrerPolicy": "no-referrer",
    }
    if body := request.body.reveal():
        options["body"] = body
    return to_js(options, dict_converter=Object.fromEntries)


async def shielded(work: Awaitable[T]) -> T:
    """What comes of it, to its end. Whoever is cancelled meanwhile waits for it, and is cancelled then."""
    doing = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return doing.result()


make = PyodideWorld
