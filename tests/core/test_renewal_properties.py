"""What no renewal ever does, whatever a store and a server answer: R0 to R3, R6a, R7, R10 and R11, as properties.

The store here keeps no promise: each answer is drawn from those that fit the effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_oauth.testing import Lost, Reply
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished, SendRequest, Wait, Why
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import (
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.renewal_policy import RenewalPolicy
from codex_oauth_core.leftovers import succeeds
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Locked,
    Release,
    Released,
    Rescue,
    Rescued,
    Reserve,
    Reserved,
    Save,
    Saved,
)
from tests.core.storing import (
    CORRUPT,
    CURRENT,
    DAY,
    MAYBE_SENT,
    NOT_SENT,
    READ_FAILED,
    THEM,
    failed,
    login,
    token_of,
)
from tests.support import T0, W0, account_token, as_json, code, page, response, tokens

many = settings(max_examples=5 * settings().max_examples)
OTHERS: Final = account_token("acct_other")

SURELY_UNSPENT: Final[tuple[Reply | Lost, ...]] = (
    NOT_SENT,
    as_json(429, {}),
    as_json(429, {}, {"retry-after": "3"}),
    as_json(503, {}, {"retry-after": "1"}),
    code("weird", 400),
    code("invalid_client", 401),
    page(403),
    tokens(access_token=OTHERS, refresh_token=...),
)
TO_BE_SAVED: Final[tuple[Reply | Lost, ...]] = (
    MAYBE_SENT,
    tokens(),
    tokens(),
    tokens(refresh_token=...),
    tokens(access_token=...),
    tokens(token_type="mac"),
    tokens(access_token=OTHERS),
    tokens(access_token=account_token(exp=W0 - 50), expires_in=...),
    as_json(200, {}),
    as_json(500, {}),
    page(200),
    code("refresh_token_reused", 401),
    as_json(401, {}),
)

LEFTS: Final = (-1e6, -60.0, -1.0, 5.0, 200.0, 20_000.0, 0.5 * DAY, 5 * DAY, None)
MARKS: Final[tuple[dict[str, Any], ...]] = (
    {"uncertain_at": W0 - 5000},
    {"uncertain_at": W0 - 30},
    {"uncertain_at": W0 + 500},
    {"intent": Intent(1, "there", W0 - 5)},
    {"intent": Intent(1, "there", W0 - 500), "uncertain_at": W0 - 900},
    {"dead_code": "invalid_grant"},
    {"spent": True},
    {"refresh_token": None},
    {"issuer": "https://else.example"},
)
PLAIN: Final = [login(left, number=number) for left in LEFTS for number in (1, 2, 3)]
MARKED: Final = [login(left, **marks) for left in LEFTS for marks in MARKS]


KNOWN: Final = [
    login(left, number=number + 3, parent=login(number=number).fingerprint, generation=8)
    for left in LEFTS
    for number in (1, 2, 3)
]


def logins() -> st.SearchStrategy[Record]:
    return st.sampled_from(PLAIN) | st.sampled_from(PLAIN[:9]) | st.sampled_from(MARKED)


stored = st.none() | logins() | logins()
failures = st.sampled_from([failed(), failed(READ_FAILED), failed(CORRUPT), failed(rescued=True)])
FITTING: Final[dict[type[Any], st.SearchStrategy[Any]]] = {
    Load: st.builds(Loaded, logins()) | st.builds(Loaded, stored) | failures,
    Lock: st.builds(Locked, logins())
    | st.builds(Locked, logins())
    | st.builds(Locked, stored)
    | st.sampled_from([LockBusy(), LockBusy(THEM), Locked(None, READ_FAILED), Locked(None, CORRUPT)])
    | failures,
    Reserve: st.sampled_from([Reserved(), Reserved(), Reserved()]) | failures,
    Save: st.just(Saved()) | st.builds(Conflict, stored) | failures | failures,
    Rescue: st.just(Rescued()) | failures,
    Release: st.just(Released()),
}
steps = st.sampled_from([0.0, 0.001, 0.3, 7.0, 40.0])
jumps = st.sampled_from([0.0, 0.0, 0.0, -7200.0, 7200.0, -W0, 2.0**32 - W0])


@attrs.define
class Chaos:
    """One renewal and all that it did. Every answer is a draw."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    flow: Renewal
    at: float = T0
    wall: float = W0
    trace: list[tuple[Effect, Event | None]] = attrs.field(factory=list[tuple[Effect, Event | None]])
    known: list[float] = attrs.field(factory=list[float])
    """The time of day at each event, as far as the flow was told."""
    answers: list[tuple[float, Any]] = attrs.field(factory=list[tuple[float, Any]])
    """What there was to answer callers with before the end, and when."""
    _told: tuple[float, float] = (T0, W0)

    def run(self) -> Any:
        effect: Effect = self.flow.receive(Started(self.at, self.wall))
        for _ in range(10_000):
            if isinstance(effect, Finished):
                return effect.outcome
            event = self._answer(effect)
            self.trace.append((effect, event))
            if isinstance(event, ResponseReceived | StoreAnswered):
                self._told = (event.at, event.wall)
            self.known.append(self._told[1] + event.at - self._told[0])
            effect = self.flow.receive(event)
            if self.flow.meanwhile is not None:
                self.answers.append((self.at, self.flow.meanwhile))
        raise AssertionError("this never ends")

    def _answer(self, effect: Effect) -> Event:
        if isinstance(effect, Wait):
            self._pass(max(0.0, effect.until - self.at))
            gives_up = self.draw(st.integers(0, 30)) == 0
            return Cancelled(self.at) if gives_up else TimeReached(self.at)
        self._pass(self.draw(steps))
        if isinstance(effect, SendRequest):
            if self.draw(st.integers(0, 7)) == 0:  # the store does not let it go out
                return RequestFailed(self.at, Phase.NOT_SENT, Cause.TIMEOUT)
            reply = self.draw(st.sampled_from(SURELY_UNSPENT) | st.sampled_from(TO_BE_SAVED))
            if isinstance(reply, Lost):
                return RequestFailed(self.at, reply.phase, reply.cause)
            return response(reply, self.at, self.wall)
        return StoreAnswered(self.at, self.wall, self.draw(FITTING[type(effect)]))

    def _pass(self, seconds: float) -> None:
        self.at += seconds
        self.wall = max(0.0, self.wall + seconds + self.draw(jumps))


