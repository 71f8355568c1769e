"""Every limit at its exact end: it is over then, and the moment before it is not.

Rules of this file: a flow is told events alone, at instants that binary numbers hold exactly; a limit is read
from the flow, so that another length of it changes nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from codex_oauth_core.checkpoints.restore import restore
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import (
    CallbackReceived,
    Cause,
    Event,
    Phase,
    RequestFailed,
    Resumed,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.flows.browser import BrowserFlow
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.flows.pace import LAST_CHANCE, Pace
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.revoke_login import Revocation
from codex_oauth_core.flows.store_login import StoreLogin
from codex_oauth_core.pkce import Pkce
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import (
    Load,
    Loaded,
    Lock,
    LockBusy,
    Locked,
    Release,
    Released,
    Rescue,
    Reserve,
    Reserved,
)
from tests.core.storing import EXPIRED
from tests.support import PENDING, W0, approved, as_json, issued, response

E = ErrorKind
T = 1_000_000.0
STATE = "canary-state-0123456789-0123456789-0123456789"
BACK = f"code=canary-code&state={STATE}"


def before(instant: float) -> float:
    return math.nextafter(instant, -math.inf)


def kind_of(effect: Effect) -> ErrorKind | str:
    """The kind of the error that a flow ended with; else what it wants next."""
    if isinstance(effect, Finished) and isinstance(effect.outcome, SignInError):
        return effect.outcome.kind
    return type(effect).__name__


def told(flow: Any, *events: Event) -> Effect:
    effect: Effect | None = None
    for event in (Started(T, W0), *events):
        effect = flow.receive(event)
    assert effect is not None
    return effect


def unreached(at: float) -> RequestFailed:
    return RequestFailed(at, Phase.NOT_SENT, Cause.CONNECT)


# -- the wait itself: nobody acts before its end -------------------------------------------------------


def browser(**options: Any) -> BrowserFlow:
    pair = Pkce.from_entropy(bytes(range(32)))
    return BrowserFlow(
        redirect_uri="http://localhost:1455/auth/callback", pkce=pair, state=Secret(STATE), **options
    )


def test_a_browser_is_waited_for_until_exactly_then() -> None:
    flow = browser(lifetime=512.0)
    wait = told(flow)
    assert isinstance(wait, Wait)
    assert wait.until == T + 512.0
    assert flow.receive(TimeReached(before(wait.until))) is wait
    assert kind_of(flow.receive(TimeReached(wait.until))) is E.TIMEOUT


# -- the queue for a lock ------------------------------------------------------------------------------


def busy(at: float) -> StoreAnswered:
    return StoreAnswered(at, W0, LockBusy())


def in_the_queue(flow: Any) -> Any:
    """The flow, which has found the lock busy at `T`."""
    effect = told(flow)
    if isinstance(effect, Load):
        effect = flow.receive(StoreAnswered(T, W0, Loaded(EXPIRED)))
    assert isinstance(effect, Lock)
    effect = flow.receive(busy(T))
    assert isinstance(effect, Wait)
    assert effect.why is Why.QUEUED
    return flow


QUEUES: dict[str, tuple[Callable[[], Any], type[Effect]]] = {
    "renewal": (Renewal, Finished),
    "revocation": (lambda: Revocation(provider=CODEX), Finished),
    "deposit": (lambda: StoreLogin(record=EXPIRED), Rescue),
}


@pytest.mark.parametrize("name", QUEUES)
def test_a_lock_is_queued_for_until_exactly_then(name: str) -> None:
    make, ends = QUEUES[name]
    early, late = in_the_queue(make()), in_the_queue(make())
    limit = late.effect.give_up_at
    assert limit is not None
    assert limit == early.effect.give_up_at > T
    assert isinstance(_look_again(early, before(limit)), Wait)
    assert isinstance(_look_again(late, limit), ends)


def _look_again(flow: Any, at: float) -> Effect:
    """What comes of one more look at the lock at that instant, which is still busy."""
    effect = flow.receive(TimeReached(at))
    if isinstance(effect, Load):
        effect = flow.receive(StoreAnswered(at, W0, Loaded(EXPIRED)))
    assert isinstance(effect, Lock)
    ended: Effect = flow.receive(busy(at))
    return ended


# -- a device code -------------------------------------------------------------------------------------


def test_a_code_is_asked_for_again_until_exactly_then() -> None:
    def retrying() -> DeviceFlow:
        flow = DeviceFlow()
        assert isinstance(told(flow, unreached(T)), Wait)
        return flow

    early, late = retrying(), retrying()
    limit = late._code_limit
    assert isinstance(early.receive(TimeReached(before(limit))), SendRequest)
    assert kind_of(late.receive(TimeReached(limit))) is E.NETWORK


def test_no_wait_for_a_code_ends_with_the_limit() -> None:
    limited = DeviceFlow()
    told(limited)
    patience = limited._code_limit - T
    assert patience == int(patience)

    def asked(seconds: float) -> Effect:
        return told(DeviceFlow(), response(as_json(503, {}, {"Retry-After": f"{seconds:.0f}"}), T, W0))

    assert isinstance(asked(patience - 1), Wait)
    assert kind_of(asked(patience)) is E.RATE_LIMITED  # a server that asks for all there is limits us


def test_a_request_for_a_code_that_was_put_down_is_sent_again_until_exactly_then() -> None:
    def again(at: float) -> Effect:
        flow = DeviceFlow()
        told(flow)
        kept = flow.checkpoint(at=T, wall=W0)
        return restore(kept, CODEX).receive(Resumed(at, W0 + (at - T)))

    flow = DeviceFlow()
    told(flow)
    assert isinstance(again(flow._code_limit - 1.0), SendRequest)
    assert kind_of(again(flow._code_limit)) is E.EXPIRED


def with_a_code(**options: Any) -> DeviceFlow:
    flow = DeviceFlow(**options)
    effect = told(flow, response(issued(expires_in=512), T, W0, took=0.0))
    assert isinstance(effect, Wait)
    return flow


def test_a_code_is_polled_for_until_exactly_then() -> None:
    early, late = with_a_code(), with_a_code()
    assert late._deadline == T + 512
    assert isinstance(early.receive(TimeReached(before(T + 512))), SendRequest)
    assert kind_of(late.receive(TimeReached(T + 512))) is E.EXPIRED


def test_the_last_poll_is_before_the_end_and_not_at_it() -> None:
    flow = with_a_code()
    flow.receive(TimeReached(T + 500))
    wait = flow.receive(response(PENDING, T + 507, W0))  # an interval of 5 s ends with the code
    assert isinstance(wait, Wait)
    assert wait.until == T + 512
    assert kind_of(flow.receive(TimeReached(wait.until))) is E.EXPIRED


def test_a_poll_that_was_put_down_is_sent_again_until_exactly_then() -> None:
    def again(at: float) -> Effect:
        flow = with_a_code()
        assert isinstance(flow.receive(TimeReached(T + 6)), SendRequest)
        kept = flow.checkpoint(at=T + 6, wall=W0 + 6)
        return restore(kept, CODEX).receive(Resumed(at, W0 + (at - T)))

    assert isinstance(again(T + 511.0), SendRequest)
    assert kind_of(again(T + 512.0)) is E.EXPIRED


# -- an authorization code -----------------------------------------------------------------------------


def of_browser() -> BrowserFlow:
    flow = browser()
    assert isinstance(told(flow, CallbackReceived(T, Secret(BACK))), SendRequest)
    return flow


def of_device() -> DeviceFlow:
    flow = with_a_code()
    flow.receive(TimeReached(T + 5))
    assert isinstance(flow.receive(response(approved(), T + 5, W0)), SendRequest)
    return flow


CODES: dict[str, tuple[Callable[[], Any], float]] = {"browser": (of_browser, T), "device": (of_device, T + 5)}


@pytest.mark.parametrize("name", CODES)
def test_an_authorization_code_is_sent_again_until_exactly_then(name: str) -> None:
    make, at = CODES[name]
    early, late = make(), make()
    limit = late._code.give_up_at
    for flow in (early, late):
        assert isinstance(flow.receive(unreached(at)), Wait)
    assert isinstance(early.receive(TimeReached(before(limit))), SendRequest)
    assert isinstance(late.receive(TimeReached(limit)), Finished)


@pytest.mark.parametrize("name", CODES)
def test_no_wait_ends_with_an_authorization_code(name: str) -> None:
    make, _ = CODES[name]
    limit = make()._code.give_up_at
    early, late = make(), make()
    wait = early.receive(unreached(limit - 2.0))  # a pause of 1 s ends before it
    assert isinstance(wait, Wait)
    assert wait.until == limit - 1.0
    assert isinstance(late.receive(unreached(limit - 1.0)), Finished)  # and here with it


@pytest.mark.parametrize("name", CODES)
def test_an_authorization_code_that_was_handed_over_is_sent_until_exactly_then(name: str) -> None:
    make, at = CODES[name]

    def again(later: float) -> Effect:
        flow = make()
        kept = flow.checkpoint(at=at, wall=W0, handed_over=True)
        return restore(kept, CODEX).receive(Resumed(at + later, W0 + later))

    patience = make()._code.give_up_at - at
    assert isinstance(again(patience - 1.0), SendRequest)
    assert kind_of(again(patience)) is E.TOKEN_REQUEST_FAILED


def test_a_back_off_that_would_end_with_the_code_leaves_a_last_chance() -> None:
    assert Pace(5.0, 10.0).failed(0.0) == max(10.0 - LAST_CHANCE, 5.0) < 10.0


# -- the tries of a renewal ----------------------------------------------------------------------------


def after_a_try(answer: Event | None = None) -> tuple[Any, Effect]:
    """A renewal that was answered so, and the wait or the end that it came to."""
    flow = Renewal(jitter=0.5)
    effect = told(flow)
    for _ in range(20):
        if isinstance(effect, Wait | Finished):
            return flow, effect
        sent = isinstance(effect, SendRequest) and answer is not None
        effect = flow.receive(answer if sent and answer is not None else _usual(effect))
    raise AssertionError(effect)


def test_no_wait_for_the_next_try_ends_with_the_limit() -> None:
    def asked(seconds: float) -> Effect:
        busy = as_json(429, {}, {"Retry-After": f"{seconds:.0f}"})
        return after_a_try(response(busy, T, W0, took=0.0))[1]

    patience = after_a_try()[0]._retry_until - T
    assert isinstance(asked(patience - 1), Wait)
    assert kind_of(asked(patience)) is E.RATE_LIMITED


def test_a_renewal_is_tried_again_until_exactly_then() -> None:
    early, late = after_a_try()[0], after_a_try()[0]
    limit = late._retry_until
    assert isinstance(early.receive(TimeReached(before(limit))), Load)
    assert kind_of(late.receive(TimeReached(limit))) is E.NETWORK


def _usual(effect: Effect) -> Event:
    """What a store of one expired login says, and a server that cannot be reached."""
    match effect:
        case Load():
            return StoreAnswered(T, W0, Loaded(EXPIRED))
        case Lock():
            return StoreAnswered(T, W0, Locked(EXPIRED))
        case Reserve():
            return StoreAnswered(T, W0, Reserved())
        case Release():
            return StoreAnswered(T, W0, Released())
        case SendRequest():
            return unreached(T)
        case _:
            raise AssertionError(effect)
