"""Both front doors let their flow be recorded."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import attrs

from codex_oauth import alogin, login
from codex_oauth.testing import FakeWorld, scripted
from codex_oauth_core import Event, Recorder
from codex_oauth_core.flows.sign_in import SignInFlow
from codex_oauth_core.traces import replay
from tests.support import SIGN_IN


@attrs.define(eq=False)
class AsyncFake:
    """The fake world for `await`."""

    inner: FakeWorld = attrs.field(factory=lambda: FakeWorld(scripted(SIGN_IN)))

    def now(self) -> tuple[float, float]:
        return self.inner.now()

    async def perform(self, effect: Any) -> Event:
        return self.inner.perform(effect)

    def cancel(self) -> None:
        self.inner.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return None


@attrs.define(eq=False)
class Tape:
    lines: list[str] = attrs.field(factory=list[str])

    def record(self, flow: SignInFlow) -> Recorder:
        return Recorder(flow=flow, write=self.lines.append)


def test_login_and_alogin_leave_the_same_trace() -> None:
    one, other = Tape(), Tape()
    login(
        on_prompt=lambda _: None,
        device=True,
        make_world=lambda _: FakeWorld(scripted(SIGN_IN)),
        record=one.record,
    )
    asyncio.run(
        alogin(on_prompt=lambda _: None, device=True, make_world=lambda _: AsyncFake(), record=other.record)
    )
    assert one.lines == other.lines
    assert replay(one.lines).trace.steps[-1].state == "signed_in"