def renewals() -> st.SearchStrategy[Renewal]:
    tokens = [login(number=number).credential.access_token for number in (1, 2, 3)]
    return st.builds(
        Renewal,
        provider=st.just(CODEX),
        policy=st.just(RenewalPolicy()),
        rejected=st.none() | st.sampled_from(tokens),
        forced=st.booleans(),
        jitter=st.sampled_from([0.0, 0.5, 1.0]),
        known=st.none() | st.sampled_from(KNOWN) | logins(),
        keep_saving=st.booleans(),
    )


def holds(chaos: Chaos) -> list[list[tuple[Effect, Event | None]]]:
    """What was done under each lock, from `Lock` to `Release`; the lock must be free in between, and with it
    there is no wait but for the disk.
    """
    found: list[list[tuple[Effect, Event | None]]] = []
    held = False
    for effect, event in chaos.trace:
        if isinstance(effect, Lock):
            assert not held
            if isinstance(event, StoreAnswered) and isinstance(event.answer, Locked):
                held = True
                found.append([(effect, event)])
        elif held:
            found[-1].append((effect, event))
            assert not isinstance(effect, Wait) or effect.why is Why.SAVING
            held = not isinstance(effect, Release)
        else:
            assert isinstance(effect, Load | Wait)
    assert not held
    return found


def kinds(hold: list[tuple[Effect, Event | None]]) -> list[type[Any]]:
    return [type(effect) for effect, _ in hold]


