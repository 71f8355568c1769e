"""Browser sign-ins that are put down: the redirect finds its way, and its code is exchanged once."""

from __future__ import annotations

from urllib.parse import urlsplit

import anyio
import pytest

from codex_oauth import FlowPool
from codex_oauth.pool.handle import Handle
from codex_oauth_core import (
    BrowserFlow,
    BrowserPrompt,
    Credential,
    ErrorKind,
    Registration,
    Request,
    ResponseReceived,
    Resumed,
    Secret,
    SendRequest,
    Wait,
)
from codex_oauth_core.callback import Accepted
from tests.core.chatgpt import FIRST, NONCE, PAIR, STATE, URI, authority
from tests.pool.handing_over import (
    Counting,
    accepted_by,
    again,
    browser_flow,
    kind,
    nobody_ends,
)
from tests.pool.virtual import each_backend, now, run


@each_backend
@pytest.mark.parametrize("begun", [False, True])
def test_a_browser_flow_goes_on_with_its_redirect_elsewhere(begun: bool, backend: str) -> None:
    server = Counting()

    async def main() -> None:
        async with FlowPool[str](server, now=now, on_end=nobody_ends) as pool:
            ada = pool.add(browser_flow(), "ada")
            await anyio.sleep(1 if begun else 0)
            checkpoint = await ada.put_down()
        async with FlowPool[str](server, now=now) as pool:
            bob = pool.add(again(checkpoint), "ada", begin=Resumed)
            await anyio.sleep(1)
            assert bob.accept(accepted_by(bob))
            assert [kind(outcome) async for _, outcome in pool] == [None]
        assert server.begun == ["token!"]

    run(main, backend)


@each_backend
def test_a_redirect_that_was_accepted_is_not_lost_and_exchanged_once(backend: str) -> None:
    server = Counting()

    async def main() -> None:
        async with FlowPool[str](server, now=now, on_end=nobody_ends) as pool:
            ada = pool.add(browser_flow(), "ada")
            await anyio.sleep(1)
            accepted = accepted_by(ada)
            assert ada.accept(accepted)
            checkpoint = await ada.put_down()
            assert not ada.accept(accepted)
            await anyio.sleep(1)
            assert server.begun == []
        async with FlowPool[str](server, now=now) as pool:
            pool.add(again(checkpoint), "ada", begin=Resumed)
            assert [kind(outcome) async for _, outcome in pool] == [None]
        assert server.begun == ["token!"]

    run(main, backend)


@each_backend
def test_a_redirect_that_says_no_ends_the_flow_although_it_is_put_down(backend: str) -> None:
    async def main() -> None:
        async with FlowPool[str](Counting(), now=now) as pool:
            ada = pool.add(browser_flow(), "ada")
            await anyio.sleep(1)
            assert ada.accept(accepted_by(ada, "error=access_denied"))
            assert await ada.put_down() is None
            assert [kind(outcome) async for _, outcome in pool] == [ErrorKind.DENIED]

    run(main, backend)


@each_backend
@pytest.mark.parametrize("when", ["before", "keys", "waiting", "accepted"])
def test_an_official_sign_in_goes_on_elsewhere(when: str, backend: str) -> None:
    """Before it began, while it asks for keys, while a person decides, and with the redirect and a new client id."""
    server = authority()
    kept: list[Registration] = []

    async def send(effect: SendRequest) -> ResponseReceived:
        sent_at, _ = now()
        await anyio.sleep(1)
        answer = server.handle(effect.request, *now())
        return ResponseReceived(sent_at, *now(), answer.status, dict(answer.headers), answer.body)

    def redirected(handle: Handle[str]) -> Accepted:
        assert handle.flow is not None
        wait = handle.flow.effect
        assert isinstance(wait, Wait)
        assert isinstance(wait.prompt, BrowserPrompt)
        assert wait.callback is not None
        page = Request("GET", wait.prompt.authorize_url.reveal(), (), Secret(b""))
        location = server.handle(page, *now()).header("Location")
        assert location is not None
        accepted = wait.callback.judge(urlsplit(location).query)
        assert isinstance(accepted, Accepted)
        return accepted

    async def main() -> None:
        def on_register(key: str, registration: Registration) -> None:
            kept.append(registration)

        async with FlowPool[str](send, now=now, on_register=on_register, on_end=nobody_ends) as pool:
            flow = BrowserFlow(provider=FIRST, redirect_uri=URI, pkce=PAIR, state=STATE, nonce=NONCE)
            ada = pool.add(flow, "ada")
            await anyio.sleep({"before": 0, "keys": 0.5}.get(when, 10))
            if when == "accepted":
                assert ada.accept(redirected(ada))
            checkpoint = await ada.put_down()
            assert server.counts.get("exchange", 0) == 0
        async with FlowPool[str](send, now=now, on_register=on_register) as pool:
            ada = pool.add(again(checkpoint, FIRST), "ada", begin=Resumed)
            if when != "accepted":
                await anyio.sleep(10)
                assert ada.accept(redirected(ada))
            ((_, outcome),) = [ended async for ended in pool]
            assert isinstance(outcome, Credential), outcome
            assert [registration.client_id for registration in kept] == [outcome.client_id]

    run(main, backend)
    assert server.counts["exchange"] == 1
    assert server.client_faults == []
