"""The world of callbacks: the scenarios in fake time, cancels, and what it leaves behind."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from codex_oauth.testing import SCENARIOS, Lost, Reply, Scenario
from codex_oauth.transport.twisted_transport import Sent
from codex_oauth.worlds.twisted_world import TwistedWorld, drive, sign_in
from codex_oauth_core import (
    CODEX,
    Cancelled,
    Credential,
    DeviceFlow,
    ErrorKind,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInError,
    TimeReached,
    Wait,
    Why,
)
from tests.ports.reactors import ReactorWorld, TurnedReactor
from tests.support import PENDING, SIGN_IN, T0, W0, approved, issued, tokens
from tests.transport.servers import OK, Server, at_most, no_new_sockets, post, read_request, silent

ROUND_TRIP = 0.25


class FakeReactor(Clock):
    """Twisted's own fake time; calls from threads come at once."""

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None:  # noqa: N802, A002  # Twisted's names
        callable(*args)


class FakeNetwork:
    """Answers from a list, each a round trip after its request."""

    def __init__(self, reactor: FakeReactor, replies: Iterator[Reply | Lost]) -> None:
        self._reactor = reactor
        self._replies = replies
        self.requests: list[SendRequest] = []

    def now(self) -> tuple[float, float]:
        return T0 + self._reactor.seconds(), W0 + self._reactor.seconds()

    def send(self, effect: SendRequest) -> Deferred[Sent]:
        self.requests.append(effect)
        sent_at, _ = self.now()
        reply = next(self._replies)
        answered: Deferred[Sent] = Deferred(lambda _: answer.cancel())
        answer: Any = None

        def arrive() -> None:
            at, wall = self.now()
            if isinstance(reply, Lost):
                answered.callback(RequestFailed(at, reply.phase, reply.cause))
            else:
                answered.callback(
                    ResponseReceived(sent_at, at, wall, reply.status, reply.headers, reply.body)
                )

        answer = self._reactor.callLater(ROUND_TRIP, arrive)
        return answered


class Run:
    """A flow in fake time, from its start on."""

    def __init__(self, *replies: Reply | Lost, workspaces: tuple[str, ...] = ()) -> None:
        self.reactor = FakeReactor()
        self.network = FakeNetwork(self.reactor, iter(replies))
        self.waits: list[Wait] = []
        self.outcomes: list[Any] = []
        self.world = TwistedWorld(self.reactor, on_wait=self.waits.append, now=self.network.now)
        self.world._send = self.network.send
        self.outcome = drive(DeviceFlow(workspaces=workspaces), self.world)
        self.outcome.addBoth(self.outcomes.append)

    def until_it_ends(self, steps: int = 20_000) -> Any:
        while not self.outcomes and steps:
            self.reactor.advance(0.25)
            steps -= 1
        (outcome,) = self.outcomes
        assert self.reactor.getDelayedCalls() == []
        return outcome


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    run = Run(*scenario.replies, workspaces=scenario.workspaces)
    outcome = run.until_it_ends()
    assert (outcome.kind if isinstance(outcome, SignInError) else None) == scenario.ends
    assert isinstance(outcome, SignInError | Credential)
    assert [wait.why.value for wait in run.waits] == [why for _, why in scenario.waits]
    for wait, (until, _) in zip(run.waits, scenario.waits, strict=True):
        assert abs(wait.until - T0 - until) < 0.25 * len(run.waits)  # the fake clock steps by a quarter


def test_a_long_sign_in_needs_no_deep_stack() -> None:
    polls = int(15 * 60 / 5.25) - 1
    run = Run(issued(interval=5), *[PENDING] * polls, approved(), tokens())
    assert isinstance(run.until_it_ends(), Credential)
    assert len(run.waits) == polls + 1 > 150


# -- cancelling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.25, 3.0, 5.3])
def test_a_cancelled_deferred_ends_the_flow_as_an_outcome(seconds: float) -> None:
    run = Run(*SIGN_IN)
    run.reactor.advance(seconds)
    run.outcome.cancel()
    assert run.outcomes[0].kind is ErrorKind.CANCELLED
    assert run.reactor.getDelayedCalls() == []
    run.outcome.cancel()  # once more does no harm


def test_a_cancel_never_cuts_a_once_request() -> None:
    run = Run(issued(), approved(), tokens())
    while not (run.network.requests and run.network.requests[-1].once):
        run.reactor.advance(0.05)
    run.outcome.cancel()
    assert run.outcomes == []
    assert isinstance(run.until_it_ends(), Credential)