def is_saved(done: list[type[Any]]) -> bool:
    """Whether these are saves, with a wait between each two, and the release."""
    return done == [Save, *[Wait, Save] * (done.count(Save) - 1), Release]


@many
@given(data=st.data(), flow=renewals())
def test_r1_r3_one_request_for_each_lock_reserved_before_and_saved_after(data: Any, flow: Renewal) -> None:
    chaos = Chaos(data.draw, flow)
    chaos.run()
    for hold in holds(chaos):
        done = kinds(hold)
        assert done.count(SendRequest) <= 1
        if SendRequest not in done:
            assert done in ([Lock, Release], [Lock, Reserve, Release]) or is_saved(done[1:])
            continue
        assert done[:3] == [Lock, Reserve, SendRequest]
        reserved = hold[1][1]
        assert isinstance(reserved, StoreAnswered)
        assert isinstance(reserved.answer, Reserved)
        after = done[4:] if done[3] is Rescue else done[3:]
        assert is_saved(after) or done[3:] == [Release]
        assert (Save in done) is not _surely_unspent(hold[2][1])


def _surely_unspent(event: Event | None) -> bool:
    if isinstance(event, RequestFailed):
        return event.phase is Phase.NOT_SENT
    assert isinstance(event, ResponseReceived)
    said = (event.status, event.headers, event.body.reveal())
    replies = (reply for reply in SURELY_UNSPENT if isinstance(reply, Reply))
    return said in [(reply.status, reply.headers, reply.body) for reply in replies]


@many
@given(data=st.data(), flow=renewals())
def test_r1_r7_what_is_sent_was_just_read_and_is_what_is_replaced(data: Any, flow: Renewal) -> None:
    chaos = Chaos(data.draw, flow)
    chaos.run()
    for hold in holds(chaos):
        record: Any = _record(hold[0][1])
        if record is None:
            assert kinds(hold) == [Lock, Release]
            continue
        if flow.known is not None and succeeds(flow.known, record):
            assert SendRequest not in kinds(hold)  # R6a: what is stored is spent
            assert hold[1][0] == Save(flow.known, record.fingerprint)
        for effect, _ in hold[1:]:
            if isinstance(effect, SendRequest):
                sent = record.credential.refresh_token
                assert f"refresh_token={sent.reveal()}" in token_of(effect.request)
                assert not record.spent
                assert record.dead_code is None
            if isinstance(effect, Save):
                assert effect.expected == record.fingerprint
                assert not effect.replace_corrupt
            if isinstance(effect, Reserve):
                assert effect.record.fingerprint == record.fingerprint
                assert effect.record.intent is None


def _record(event: Event | None) -> Record | None:
    assert isinstance(event, StoreAnswered)
    return event.answer.record if isinstance(event.answer, Locked) else None


@many
@given(data=st.data(), flow=renewals())
def test_r0_every_wait_has_its_limit_and_every_request_its_last_moment(data: Any, flow: Renewal) -> None:
    chaos = Chaos(data.draw, flow)
    chaos.run()
    queued = [effect for effect, _ in chaos.trace if isinstance(effect, Wait) and effect.why is Why.QUEUED]
    first = queued[0].until - 0.025 if queued else 0.0
    for wait in queued:
        assert wait.give_up_at is not None
        assert round(wait.give_up_at - first, 6) in (20.0, 210.0)
        assert wait.until <= wait.give_up_at + 0.03
    for hold in holds(chaos):
        asked = hold[0][1]
        assert isinstance(asked, StoreAnswered)
        for (effect, event), (_, before) in zip(hold[1:], hold, strict=False):
            assert before is not None
            if isinstance(effect, SendRequest):
                assert (effect.once, effect.timeout) == (True, 60.0)
                assert effect.write_by == asked.at + 15.0
            if isinstance(effect, Save) and not flow.keep_saving and isinstance(before, TimeReached):
                assert before.at <= _save_until(hold)
            if isinstance(effect, Wait) and isinstance(event, Cancelled):
                assert kinds(hold)[-2:] == [Save, Release]  # once more


