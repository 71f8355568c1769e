"""`CodexTransport` and `AsyncCodexTransport` in clients of httpx and httpx2."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any, Self

import anyio
import attrs
import httpx
import httpx2
import pytest

from codex_oauth import CHATGPT, AsyncCodexTransport, CodexTransport
from tests.clients.model_backend import (
    ITEM,
    LIMIT,
    ModelBackend,
    asynchronous,
    blocking,
    events,
    said,
    stream_of,
)
from tests.tokens.backend import serving

URL = "https://chatgpt.com/backend-api/codex/responses"
PLAIN = {"model": "m", "input": "hi"}


@attrs.frozen
class Got:
    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


Ask = Callable[..., Got]


def options_of(options: Any) -> dict[str, Any]:
    return options or {}


def _blocking(library: ModuleType) -> Ask:
    def ask(
        backend: ModelBackend | None,
        url: str = URL,
        *,
        options: Any = None,
        enough: int | None = None,
        **request: Any,
    ) -> Got:
        inner = None if backend is None else blocking(library, backend)
        with library.Client(transport=CodexTransport(inner, **options_of(options))) as client:
            with client.stream(request.pop("method", "POST"), url, **request) as response:
                content = b""
                for piece in response.iter_bytes():
                    content += piece
                    if enough is not None and len(content) >= enough:
                        break
            return Got(response.status_code, dict(response.headers), content)

    return ask


def _asynchronous(library: ModuleType, loop: str) -> Ask:
    async def ask(
        backend: ModelBackend | None, url: str, options: Any, enough: int | None, request: dict[str, Any]
    ) -> Got:
        inner = None if backend is None else asynchronous(library, backend)
        async with library.AsyncClient(transport=AsyncCodexTransport(inner, **options_of(options))) as client:
            async with client.stream(request.pop("method", "POST"), url, **request) as response:
                content = b""
                pieces = response.aiter_bytes()
                async for piece in pieces:
                    content += piece
                    if enough is not None and len(content) >= enough:
                        break
                await pieces.aclose()
            return Got(response.status_code, dict(response.headers), content)

    def run(
        backend: ModelBackend | None,
        url: str = URL,
        *,
        options: Any = None,
        enough: int | None = None,
        **request: Any,
    ) -> Got:
        return anyio.run(ask, backend, url, options, enough, request, backend=loop)

    return run


WAYS = [
    pytest.param(_blocking(httpx), id="httpx"),
    pytest.param(_blocking(httpx2), id="httpx2"),
    pytest.param(_asynchronous(httpx, "asyncio"), id="httpx-asyncio"),
    pytest.param(_asynchronous(httpx2, "asyncio"), id="httpx2-asyncio"),
    pytest.param(_asynchronous(httpx2, "trio"), id="httpx2-trio"),
]
everywhere = pytest.mark.parametrize("ask", WAYS)


@everywhere
def test_a_plain_call_gets_one_answer(ask: Ask) -> None:
    backend = ModelBackend()
    got = ask(backend, json=PLAIN, headers={"X-Own": "kept"})
    assert (got.status, got.headers["content-type"], got.json()["output"]) == (
        200,
        "application/json",
        [ITEM],
    )
    assert got.headers["content-length"] == str(len(got.content))
    (sent,) = backend.headers
    assert (sent["x-own"], sent["accept"], sent["content-type"]) == (
        "kept",
        "text/event-stream",
        "application/json",
    )
    assert backend.closed == 1


@everywhere
@pytest.mark.parametrize("kind", ["text/event-stream; charset=utf-8", "Text/Event-Stream", None])
@pytest.mark.parametrize("size", [1, 10_000])
def test_a_stream_passes_and_its_last_event_is_filled(ask: Ask, kind: str | None, size: int) -> None:
    backend = ModelBackend(kind=kind, size=size)
    got = ask(backend, json={**PLAIN, "stream": True})
    last = json.loads(got.content.rstrip().rpartition(b"data: ")[2])
    assert (got.status, last["response"]["output"]) == (200, [ITEM])
    assert got.headers.get("content-type") == kind
    assert backend.closed == 1


@everywhere
def test_who_leaves_early_closes_the_backend_s_stream(ask: Ask) -> None:
    backend = ModelBackend()
    assert ask(backend, json={**PLAIN, "stream": True}, enough=1).content.startswith(
        b"event: response.created"
    )
    assert backend.closed == 1


@everywhere
@pytest.mark.parametrize(
    "early",
    [
        said(400, {"detail": "no"}),
        said(401, {"detail": "no"}),
        said(503, {}),
        said(200, {"a": 1}),
        (200, {"Content-Type": "text/html"}, [b"<p>"]),
        (403, {}, [b"page"]),
        (204, {}, []),
    ],
)
def test_what_is_no_stream_passes_as_it_is(ask: Ask, early: Any) -> None:
    got = ask(ModelBackend(early=early), json=PLAIN)
    assert (got.status, got.content) == (early[0], b"".join(early[2]))
    assert "x-should-retry" not in got.headers


@everywhere
def test_a_usage_limit_says_that_it_is_not_to_be_repeated(ask: Ask) -> None:
    got = ask(ModelBackend(early=said(429, LIMIT)), json=PLAIN)
    assert (got.status, got.json(), got.headers["x-should-retry"]) == (429, LIMIT, "false")
    busy = ask(ModelBackend(early=said(429, {"error": {"type": "rate_limit_exceeded"}})), json=PLAIN)
    assert (busy.status, busy.headers.get("x-should-retry")) == (429, None)
    long = ask(ModelBackend(early=(429, {}, [b"x" * 2**19] * 9)), json=PLAIN)
    assert len(long.content) == 3 * 2**19


@everywhere
def test_a_failure_in_the_stream_is_an_error_of_a_plain_call(ask: Ask) -> None:
    told = [*events()[:4], {"type": "error", **LIMIT}]
    got = ask(ModelBackend(told=told), json=PLAIN)
    assert (got.status, got.headers["x-should-retry"], got.json()["error"]["type"]) == (
        429,
        "false",
        "usage_limit_reached",
    )
    half = ask(ModelBackend(told=events()[:5]), json=PLAIN)
    assert (half.status, half.json()["error"]["code"]) == (502, "stream_truncated")
    passed = ask(ModelBackend(told=told), json={**PLAIN, "stream": True})
    assert (passed.status, passed.content) == (200, stream_of(told))


@everywhere
@pytest.mark.parametrize(
    ("url", "request_"),
    [
        (URL, {"method": "GET"}),
        (URL + "/resp_1", {"json": PLAIN}),
        (URL + "/compact", {"json": PLAIN}),
        ("https://chatgpt.com/backend-api/codex/models", {"json": PLAIN}),
        (URL, {"content": b"no JSON"}),
        (
            URL,
            {"content": gzip.compress(json.dumps(PLAIN).encode()), "headers": {"Content-Encoding": "gzip"}},
        ),
    ],
)
def test_nothing_else_is_touched(ask: Ask, url: str, request_: dict[str, Any]) -> None:
    backend = ModelBackend(early=(200, {"Content-Type": "text/event-stream"}, [b"as it is"]))
    assert ask(backend, url, **dict(request_)).content == b"as it is"
    ((_, _, _, body),) = backend.requests
    assert body == request_.get(
        "content", json.dumps(PLAIN, separators=(",", ":")).encode() if "json" in request_ else b""
    )


@everywhere
def test_an_address_with_a_slash_at_its_end_and_a_query_is_one_for_answers(ask: Ask) -> None:
    backend = ModelBackend(rules=False)
    backend.early = said(200, {})
    ask(backend, URL + "/?a=b", json=PLAIN)
    assert backend.bodies[0]["stream"] is True


@everywhere
def test_a_body_that_is_packed_is_unpacked(ask: Ask) -> None:
    packed = gzip.compress(stream_of(events()))
    early = (200, {"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}, [packed])
    assert ask(ModelBackend(early=early), json=PLAIN).json()["output"] == [ITEM]
    passed = ask(ModelBackend(early=early), json={**PLAIN, "stream": True})
    assert b"event: response.completed" in passed.content
    assert "content-encoding" not in passed.headers


@everywhere
def test_no_more_is_kept_than_may_be(ask: Ask) -> None:
    got = ask(ModelBackend(), json=PLAIN, options={"most": 100})
    assert (got.status, got.json()["error"]["code"]) == (502, "answer_too_large")
    assert ask(ModelBackend(), json={**PLAIN, "stream": True}, options={"most": 100}).content == stream_of(
        events()
    )


@everywhere
def test_a_connection_that_breaks_breaks_a_call_only_if_the_answer_is_not_there(ask: Ask) -> None:
    assert ask(ModelBackend(breaks=True), json=PLAIN).json()["output"] == [ITEM]
    with pytest.raises((httpx.ReadError, httpx2.ReadError)):
        ask(ModelBackend(breaks=True, told=events()[:-1]), json=PLAIN)


@everywhere
def test_instructions_and_rules_can_be_others(ask: Ask) -> None:
    backend = ModelBackend(rules=False)
    ask(backend, json={**PLAIN, "user": "u"}, options={"instructions": "Be brief."})
    ask(backend, json={**PLAIN, "user": "u"}, options={"api": CHATGPT.model_api})
    assert [(body.get("instructions"), body.get("user")) for body in backend.bodies] == [
        ("Be brief.", "u"),
        (None, None),
    ]


def test_a_field_that_is_left_out_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    backend = ModelBackend()
    with (
        httpx.Client(transport=CodexTransport(blocking(httpx, backend))) as client,
        caplog.at_level(logging.DEBUG, "codex_oauth"),
    ):
        for more in ({"temperature": 0.5}, {"temperature": 0.7, "top_p": 1}, {"metadata": None}):
            assert (
                client.post(
                    URL, json={**PLAIN, **more}, headers={"Authorization": "Bearer canary"}
                ).status_code
                == 200
            )
    lines = [record.getMessage() for record in caplog.records if record.name == "codex_oauth"]
    assert [line.partition(" refuses the field ")[2].partition(".")[0] for line in lines] == [
        "temperature",
        "top_p",
    ]
    assert "canary" not in caplog.text


@everywhere
def test_without_a_transport_it_sends_as_a_client_does(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as here, serving() as proxy:
        assert ask(None, f"{here.url}/ok", json=PLAIN).json()["path"] == "/ok"
        away = ask(None, f"{here.url}/away", json=PLAIN)
        assert away.status == 307  # whether it is followed is for the client to say
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        there = "http://backend.invalid/codex/responses"
        assert ask(None, there, json=PLAIN, headers={"Authorization": "Bearer own"}).status == 200
        assert [(hit.path, hit.token) for hit in proxy.hits] == [(there, "own")]
        assert json.loads(proxy.hits[0].body)["stream"] is True


def test_a_transport_is_opened_and_closed_with_its_client() -> None:
    class Inner(httpx.BaseTransport):
        did: list[str] = []  # noqa: RUF012

        def __enter__(self) -> Self:
            self.did.append("enter")
            return self

        def __exit__(self, *exc_info: object) -> None:
            self.did.append("exit")

        def close(self) -> None:
            self.did.append("close")

    with httpx.Client(transport=CodexTransport(Inner())):
        pass
    httpx.Client(transport=CodexTransport(Inner())).close()
    assert Inner.did == ["enter", "exit", "close"]
