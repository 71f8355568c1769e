"""`TokenAuth` remembers where it sent a token last, and judges each request as if it did not."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from itertools import product
from typing import Any

import anyio
import attrs
import httpx
import httpx2
import pytest
import requests
from requests.adapters import HTTPAdapter

from codex_oauth import HostNotAllowed, MemoryStore, TokenAuth, TokenRequestsAuth, TokenSource
from codex_oauth_core import CHATGPT, CODEX, Credential, Provider, Secret

HERE = {"codex": "https://chatgpt.com/backend-api/x", "chatgpt": "https://api.openai.com/v1/x"}
ODD = (
    "http://chatgpt.com/x",
    "https://user:canary@chatgpt.com/x",
    "https://chatgpt.com:444/x",
    "https://chatgpt.com.evil.example/x",
    "https://evil.example/chatgpt.com/",
    "https://evil.example/?https://chatgpt.com/",
)


def login(provider: Provider, token: str) -> Credential:
    return Credential(
        access_token=Secret(token),
        refresh_token=Secret("refresh"),
        account_id="acct-1",
        issuer=provider.issuer,
        client_id=CODEX.client_id if provider is CODEX else "oaiapp_1",
        obtained_at="2027-01-15T00:00:00Z",
        scopes=None if provider is CODEX else ("chatgpt.tokens.use.direct",),
    )


LOGINS = {"codex": login(CODEX, "codex-token"), "chatgpt": login(CHATGPT, "chatgpt-token")}


class Source(TokenSource):
    """One whose login a test chooses. `checks` counts the URLs that were judged."""

    def __init__(self, **options: Any) -> None:
        super().__init__(MemoryStore(), **options)
        self.has = LOGINS["codex"]
        self.after_refusal: Credential | None = None
        self.checks = 0

    def credential(self, *, rejected: Secret[str] | None = None) -> Credential:
        return self.has if rejected is None else self.after_refusal or self.has

    async def acredential(self, *, rejected: Secret[str] | None = None) -> Credential:
        return self.credential(rejected=rejected)

    def headers(self, url: str) -> dict[str, str]:
        self.check(url, self.has)
        return self.headers_of(self.has)

    def check(self, url: str, credential: Credential | None = None) -> None:
        self.checks += 1
        super().check(url, credential)


Send = Callable[[TokenAuth, str, Any], Any]


def sync(auth: TokenAuth, url: str, answer: Any) -> Any:
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return client.get(url, auth=auth)


def awaited(auth: TokenAuth, url: str, answer: Any) -> Any:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await client.get(url, auth=auth)

    return anyio.run(send)


def sync2(auth: TokenAuth, url: str, answer: Any) -> Any:
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as client:
        return client.get(url, auth=auth)


ways = pytest.mark.parametrize("send", [sync, awaited, sync2])


def token_of(request: Any) -> Any:
    """Answers with the token that came."""
    library = httpx2 if isinstance(request, httpx2.Request) else httpx
    return library.Response(200, text=request.headers["authorization"])


@ways
def test_each_request_is_judged_by_its_own_host_and_login(send: Send) -> None:
    source = Source()
    auth = TokenAuth(source)
    urls = (*HERE.values(), *ODD)
    for (url, name), (other, whose) in product(product(urls, LOGINS), repeat=2):
        for asked, now in ((url, name), (other, whose)):
            source.has = LOGINS[now]
            if asked == HERE[now]:
                assert send(auth, asked, token_of).text == f"Bearer {now}-token"
            else:
                with pytest.raises(HostNotAllowed):
                    send(auth, asked, token_of)


@ways
def test_a_new_token_of_the_same_login_is_sent_at_once(send: Send) -> None:
    source = Source()
    auth = TokenAuth(source)
    for number in range(3):
        source.has = attrs.evolve(LOGINS["codex"], access_token=Secret(f"token-{number}"))
        assert send(auth, HERE["codex"], token_of).text == f"Bearer token-{number}"


@ways
def test_a_url_is_judged_once_for_each_host_in_turn(send: Send) -> None:
    source = Source(hosts=["a.example", "b.example"])
    auth = TokenAuth(source)
    for _ in range(5):
        send(auth, "https://a.example/x?y=z", token_of)
    once = source.checks
    assert once <= 2
    send(auth, "https://b.example/", token_of)
    assert source.checks == 2 * once


@ways
def test_what_a_refusal_brings_is_not_sent_where_it_may_not_go(send: Send) -> None:
    source = Source()
    source.after_refusal = LOGINS["chatgpt"]
    seen: list[str] = []

    def refuse(request: Any) -> Any:
        seen.append(token_of(request).text)
        return type(token_of(request))(401)

    with pytest.raises(HostNotAllowed):
        send(TokenAuth(source), HERE["codex"], refuse)
    assert seen == ["Bearer codex-token"]


class Refusing(HTTPAdapter):
    """A server that refuses every token that comes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.seen.append(str(request.headers["Authorization"]))
        response = requests.Response()
        response.status_code, response.url, response.request = 401, request.url or "", request
        response.raw, response.connection = BytesIO(), self
        return response

    def close(self) -> None:
        """Nothing is open."""


def test_nor_does_it_with_requests() -> None:
    source, server = Source(), Refusing()
    source.after_refusal = LOGINS["chatgpt"]
    with requests.Session() as session:
        session.mount("https://", server)
        with pytest.raises(HostNotAllowed):
            session.get(HERE["codex"], auth=TokenRequestsAuth(source))
    assert server.seen == ["Bearer codex-token"]
