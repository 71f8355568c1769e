"""The middleware in a session of aiohttp, against a backend on loopback."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Generator
from typing import Any

import aiohttp
import attrs
import pytest

from codex_oauth import HostNotAllowed, TokenSource, aiohttp_middleware
from codex_oauth.authority import Fault
from codex_oauth_core import CODEX, ErrorKind, SignInError
from tests.tokens.backend import Backend, backends
from tests.tokens.rig import PATIENCE, Rig, eventually, rig
from tests.tokens.test_auth_again import LOGINS, Source

HOSTS = ("127.0.0.1",)
REFUSED = Fault(endpoint="refresh", status=401, body={"error": {"code": "refresh_token_expired"}})


@pytest.fixture
def made() -> Rig:
    return rig()


@pytest.fixture
def both() -> Generator[tuple[Backend, Backend]]:
    with backends() as pair:
        yield pair


@pytest.fixture
def here(both: tuple[Backend, Backend]) -> Backend:
    return both[0]


@pytest.fixture
def there(both: tuple[Backend, Backend]) -> Backend:
    return both[1]


def ask(source: TokenSource, *urls: str, **options: Any) -> list[tuple[int, bytes]]:
    async def main() -> list[tuple[int, bytes]]:
        got: list[tuple[int, bytes]] = []
        async with aiohttp.ClientSession(middlewares=[aiohttp_middleware(source)]) as session:
            for url in urls:
                async with session.post(url, **options) as response:
                    got.append((response.status, await response.read()))
        return got

    return asyncio.run(main())


def test_a_request_carries_the_headers_in_place_of_the_client_s_own(made: Rig, here: Backend) -> None:
    ((status, _),) = ask(made.source(hosts=HOSTS), f"{here.url}/ok", headers={"authorization": "Bearer own"})
    (hit,) = here.hits
    account = made.stored.credential.account_id
    assert (status, hit.token, hit.account, hit.originator) == (
        200,
        made.stored_token,
        account,
        "codex-oauth",
    )


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"json": {"a": 1}}, b'{"a": 1}'),
        ({"data": b"canary"}, b"canary"),
        ({"data": "text"}, b"text"),
        ({"data": {"a": "1"}}, b"a=1"),
        ({}, b""),
    ],
)
def test_a_401_is_answered_once_with_another_token(
    body: dict[str, Any], sent: bytes, made: Rig, here: Backend
) -> None:
    old = made.stored_token
    here.refused.add(old)
    got = ask(made.source(hosts=HOSTS), f"{here.url}/ok", f"{here.url}/ok", **body)
    assert [status for status, _ in got] == [200, 200]
    assert here.tokens == [old, *[made.stored_token] * 2]
    assert [hit.body for hit in here.hits] == [sent] * 3
    assert made.refreshes == 1


def test_a_backend_that_always_says_401_sees_each_request_twice_at_most(made: Rig, here: Backend) -> None:
    old = made.stored_token
    got = ask(made.source(hosts=HOSTS), *[f"{here.url}/always"] * 3)
    assert [status for status, _ in got] == [401] * 3
    assert here.tokens == [old, *[made.stored_token] * 3]
    assert made.refreshes == 1


@pytest.mark.parametrize("path", ["/403", "/403.html", "/401.html", "/401.mitigated"])
def test_a_403_and_a_page_renew_nothing(path: str, made: Rig, here: Backend) -> None:
    ((status, _),) = ask(made.source(hosts=HOSTS), here.url + path)
    assert (status, len(here.hits), made.refreshes) == (int(path[1:4]), 1, 0)


async def pieces() -> AsyncGenerator[bytes]:
    yield b"canary"


@pytest.mark.parametrize("kind", ["generator", "file"])
def test_a_body_that_is_a_stream_is_not_sent_twice(kind: str, made: Rig, here: Backend) -> None:
    here.refused.add(made.stored_token)
    data = pieces() if kind == "generator" else io.BytesIO(b"canary")
    ((status, _),) = ask(made.source(hosts=HOSTS), f"{here.url}/ok", data=data)
    assert status == 401
    assert [hit.body for hit in here.hits] == [b"canary"]


@pytest.mark.parametrize("path", ["/away", "/away-if-good", "/away-401"])
def test_a_redirect_to_another_host_is_refused_before_anything_goes_there(
    path: str, made: Rig, here: Backend, there: Backend
) -> None:
    with pytest.raises(HostNotAllowed):
        ask(made.source(hosts=HOSTS), here.url + path, data=b"canary")
    assert (here.tokens, there.hits) == ([made.stored_token], [])
    eventually(lambda: here.connected == 0)


def test_a_redirect_within_the_host_keeps_the_token_and_its_second_chance(made: Rig, here: Backend) -> None:
    old = made.stored_token
    here.refused.add(old)
    ((status, _),) = ask(made.source(hosts=HOSTS), f"{here.url}/here")
    assert status == 200
    assert (set(here.tokens), made.refreshes) == ({old, made.stored_token}, 1)


def test_another_host_gets_nothing_at_all(made: Rig, here: Backend, there: Backend) -> None:
    for url in (f"{there.url}/ok", "https://chatgpt.com/x"):
        with pytest.raises(HostNotAllowed):
            ask(made.source(hosts=HOSTS), url)
    assert (here.hits, there.hits) == ([], [])


def test_another_provider_s_host_is_no_host_of_the_login(made: Rig) -> None:
    with pytest.raises(HostNotAllowed):
        ask(made.source(), "https://api.openai.com/v1/responses")


def test_what_a_refusal_brings_is_not_sent_where_it_may_not_go(here: Backend) -> None:
    here.refused.add("codex-token")
    client_id = "of-somebody-s-own"
    source = Source(providers=[attrs.evolve(CODEX, client_id=client_id, hosts=("127.0.0.1",))])
    source.has = attrs.evolve(LOGINS["codex"], client_id=client_id)
    source.after_refusal = LOGINS["chatgpt"]
    with pytest.raises(HostNotAllowed):
        ask(source, f"{here.url}/here")
    assert set(here.tokens) == {"codex-token"}
    eventually(lambda: here.connected == 0)


def test_without_a_login_nothing_is_sent(made: Rig, here: Backend) -> None:
    made.store.select(None)
    with pytest.raises(SignInError) as raised:
        ask(made.source(hosts=HOSTS), f"{here.url}/ok")
    assert raised.value.kind is ErrorKind.LOGIN_REQUIRED
    assert here.hits == []


def test_a_401_that_ends_the_login_is_raised_as_what_it_is(here: Backend) -> None:
    with pytest.raises(SignInError) as raised:
        ask(rig(REFUSED).source(hosts=HOSTS), f"{here.url}/always")
    assert raised.value.kind is ErrorKind.LOGIN_REQUIRED
    eventually(lambda: here.connected == 0)


def test_an_answer_that_ends_the_login_gives_its_connection_back(here: Backend) -> None:
    async def main() -> int:
        sign = aiohttp_middleware(rig(REFUSED).source(hosts=HOSTS))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            with pytest.raises(SignInError) as raised:
                await session.get(f"{here.url}/long-401", middlewares=[sign])
            assert raised.tb is not None  # it still holds its frames
            async with asyncio.timeout(PATIENCE), session.get(f"{here.url}/ok") as response:
                return response.status

    assert asyncio.run(main()) == 200


def test_it_can_be_given_for_one_request(made: Rig, here: Backend) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            for more in ([aiohttp_middleware(made.source(hosts=HOSTS))], None):
                async with session.get(f"{here.url}/ok", middlewares=more) as response:
                    await response.read()

    asyncio.run(main())
    assert here.tokens == [made.stored_token, None]
