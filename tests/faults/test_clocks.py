"""F32, F33, R13: this machine's clock is wrong or jumps, or the machine was suspended."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest

from codex_oauth import HttpxWorld, Store, run
from codex_oauth.authority import Authority, Policy, serve
from codex_oauth.worlds import sync_world
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    CallbackRule,
    Credential,
    DeviceFlow,
    ErrorKind,
    NotRenewed,
    Pkce,
    Renewed,
    Secret,
    SignInError,
)
from codex_oauth_core.callback import Accepted
from codex_oauth_core.outcomes import NotRenewedReason
from tests.adapters.virtual_time import skipping_world
from tests.faults.runs import Fate, Peer, SkippingClock, answer, granting, in_turn, place_at, renew
from tests.support import VERIFIER, account_token
from tests.transport.servers import Script, at_most, no_new_sockets

E = ErrorKind
HOUR, DAY = 3600.0, 86_400.0
SKEWS = {"+2 h": 2 * HOUR, "-2 h": -2 * HOUR, "+1 day": DAY, "-1 day": -DAY, "an hour of DST": HOUR}
CALENDARS = {"1970": 0.0, "2106": 4_294_967_296.0}


def issuing(clock: SkippingClock, lives: float, *leave_out: str, date: bool = True) -> Script:
    """Whenever asked: tokens that live so long by a clock that is right, and the time by that clock."""

    def script(sock: socket.socket) -> None:
        now = clock.right()
        token = account_token(marker="new", exp=round(now + lives))
        stamp = {"Date": formatdate(now, usegmt=True)} if date else {}
        granting(*leave_out, access_token=token, expires_in=round(lives), headers=stamp)(sock)

    return script


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock()


# F32, R13
@pytest.mark.parametrize("left_out", ["expires_in", "id_token"], ids=["by exp", "by expires_in"])
@pytest.mark.parametrize("skew", SKEWS.values(), ids=SKEWS)
def test_on_a_clock_that_is_wrong_a_token_lives_as_long_as_on_a_right_one(
    skew: float, left_out: str, store: Store, clock: SkippingClock
) -> None:
    clock.wrong = skew
    with no_new_sockets(), Peer(issuing(clock, HOUR, left_out)) as peer:
        ran = renew(peer.issuer, store, usable=False, clock=clock)
        assert isinstance(ran.outcome, Renewed)
        for _ in range(10):
            assert isinstance(renew(peer.issuer, store, usable=True, clock=clock).outcome, NotRenewed)
            clock.sleep(300)
        assert peer.connections == 1  # 50 minutes of 60 are over
        clock.sleep(300)
        assert renew(peer.issuer, store, usable=True, clock=clock).fate is Fate.RENEWED
        assert peer.connections == 2
    assert ran.after.server_offset == pytest.approx(-skew, abs=2)


# F32
@pytest.mark.parametrize("skew", [2 * HOUR, DAY])
def test_a_fast_clock_and_a_server_that_tells_no_time_make_one_request_a_minute(
    skew: float, store: Store, clock: SkippingClock
) -> None:
    clock.wrong = skew
    with no_new_sockets(), Peer(issuing(clock, HOUR, "expires_in", date=False)) as peer:
        for _ in range(12):
            ran = renew(peer.issuer, store, usable=False, clock=clock)
            assert (ran.error.kind, ran.error.details["reason"]) == (E.INVALID_RESPONSE, "expired_token")
            assert "clock" in ran.error.message
            clock.sleep(10)
        assert peer.connections == 2


# F32
@pytest.mark.parametrize("jump", SKEWS.values(), ids=SKEWS)
def test_a_jump_of_the_clock_between_two_renewals_makes_no_loop(
    jump: float, store: Store, clock: SkippingClock
) -> None:
    with no_new_sockets(), Peer(issuing(clock, 1800.0)) as peer:
        renew(peer.issuer, store, usable=False, clock=clock)
        for wrong in (jump, 0.0, -jump, 0.0):
            clock.wrong = wrong
            for _ in range(5):
                ran = renew(peer.issuer, store, usable=True, clock=clock)
                assert isinstance(ran.outcome, NotRenewed | Renewed)
                clock.sleep(1)
        assert peer.connections <= 4  # one at most for each time that the token seemed to be over


# F32
@pytest.mark.parametrize("wall", CALENDARS.values(), ids=CALENDARS)
def test_in_1970_and_in_2106_one_renewal_gives_a_login_that_stays(
    wall: float, store: Store, clock: SkippingClock
) -> None:
    rejected = Secret(account_token())
    with no_new_sockets(), Peer(issuing(clock, HOUR)) as peer:
        stored = renew(peer.issuer, store, usable=False, clock=clock, rejected=rejected)
        assert isinstance(stored.outcome, Renewed)
        clock.wrong = wall - clock.right()
        refused = stored.after.credential.access_token
        moved = renew(peer.issuer, store, usable=False, clock=clock, rejected=refused)
        assert (moved.fate, moved.after.credential.expires_at) == (Fate.RENEWED, None)
        for _ in range(5):
            assert renew(peer.issuer, store, usable=True, clock=clock).outcome == NotRenewed(
                moved.after, NotRenewedReason.CURRENT
            )
            clock.sleep(DAY)
        assert peer.connections == 2


# F32
def test_a_clock_that_was_in_1970_and_is_right_again_renews_once(store: Store, clock: SkippingClock) -> None:
    clock.wrong = 20 * DAY - clock.right()
    with no_new_sockets(), Peer(issuing(clock, DAY)) as peer:
        renew(peer.issuer, store, usable=False, clock=clock)
        assert peer.connections == 1
        clock.wrong = 0.0
        assert renew(peer.issuer, store, usable=True, clock=clock).fate is Fate.RENEWED
        assert isinstance(renew(peer.issuer, store, usable=True, clock=clock).outcome, NotRenewed)
        assert peer.connections == 2


@pytest.fixture(params=["Europe/Berlin", "America/New_York", "Pacific/Apia", "UTC"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("a process cannot change its time zone here")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# F32
@pytest.mark.usefixtures("_zone")
def test_no_time_zone_and_no_dst_changes_anything(store: Store, clock: SkippingClock) -> None:
    october = 1_793_496_600.0  # 2026-11-01, while clocks are set back in New York
    clock.wrong = october - clock.right()
    with no_new_sockets(), Peer(granting()) as peer:
        ran = renew(peer.issuer, store, usable=False, clock=clock)
        assert ran.after.credential.obtained_at.startswith("2026-11-01T")
        assert ran.after.credential.obtained_at.endswith("Z")
        clock.sleep(2 * HOUR)
        assert isinstance(renew(peer.issuer, store, usable=True, clock=clock).outcome, NotRenewed)
        assert peer.connections == 1


# F32
@pytest.mark.parametrize("jump", SKEWS.values(), ids=SKEWS)
def test_a_jump_of_the_clock_during_a_device_login_changes_nothing(jump: float, clock: SkippingClock) -> None:
    authority = Authority(policy=Policy(approve="auto", approve_after=60.0))
    signs = iter([jump, 0.0, -jump] * 100)

    def jumps() -> None:
        clock.wrong = next(signs)

    clock.meanwhile = jumps
    outcome = _device_login(authority, clock)
    assert isinstance(outcome, Credential)
    assert len(authority.received("poll")) == 12


# -- F33: suspended --------------------------------------------------------------------------------------


def _device_login(authority: Authority, clock: SkippingClock) -> Credential | SignInError:
    with serve(authority, clock=clock.instant, wall=clock.wall) as server, skipping_world(clock) as world:
        return run(DeviceFlow(provider=CODEX.at(server.url)), world)


def _once(action: Callable[[], None], at: int) -> Callable[[], None]:
    """Something that does `action` when it is called the `at`-th time."""
    calls = iter(range(1, 10_000))
    return lambda: action() if next(calls) == at else None


# F33
def test_a_code_that_expired_in_suspend_has_expired_without_a_poll(clock: SkippingClock) -> None:
    authority = Authority(policy=Policy(approve="never", strict_pace=True))
    clock.meanwhile = _once(lambda: clock.sleep(HOUR), at=3)
    outcome = _device_login(authority, clock)
    assert isinstance(outcome, SignInError)
    assert (outcome.kind, len(authority.received("poll"))) == (E.EXPIRED, 2)


# F33
def test_after_a_shorter_suspend_there_is_one_poll_at_once_and_no_burst(clock: SkippingClock) -> None:
    authority = Authority(policy=Policy(approve="auto", approve_after=700.0, interval=5))
    clock.meanwhile = _once(lambda: clock.sleep(600), at=3)
    assert isinstance(_device_login(authority, clock), Credential)
    polls = [request.at for request in authority.received("poll")]
    gaps = [round(after - before) for before, after in itertools.pairwise(polls)]
    assert gaps[:4] == [5, 600, 5, 5]
    assert min(gaps) >= 5


class _Redirect:
    """A source of callbacks that brings one redirect when it is told to."""

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        self._rule, self._accept = rule, accept

    def stop(self) -> None: ...

    def come(self, query: str) -> None:
        found = self._rule.judge(f"{self._rule.redirect_uri}?{query}")
        assert isinstance(found, Accepted)
        self._accept(found)


def _wait_for_a_redirect(
    clock: SkippingClock, monkeypatch: pytest.MonkeyPatch, then: Callable[[_Redirect], None]
) -> Any:
    """Sign in with the browser; `then` happens a moment after the wait has begun."""
    monkeypatch.setattr(sync_world, "SLICE", 0.05)
    state = "canary-state-0123456789-0123456789-0123456789"
    flow = BrowserFlow(
        redirect_uri="http://localhost:1455/auth/callback",
        pkce=Pkce(Secret(VERIFIER), "challenge"),
        state=Secret(state),
    )
    source = _Redirect()
    timer = threading.Timer(0.1, then, (source,))
    with (
        HttpxWorld(now=clock.now, callbacks=[source], on_wait=lambda _wait: timer.start()) as world,
        at_most(3),
    ):
        outcome = run(flow, world)
    timer.join()
    return outcome


# F33
def test_a_wait_for_the_browser_that_ended_in_suspend_is_over_at_resume(
    clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = _wait_for_a_redirect(clock, monkeypatch, lambda _: clock.sleep(HOUR))
    assert outcome.kind is E.TIMEOUT


# F33
def test_after_a_shorter_suspend_the_browser_is_still_listened_to(
    clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def then(source: _Redirect) -> None:
        clock.sleep(500)
        source.come("error=access_denied&state=canary-state-0123456789-0123456789-0123456789")

    assert _wait_for_a_redirect(clock, monkeypatch, then).kind is E.DENIED


# F33
def test_a_renewal_that_was_suspended_between_two_tries_ends_and_makes_no_burst(
    store: Store, clock: SkippingClock
) -> None:
    class Suspended(SkippingClock):
        def skip(self, wait: Any) -> None:
            super().skip(wait)
            self.sleep(HOUR)

    with no_new_sockets(), Peer(answer(429, {}, Retry_After="5")) as peer:
        ran = renew(peer.issuer, store, usable=False, clock=Suspended())
        assert peer.connections == 1
    assert (ran.error.kind, ran.fate) == (E.RATE_LIMITED, Fate.INTACT)


# F33, R13
def test_a_login_that_expired_in_suspend_is_renewed_at_resume(store: Store, clock: SkippingClock) -> None:
    with no_new_sockets(), Peer(in_turn(issuing(clock, HOUR), issuing(clock, HOUR))) as peer:
        renew(peer.issuer, store, usable=False, clock=clock)
        clock.sleep(2 * HOUR)
        assert renew(peer.issuer, store, usable=False, clock=clock).fate is Fate.RENEWED
        assert peer.connections == 2
    assert store.names() == (place_at(peer.issuer),)
