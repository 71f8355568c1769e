"""A recorder changes nothing of a sign-in, whatever becomes of the recording."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth import run
from codex_oauth.testing import SCENARIOS, FakeWorld, Lost, Reply, Scenario, scripted
from codex_oauth_core import (
    CODEX,
    Cancelled,
    DeviceFlow,
    Effect,
    ErrorKind,
    Finished,
    IllegalEvent,
    Provider,
    Recorder,
    Resumed,
    Secret,
    SignInError,
    Started,
    TimeReached,
    restore,
)
from codex_oauth_core.codex.render import RENDERERS
from codex_oauth_core.facts import Granted, Refusal, Tokens
from codex_oauth_core.flows.sign_in import SignInFlow
from codex_oauth_core.rendering import Rendered
from codex_oauth_core.traces import Gap, read_trace, replay
from codex_oauth_core.traces.blinder import Blinder
from codex_oauth_core.traces.shadow import at_nowhere
from tests.core.test_second_dialect import GRANTED, ISSUED, PLAIN
from tests.support import PENDING, SIGN_IN, T0, W0, as_json
from tests.traces.hostile import sign_ins
from tests.traces.runs import (
    BROWSER,
    Told,
    back,
    browser_flow,
    record,
    record_browser,
    record_device,
    tell,
    then_lost,
)

START = 1_000_003.25


def bare(flow: Any, replies: list[Reply | Lost], **options: Any) -> list[Effect]:
    """What a flow does without a recorder."""
    world = FakeWorld(then_lost(replies), **options)
    outcome = run(flow, world)
    return [*(effect for _, effect in world.performed), Finished(outcome)]


def alike(one: list[Effect], other: list[Effect]) -> bool:
    """Equal effects; errors are compared by what they say."""
    pairs = list(zip(one, other, strict=True))
    return all(_told(left) == _told(right) for left, right in pairs)


def _told(effect: Effect) -> object:
    if isinstance(effect, Finished) and isinstance(effect.outcome, SignInError):
        return effect.outcome.to_dict()
    return effect


@given(sign_ins(), st.sampled_from([(), ("acct_other",)]), st.floats(0, 100) | st.none())
def test_recording_never_changes_what_the_flow_does(
    replies: list[Reply | Lost], workspaces: tuple[str, ...], cancelled_after: float | None
) -> None:
    cancel_at = None if cancelled_after is None else START + cancelled_after
    left = record(DeviceFlow(workspaces=workspaces), then_lost(replies), cancel_at=cancel_at)
    assert alike(left.effects, bare(DeviceFlow(workspaces=workspaces), replies, cancel_at=cancel_at))


@given(sign_ins(), st.sampled_from([(), ("acct_other",)]), st.floats(0, 100) | st.none())
def test_whatever_is_recorded_replays_the_same_and_to_its_end(
    replies: list[Reply | Lost], workspaces: tuple[str, ...], cancelled_after: float | None
) -> None:
    cancel_at = None if cancelled_after is None else START + cancelled_after
    left = record(DeviceFlow(workspaces=workspaces), then_lost(replies), cancel_at=cancel_at)
    again = replay(left.lines)
    assert again.differences == ()
    assert [f"{line}\n" for line in again.lines] == left.lines
    assert again.trace.gap is None, left.text


@pytest.mark.parametrize("told", BROWSER, ids=lambda told: told.name)
def test_a_browser_sign_in_is_not_changed_either(told: Told) -> None:
    assert alike(record_browser(told).effects, tell(browser_flow(workspaces=told.workspaces), told.events))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("lines", [0, 1, 4])
def test_a_sign_in_outlives_its_trace(scenario: Scenario, lines: int) -> None:
    written: list[str] = []

    def write(line: str) -> None:
        if len(written) == lines:
            raise OSError("no space left")
        written.append(line)

    flow = DeviceFlow(workspaces=scenario.workspaces)
    world = FakeWorld(scripted(scenario.replies))
    outcome = run(Recorder(flow=flow, write=write), world)
    assert len(written) == min(lines, len(record_device(scenario).lines))
    expected = bare(DeviceFlow(workspaces=scenario.workspaces), list(scenario.replies))
    assert alike([*(effect for _, effect in world.performed), Finished(outcome)], expected)


def test_write_is_not_called_again_once_it_has_failed() -> None:
    calls: list[str] = []

    def write(line: str) -> None:
        calls.append(line)
        raise ValueError("closed")

    run(Recorder(flow=DeviceFlow(), write=write), FakeWorld(scripted(SIGN_IN)))
    assert len(calls) == 1


# -- gaps -------------------------------------------------------------------------------------------


def gap_of(lines: list[str]) -> str | None:
    value: str | None = json.loads(lines[-1]).get("gap")
    return value


def in_dialect(**changes: Any) -> Provider:
    return attrs.evolve(CODEX, dialect=attrs.evolve(CODEX.dialect, **changes))


def failing(*_: object) -> Any:
    raise LookupError("a bug")


def rendering(**changes: Any) -> Provider:
    assert CODEX.dialect.render is not None
    return in_dialect(render=attrs.evolve(CODEX.dialect.render, **changes))


def denied(_: object) -> Rendered:
    assert CODEX.dialect.render is not None
    return CODEX.dialect.render.poll(Refusal(ErrorKind.DENIED, "access_denied"))


@pytest.mark.parametrize(
    ("provider", "gap", "steps"),
    [
        (in_dialect(render=None), Gap.NO_RENDERERS, 0),
        (rendering(poll=failing), Gap.NOT_RENDERED, 3),
        (rendering(known_code=failing, device_authorization=failing), Gap.NOT_RENDERED, 1),
        (rendering(poll=denied), Gap.DIFFERS, 3),
        (rendering(name=object()), Gap.FAILED, 0),
    ],
    ids=["no renderers", "a poll", "the first answer", "another way", "a name that is none"],
)
def test_what_cannot_be_told_is_a_gap_and_the_sign_in_goes_on(
    provider: Provider, gap: Gap, steps: int
) -> None:
    left = record_device(attrs.evolve(SCENARIOS[0], replies=SIGN_IN), provider)
    assert not isinstance(left.outcome, SignInError)
    assert gap_of(left.lines) == gap.value
    assert len(left.lines) == (steps + 2 if steps else 1)
    if steps:
        trace = read_trace(left.lines)
        assert (trace.gap, len(trace.steps)) == (gap, steps)
        assert replay(left.lines).same


def test_a_reader_that_fails_only_for_the_recorder_leaves_a_gap() -> None:
    calls = 0

    def moody(provider: Any, response: Any) -> Any:
        nonlocal calls
        calls += 1
        return CODEX.dialect.read_poll(provider, response) if calls % 2 else failing()

    left = record_device(attrs.evolve(SCENARIOS[0], replies=SIGN_IN), in_dialect(read_poll=moody))
    assert not isinstance(left.outcome, SignInError)
    assert gap_of(left.lines) == Gap.UNREADABLE.value


def test_a_flow_that_has_begun_is_not_recorded() -> None:
    lines: list[str] = []
    flow = DeviceFlow()
    flow.receive(Started(T0, W0))
    assert isinstance(Recorder(flow=flow, write=lines.append).receive(Cancelled(T0 + 1)), Finished)
    assert lines == ['{"gap":"begun"}\n']


def test_a_flow_that_was_put_down_is_not_recorded() -> None:
    lines: list[str] = []
    first = DeviceFlow()
    first.receive(Started(T0, W0))
    again = restore(first.checkpoint(at=T0, wall=W0), CODEX)
    Recorder(flow=again, write=lines.append).receive(Resumed(T0 + 1, W0 + 1))
    assert lines == ['{"gap":"begun"}\n']


@attrs.define(eq=False, kw_only=True)
class Other(SignInFlow):
    """A sign-in of no kind that traces have."""

    inner: DeviceFlow = attrs.field(factory=DeviceFlow)
    state: Any = None

    def receive(self, event: Any) -> Any:
        return self.inner.receive(event)


Other.__abstractmethods__ = frozenset()


def test_another_kind_of_flow_is_not_recorded() -> None:
    lines: list[str] = []
    kind: type[Any] = Other
    run(Recorder(flow=kind(), write=lines.append), FakeWorld(scripted(SIGN_IN)))
    assert lines == ['{"gap":"unsupported"}\n']


# -- the contract of a flow -------------------------------------------------------------------------


def test_an_illegal_event_raises_and_leaves_no_line() -> None:
    lines: list[str] = []
    recorder = Recorder(flow=DeviceFlow(), write=lines.append)
    with pytest.raises(IllegalEvent):
        recorder.receive(TimeReached(T0))
    assert lines == []
    effect = recorder.receive(Started(T0, W0))
    written = list(lines)
    with pytest.raises(IllegalEvent):
        recorder.receive(TimeReached(T0))
    assert (recorder.effect, lines) == (effect, written)
    assert recorder.state is recorder.flow.state


def test_while_a_line_is_written_no_other_driver_is_served() -> None:
    """The flow itself is done with the event by then; its next line would be written before this one's end."""
    refused: list[str] = []

    def write(line: str) -> None:
        with pytest.raises(IllegalEvent, match="another driver") as raised:
            recorder.receive(Cancelled(T0))
        refused.append(str(raised.value))

    recorder = Recorder(flow=DeviceFlow(), write=write)
    recorder.receive(Started(T0, W0))
    assert len(refused) == 2  # the header, and the first step
    assert recorder.effect is not None
    assert recorder.state is recorder.flow.state


