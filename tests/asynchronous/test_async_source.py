"""The asynchronous listener as a source of a world: it brings one redirect, and ends with its block."""

from __future__ import annotations

import anyio
import pytest

from codex_oauth import AsyncCallbackListener
from codex_oauth.listener.async_listener import AsyncListenerSource
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core.callback import Accepted
from tests.asynchronous.running import each_backend, nothing_left, run
from tests.listener.sign_ins import QUERY, connect, genuine, rule_for


def ignore(accepted: Accepted) -> None:
    raise AssertionError


@each_backend
def test_the_genuine_redirect_is_handed_over_once(backend: str) -> None:
    heard: list[str] = []

    async def main() -> None:
        come = anyio.Event()

        def accept(accepted: Accepted) -> None:
            heard.append(accepted.query.reveal())
            come.set()

        async with AsyncCallbackListener((0,)) as listener, AsyncListenerSource(listener) as source:
            bringing: CallbackSource = source
            bringing.start(rule_for(listener.redirect_uri), accept)
            with connect(listener.port) as browser, anyio.fail_after(5):
                browser.sendall(genuine(listener.port))
                await come.wait()
            source.stop()

    run(main, backend)
    assert heard == [QUERY]


@each_backend
@pytest.mark.parametrize("stops", [True, False])
def test_nothing_is_left_of_a_wait_in_vain(stops: bool, backend: str) -> None:
    async def main() -> None:
        async with (
            nothing_left(),
            AsyncCallbackListener((0,)) as listener,
            AsyncListenerSource(listener) as source,
        ):
            source.start(rule_for(listener.redirect_uri), ignore)
            await anyio.sleep(0.02)
            if stops:
                source.stop()

    async def in_time() -> None:
        with anyio.fail_after(2):
            await main()

    run(in_time, backend)


@each_backend
def test_it_serves_one_rule_inside_its_block(backend: str) -> None:
    async def main() -> None:
        async with AsyncCallbackListener((0,)) as listener:
            source = AsyncListenerSource(listener)
            rule = rule_for(listener.redirect_uri)
            with pytest.raises(RuntimeError):
                source.start(rule, ignore)
            async with source:
                with pytest.raises(ValueError, match="another redirect URI"):
                    source.start(rule_for("http://localhost:1/auth/callback"), ignore)
                source.start(rule, ignore)
                with pytest.raises(RuntimeError):
                    source.start(rule, ignore)

    run(main, backend)


@each_backend
def test_an_exception_of_the_block_comes_out_as_it_is(backend: str) -> None:
    async def main() -> None:
        async with AsyncCallbackListener((0,)) as listener, AsyncListenerSource(listener) as source:
            source.start(rule_for(listener.redirect_uri), ignore)
            raise LookupError("of the block")

    with pytest.raises(LookupError, match="of the block"):
        run(main, backend)
