"""The blocking world: waits, cancels, and what it leaves behind."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import pytest

from codex_oauth import CallbackListener, HttpxWorld, World, new_pkce, new_state, run
from codex_oauth.clock import instant
from codex_oauth.transport.protocol import SendOutcome
from codex_oauth.worlds import sync_world
from codex_oauth.worlds.sync_world import SyncWorld
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    CallbackReceived,
    CallbackRule,
    Cancelled,
    DeviceFlow,
    ErrorKind,
    RequestFailed,
    ResponseReceived,
    Secret,
    SendRequest,
    SignInError,
    TimeReached,
    Wait,
    Why,
)
from codex_oauth_core.callback import Accepted
from tests.listener.sign_ins import ask, get
from tests.transport.servers import OK, Server, answering, at_most, no_new_sockets, post, silent, trickling


def wait(seconds: float) -> Wait:
    return Wait(instant() + seconds, Why.PENDING)


def unsendable(effect: SendRequest, stopped: Callable[[], bool]) -> SendOutcome:
    raise AssertionError


def soon(call: Callable[[], None], seconds: float = 0.1) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.start()
    return timer


def test_it_is_a_world() -> None:
    world: World = HttpxWorld()
    assert world.now()[0] <= instant()


def test_a_wait_ends_at_its_time_and_not_before() -> None:
    with no_new_sockets(), SyncWorld(unsendable) as world:
        until = instant() + 0.1
        event = world.perform(Wait(until, Why.PENDING))
    assert isinstance(event, TimeReached)
    assert until <= event.at


def test_a_wait_that_is_over_does_not_block() -> None:
    with at_most(0.5), SyncWorld(unsendable) as world:
        assert isinstance(world.perform(wait(-1)), TimeReached)


def test_the_display_sees_every_wait_before_it_blocks() -> None:
    shown: list[Wait] = []
    first, second = wait(0.01), wait(-1)
    with SyncWorld(unsendable, on_wait=shown.append) as world:
        world.perform(first)
        world.perform(second)
    assert shown == [first, second]


def test_the_display_ticks_from_the_start_and_then_every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_world, "TICK", 0.05)
    ticks: list[float] = []
    with SyncWorld(unsendable, on_tick=lambda _, at: ticks.append(at)) as world:
        begun = instant()
        world.perform(wait(0.22))
    assert 2 <= len(ticks) <= 5
    assert ticks[0] >= begun
    assert all(later - earlier >= 0.049 for earlier, later in itertools.pairwise(ticks))


# F33
def test_a_resume_from_suspend_is_noticed_within_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_world, "SLICE", 0.05)
    slept = 0.0

    def now() -> tuple[float, float]:
        return instant() + slept, time.time() + slept

    def suspend() -> None:
        nonlocal slept
        slept = 3600.0

    with at_most(1), SyncWorld(unsendable, now=now) as world:
        timer = soon(suspend)
        event = world.perform(wait(1000))
        timer.join()
    assert isinstance(event, TimeReached)


def test_without_a_display_a_slice_is_at_most_five_seconds() -> None:
    assert 0 < sync_world.SLICE <= 5


# -- cancelling ----------------------------------------------------------------------------------------


def test_a_cancel_from_another_thread_ends_a_wait_at_once() -> None:
    with no_new_sockets(), at_most(1), SyncWorld(unsendable) as world:
        timer = soon(world.cancel)
        assert isinstance(world.perform(wait(60)), Cancelled)
        timer.join()


def test_a_cancel_beforehand_is_remembered_by_waits_and_requests() -> None:
    shown: list[Wait] = []
    with SyncWorld(unsendable, on_wait=shown.append) as world:
        world.cancel()
        assert isinstance(world.perform(wait(60)), Cancelled)
        assert isinstance(world.perform(post("http://127.0.0.1:9/")), Cancelled)
        assert isinstance(world.perform(wait(60)), Cancelled)
    assert shown == []


def test_a_cancel_out_of_a_callback_ends_that_wait() -> None:
    worlds: list[SyncWorld] = []

    def cancel(*_: object) -> None:
        worlds[-1].cancel()

    worlds.append(SyncWorld(unsendable, on_wait=cancel))
    with at_most(1), worlds[-1] as world:
        assert isinstance(world.perform(wait(60)), Cancelled)
    worlds.append(SyncWorld(unsendable, on_tick=cancel))
    with at_most(1), worlds[-1] as world:
        assert isinstance(world.perform(wait(60)), Cancelled)


@pytest.mark.parametrize("peer", [silent, trickling(b"HTTP/1.1 200 OK\r\nX: ", b"x")])
def test_a_cancel_cuts_a_request_within_a_slice(peer: Callable[..., None]) -> None:
    with no_new_sockets(), Server(peer) as server, HttpxWorld() as world:
        timer = soon(world.cancel)
        with at_most(1.5):  # 0.1 until the cancel, a slice, and a busy machine
            assert isinstance(world.perform(post(server.url, 30)), Cancelled)
        timer.join()


def test_a_once_request_is_never_cut_and_the_cancel_is_kept_for_later() -> None:
    slow = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", *[b"x"] * 4, pause=0.05)
    with no_new_sockets(), Server(slow) as server, HttpxWorld() as world:
        timer = soon(world.cancel)
        answer = world.perform(post(server.url, once=True))
        timer.join()
        assert isinstance(answer, ResponseReceived)
        assert answer.body.reveal() == b"x" * 4
        again = world.perform(post(server.url, once=True))
        assert isinstance(again, ResponseReceived)
        assert isinstance(world.perform(wait(60)), Cancelled)
        assert isinstance(world.perform(post(server.url)), Cancelled)
    assert server.connections == 2


def test_a_cancel_before_the_block_or_after_it_does_no_harm() -> None:
    world = SyncWorld(unsendable)
    world.cancel()
    with world:
        assert isinstance(world.perform(wait(60)), Cancelled)
    world.cancel()


def test_ten_thousand_cancels_never_block() -> None:
    with at_most(3), SyncWorld(unsendable) as world:
        for _ in range(10_000):
            world.cancel()


# -- ends ----------------------------------------------------------------------------------------------


def test_what_a_callback_raises_comes_out_and_everything_is_closed() -> None:
    def broken(wait: Wait) -> None:
        raise LookupError("the display is gone")

    with no_new_sockets(), pytest.raises(LookupError), SyncWorld(unsendable, on_wait=broken) as world:
        world.perform(wait(60))


def test_outside_its_block_a_world_performs_nothing() -> None:
    world = SyncWorld(unsendable)
    with pytest.raises(RuntimeError):
        world.perform(wait(0))
    with world:
        pass
    with pytest.raises(RuntimeError):
        world.perform(wait(0))


def test_twenty_worlds_leave_nothing_open() -> None:
    with no_new_sockets(), Server(answering(OK)) as server:
        for _ in range(20):
            with HttpxWorld() as world:
                world.perform(wait(0))
                assert isinstance(world.perform(post(server.url)), ResponseReceived)
                assert isinstance(world.perform(post("http://127.0.0.1:9/")), RequestFailed)


def test_a_flow_runs_in_it_to_its_end() -> None:
    not_found = answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    with no_new_sockets(), Server(not_found) as server, HttpxWorld() as world:
        flow = DeviceFlow(provider=CODEX.at(f"http://127.0.0.1:{server.port}"))
        outcome = run(flow, world)
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.DEVICE_CODE_UNSUPPORTED


# -- callbacks -----------------------------------------------------------------------------------------

ACCEPTED = Accepted(Secret("code=x&state=y"))


def rule() -> CallbackRule:
    return CallbackRule("http://localhost:1455/auth/callback", Secret("y"), (), "https://auth.example")


def browser_wait(rule: CallbackRule, seconds: float = 60) -> Wait:
    return Wait(instant() + seconds, Why.CALLBACK, callback=rule)


class Source:
    """Says what it was told to, `after` some seconds, and keeps account of its starts and stops."""

    def __init__(self, after: float | None = None, error: Exception | None = None) -> None:
        self.calls: list[str] = []
        self.rules: list[CallbackRule] = []
        self._after = after
        self._error = error
        self._timer: threading.Timer | None = None

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        if self._error is not None:
            raise self._error
        self.calls.append("start")
        self.rules.append(rule)
        if self._after is not None:
            self._timer = soon(lambda: accept(ACCEPTED), self._after)

    def stop(self) -> None:
        self.calls.append("stop")
        if self._timer is not None:
            self._timer.join()


def test_the_first_redirect_ends_the_wait_and_every_source() -> None:
    sources = [Source(), Source(after=0.05), Source(after=0.06)]
    with no_new_sockets(), at_most(1), SyncWorld(unsendable, callbacks=sources) as world:
        event = world.perform(browser_wait(rule()))
        assert isinstance(event, CallbackReceived)
        assert event.query == ACCEPTED.query
        assert [source.calls for source in sources] == [["start", "stop"]] * 3


def test_a_redirect_at_once_is_no_exception() -> None:
    class Immediate(Source):
        def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
            super().start(rule, accept)
            accept(ACCEPTED)

    with at_most(1), SyncWorld(unsendable, callbacks=[Immediate()]) as world:
        assert isinstance(world.perform(browser_wait(rule())), CallbackReceived)


def test_sources_are_started_before_the_prompt_is_shown() -> None:
    order: list[str] = []
    source = Source(after=0.05)
    source.calls = order
    with SyncWorld(unsendable, on_wait=lambda _: order.append("shown"), callbacks=[source]) as world:
        world.perform(browser_wait(rule()))
    assert order == ["start", "shown", "stop"]


def test_after_a_redirect_later_waits_block_again() -> None:
    looks = 0

    def now() -> tuple[float, float]:
        nonlocal looks
        looks += 1
        return instant(), 0.0

    with SyncWorld(unsendable, callbacks=[Source(after=0.0)], now=now) as world:
        world.perform(browser_wait(rule()))
        looks = 0
        assert isinstance(world.perform(Wait(instant() + 0.1, Why.RETRY)), TimeReached)
    assert looks < 5  # asleep meanwhile, not spinning


def test_a_redirect_is_said_once_and_a_rule_is_started_once() -> None:
    source, same = Source(after=0.0), rule()
    with SyncWorld(unsendable, callbacks=[source]) as world:
        assert isinstance(world.perform(browser_wait(same)), CallbackReceived)
        assert isinstance(world.perform(browser_wait(same, 0.05)), TimeReached)
        assert source.calls == ["start", "stop"]
        assert isinstance(world.perform(browser_wait(rule())), CallbackReceived)
    assert source.calls == ["start", "stop"] * 2
    assert source.rules[1] is not same


def test_sources_serve_waits_with_a_rule_only() -> None:
    source = Source(after=0.0)
    with SyncWorld(unsendable, callbacks=[source]) as world:
        assert isinstance(world.perform(wait(0.05)), TimeReached)
    assert source.calls == []


def test_time_and_cancel_stop_the_sources_too() -> None:
    source = Source()
    with SyncWorld(unsendable, callbacks=[source]) as world:
        assert isinstance(world.perform(browser_wait(rule(), 0.05)), TimeReached)
        assert source.calls == ["start", "stop"]
        timer = soon(world.cancel)
        assert isinstance(world.perform(browser_wait(rule())), Cancelled)
        timer.join()
        assert source.calls == ["start", "stop"] * 2
        assert isinstance(world.perform(browser_wait(rule())), Cancelled)
    assert source.calls == ["start", "stop"] * 2


def test_a_source_that_cannot_start_raises_and_the_others_are_stopped() -> None:
    first, last = Source(), Source()
    broken = Source(error=SignInError.of(ErrorKind.CALLBACK_SERVER_FAILED))
    shown: list[Wait] = []
    with (
        no_new_sockets(),
        pytest.raises(SignInError),
        SyncWorld(unsendable, on_wait=shown.append, callbacks=[first, broken, last]) as world,
    ):
        world.perform(browser_wait(rule()))
    assert (first.calls, last.calls, shown) == (["start", "stop"], [], [])


def test_an_exception_while_it_waits_stops_the_sources() -> None:
    source = Source()

    def broken(wait: Wait, at: float) -> None:
        raise LookupError

    with pytest.raises(LookupError), SyncWorld(unsendable, on_tick=broken, callbacks=[source]) as world:
        world.perform(browser_wait(rule()))
    assert source.calls == ["start", "stop"]


def test_a_redirect_counts_even_if_time_is_up_when_it_is_noticed() -> None:
    late = 0.0

    def now() -> tuple[float, float]:
        return instant() + late, 0.0

    class Sleepy(Source):
        def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
            nonlocal late
            super().start(rule, accept)
            accept(ACCEPTED)
            late = 3600.0

    with SyncWorld(unsendable, callbacks=[Sleepy()], now=now) as world:
        assert isinstance(world.perform(browser_wait(rule())), CallbackReceived)


def test_a_browser_flow_runs_with_a_real_listener() -> None:
    def browse(shown: Wait) -> None:
        if shown.callback is not None:
            query = f"error=access_denied&state={shown.callback.state.reveal()}"
            answers.append(ask(listener.port, get(f"/auth/callback?{query}", listener.port)))

    answers: list[bytes] = []
    with (
        no_new_sockets(),
        at_most(2),
        CallbackListener((0,)) as listener,
        HttpxWorld(callbacks=[listener], on_wait=browse) as world,
    ):
        flow = BrowserFlow(
            provider=CODEX, redirect_uri=listener.redirect_uri, pkce=new_pkce(), state=new_state()
        )
        outcome = run(flow, world)
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.DENIED
    assert answers[0].startswith(b"HTTP/1.1 200")