def test_a_wait_in_fractions_of_a_second_is_told_in_whole_ones() -> None:
    date = "Fri, 15 Jan 2027 08:00:25 GMT"  # 17.5 s after the fake world's clock began, less what has passed
    replies = (SIGN_IN[0], as_json(429, {}, {"Retry-After": date}), PENDING, *SIGN_IN[2:])
    left = record_device(attrs.evolve(SCENARIOS[0], replies=replies))
    assert gap_of(left.lines) is None
    assert not isinstance(left.outcome, SignInError)
    assert replay(left.lines).same


@pytest.mark.parametrize("unusable", [True, False])
def test_a_trace_says_whether_a_refresh_token_was_of_no_use_or_absent(unusable: bool) -> None:
    fact = Granted(Tokens(Secret("canary-access"), refresh_token_unusable=unusable))
    hidden = Blinder(RENDERERS).exchange(fact)
    assert isinstance(hidden, Granted)
    assert hidden.tokens.refresh_token_unusable is unusable
    body = json.loads(RENDERERS.exchange(hidden).body.reveal())
    assert ("refresh_token" in body) is unusable


def test_what_else_a_grant_says_is_told_by_fakes() -> None:
    refusal = Refusal(ErrorKind.INVALID_RESPONSE, "canary-code", reason="nonce")
    scopes = ("openid", "canary-scope", "openid")
    tokens = Tokens(Secret("canary"), scopes=scopes, client_id="canary-client", refusal=refusal)
    hidden = Blinder(RENDERERS, ("openid",)).exchange(Granted(tokens))
    assert isinstance(hidden, Granted)
    assert str(hidden.tokens.client_id).startswith("fake-client-")
    blinded = list(hidden.tokens.scopes or ())
    assert (len(blinded), blinded[0], blinded[2]) == (3, "openid", "openid")
    assert blinded[1].startswith("fake-scope-")
    assert hidden.tokens.refusal == attrs.evolve(refusal, code="other")
    assert "canary" not in repr(hidden)