def _save_until(hold: list[tuple[Effect, Event | None]]) -> float:
    """Thirty seconds after the answer; where nothing was sent, after the lock was had."""
    began = [event for effect, event in hold if isinstance(effect, SendRequest)] or [hold[0][1]]
    assert began[0] is not None
    return began[0].at + 30.0


@many
@given(data=st.data(), flow=renewals())
def test_r6a_callers_are_answered_meanwhile_only_while_it_goes_on_saving(data: Any, flow: Renewal) -> None:
    chaos = Chaos(data.draw, flow)
    outcome = chaos.run()
    assert flow.keep_saving or not chaos.answers
    assert flow.meanwhile is None
    starts = [_save_until(hold) for hold in holds(chaos) if Save in kinds(hold)]
    for at, answer in chaos.answers:
        assert any(at >= start for start in starts)
        assert not isinstance(answer, Renewed) or answer.unsaved is not None
    if isinstance(outcome, Renewed) and outcome.unsaved is None:
        last = [event for effect, event in chaos.trace if isinstance(effect, Save)][-1]
        assert isinstance(last, StoreAnswered)
        assert last.answer == Saved()


@many
@given(data=st.data(), flow=renewals())
def test_r11_a_refresh_token_that_was_issued_is_asked_to_be_kept(data: Any, flow: Renewal) -> None:
    chaos = Chaos(data.draw, flow)
    chaos.run()
    for (_, event), (effect, _) in zip(chaos.trace, chaos.trace[1:], strict=False):
        if b"canary-refresh-token-5566" in _body(event):
            assert isinstance(effect, Save | Rescue)
            assert effect.record.credential.refresh_token == Secret("canary-refresh-token-5566")


def _body(event: Event | None) -> bytes:
    body: Secret[bytes] = getattr(event, "body", Secret(b""))
    return body.reveal()


@many
@given(data=st.data(), flow=renewals())
def test_a_renewal_ends_soon_with_a_true_outcome_and_deletes_nothing(data: Any, flow: Renewal) -> None:
    chaos = Chaos(data.draw, flow)
    outcome = chaos.run()
    assert isinstance(outcome, Renewed | Adopted | NotRenewed | SignInError)
    assert not any(isinstance(effect, Delete) for effect, _ in chaos.trace)
    assert sum(isinstance(effect, SendRequest) for effect, _ in chaos.trace) <= 4
    if isinstance(outcome, NotRenewed):
        assert (outcome.error is not None) is (outcome.why is NotRenewedReason.FAILED)
    if isinstance(outcome, Adopted | NotRenewed):
        record = outcome.record
        assert flow.rejected is None or record.credential.access_token != flow.rejected


@many
@given(data=st.data(), flow=renewals())
def test_no_token_that_is_known_to_be_dead_is_given_out(data: Any, flow: Renewal) -> None:
    """Known by one of the times that it was told since it last asked; saving may take long after that."""
    chaos = Chaos(data.draw, flow)
    outcome = chaos.run()
    if isinstance(outcome, SignInError) or outcome.record.credential.expires_at is None:
        return
    asked = [i for i, (effect, _) in enumerate(chaos.trace) if isinstance(effect, Load | Lock | SendRequest)]
    assert outcome.record.credential.expires_at / 1000 > min(chaos.known[asked[-1] :])


@given(record=logins())
def test_a_login_that_is_current_costs_one_read(record: Record) -> None:
    current = attrs.evolve(record, credential=CURRENT.credential)
    flow = Renewal()
    flow.receive(Started(T0, W0))
    effect = flow.receive(StoreAnswered(T0, W0, Loaded(current)))
    assert isinstance(effect, Finished)
    assert effect.outcome == NotRenewed(current, NotRenewedReason.CURRENT)
