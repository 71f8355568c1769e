"""P16: the CPU time of the official sign-in, answered in the process, beside the same written by hand.

Rules of this file: the answers are those of our authority, which keeps the rules of the official sign-in, taken once
and then repeated, because its signing would cost more than all that is measured. CPU seconds of this process, in one
thread. The hand-written one does what the protocol demands of a client, with PyJWT, and nothing more.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import anyio
import attrs
import httpx

from codex_oauth import AsyncHttpxWorld, BrowserFlow, Credential, HttpxWorld, arun, run
from codex_oauth.signatures import signature_check
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth_core import CallbackReceived, Provider, ResponseReceived, SendRequest
from codex_oauth_core.callback import Accepted, CallbackRule
from tests.bench.contest import Contestant, contest, figures
from tests.bench.peers import has
from tests.bench.ratios import Figure, NotMeasurable, Result, Target
from tests.bench.rows.device import HAND, cpu
from tests.bench.rows.device_ours import in_loop
from tests.core.chatgpt import APP, FIRST, HOST_ID, NONCE, PAIR, STATE, URI, Desk, flow

__all__ = ["measure"]

PROVIDER: Final[Provider] = attrs.evolve(FIRST, verify_signature=signature_check())
TIMES: Final = 10
"""Sign-ins in a turn."""


@attrs.frozen
class Taken:
    """What the authority answered, by URL, and the redirect's query."""

    answers: dict[str, tuple[int, bytes, dict[str, str]]]
    query: str

    @classmethod
    def now(cls) -> Taken:
        """Of one sign-in, at the present time."""
        desk = Desk()
        desk.world = FakeWorld(answered_by(desk.server), at=time.monotonic(), wall=time.time())
        outcome = desk.run(flow(PROVIDER))
        assert isinstance(outcome, Credential), outcome
        requests = [effect for effect in desk.effects if isinstance(effect, SendRequest)]
        answers = [event for event in desk.events if isinstance(event, ResponseReceived)]
        [query] = [event.query.reveal() for event in desk.events if isinstance(event, CallbackReceived)]
        return cls(
            {
                asked.request.url: (answer.status, answer.body.reveal(), dict(answer.headers))
                for asked, answer in zip(requests, answers, strict=True)
            },
            query,
        )

    def transport(self) -> httpx.MockTransport:
        """A server that gives them."""

        def answer(request: httpx.Request) -> httpx.Response:
            status, body, headers = self.answers[str(request.url)]
            return httpx.Response(status, content=body, headers=headers)

        return httpx.MockTransport(answer)


