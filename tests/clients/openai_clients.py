"""What `openai_client()` and `async_openai_client()` do: one program for version 2 and version 3 of the client.

Run as a program it prints what came of every row, as JSON: version 2 lives in a directory of its own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Final

import anyio
import openai

from codex_oauth import HostNotAllowed, MemoryStore, TokenSource, async_openai_client, openai_client
from codex_oauth_core import SignInError
from tests.clients.model_backend import LIMIT, TEXT, ModelBackend, asynchronous, blocking, said
from tests.tokens.rig import Rig, rig
from tests.tokens.test_plan_use import PLAN, kept, source_of, store_with

__all__ = ["ROWS", "main", "outcome"]

MAJOR: Final = openai.__version__.partition(".")[0]
HTTP: Final[Any] = import_module({"2": "httpx", "3": "httpx2"}[MAJOR])
PLAIN: Final[dict[str, Any]] = {"model": "m", "input": "hi"}
FULL: Final[dict[str, Any]] = {
    "model": "m",
    "input": [{"role": "user", "content": "hi"}],
    "instructions": "Be brief.",
    "store": False,
}


class Sync:
    """Asks with the blocking client."""

    def __init__(self, source: TokenSource, backend: ModelBackend, **options: Any) -> None:
        self.client: Any = openai_client(source, transport=blocking(HTTP, backend), **options)

    def plain(self, **asked: Any) -> Any:
        return self.client.responses.create(**asked)

    def events(self, **asked: Any) -> list[Any]:
        return list(self.client.responses.create(stream=True, **asked))

    def final(self, **asked: Any) -> Any:
        with self.client.responses.stream(**asked) as stream:
            return stream.get_final_response()

    def models(self) -> Any:
        return self.client.models.list()

    def asked(self, ask: Callable[..., Any], **options: Any) -> Any:
        return ask(**options)


class Async:
    """Asks with the asynchronous client, on asyncio or trio."""

    def __init__(self, loop: str) -> None:
        self._loop = loop

    def __call__(self, source: TokenSource, backend: ModelBackend, **options: Any) -> Async:
        transport = asynchronous(HTTP, backend)
        self.client: Any = async_openai_client(source, transport=transport, **options)
        return self

    def plain(self, **asked: Any) -> Any:
        async def ask() -> Any:
            return await self.client.responses.create(**asked)

        return anyio.run(ask, backend=self._loop)

    def events(self, **asked: Any) -> list[Any]:
        async def ask() -> Any:
            return [event async for event in await self.client.responses.create(stream=True, **asked)]

        return anyio.run(ask, backend=self._loop)

    def final(self, **asked: Any) -> Any:
        async def ask() -> Any:
            async with self.client.responses.stream(**asked) as stream:
                return await stream.get_final_response()

        return anyio.run(ask, backend=self._loop)

    def models(self) -> Any:
        async def ask() -> Any:
            return await self.client.models.list()

        return anyio.run(ask, backend=self._loop)

    def asked(self, ask: Callable[..., Any], **options: Any) -> Any:
        return anyio.run(partial(ask, **options), backend=self._loop)


Way = Callable[..., Any]
WAYS: Final[dict[str, Way]] = {"sync": Sync, "asyncio": Async("asyncio"), "trio": Async("trio")}


def _text(events: list[Any]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def _failure(ask: Callable[[], object]) -> list[Any]:
    """What a call raised, and whether that was at once."""
    begun = time.monotonic()
    try:
        ask()
    except (openai.OpenAIError, SignInError, HostNotAllowed, TypeError, ValueError) as error:
        kind = str(error.kind) if isinstance(error, SignInError) else getattr(error, "status_code", None)
        return [type(error).__name__, kind, time.monotonic() - begun < 5.0]
    return ["nothing", None, True]


# -- the rows ------------------------------------------------------------------------------------------


def headers(way: Way, made: Rig) -> Any:
    backend = ModelBackend()
    asked = way(made.source(), backend, app="example-notes/1.2")
    asked.events(**FULL)
    (sent,) = backend.headers
    token = sent["authorization"] == f"Bearer {made.stored_token}"
    account = sent["chatgpt-account-id"] == made.stored.credential.account_id
    address = backend.requests[0][1], sent["host"]
    return [token, account, sent["originator"], sent["user-agent"], *address]


def own_name(way: Way, made: Rig) -> Any:
    backend = ModelBackend()
    way(made.source(), backend).models()
    (sent,) = backend.headers
    return [sent["originator"], sent["user-agent"].partition("/")[0]]


def official(way: Way, made: Rig) -> Any:
    backend = ModelBackend(rules=False)
    source = source_of(store_with(kept(PLAN)))
    way(source, backend, dialect=True, app="example-notes/1.2").plain(**PLAIN, user="u")
    ((_, path, sent, _),) = backend.requests
    ours = {"authorization", "chatgpt-account-id", "originator"} & set(sent)
    instructions = backend.bodies[0].get("instructions")
    return [sent["host"], path, sorted(ours), sent["user-agent"], instructions, backend.bodies[0].get("user")]


def streaming(way: Way, made: Rig) -> Any:
    asked = way(made.source(), ModelBackend())
    return [_text(asked.events(**FULL)) == TEXT, asked.final(**FULL).output_text]


def streaming_in_dialect(way: Way, made: Rig) -> Any:
    asked = way(made.source(), ModelBackend(), dialect=True)
    events = asked.events(**PLAIN)
    return [_text(events) == TEXT, len(events[-1].response.output), asked.final(**PLAIN).output_text == TEXT]


def plain(way: Way, made: Rig) -> Any:
    return _failure(lambda: way(made.source(), ModelBackend()).plain(**PLAIN))


def plain_in_dialect(way: Way, made: Rig) -> Any:
    got = way(made.source(), ModelBackend(kind=None), dialect=True).plain(**PLAIN, temperature=0.5)
    return [got.output_text == TEXT, got.usage.total_tokens]


def renewed(way: Way, made: Rig) -> Any:
    old = made.stored_token
    backend = ModelBackend(takes=lambda token: token != old)
    got = way(made.source(), backend, dialect=True).plain(**PLAIN)
    same = backend.bodies[0] == backend.bodies[1]
    return [got.output_text == TEXT, len(backend.requests), made.refreshes, same]


def always_401(way: Way, made: Rig) -> Any:
    backend = ModelBackend(takes=lambda _: False)
    asked = way(made.source(), backend, dialect=True)
    return [_failure(lambda: asked.plain(**PLAIN)), len(backend.requests), made.refreshes]


def limit(way: Way, made: Rig) -> Any:
    backend = ModelBackend(early=said(429, LIMIT))
    asked = [way(made.source(), backend, dialect=dialect) for dialect in (False, True)]
    told = [_failure(partial(ask, **FULL))[:2] for each in asked for ask in (each.plain, each.events)]
    return [told, len(backend.requests)]


def busy(way: Way, made: Rig) -> Any:
    backend = ModelBackend(early=said(429, {"error": {"message": "m", "type": "rate_limit_exceeded"}}))
    asked = way(made.source(), backend, dialect=True, max_retries=1)
    return [_failure(lambda: asked.plain(**PLAIN))[:2], len(backend.requests)]


def limit_in_the_stream(way: Way, made: Rig) -> Any:
    backend = ModelBackend(told=[{"type": "error", **LIMIT}])
    asked = way(made.source(), backend, dialect=True)
    return [_failure(lambda: asked.plain(**PLAIN))[:2], len(backend.requests)]


def nobody(way: Way, made: Rig) -> Any:
    source, backend = TokenSource(MemoryStore()), ModelBackend()
    at_once = _failure(lambda: way(source, backend))
    later = way(source, backend, base_url="https://chatgpt.com/backend-api/codex", dialect=True)
    return [at_once, _failure(lambda: later.plain(**PLAIN)), len(backend.requests)]


def elsewhere(way: Way, made: Rig) -> Any:
    backend = ModelBackend()
    told = _failure(lambda: way(made.source(), backend, base_url="https://elsewhere.example/v1"))
    return [told, len(backend.requests)]


def redirect(way: Way, made: Rig) -> Any:
    away = 307, {"Location": "https://elsewhere.example/responses"}, [b""]
    told: list[Any] = []
    for dialect in (False, True):
        backend = ModelBackend(early=away)
        asked = way(made.source(), backend, dialect=dialect)
        told += [_failure(partial(asked.events, **FULL))[:2], [sent["host"] for sent in backend.headers]]
    return told


def others(way: Way, made: Rig) -> Any:
    names = ("api_key", "http_client", "admin_api_key", "workload_identity", "provider")
    return [_failure(partial(way, made.source(), ModelBackend(), **{name: "x"}))[0] for name in names]


def app_names(way: Way, made: Rig) -> Any:
    names = ("", "notes", "my notes/1", "notes/1/2", "notes/1\r\nX: y", "nötes/1")
    return [_failure(partial(way, made.source(), ModelBackend(), app=name))[0] for name in names]


def redirect_that_one_request_follows(way: Way, made: Rig) -> Any:
    backend = ModelBackend(early=(307, {"Location": "https://elsewhere.example/responses"}, [b""]))
    asked = way(made.source(), backend, max_retries=0)
    send = partial(asked.client.post, "/responses", body={}, cast_to=object)
    _failure(lambda: asked.asked(send, options={"follow_redirects": True}))
    ours = ("authorization", "chatgpt-account-id")
    return [[sent["host"], [name in sent for name in ours]] for sent in backend.headers[:2]]


def sockets_elsewhere(way: Way, made: Rig) -> Any:
    urls = ("wss://elsewhere.example/v1", "ws://chatgpt.com/v1", "wss://chatgpt.com/v1")
    return [_failure(partial(way, made.source(), ModelBackend(), websocket_base_url=url))[0] for url in urls]


_OPTIONAL: Final = ("x-own", "x-more", "openai-organization", "openai-project", "x-of-another-key")


def options(way: Way, made: Rig) -> Any:
    backend = ModelBackend()
    asked = way(made.source(), backend, default_headers={"X-Own": "1"}, organization="org", timeout=5.0)
    told: list[Any] = []
    for changed in ({}, {"max_retries": 0}, {"default_headers": {"X-More": "2"}}, {"project": "own"}):
        asked.client = asked.client.with_options(**changed) if changed else asked.client
        asked.models()
        told.append([backend.headers[-1].get(name) for name in _OPTIONAL])
    asked.client = asked.client.copy(set_default_headers={"X-More": "3"})
    asked.models()
    return [*told, [backend.headers[-1].get(name) for name in _OPTIONAL]]


ROWS: Final[dict[str, tuple[Callable[[Way, Rig], Any], Any]]] = {
    "headers": (
        headers,
        [True, True, "example-notes", "example-notes/1.2", "/backend-api/codex/responses", "chatgpt.com"],
    ),
    "own_name": (own_name, ["codex-oauth", "codex-oauth"]),
    "official": (
        official,
        ["api.openai.com", "/v1/responses", ["authorization"], "example-notes/1.2", None, None],
    ),
    # the backend's last event has no items: the library's own result is empty
    "streaming": (streaming, [True, ""]),
    "streaming_in_dialect": (streaming_in_dialect, [True, 1, True]),
    "plain": (plain, ["BadRequestError", 400, True]),
    "plain_in_dialect": (plain_in_dialect, [True, 3]),
    "renewed": (renewed, [True, 2, 1, True]),
    "always_401": (always_401, [["AuthenticationError", 401, True], 2, 1]),
    "limit": (limit, [[["RateLimitError", 429]] * 4, 4]),
    "busy": (busy, [["RateLimitError", 429], 2]),
    "limit_in_the_stream": (limit_in_the_stream, [["RateLimitError", 429], 1]),
    "nobody": (nobody, [["SignInError", "login_required", True], ["SignInError", "login_required", True], 0]),
    "elsewhere": (elsewhere, [["HostNotAllowed", None, True], 0]),
    "redirect": (redirect, [["APIStatusError", 307], ["chatgpt.com"]] * 2),
    "others": (others, ["TypeError"] * 5),
    "app_names": (app_names, ["ValueError"] * 6),
    "redirect_that_one_request_follows": (
        redirect_that_one_request_follows,
        [["chatgpt.com", [True, True]], ["elsewhere.example", [False, False]]],
    ),
    "sockets_elsewhere": (sockets_elsewhere, ["HostNotAllowed", "HostNotAllowed", "nothing"]),
    "options": (
        options,
        [
            ["1", None, "org", None, None],
            ["1", None, "org", None, None],
            ["1", "2", "org", None, None],
            ["1", "2", "org", "own", None],
            [None, "3", "org", "own", None],
        ],
    ),
}
"""What each does, and what comes of it."""


def outcome(name: str, way: str) -> Any:
    """What came of one row, as JSON has it."""
    return json.loads(json.dumps(ROWS[name][0](WAYS[way], rig())))


def threads() -> list[Any]:
    """What comes of eight threads whose token is refused at once, with one client."""
    made = rig()
    old = made.stored_token
    barrier = threading.Barrier(8)

    def takes(token: str) -> bool:
        if token == old:
            barrier.wait(60)  # until all are refused
        return token != old

    backend = ModelBackend(takes=takes)
    client: Any = openai_client(made.source(), dialect=True, transport=blocking(HTTP, backend))
    texts: list[str] = []
    asking = [
        threading.Thread(target=lambda: texts.append(client.responses.create(**PLAIN).output_text))
        for _ in range(8)
    ]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    return [texts == [TEXT] * 8, len(backend.requests), made.refreshes]


def main() -> None:
    """Print the version and every outcome."""
    outcomes = {name: {way: outcome(name, way) for way in WAYS} for name in ROWS}
    print(json.dumps({"version": MAJOR, "outcomes": outcomes, "threads": threads()}))


if __name__ == "__main__":
    main()
