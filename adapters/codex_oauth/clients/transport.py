"""Transports of httpx and httpx2 that translate for who does not know the rules of a login's model backend.

Rules of this file: what is said, and what is heard, is decided in `dialect` and `answers`; here is only the
I/O. Requests for a model answer are touched, and nothing else. Each object is made in the library that the
request is of.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from codex_oauth.clients.answers import MOST_OF_AN_ANSWER, Filling, Gathering, WholeAnswer, is_usage_limit
from codex_oauth.clients.dialect import DEFAULT_INSTRUCTIONS, Translation, translate
from codex_oauth.loading import loading
from codex_oauth_core.codex import CODEX_API
from codex_oauth_core.model_api import ModelApi

if TYPE_CHECKING:
    import httpx
    import httpx2

    class _Transport(httpx.BaseTransport, httpx2.BaseTransport):  # type: ignore[misc]  # alike, not the same
        pass

    class _AsyncTransport(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):  # type: ignore[misc]
        pass
else:
    _Transport = _AsyncTransport = object

__all__ = ["AsyncCodexTransport", "CodexTransport"]

_LOG: Final = logging.getLogger("codex_oauth")


class _Translator:
    """What a transport of either kind knows, and has said."""

    def __init__(self, api: ModelApi, instructions: str) -> None:
        self._api = api
        self._instructions = instructions
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def concerns(self, request: Any) -> bool:
        """Whether a request asks for a model answer."""
        method, path = str(request.method), str(request.url.path)
        return method == "POST" and path.rstrip("/").endswith("/responses")

    def translate(self, content: bytes) -> Translation | None:
        """The body as the backend wants it; None where it is to be sent as it is."""
        found = translate(content, self._api, self._instructions)
        if found is not None and found.dropped:
            self._say(found.dropped)
        return found

    def _say(self, dropped: tuple[str, ...]) -> None:
        with self._lock:
            new = [name for name in dropped if name not in self._said]
            self._said.update(new)
        for name in new:
            _LOG.warning("The model backend refuses the field %s. Requests are sent without it.", name)


# -- requests and answers of either library ------------------------------------------------------------


_LIBRARIES: Final = ("httpx", "httpx2")
_OF_THE_BODY: Final = (b"content-length", b"content-encoding", b"transfer-encoding")
_MOST_OF_AN_ERROR: Final = 2**20


def _library_of(message: Any) -> Any:
    """The library that a request or an answer is of."""
    names = [each.__module__.partition(".")[0] for each in type(message).__mro__]
    name = next(name for name in names if name in _LIBRARIES)
    with loading(name):
        return import_module(name)


def _translated(request: Any, found: Translation) -> Any:
    headers = _without(request, *_OF_THE_BODY, b"content-type", b"accept")
    headers += [(b"Content-Type", b"application/json"), (b"Accept", b"text/event-stream")]
    return _library_of(request).Request(
        request.method, request.url, headers=headers, content=found.content, extensions=request.extensions
    )


def _is_stream(response: Any) -> bool:
    """Whether an answer holds events. The backend was seen to name no type."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return response.status_code == 200 and kind in ("", "text/event-stream")


def _gathered(response: Any, answer: WholeAnswer) -> Any:
    headers = _without(response, *_OF_THE_BODY, b"content-type")
    headers.append((b"Content-Type", b"application/json"))
    headers += [(name.encode(), value.encode()) for name, value in answer.headers]
    extensions = {name: value for name, value in response.extensions.items() if name != "reason_phrase"}
    return _library_of(response).Response(
        answer.status, headers=headers, content=answer.content, extensions=extensions
    )


def _refused(response: Any, content: bytes) -> Any:
    """A refusal that has been read."""
    headers = _without(response, *_OF_THE_BODY)
    if is_usage_limit(content):
        headers.append((b"x-should-retry", b"false"))
    return _library_of(response).Response(
        response.status_code, headers=headers, content=content, extensions=response.extensions
    )


def _filled(response: Any, stream: Any) -> Any:
    return _library_of(response).Response(
        response.status_code,
        headers=_without(response, *_OF_THE_BODY),
        stream=stream,
        extensions=response.extensions,
    )


def _without(message: Any, *names: bytes) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in message.headers.raw if name.lower() not in names]


_made: dict[tuple[type[Any], type[Any]], type[Any]] = {}


def _with_base(cls: type[Any], base: type[Any]) -> type[Any]:
    """The subclass of `cls` that is a stream of one of the libraries; always the same one."""
    if (cls, base) not in _made:
        _made[cls, base] = type(cls.__name__, (cls, base), {})
    return _made[cls, base]


class _FilledStream:
    """The events of an answer as they come, the last one filled."""

    def __init__(self, response: Any, most: int) -> None:
        self._response = response
        self._filling = Filling(most)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._response.iter_bytes():
            yield from self._filling.feed(piece)
        if rest := self._filling.end():
            yield rest

    def close(self) -> None:
        self._response.close()


class _AsyncFilledStream:
    """The same, asynchronously."""

    def __init__(self, response: Any, most: int) -> None:
        self._response = response
        self._filling = Filling(most)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(self._response.aiter_bytes()) as pieces:
            async for piece in pieces:
                for passed in self._filling.feed(piece):
                    yield passed
        if rest := self._filling.end():
            yield rest

    async def aclose(self) -> None:
        await self._response.aclose()


# -- the transports ------------------------------------------------------------------------------------


