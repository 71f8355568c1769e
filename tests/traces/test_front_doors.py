"""Every front door lets its flow be recorded."""

from __future__ import annotations

import attrs

from codex_oauth.testing import FakeWorld, scripted
from codex_oauth_core import Recorder
from codex_oauth_core.flows.sign_in import SignInFlow
from codex_oauth_core.traces import replay
from tests.adapters.front_doors import DOORS
from tests.support import SIGN_IN


@attrs.define(eq=False)
class Tape:
    lines: list[str] = attrs.field(factory=list[str])

    def record(self, flow: SignInFlow) -> Recorder:
        return Recorder(flow=flow, write=self.lines.append)


def test_all_doors_leave_the_same_trace() -> None:
    tapes: list[list[str]] = []
    for door in DOORS.values():
        tape = Tape()
        door.login(
            on_prompt=lambda _: None, device=True, world=FakeWorld(scripted(SIGN_IN)), record=tape.record
        )
        tapes.append(tape.lines)
    assert tapes == tapes[:1] * len(DOORS)
    assert replay(tapes[0]).trace.steps[-1].state == "signed_in"
