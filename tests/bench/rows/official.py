"""P16: the CPU time of the official sign-in, answered in the process, beside the same written by hand.

Rules of this file: the answers are those of our authority, which keeps the rules of the official sign-in, taken once
and then repeated, because its signing would cost more than all that is measured. CPU seconds of this process, in one
thread. What is written by hand is in `official_hand`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

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
from tests.bench.rows.official_hand import CAREFUL, SHORT, Hand, by_hand, by_hand_async
from tests.core.chatgpt import FIRST, NONCE, PAIR, STATE, URI, Desk, flow

__all__ = ["measure"]

PROVIDER: Final[Provider] = attrs.evolve(FIRST, verify_signature=signature_check())
CAREFULLY: Final = "by hand, carefully"
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
    of_short: list[str] = []

    def turns(work: Callable[[], object], number: int) -> Callable[[], float]:
        whole = cpu(work, number)
        return lambda: whole() * number / TIMES

    def short(hand: Hand) -> Callable[[Taken], None]:
        return lambda taken: by_hand(hand, taken.transport(), taken.query)

    def awaited(hand: Hand) -> Callable[[Taken], Awaitable[None]]:
        return lambda taken: by_hand_async(hand, taken.transport(), taken.query)

    for kind in ("blocking", "asyncio", "trio"):
        who = {
            f"{HAND}, {kind}": ("httpx and PyJWT", short(SHORT), awaited(SHORT)),
            f"{CAREFULLY}, {kind}": (
                "the same, with every check, and limits",
                short(CAREFUL),
                awaited(CAREFUL),
            ),
            f"codex-oauth, {kind}": ("BrowserFlow(provider=CHATGPT…), a world", ours, ours_async),
        }
        all_of: list[Contestant] = []
        for name, (called, blocking, waiting) in who.items():
            work, number = partial(blocking, taken), TIMES
            if kind != "blocking":
                work, number = partial(in_loop, _many(waiting), taken, kind), 1
            all_of.append(Contestant(name, called, turns(work, number), ours=blocking is ours))
        times = contest(all_of, rounds, f"{CAREFULLY}, {kind}")
        found += figures(all_of, times)
        mine = f"codex-oauth, {kind}"
        targets.append(Target(f"{kind}: of the careful one, which is the floor", times.ratio(mine), 1.2))
        of_short.append(f"{times.ratio(mine, f'{HAND}, {kind}').median:.2f} ({kind})")
    notes = (
        f"A first registration: three requests, a redirect, a signature. Asynchronously {TIMES} in a new event loop.",
        f"Of the hand-written one that checks next to nothing it takes {', '.join(of_short)} times.",
        "The floor is a hand-written one that checks what has to be checked: 1.05 times of one that does not is not to "
        "be had.",
    )
    return Result("P16", "the careful one of the same kind", tuple(found), tuple(targets), notes=notes)
