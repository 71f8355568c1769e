"""Many official sign-ins in one pool: each asks for keys, registers, is exchanged, and gets what is its own."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import anyio

from codex_oauth import FlowPool
from codex_oauth_core import (
    BrowserFlow,
    BrowserPrompt,
    Credential,
    ErrorKind,
    Pkce,
    Registration,
    Request,
    ResponseReceived,
    Secret,
    SendRequest,
    SignInError,
    Wait,
)
from codex_oauth_core.callback import Accepted
from tests.core.chatgpt import FIRST, URI, authority
from tests.pool.virtual import each_backend, now, run

MANY: Final = 20
FULL: Final = 7
"""The one whose registration cannot be kept."""


def sign_in(number: int) -> BrowserFlow:
    return BrowserFlow(
        provider=FIRST,
        redirect_uri=URI,
        pkce=Pkce.from_entropy(bytes([number]) * 32),
        state=Secret(f"canary-state-{number:030}"),
        nonce=Secret(f"canary-nonce-{number:030}"),
    )


@each_backend
def test_official_sign_ins_end_side_by_side_each_with_a_client_id_of_its_own(backend: str) -> None:
    server = authority()
    shown: dict[int, Wait] = {}
    kept: dict[int, str] = {}

    async def transport(effect: SendRequest) -> ResponseReceived:
        sent_at, _ = now()
        await anyio.sleep(0.1)
        answer = server.handle(effect.request, *now())
        return ResponseReceived(sent_at, *now(), answer.status, dict(answer.headers), answer.body)

    def on_wait(key: int, wait: Wait) -> None:
        if isinstance(wait.prompt, BrowserPrompt):
            shown[key] = wait

    def on_register(key: int, registration: Registration) -> None:
        assert server.counts.get("exchange", 0) < MANY, "it is kept before its code is exchanged"
        if key == FULL:
            raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full")
        kept[key] = registration.client_id

    async def main() -> None:
        async with FlowPool[int](transport, now=now, on_wait=on_wait, on_register=on_register) as pool:
            handles = {number: pool.add(sign_in(number), number) for number in range(MANY)}
            await anyio.sleep(5)
            assert set(shown) == set(handles)
            for number, wait in shown.items():
                accepted = redirected(wait)
                assert handles[number].accept(accepted)
            await pool.join()
            ended = dict([await anext(pool) for _ in range(MANY)])
        credentials = [outcome for outcome in ended.values() if isinstance(outcome, Credential)]
        assert {credential.client_id for credential in credentials} == set(kept.values())
        assert len({credential.key for credential in credentials}) == len(kept) == MANY - 1
        failed = ended[FULL]
        assert isinstance(failed, SignInError)
        assert (failed.kind, failed.details) == (ErrorKind.AUTH_WRITE_FAILED, {"reason": "disk_full"})
        assert server.counts["exchange"] == MANY - 1, "what is not registered is not exchanged"

    def redirected(wait: Wait) -> Accepted:
        assert isinstance(wait.prompt, BrowserPrompt)
        assert wait.callback is not None
        page = Request("GET", wait.prompt.authorize_url.reveal(), (), Secret(b""))
        location = server.handle(page, *now()).header("Location")
        assert location is not None
        accepted = wait.callback.judge(urlsplit(location).query)
        assert isinstance(accepted, Accepted)
        return accepted

    run(main, backend)
    assert server.client_faults == []
