"""Whatever is done to flows, and whenever: each ends once or is put down once, and no code is exchanged twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import anyio
import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_oauth import FlowPool
from codex_oauth.pool.handle import Handle
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    Cause,
    DeviceFlow,
    Phase,
    Pkce,
    RequestFailed,
    ResponseReceived,
    Resumed,
    Secret,
    SendRequest,
    Wait,
    restore,
)
from codex_oauth_core.callback import Accepted
from tests.pool.virtual import now, run
from tests.support import PENDING, approved, issued, tokens

FLOWS: Final = 4
"""Two with a device code, two in the browser."""

STATE: Final = Secret("canary-state-0123456789-0123456789-012345678")
MOMENTS: Final = st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 5.0])
DOINGS: Final = ("put_down", "put_down", "put_down_and_go_on", "cancel", "accept", "put_down_all", "nothing")


@attrs.frozen
class Step:
    """After `after` seconds somebody does something to a flow, and does not wait for what comes of it."""

    after: float
    doing: str
    key: int


@attrs.frozen
class Plan:
    """What happens. `answers`: seconds that each takes, in turn, and what it is."""

    steps: tuple[Step, ...]
    answers: tuple[tuple[float, str], ...]
    fences: tuple[tuple[float, bool], ...]
    max_requests: int
    leaves_after: float


PLANS: Final = st.builds(
    Plan,
    steps=st.lists(
        st.builds(Step, MOMENTS, st.sampled_from(DOINGS), st.integers(0, FLOWS - 1)), max_size=12
    ).map(tuple),
    answers=st.lists(
        st.tuples(MOMENTS, st.sampled_from(["yes", "yes", "pending", "not_sent", "lost"])),
        min_size=1,
        max_size=12,
    ).map(tuple),
    fences=st.lists(st.tuples(MOMENTS, st.booleans()), min_size=1, max_size=4).map(tuple),
    max_requests=st.integers(1, FLOWS),
    leaves_after=st.sampled_from([0.0, 1.0, 7.0, 20.0]),
)


class Server:
    """Answers as a plan says, each device and code with what is its own; counts exchanges that reached it."""

    def __init__(self, plan: Plan) -> None:
        self._answers = plan.answers
        self._next = 0
        self.devices = 0
        self.exchanged = Counter[str]()
        self.allowed = 0
        """Fences that said yes and were not followed by a request yet."""

    async def __call__(self, effect: SendRequest) -> ResponseReceived | RequestFailed:
        sent_at, _ = now()
        took, answer = self._answers[self._next % len(self._answers)]
        self._next += 1
        if effect.once:
            self.allowed -= 1
            assert self.allowed == 0, "what was allowed is sent at once"
        if answer == "not_sent":
            await anyio.sleep(took)
            return RequestFailed(now()[0], Phase.NOT_SENT, Cause.CONNECT)
        reply = self._reply(effect, answer)
        await anyio.sleep(took)
        if answer == "lost":
            return RequestFailed(now()[0], Phase.MAYBE_SENT, Cause.RESET)
        return ResponseReceived(sent_at, *now(), reply.status, reply.headers, reply.body)

    def _reply(self, effect: SendRequest, answer: str) -> Any:
        body = effect.request.body.reveal().decode()
        match effect.request.url.rpartition("/")[2]:
            case "usercode":
                self.devices += 1
                return issued(device_auth_id=f"device-{self.devices}", interval="1")
            case "token" if not effect.once:
                code = json.loads(body)["device_auth_id"].replace("device", "code")
                return approved(authorization_code=code) if answer == "yes" else PENDING
            case _:
                self.exchanged[parse_qs(body)["code"][0]] += 1
                return tokens()


class Story:
    """A plan that is carried out."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.server = Server(plan)
        self.ended = Counter[int]()
        self.put_down: dict[int, Mapping[str, Any]] = {}
        self.handles: dict[int, Handle[int]] = {}
        self._fences = 0

    def on_end(self, key: int, outcome: object) -> None:
        self.ended[key] += 1

    async def before_once(self, key: int, flow: object) -> bool:
        takes, allowed = self.plan.fences[self._fences % len(self.plan.fences)]
        self._fences += 1
        await anyio.sleep(takes)
        self.server.allowed += allowed
        return allowed

    def pool(self) -> FlowPool[int]:
        return FlowPool(
            self.server,
            max_requests=self.plan.max_requests,
            on_end=self.on_end,
            before_once=self.before_once,
            jitter=0,
            now=now,
        )

    async def main(self) -> None:
        async with anyio.create_task_group() as tasks, self.pool() as pool:
            for key in range(FLOWS):
                self.handles[key] = pool.add(flow_of(key), key)
            for step in self.plan.steps:
                await anyio.sleep(step.after)
                tasks.start_soon(self.do, pool, step)
            await anyio.sleep(self.plan.leaves_after)
        assert (len(pool), pool.in_flight) == (0, 0)
        assert {**self.ended, **dict.fromkeys(self.put_down, 1)} == dict.fromkeys(range(FLOWS), 1)
        assert not self.ended.keys() & self.put_down.keys()
        await self.go_on()
        assert self.ended == Counter(range(FLOWS))
        assert all(count == 1 for count in self.server.exchanged.values()), self.server.exchanged

    async def do(self, pool: FlowPool[int], step: Step) -> None:
        handle = self.handles[step.key]
        match step.doing:
            case "put_down" | "put_down_and_go_on":
                self.keep(step.key, await handle.put_down())
                if step.doing == "put_down_and_go_on" and step.key in self.put_down:
                    self.take_up(pool, step.key)
            case "put_down_all":
                for key, checkpoint in await pool.put_down_all():
                    self.keep(key, checkpoint)
            case "cancel":
                handle.cancel()
            case "accept":
                accept(handle, step.key)
            case _:
                pass

    def keep(self, key: int, checkpoint: Mapping[str, Any] | None) -> None:
        if checkpoint is not None:
            assert key not in self.put_down
            self.put_down[key] = json.loads(json.dumps(checkpoint))

    def take_up(self, pool: FlowPool[int], key: int) -> None:
        flow = restore(self.put_down[key], CODEX)
        try:
            self.handles[key] = pool.add(flow, key, begin=Resumed)
        except RuntimeError:  # it takes no more
            return
        del self.put_down[key]

    async def go_on(self) -> None:
        """All that were put down come to their ends in another pool."""
        self.server._answers = ((0.5, "yes"),)
        self.plan = attrs.evolve(self.plan, fences=((0.0, True),))
        async with self.pool() as pool:
            for key in tuple(self.put_down):
                self.take_up(pool, key)
            await anyio.sleep(1)
            for key, handle in self.handles.items():
                accept(handle, key)
            await pool.join()


def flow_of(key: int) -> DeviceFlow | BrowserFlow:
    if key < FLOWS // 2:
        return DeviceFlow()
    pair = Pkce.from_entropy(bytes([key]) * 32)
    return BrowserFlow(redirect_uri="http://localhost:1455/auth/callback", pkce=pair, state=STATE)


def accept(handle: Handle[int], key: int) -> None:
    wait = handle.flow and handle.flow.effect
    if isinstance(wait, Wait) and wait.callback is not None:
        accepted = wait.callback.judge(f"code=browser-{key}&state={STATE.reveal()}")
        assert isinstance(accepted, Accepted)
        handle.accept(accepted)


@settings(max_examples=150, deadline=None)
@given(plan=PLANS, backend=st.sampled_from(["asyncio", "trio"]))
def test_each_flow_ends_once_or_is_put_down_once_and_no_code_is_exchanged_twice(
    plan: Plan, backend: str
) -> None:
    run(Story(plan).main, backend)
