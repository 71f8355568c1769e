"""A token source of a login that is not of Codex: who renews it, where its token may go, and what goes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import anyio
import attrs
import httpx
import pytest

from codex_oauth import CODEX, HostNotAllowed, MemoryStore, Provider, TokenAuth, TokenSource
from codex_oauth.testing import FakeWorld, scripted
from codex_oauth_core import Credential, Record, Request, ResponseReceived, Secret, SignInError
from codex_oauth_core.effects import RequestHeaders
from codex_oauth_core.facts import Granted, RefreshFact, Tokens
from codex_oauth_core.provider import Dialect
from tests.core.storing import CURRENT, EXPIRED
from tests.support import W0, as_json
from tests.tokens.test_token_canary import frames


def refresh(provider: Provider, token: Secret[str]) -> Request | None:
    assert provider.token_endpoint is not None
    return Request("POST", provider.token_endpoint, (("X-Home", "1"),), token_body(token))


def token_body(token: Secret[str]) -> Secret[bytes]:
    return Secret(token.reveal().encode())


def read(provider: Provider, response: ResponseReceived) -> RefreshFact:
    return Granted(Tokens(Secret("new-at"), Secret("new-rt"), expires_in=3600.0))


HOME: Final = Provider(
    issuer="https://home.example",
    client_id="app",
    scopes=(),
    token_endpoint="https://home.example/token",
    hosts=("api.home.example",),
    dialect=Dialect(refresh_request=refresh, read_refresh=read),
)
API: Final = "https://api.home.example/v1"


def source(record: Record, **options: Any) -> tuple[TokenSource, FakeWorld]:
    store, world = MemoryStore(), FakeWorld(scripted([as_json(200, {})]), wall=W0)
    credential = attrs.evolve(record.credential, issuer=HOME.issuer, client_id=HOME.client_id)
    store.slot("acct_fake").rescue(attrs.evolve(record, credential=credential))
    store.select("acct_fake")
    made = TokenSource(store, make_world=lambda: world, now=world.now, jitter=0.5, **options)
    return made, world


@pytest.mark.parametrize("options", [{"provider": HOME}, {"providers": (HOME,)}])
def test_its_login_is_renewed_by_its_own_provider(options: dict[str, Any]) -> None:
    made, world = source(EXPIRED, **options)
    assert made.token() == "new-at"
    (sent,) = world.requests
    assert (sent.request.url, sent.request.headers) == (HOME.token_endpoint, (("X-Home", "1"),))


@pytest.mark.parametrize("options", [{"provider": HOME}, {"providers": (HOME,)}])
def test_its_token_goes_to_its_hosts_with_its_headers_and_nowhere_else(options: dict[str, Any]) -> None:
    made, _ = source(CURRENT, **options)
    token = made.token()
    assert made.headers(API) == {"Authorization": f"Bearer {token}"}
    with pytest.raises(HostNotAllowed):
        made.headers("https://chatgpt.com/x")
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    with httpx.Client(auth=TokenAuth(made), transport=httpx.MockTransport(answer)) as client:
        client.get(API)
        with pytest.raises(HostNotAllowed):
            client.get("https://chatgpt.com/x")
    (request,) = sent
    assert request.headers["Authorization"] == f"Bearer {token}"
    assert not {"chatgpt-account-id", "originator"} & set(request.headers)


@pytest.mark.parametrize("how", ["provider", "providers"])
def test_a_program_that_names_itself_to_codex_has_its_name_in_the_headers(how: str) -> None:
    store, world = MemoryStore(), FakeWorld(scripted([]), wall=W0)
    store.slot("acct_fake").rescue(CURRENT)
    store.select("acct_fake")
    ours = attrs.evolve(CODEX, originator="our_program", hosts=("api.home.example",))
    options: dict[str, Any] = {"provider": ours} if how == "provider" else {"providers": (HOME, ours)}
    made = TokenSource(store, now=world.now, **options)
    assert made.headers(API)["originator"] == "our_program"
    assert made.provider().originator == "our_program"


def test_a_token_of_codex_does_not_go_to_another_providers_hosts() -> None:
    store, world = MemoryStore(), FakeWorld(scripted([]), wall=W0)
    store.slot("acct_fake").rescue(CURRENT)
    store.select("acct_fake")
    made = TokenSource(store, now=world.now, providers=(HOME,))
    assert made.headers("https://chatgpt.com/x")["originator"] == CODEX.originator

    async def begun(url: str) -> Any:
        return await anext(TokenAuth(made).async_auth_flow(httpx.Request("GET", url)))

    def awaited(url: str) -> Any:
        return anyio.run(begun, url)

    def blocking(url: str) -> Any:
        return next(TokenAuth(made).sync_auth_flow(httpx.Request("GET", url)))

    def headers(url: str) -> Any:
        return anyio.run(made.aheaders, url)

    ways: tuple[Callable[[str], Any], ...] = (made.headers, headers, blocking, awaited)
    for ask in ways:
        with pytest.raises(HostNotAllowed):
            ask(API)


def test_hosts_that_are_named_count_and_no_others() -> None:
    made, _ = source(CURRENT, providers=(HOME,), hosts=("one.example",))
    assert made.headers("https://one.example/")["Authorization"].startswith("Bearer ")
    with pytest.raises(HostNotAllowed):
        made.headers(API)
    nowhere, _ = source(CURRENT, provider=attrs.evolve(HOME, hosts=()))
    with pytest.raises(HostNotAllowed):
        nowhere.headers(API)


def test_a_login_of_a_provider_that_nobody_named_is_taken_for_one_of_codex_at_its_issuer() -> None:
    made, world = source(EXPIRED)
    world.server = lambda request, at, wall: as_json(400, {"error": "invalid_grant"})
    with pytest.raises(Exception, match="not valid any more"):
        made.token()
    (sent,) = world.requests
    assert sent.request.url == "https://home.example/oauth/token"


@pytest.mark.parametrize("name", ["X-Home-Token", "authorization"])
def test_a_401_is_about_the_token_whatever_header_carries_it(name: str) -> None:
    def carried(provider: Provider, credential: Credential) -> RequestHeaders:
        return ((name, credential.access_token), ("X-Home", "1"))

    provider = attrs.evolve(HOME, dialect=attrs.evolve(HOME.dialect, headers=carried))
    made, world = source(CURRENT, provider=provider)
    first = made.token()
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers[name])
        return httpx.Response(401, json={})

    with httpx.Client(auth=TokenAuth(made), transport=httpx.MockTransport(answer)) as client:
        assert client.get(API).status_code == 401
    assert (seen, len(world.requests)) == ([first, "new-at"], 1)


def test_a_dialect_that_fails_at_the_next_token_shows_no_header_of_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _ = source(CURRENT, provider=HOME)
    credential = made.credential()
    assert made.headers_of(credential)

    def fails(*_: object) -> Provider:
        raise ValueError("the dialect's fault")

    monkeypatch.setattr(type(made._renewer), "provider_for", fails)
    with pytest.raises(ValueError, match="fault") as raised:
        made.headers_of(attrs.evolve(credential, scopes=()))
    assert credential.access_token.reveal() not in frames(raised.value)


@pytest.mark.parametrize("how", ["provider", "providers"])
@pytest.mark.parametrize("issued", [True, False])
def test_a_login_of_a_client_that_the_provider_issued_is_its_own(how: str, issued: bool) -> None:
    sent: list[str] = []

    def asked(provider: Provider, token: Secret[str]) -> Request | None:
        sent.append(provider.client_id)
        return refresh(provider, token)

    dialect = attrs.evolve(HOME.dialect, refresh_request=asked)
    provider = attrs.evolve(HOME, issued_client_ids=r"issued_\d+", client_id="registrar", dialect=dialect)
    client = "issued_1" if issued else "somebody_1"
    store, world = MemoryStore(), FakeWorld(scripted([as_json(200, {})]), wall=W0)
    credential = attrs.evolve(EXPIRED.credential, issuer=HOME.issuer, client_id=client)
    store.slot("acct_fake").rescue(attrs.evolve(EXPIRED, credential=credential))
    store.select("acct_fake")
    options: dict[str, Any] = {"provider": provider} if how == "provider" else {"providers": (provider,)}
    made = TokenSource(store, make_world=lambda: world, now=world.now, jitter=0.5, **options)
    if how == "provider" and not issued:  # who names one provider gets no other's login
        with pytest.raises(SignInError) as raised:
            made.token()
        assert raised.value.details["reason"] == "other_issuer"
    else:
        assert made.token() == "new-at"
        assert set(sent) == {client}
