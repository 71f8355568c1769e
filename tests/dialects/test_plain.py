"""The dialect of docs/dialects.md against a server of somebody else's, over loopback, blocking and awaiting."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import attrs
import pytest

from codex_oauth import (
    AsyncHttpxWorld,
    AsyncStoringWorld,
    BrowserPrompt,
    Credential,
    DevicePrompt,
    ErrorKind,
    HttpxWorld,
    MemoryStore,
    Provider,
    Record,
    Revocation,
    Secret,
    SignInError,
    StoringWorld,
    TokenSource,
    Wait,
    alogin,
    arun,
    login,
    run,
)
from codex_oauth_core import AuthorizationRequest, Required, Revoked
from tests.dialects.home_server import CLIENT_ID
from tests.dialects.rig import BACKENDS, Rig, answering, browsing, by_device, refused, rig, signed_in
from tests.tokens.rig import eventually


@pytest.fixture
def here() -> Generator[Rig]:
    yield from rig()


# -- with a device code (RFC 8628) -----------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_device_signs_in_with_opaque_tokens_and_without_an_account(here: Rig, backend: str) -> None:
    credential = signed_in(by_device(here, backend, answering(here, approved=True, after=3)))
    assert (credential.issuer, credential.client_id) == (here.home.url, CLIENT_ID)
    assert (credential.account_id, credential.user_id, credential.id_token) == (None, None, None)
    assert credential.access_token.reveal().startswith("opaque.")
    expected = (here.clock.wall() + 3600) * 1000
    assert abs((credential.expires_at or 0) - expected) < 30_000
    assert here.home.asked("/device_authorization") == [
        {"client_id": CLIENT_ID, "scope": "profile offline_access"}
    ]
    polls = here.home.asked("/token")
    assert len(polls) == 3
    assert {poll["grant_type"] for poll in polls} == {"urn:ietf:params:oauth:grant-type:device_code"}
    assert all(4.9 < pause <= 5.0 for pause, _ in here.clock.waited)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_page_with_the_code_in_it_comes_from_the_server(here: Rig, backend: str) -> None:
    shown: list[DevicePrompt] = []

    def watch(wait: Wait) -> None:
        if isinstance(wait.prompt, DevicePrompt):
            shown.append(wait.prompt)
            here.home.approvals[wait.prompt.user_code] = True

    signed_in(by_device(here, backend, watch))
    (prompt,) = shown
    assert prompt.verification_uri == f"{here.home.url}/device"
    whole = urlsplit(prompt.verification_uri_complete or "")
    assert parse_qs(whole.query) == {"user_code": [prompt.user_code]}


@pytest.mark.parametrize("backend", BACKENDS)
def test_denied(here: Rig, backend: str) -> None:
    error = refused(by_device(here, backend, answering(here, approved=False)))
    assert (error.kind, error.details["code"]) == (ErrorKind.DENIED, "access_denied")
    assert here.home.issued == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_expired(backend: str) -> None:
    for here in rig(lifetime=20):
        error = refused(by_device(here, backend, lambda wait: None))
        assert error.kind is ErrorKind.EXPIRED
        assert 2 <= len(here.home.asked("/token")) <= 4


def test_a_code_that_the_server_gives_up_earlier_than_it_said_is_expired(here: Rig) -> None:
    def watch(wait: Wait) -> None:
        for kept in here.home.devices.values():
            kept["expires_in"] = 1

    error = refused(by_device(here, "sync", watch))
    assert (error.kind, error.details["code"]) == (ErrorKind.EXPIRED, "expired_token")


@pytest.mark.parametrize("backend", BACKENDS)
def test_slow_down_for_real(backend: str) -> None:
    """The server says 2 s and bears no more than one poll in 10 s."""
    for here in rig(told_interval=2, least_interval=10.0):
        signed_in(by_device(here, backend, answering(here, approved=True, after=5)))
        told = [(round(pause), why) for pause, why in here.clock.waited]
        assert told == [(2, "pending"), (7, "slow_down"), (12, "slow_down"), (12, "pending"), (12, "pending")]


def test_any_other_error_stops_the_polling(here: Rig) -> None:
    def watch(wait: Wait) -> None:
        here.home.devices.clear()  # a code that the server does not know any more is an invalid request

    error = refused(by_device(here, "sync", watch))
    assert (error.kind, error.details["code"]) == (ErrorKind.DEVICE_AUTH_FAILED, "invalid_request")
    assert len(here.home.asked("/token")) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_refresh_token_is_a_sign_in_unless_the_provider_must_grant_one(backend: str) -> None:
    for here in rig(grants_refresh=False):
        credential = signed_in(by_device(here, backend, answering(here, approved=True)))
        assert credential.refresh_token is None
        needing = attrs.evolve(here.provider, must_grant=frozenset({Required.REFRESH_TOKEN}))
        error = refused(by_device(here, backend, answering(here, approved=True), needing))
        assert error.details == {"reason": "refresh_token", "revoked": True}
        assert [issued.revoked for issued in here.home.issued] == [False, True]


def test_fewer_scopes_are_no_error_unless_the_provider_must_grant_all() -> None:
    for here in rig(granted_scope="profile"):
        signed_in(by_device(here, "sync", answering(here, approved=True)))
        needing = attrs.evolve(here.provider, must_grant=frozenset({Required.SCOPE}))
        error = refused(by_device(here, "sync", answering(here, approved=True), needing))
        assert error.details == {"reason": "scope", "revoked": True}
        assert [issued.revoked for issued in here.home.issued] == [False, True]


# -- with the browser (RFC 8252, 7636, 9207) ---------------------------------------------------------------


def by_browser(here: Rig, backend: str, store: MemoryStore) -> tuple[Credential, BrowserPrompt]:
    prompts: list[BrowserPrompt] = []
    options: Any = {"provider": here.provider, "device": False, "store": store, "open_browser": False}

    async def main() -> Credential:
        return await alogin(on_prompt=browsing(prompts), **options)

    if backend == "sync":
        credential = login(on_prompt=browsing(prompts), **options)
    else:
        credential = anyio.run(main, backend=backend)
    (prompt,) = prompts
    return credential, prompt


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_browser_signs_in_on_any_free_port_and_the_redirect_names_the_server(
    here: Rig, backend: str
) -> None:
    store = MemoryStore()
    credential, prompt = by_browser(here, backend, store)
    asked = parse_qs(urlsplit(prompt.authorize_url.reveal()).query)
    (uri,) = asked["redirect_uri"]
    parts = urlsplit(uri)
    assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/callback")
    assert parts.port not in (None, 0, 1455, 1457)
    (exchange,) = here.home.asked("/token")
    assert exchange["redirect_uri"] == uri
    assert asked["code_challenge_method"] == ["S256"]
    assert store.current() == credential.key


@pytest.mark.parametrize("has_nonce", [True, False])
def test_a_fresh_nonce_is_drawn_for_a_provider_that_has_one(here: Rig, has_nonce: bool) -> None:
    asked: list[AuthorizationRequest] = []

    def url(provider: Provider, wish: AuthorizationRequest) -> Secret[str] | None:
        asked.append(wish)
        return here.provider.dialect.authorize_url(provider, wish)

    spoken = attrs.evolve(here.provider.dialect, authorize_url=url)
    provider = attrs.evolve(here.provider, dialect=spoken, has_nonce=has_nonce)
    for _ in range(2):
        login(provider=provider, device=False, on_prompt=browsing([]), open_browser=False)
    nonces = [wish.nonce.reveal() for wish in asked if wish.nonce is not None]
    assert len(set(nonces)) == (2 if has_nonce else 0)
    assert all(len(nonce) >= 43 for nonce in nonces)
    assert not set(nonces) & {wish.state.reveal() for wish in asked}


def test_a_person_who_denies_in_the_browser_is_told_so(here: Rig) -> None:
    here.home.denies_browsers = True
    with pytest.raises(SignInError) as raised:
        by_browser(here, "sync", MemoryStore())
    assert raised.value.kind is ErrorKind.DENIED
    assert here.home.issued == []


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("missing", "prompt"), [("authorization", DevicePrompt), ("device_authorization", BrowserPrompt)]
)
def test_where_the_provider_has_one_way_only_the_front_door_takes_that(
    here: Rig, backend: str, missing: str, prompt: type[Any]
) -> None:
    lacking: Any = {f"{missing}_endpoint": None}
    seen: list[Any] = []

    def on_prompt(shown: Any) -> None:
        seen.append(shown)
        if isinstance(shown, DevicePrompt):
            here.home.approvals[shown.user_code] = True
        else:
            browsing([])(shown)

    options: Any = {"provider": attrs.evolve(here.provider, **lacking), "open_browser": False}
    if prompt is DevicePrompt:
        made = HttpxWorld if backend == "sync" else AsyncHttpxWorld

        def make_world(callbacks: Any) -> Any:
            return made(now=here.clock.now, on_wait=here.clock.skip)

        options["make_world"] = make_world

    async def main() -> Credential:
        return await alogin(on_prompt=on_prompt, **options)

    signed_in(
        login(on_prompt=on_prompt, **options) if backend == "sync" else anyio.run(main, backend=backend)
    )
    assert [type(each) for each in seen] == [prompt]


def test_a_way_that_is_asked_for_and_is_not_there_is_no_other_one(here: Rig) -> None:
    neither = attrs.evolve(here.provider, authorization_endpoint=None, device_authorization_endpoint=None)
    for device, kind in (
        (True, "device_code_unsupported"),
        (False, "oauth_error"),
        (None, "device_code_unsupported"),
    ):
        with pytest.raises(SignInError) as raised:
            login(provider=neither, device=device, on_prompt=lambda _: None, open_browser=False)
        assert (raised.value.kind.value, raised.value.details) == (kind, {"reason": "no_endpoint"})
    assert here.home.requests == []


# -- renewed twice, and signed out (RFC 6749 §6, RFC 7009) --------------------------------------------------


@pytest.mark.parametrize("how", ["device", "browser"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_login_is_renewed_twice_and_signed_out(here: Rig, backend: str, how: str) -> None:
    store = MemoryStore()
    if how == "browser":
        first, _ = by_browser(here, backend, store)
    else:
        first = signed_in(by_device(here, backend, answering(here, approved=True)))
        store.slot(first.key).rescue(Record(first))
        store.select(first.key)
    source = TokenSource(
        store,
        providers=(here.provider,),
        now=here.clock.now,
        make_world=lambda: HttpxWorld(now=here.clock.now),
        jitter=0.5,
    )
    tokens, spent = [first.access_token.reveal()], [first.refresh_token]
    for _ in range(2):
        here.pass_time(3500)
        ask = source.token if backend == "sync" else lambda: anyio.run(source.atoken, backend=backend)
        tokens.append(ask())
        spent.append(source.credential().refresh_token)
        eventually(lambda: source._under_way is None)  # before an hour passes in no time at all
    assert len(set(tokens)) == 3
    revealed = [token.reveal() for token in spent if token is not None]
    assert [here.home.by_refresh_token(token) is None for token in revealed] == [True, True, False]
    assert source.headers("https://api.home.example/x") == {"Authorization": f"Bearer {tokens[-1]}"}
    source.close()
    assert signed_out(here, backend, store, first.key) == Revoked(confirmed=True)
    assert store.slot(first.key).load() is None
    assert here.home.by_refresh_token(revealed[-1]) is None
    (revoked,) = here.home.asked("/revoke")
    assert revoked == {"token": revealed[-1], "token_type_hint": "refresh_token", "client_id": CLIENT_ID}


def signed_out(here: Rig, backend: str, store: MemoryStore, key: str) -> Any:
    flow = Revocation(provider=here.provider)

    async def main() -> Any:
        async with AsyncHttpxWorld() as world, AsyncStoringWorld(world, store, key) as storing:
            return await arun(flow, storing)

    if backend != "sync":
        return anyio.run(main, backend=backend)
    with HttpxWorld() as world, StoringWorld(world, store, key) as storing:
        return run(flow, storing)


def test_a_login_that_the_server_has_ended_is_over_in_the_dialects_words(here: Rig) -> None:
    store = MemoryStore()
    first = signed_in(by_device(here, "sync", answering(here, approved=True)))
    store.slot(first.key).rescue(Record(first))
    store.select(first.key)
    for issued in here.home.issued:
        issued.revoked = True
    here.pass_time(4000)
    source = TokenSource(store, provider=here.provider, now=here.clock.now, make_world=HttpxWorld)
    with source, pytest.raises(SignInError) as raised:
        source.token()
    assert raised.value.kind is ErrorKind.LOGIN_REQUIRED
    assert raised.value.message == "The login has expired, or was ended."
