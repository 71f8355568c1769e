"""A sign-in in the dialect of docs/dialects.md is put down and taken up, and recorded where there are renderers."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import attrs
import pytest

from codex_oauth import (
    Credential,
    DeviceFlow,
    DevicePrompt,
    Finished,
    HttpxWorld,
    Recorder,
    Resumed,
    Secret,
    SignInError,
    Started,
    Wait,
    login,
    restore,
    run,
)
from codex_oauth_core.traces import TraceError, replay
from tests.dialects.plain_renderers import RENDERED
from tests.dialects.rig import Rig, answering, browsing, by_device, rig, signed_in


@pytest.fixture
def here() -> Generator[Rig]:
    yield from rig()


# -- put down, and recorded ---------------------------------------------------------------------------------


def test_a_sign_in_is_put_down_and_taken_up(here: Rig) -> None:
    flow = DeviceFlow(provider=here.provider)
    with HttpxWorld(now=here.clock.now) as world:
        wait = flow.receive(world.perform(flow.receive(Started(*world.now()))))  # type: ignore[arg-type]
        assert isinstance(wait, Wait)
        assert isinstance(wait.prompt, DevicePrompt)
        here.home.approvals[wait.prompt.user_code] = True
        at, wall = world.now()
        kept = json.dumps(flow.checkpoint(at=at, wall=wall, handed_over=True))
    again = restore(json.loads(kept), here.provider)
    with HttpxWorld(now=here.clock.now, on_wait=here.clock.skip) as world:
        effect = again.receive(Resumed(*world.now()))
        assert isinstance(effect, Wait)
        assert isinstance(effect.prompt, DevicePrompt)
        assert effect.prompt.expires_at == pytest.approx(wait.prompt.expires_at)
        assert attrs.evolve(effect.prompt, expires_at=0.0) == attrs.evolve(wait.prompt, expires_at=0.0)
        outcome: Any = effect
        while not isinstance(outcome, Finished):
            outcome = again.receive(world.perform(outcome))
    signed_in(outcome.outcome)


def test_a_dialect_without_renderers_leaves_no_trace_and_the_trace_says_so(here: Rig) -> None:
    lines: list[str] = []
    watch = answering(here, approved=True)

    def waits(wait: Wait) -> None:
        watch(wait)
        here.clock.skip(wait)

    with HttpxWorld(now=here.clock.now, on_wait=waits) as world:
        signed_in(run(Recorder(flow=DeviceFlow(provider=here.provider), write=lines.append), world))
    assert lines == ['{"gap":"no_renderers"}\n']


def recorded(here: Rig, lines: list[str], approved: bool) -> Any:
    spoken = attrs.evolve(here.provider, dialect=RENDERED)
    watch = answering(here, approved, after=2)

    def waits(wait: Wait) -> None:
        watch(wait)
        here.clock.skip(wait)

    with HttpxWorld(now=here.clock.now, on_wait=waits) as world:
        return run(Recorder(flow=DeviceFlow(provider=spoken), write=lines.append), world)


@pytest.mark.parametrize("approved", [True, False])
def test_a_trace_is_made_and_told_again_where_the_dialect_has_renderers(approved: bool) -> None:
    for here in rig(granted_scope="profile and-more", told_interval=2, least_interval=10.0):
        lines: list[str] = []
        outcome = recorded(here, lines, approved)
        assert isinstance(outcome, Credential if approved else SignInError)
        text = "".join(lines)
        assert json.loads(lines[0])["dialect"] == "plain"
        assert not any("gap" in json.loads(line) for line in lines)
        assert json.loads(lines[-1])["effect"]["kind"] == "finished"
        kept = next(iter(here.home.devices.values()))
        secrets = ["opaque.", "rt.", "and-more", kept["device_code"], kept["user_code"], here.home.url]
        assert [secret for secret in secrets if secret in text] == []
        told = replay(lines, provider=attrs.evolve(here.provider, dialect=RENDERED))
        assert told.same
        with pytest.raises(TraceError, match="no renderers"):
            replay(lines, provider=here.provider)
        with pytest.raises(TraceError, match="another dialect"):
            replay(lines)


def test_a_browser_sign_in_at_a_server_that_names_itself_is_recorded(here: Rig) -> None:
    lines: list[str] = []
    spoken = attrs.evolve(here.provider, dialect=RENDERED)
    login(
        on_prompt=browsing([]),
        provider=spoken,
        device=False,
        open_browser=False,
        record=lambda flow: Recorder(flow=flow, write=lines.append),
    )
    assert not any("gap" in json.loads(line) for line in lines)
    assert "iss=https%3A%2F%2Fissuer.invalid" in "".join(lines)
    assert replay(lines, provider=spoken).same


def test_nothing_that_is_secret_is_shown(here: Rig) -> None:
    credential = signed_in(by_device(here, "sync", answering(here, approved=True)))
    assert isinstance(credential.refresh_token, Secret)
    assert "opaque" not in repr(credential)