def test_after_the_end_a_cancel_is_for_what_the_caller_put_behind_it() -> None:
    run = Run(*SIGN_IN)
    behind: Deferred[None] = Deferred(lambda _: cancelled.append(True))
    cancelled: list[bool] = []
    run.outcome.addCallback(lambda _: behind).addErrback(lambda _: None)
    run.until_it_ends()
    run.outcome.cancel()
    assert cancelled == [True]


def test_a_cancel_before_the_flow_began_waiting_is_remembered() -> None:
    run = Run(*SIGN_IN)
    run.world.cancel()
    assert run.until_it_ends().kind is ErrorKind.CANCELLED
    assert run.waits == []


def test_what_a_display_raises_is_the_failure_of_the_deferred() -> None:
    def broken(wait: Wait) -> None:
        raise LookupError

    reactor = FakeReactor()
    network = FakeNetwork(reactor, iter(SIGN_IN))
    world = TwistedWorld(reactor, on_wait=broken, now=network.now)
    world._send = network.send
    failures: list[Any] = []
    drive(DeviceFlow(), world).addErrback(failures.append)
    reactor.advance(0.25)
    assert failures[0].check(LookupError)
    assert reactor.getDelayedCalls() == []


# -- on a real reactor ---------------------------------------------------------------------------------


@pytest.fixture
def turned() -> Iterator[TurnedReactor]:
    turned = TurnedReactor()
    yield turned
    turned.close()


def test_a_cancel_from_another_thread_ends_a_wait_at_once(turned: TurnedReactor) -> None:
    world = TwistedWorld(turned.reactor)
    at, _ = world.now()
    timer = threading.Timer(0.1, world.cancel)
    timer.start()
    with at_most(2):
        assert isinstance(turned.result(world.perform(Wait(at + 60, Why.PENDING))), Cancelled)
    timer.join()


def test_a_cancel_aborts_a_request_that_may_be_cut(turned: TurnedReactor) -> None:
    with no_new_sockets(), Server(silent) as server, at_most(2):
        world = TwistedWorld(turned.reactor)
        asked = world.perform(post(server.url, timeout=60))
        turned.turn(lambda: server.connections > 0)
        world.cancel()
        assert isinstance(turned.result(asked), Cancelled)
        turned.turn(lambda: not turned.left())


def test_a_cancelled_once_request_is_answered_first(turned: TurnedReactor) -> None:
    asked = threading.Event()
    go_on = threading.Event()

    def script(sock: Any) -> None:
        read_request(sock)
        asked.set()
        go_on.wait(5)
        sock.sendall(OK)

    with no_new_sockets(), Server(script) as server:
        world = TwistedWorld(turned.reactor)
        answer = world.perform(post(server.url, once=True))
        turned.turn(asked.is_set)
        world.cancel()
        answers: list[Any] = []
        answer.addBoth(answers.append)
        turned.turn(lambda: bool(answers), limit=0.1)
        assert answers == []
        go_on.set()
        turned.turn(lambda: bool(answers))
        assert isinstance(answers[0], ResponseReceived)
        turned.turn(lambda: not turned.left())
        at, _ = world.now()
        assert isinstance(turned.result(world.perform(Wait(at, Why.PENDING))), Cancelled)


def test_a_wait_that_is_over_is_answered_in_the_next_turn(turned: TurnedReactor) -> None:
    world = TwistedWorld(turned.reactor)
    event = world.perform(Wait(world.now()[0] - 1, Why.PENDING))
    assert not event.called
    assert isinstance(turned.result(event), TimeReached)


def test_a_flow_of_its_own_error_reaches_the_caller(turned: TurnedReactor) -> None:
    flow = DeviceFlow(provider=CODEX.at("http://127.0.0.1:9"))
    outcome = turned.result(sign_in(flow, turned.reactor, now=_hours_pass()))
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.NETWORK


def _hours_pass() -> Callable[[], tuple[float, float]]:
    hours = iter(range(1_000_000))

    def now() -> tuple[float, float]:
        at = 3600.0 * next(hours)
        return at, W0 + at

    return now


def test_twisted_without_its_tls_libraries_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twisted.internet.ssl", None)
    with ReactorWorld() as world, pytest.raises(RuntimeError, match=r"pip install 'twisted\[tls\]'"):
        world.perform(post("https://127.0.0.1:1/"))