def test_a_page_that_is_pinned_elsewhere_is_at_the_shadows_server_too() -> None:
    elsewhere = attrs.evolve(CODEX, verification_uri="https://pages.example/device")
    moved = at_nowhere(elsewhere).verification_uri
    assert moved is not None
    assert moved.startswith("https://issuer.invalid/")
    assert at_nowhere(attrs.evolve(CODEX, verification_uri=None)).verification_uri is None


def test_a_clock_that_runs_backwards_is_told_as_one_that_stands() -> None:
    events = (TimeReached(T0 - 5), back(at=20), Cancelled(T0))
    lines: list[str] = []
    recorder = Recorder(flow=browser_flow(), write=lines.append)
    tell(recorder, events[:2])
    assert [json.loads(line)["event"]["at"] for line in lines[1:]] == [0.0, 0.0, 20.0]


# -- a second dialect -------------------------------------------------------------------------------


def plain_answer(fact: Any) -> Rendered:
    """The inverse of the second dialect's readers, as far as a test needs it."""
    from codex_oauth_core.secret import Secret

    match fact:
        case Granted(tokens=Tokens() as granted):
            assert granted.access_token is not None
            assert granted.refresh_token is not None
            body: dict[str, Any] = {
                "access_token": granted.access_token.reveal(),
                "refresh_token": granted.refresh_token.reveal(),
                "account": granted.account_id,
            }
        case Refusal():
            body = {"error": fact.code}
        case _:
            device = fact.authorization
            body = {
                "device_code": device.device_auth_id.reveal(),
                "user_code": device.user_code,
                "verification_uri": device.verification_uri,
                "expires_in": device.expires_in,
            }
    return Rendered(200, (), Secret(json.dumps(body).encode()))


def test_the_recorder_knows_no_dialect() -> None:
    assert CODEX.dialect.render is not None
    renderers = attrs.evolve(
        CODEX.dialect.render, name="plain", device_authorization=plain_answer, poll=plain_answer
    )
    provider = attrs.evolve(PLAIN, dialect=attrs.evolve(PLAIN.dialect, render=renderers))
    left = record(DeviceFlow(provider=provider), scripted((ISSUED, GRANTED)))
    assert gap_of(left.lines) is None
    assert json.loads(left.lines[0])["dialect"] == "plain"
    assert "canary" not in left.text
    assert "plain.example" not in left.text
    assert replay(left.lines, provider).same
    with pytest.raises(ValueError, match="another dialect"):
        replay(left.lines)


def test_a_sign_in_that_somebody_else_approved_ends_with_a_gap() -> None:
    """Whom it is for is a name, and is not in a trace."""
    lines: list[str] = []
    world = FakeWorld(scripted((*SIGN_IN, as_json(200, {}))))
    outcome = run(Recorder(flow=DeviceFlow(account="bert@example.com"), write=lines.append), world)
    assert isinstance(outcome, SignInError)
    assert json.loads(lines[-1]) == {"gap": "differs"}
    assert "bert" not in "".join(lines)