@attrs.frozen
class _Browser:
    """A person who has agreed before the page is there."""

    query: str

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Come back at once."""
        found = rule.judge_redirect(f"/auth/callback?{self.query}")
        assert isinstance(found, Accepted), found
        accept(found)

    def stop(self) -> None:
        """Nothing is left behind."""


def _new_flow() -> BrowserFlow:
    return BrowserFlow(provider=PROVIDER, redirect_uri=URI, pkce=PAIR, state=STATE, nonce=NONCE)


def ours(taken: Taken) -> None:
    """`run(BrowserFlow(…), HttpxWorld(client=…))`."""
    with (
        httpx.Client(transport=taken.transport()) as client,
        HttpxWorld(client=client, callbacks=(_Browser(taken.query),)) as world,
    ):
        outcome = run(_new_flow(), world)
    assert isinstance(outcome, Credential), outcome


async def ours_async(taken: Taken) -> None:
    """`arun(BrowserFlow(…), AsyncHttpxWorld(client=…))`."""
    async with (
        httpx.AsyncClient(transport=taken.transport()) as client,
        AsyncHttpxWorld(client=client, callbacks=(_Browser(taken.query),)) as world,
    ):
        outcome = await arun(_new_flow(), world)
    assert isinstance(outcome, Credential), outcome


# -- by hand -------------------------------------------------------------------------------------------


def _page(about: dict[str, Any]) -> str:
    query = {
        "client_id": PROVIDER.client_id,
        "agent_name_hint": APP,
        "ext_agent_host_id": HOST_ID,
        "response_type": "code",
        "redirect_uri": URI,
        "scope": " ".join(PROVIDER.scopes),
        "resource": PROVIDER.resource,
        "state": STATE.reveal(),
        "nonce": NONCE.reveal(),
        "code_challenge": PAIR.code_challenge,
        "code_challenge_method": "S256",
    }
    return f"{about['authorization_endpoint']}?{urlencode(query)}"


def _exchange(back: dict[str, str]) -> dict[str, str]:
    assert secrets.compare_digest(back["state"], STATE.reveal())
    return {
        "grant_type": "authorization_code",
        "client_id": back["client_id"],
        "code": back["code"],
        "code_verifier": PAIR.code_verifier.reveal(),
        "redirect_uri": URI,
        "resource": PROVIDER.resource or "",
    }


def _check(found: dict[str, Any], about: dict[str, Any], keys: dict[str, Any], client_id: str) -> None:
    jwt = import_module("jwt")
    token = found["id_token"]
    name = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWK(next(key for key in keys["keys"] if key["kid"] == name))
    claims = jwt.decode(
        token, key, algorithms=["RS256"], audience=client_id, issuer=about["issuer"], leeway=60
    )
    assert secrets.compare_digest(claims["nonce"], NONCE.reveal())
    assert found["access_token"]


def by_hand(taken: Taken) -> None:
    """What somebody would write with httpx and PyJWT."""
    with httpx.Client(transport=taken.transport()) as client:
        about = client.get(PROVIDER.metadata_endpoint or "").json()
        keys = client.get(about["jwks_uri"]).json()
        assert _page(about)
        back = dict(parse_qsl(taken.query))
        found = client.post(about["token_endpoint"], data=_exchange(back)).json()
        _check(found, about, keys, back["client_id"])


async def by_hand_async(taken: Taken) -> None:
    """The same with `AsyncClient`. The wait for the browser takes no time, and lets others go on, as ours does."""
    async with httpx.AsyncClient(transport=taken.transport()) as client:
        about = (await client.get(PROVIDER.metadata_endpoint or "")).json()
        keys = (await client.get(about["jwks_uri"])).json()
        assert _page(about)
        await anyio.sleep(0)
        back = dict(parse_qsl(taken.query))
        found = (await client.post(about["token_endpoint"], data=_exchange(back))).json()
        _check(found, about, keys, back["client_id"])


def _many(work: Callable[[Taken], Awaitable[None]]) -> Callable[[Taken], Awaitable[None]]:
    async def several(taken: Taken) -> None:
        for _ in range(TIMES):
            await work(taken)

    return several


def measure(rounds: int) -> Result:
    """The row. Raises NotMeasurable without the libraries that check a signature."""
    if PROVIDER.verify_signature is None or not has("jwt"):
        raise NotMeasurable("cryptography or PyJWT is missing: install the extra chatgpt, and the peers")
    taken = Taken.now()
    found: list[Figure] = []
    targets: list[Target] = []

    def turns(work: Callable[[], object], number: int) -> Callable[[], float]:
        whole = cpu(work, number)
        return lambda: whole() * number / TIMES

    for kind in ("blocking", "asyncio", "trio"):
        if kind == "blocking":
            hand, mine, number = partial(by_hand, taken), partial(ours, taken), TIMES
        else:
            hand = partial(in_loop, _many(by_hand_async), taken, kind)
            mine = partial(in_loop, _many(ours_async), taken, kind)
            number = 1
        all_of = [
            Contestant(f"{HAND}, {kind}", "httpx and PyJWT", turns(hand, number)),
            Contestant(f"codex-oauth, {kind}", "BrowserFlow(provider=CHATGPT…), a world", turns(mine, number), ours=True),
        ]
        times = contest(all_of, rounds, f"{HAND}, {kind}")
        found += figures(all_of, times)
        targets.append(Target(f"{kind}: of the hand-written one", times.ratio(f"codex-oauth, {kind}"), 1.05))
    notes = (
        f"A first registration: three requests, a redirect, a signature. Asynchronously {TIMES} in a new event loop.",
    )
    return Result("P16", "the hand-written one of the same kind", tuple(found), tuple(targets), notes=notes)