def _client_of(library: Any, kind: str) -> Any:
    """A client with as many connections as that of OpenAI has. It loads modules the first time."""
    with loading({"httpx": "httpcore", "httpx2": "httpcore2"}[library.__name__], "certifi"):
        limits = library.Limits(max_connections=1000, max_keepalive_connections=100)
        return getattr(library, kind)(limits=limits)


class CodexTransport(_Transport):
    """`transport=` of a `Client` of httpx or httpx2, for libraries that do not know the rules of a login's
    model backend.

    A plain request for an answer works with it. The transport makes the request a stream that is not stored,
    makes its input a list, moves system messages at its beginning to the instructions, and leaves out fields
    that the backend refuses. A warning of the logger `codex_oauth` names each such field once. A caller that
    did not ask for a stream gets one answer, or one error. If the last event of an answer lacks the items,
    the transport adds them. Every request but `POST …/responses` passes unchanged.

    `transport` sends the requests; the default uses the environment's proxies and certificates, as a client
    without `transport=` does. `api` is the model API of the login's provider, by default that of Codex.
    `instructions` are for a request that has none, if the backend needs some. The transport keeps at most
    `most` bytes of an answer: a larger one is an error, or passes unchanged.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport | httpx2.BaseTransport | None = None,
        *,
        api: ModelApi = CODEX_API,
        instructions: str = DEFAULT_INSTRUCTIONS,
        most: int = MOST_OF_AN_ANSWER,
    ) -> None:
        self._given: Any = transport
        self._client: Any = None
        self._making = threading.Lock()
        self._translator = _Translator(api, instructions)
        self._most = most

    def handle_request(self, request: Any) -> Any:
        """Send a request, and return its answer."""
        if not self._translator.concerns(request):
            return self._send(request)
        found = self._translator.translate(request.read())
        if found is None:
            return self._send(request)
        response = self._send(_translated(request, found))
        if response.status_code == 429:
            return _refused(response, self._read(response))
        if not _is_stream(response):
            return response
        if found.gather:
            return _gathered(response, self._gather(response))
        stream = _with_base(_FilledStream, _library_of(response).SyncByteStream)
        return _filled(response, stream(response, self._most))

    def _send(self, request: Any) -> Any:
        if self._given is not None:
            return self._given.handle_request(request)
        library = _library_of(request)
        with self._making:
            if self._client is None:
                self._client = _client_of(library, "Client")
        return self._client.send(request, stream=True, auth=library.Auth(), follow_redirects=False)

    def _gather(self, response: Any) -> WholeAnswer:
        gathering = Gathering(self._most)
        try:
            for piece in response.iter_bytes():
                if gathering.feed(piece):
                    break
        except Exception:
            if not gathering.has_answer:
                raise
        finally:
            response.close()
        return gathering.end()

    def _read(self, response: Any) -> bytes:
        content = bytearray()
        try:
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _MOST_OF_AN_ERROR:
                    break
        finally:
            response.close()
        return bytes(content)

    def close(self) -> None:
        """Close the transport that sends the requests."""
        for each in (self._given, self._client):
            if each is not None:
                each.close()

    def __enter__(self) -> Self:
        if self._given is not None:
            self._given.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._given is not None:
            self._given.__exit__(*exc_info)
        if self._client is not None:
            self._client.close()


class AsyncCodexTransport(_AsyncTransport):
    """`CodexTransport` for an `AsyncClient` of httpx or httpx2, on asyncio and trio."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None = None,
        *,
        api: ModelApi = CODEX_API,
        instructions: str = DEFAULT_INSTRUCTIONS,
        most: int = MOST_OF_AN_ANSWER,
    ) -> None:
        self._given: Any = transport
        self._client: Any = None
        self._translator = _Translator(api, instructions)
        self._most = most

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request, and return its answer."""
        if not self._translator.concerns(request):
            return await self._send(request)
        found = self._translator.translate(await request.aread())
        if found is None:
            return await self._send(request)
        response = await self._send(_translated(request, found))
        if response.status_code == 429:
            return _refused(response, await self._read(response))
        if not _is_stream(response):
            return response
        if found.gather:
            return _gathered(response, await self._gather(response))
        stream = _with_base(_AsyncFilledStream, _library_of(response).AsyncByteStream)
        return _filled(response, stream(response, self._most))

    async def _send(self, request: Any) -> Any:
        if self._given is not None:
            return await self._given.handle_async_request(request)
        library = _library_of(request)
        if self._client is None:
            self._client = _client_of(library, "AsyncClient")
        return await self._client.send(request, stream=True, auth=library.Auth(), follow_redirects=False)

    async def _gather(self, response: Any) -> WholeAnswer:
        gathering = Gathering(self._most)
        try:
            async with aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    if gathering.feed(piece):
                        break
        except Exception:
            if not gathering.has_answer:
                raise
        finally:
            await response.aclose()
        return gathering.end()

    async def _read(self, response: Any) -> bytes:
        content = bytearray()
        try:
            async with aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    content += piece
                    if len(content) > _MOST_OF_AN_ERROR:
                        break
        finally:
            await response.aclose()
        return bytes(content)

    async def aclose(self) -> None:
        """Close the transport that sends the requests."""
        for each in (self._given, self._client):
            if each is not None:
                await each.aclose()

    async def __aenter__(self) -> Self:
        if self._given is not None:
            await self._given.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._given is not None:
            await self._given.__aexit__(*exc_info)
        if self._client is not None:
            await self._client.aclose()
