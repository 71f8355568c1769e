"""How an access token stands at any moment: R4, R5, and the clocks of F32."""

from __future__ import annotations

import math
from typing import Any, Final

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codex_oauth_core import renewal_times as times
from codex_oauth_core.flows.renewal_policy import Freshness, RenewalPolicy, age, freshness
from codex_oauth_core.record import Record
from tests.core.storing import DAY, login
from tests.support import W0

C, A, M, X = Freshness.CURRENT, Freshness.ADVISORY, Freshness.MANDATORY, Freshness.EXPIRED
ORDER: Final = (C, A, M, X)
POLICY: Final = RenewalPolicy()
EPOCH: Final = 0.0
YEAR_2106: Final = 2.0**32
START: Final = 1_700_000_000.0
"""A whole second, so that `obtained_at` is exact."""


def issued(life: float, **changes: Any) -> Record:
    """A login obtained at `START` that lives for `life` seconds."""
    return login(obtained_at="2023-11-14T22:13:20Z", expires_at=round((START + life) * 1000), **changes)


# -- the windows (R4) ----------------------------------------------------------------------------------

# lifetime: seconds left at which the advisory window opens without jitter, and the mandatory one
WINDOWS: Final[dict[float, tuple[float, float]]] = {
    60.0: (6.0, 6.0),
    600.0: (60.0, 60.0),
    1800.0: (180.0, 180.0),
    3000.0: (300.0, 300.0),
    3600.0: (360.0, 300.0),
    36_000.0: (3600.0, 300.0),
    DAY: (8640.0, 300.0),
    10 * DAY: (DAY, 300.0),
}


@pytest.mark.parametrize(("life", "window"), WINDOWS.items(), ids=[f"{life:g} s" for life in WINDOWS])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_r4_the_windows_of_every_lifetime(life: float, window: tuple[float, float], jitter: float) -> None:
    advisory, mandatory = window[0] * (1 + 0.2 * jitter), window[1]

    def found(left: float) -> Freshness:
        return freshness(issued(life), START + life - left, POLICY, jitter)

    assert found(life) is C
    assert found(advisory + 0.01) is C
    assert found(advisory - 0.01) is (A if advisory > mandatory else M)
    assert found(mandatory + 0.01) is (A if advisory > mandatory + 0.02 else C)
    assert found(mandatory - 0.01) is M
    assert found(0.01) is M
    assert found(0.0) is X
    assert found(-0.01) is X


@pytest.mark.parametrize("life", [DAY, 2 * DAY, 10 * DAY])
def test_r4_a_token_that_lives_for_days_is_worth_renewing_an_hour_before_its_end(life: float) -> None:
    for jitter in (0.0, 1.0):
        assert freshness(issued(life), START + life - 3600, POLICY, jitter) is A


def test_r4_the_advisory_window_begins_with_its_first_instant() -> None:
    assert freshness(issued(10 * DAY), START + 9 * DAY, POLICY, 0.0) is A
    assert freshness(issued(10 * DAY), math.nextafter(START + 9 * DAY, 0.0), POLICY, 0.0) is C


def test_r4_jitter_spreads_the_begin_over_a_fifth_of_the_window_and_never_makes_it_shorter() -> None:
    begins = [next(left for left in range(110_000, 0, -10) if _advisory(left, n / 10)) for n in range(11)]
    assert begins == sorted(begins)
    assert begins[0] == pytest.approx(DAY, abs=10)
    assert begins[-1] == pytest.approx(1.2 * DAY, abs=10)


def _advisory(left: float, jitter: float) -> bool:
    return freshness(issued(10 * DAY), START + 10 * DAY - left, POLICY, jitter) is A


def test_r4_jitter_does_not_move_the_mandatory_window() -> None:
    for jitter in (0.0, 0.5, 1.0):
        assert freshness(issued(10 * DAY), START + 10 * DAY - 301, POLICY, jitter) is A
        assert freshness(issued(10 * DAY), START + 10 * DAY - 300, POLICY, jitter) is M


def test_r4_the_mandatory_window_is_as_long_as_the_policy_says() -> None:
    policy = RenewalPolicy(skew=1000.0)
    assert freshness(issued(10 * DAY), START + 10 * DAY - 1000, policy) is M
    assert freshness(issued(10 * DAY), START + 10 * DAY - 1001, policy) is A
    assert freshness(issued(60.0), START + 53.9, policy, 0.0) is C  # a tenth of its life is shorter
    assert freshness(issued(60.0), START + 54.1, policy) is M


# -- earliest_refresh_at -------------------------------------------------------------------------------


def test_r4_the_advisory_window_does_not_begin_before_the_server_wants_it() -> None:
    record = issued(10 * DAY, earliest_refresh_at=round((START + 9.5 * DAY) * 1000))
    assert freshness(record, START + 9.5 * DAY - 0.01, POLICY) is C
    assert freshness(record, START + 9.5 * DAY, POLICY) is A


def test_r4_earliest_refresh_at_does_not_open_the_window_early() -> None:
    record = issued(10 * DAY, earliest_refresh_at=round((START + DAY) * 1000))
    assert freshness(record, START + 5 * DAY, POLICY) is C


@pytest.mark.parametrize("left", [300.0, 0.5, 0.0, -5.0])
def test_r4_earliest_refresh_at_does_not_hold_back_what_must_be(left: float) -> None:
    record = issued(10 * DAY, earliest_refresh_at=round((START + 20 * DAY) * 1000))
    assert freshness(record, START + 10 * DAY - left, POLICY) is (M if left > 0 else X)


# -- nobody knows when it ends (R5) --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        (-3600.0, C),
        (0.0, C),
        (7.99 * DAY, C),
        (8 * DAY - 0.5, C),
        (8 * DAY, A),
        (80 * DAY, A),
        (10_000 * DAY, A),
    ],
)
def test_r5_a_token_of_unknown_expiry_is_renewed_after_eight_days(old: float, expected: Freshness) -> None:
    record = login(None, obtained_at="2023-11-14T22:13:20Z")
    assert freshness(record, START + old, POLICY) is expected


def test_r5_the_age_is_configurable() -> None:
    record = login(None, obtained_at="2023-11-14T22:13:20Z")
    policy = RenewalPolicy(max_age=3600.0)
    assert freshness(record, START + 3599, policy) is C
    assert freshness(record, START + 3600, policy) is A


@pytest.mark.parametrize("text", ["never", "2023-11-14", "2023-11-14T22:13:20", "9" * 40])
def test_r5_a_token_of_unknown_expiry_and_age_is_left_alone(text: str) -> None:
    record = login(None, obtained_at=text)
    assert age(record, W0) is None
    assert freshness(record, W0, POLICY) is C


def test_without_a_known_beginning_the_window_is_the_skew() -> None:
    record = login(obtained_at="never", expires_at=round((START + 1000) * 1000))
    assert freshness(record, START + 1000 - 361, POLICY, jitter=1.0) is C
    assert freshness(record, START + 1000 - 330, POLICY, jitter=1.0) is A
    assert freshness(record, START + 1000 - 330, POLICY, jitter=0.0) is C
    assert freshness(record, START + 1000 - 300, POLICY) is M
    assert freshness(record, START + 1000, POLICY) is X


# -- clocks that are wrong (F32) -----------------------------------------------------------------------


@pytest.mark.parametrize("life", [0.0, -1.0, -10 * DAY])
def test_f31_a_token_that_was_born_expired_has_expired(life: float) -> None:
    assert freshness(issued(life), START, POLICY) is X


@pytest.mark.parametrize("life", [-1.0, -10 * DAY])
def test_f32_before_a_token_that_was_born_expired_ends_the_window_is_the_skew(life: float) -> None:
    assert freshness(issued(life), START + life - 301, POLICY, 0.0) is C
    assert freshness(issued(life), START + life - 299, POLICY, 0.0) is M


def test_f32_a_clock_before_the_token_was_obtained_changes_nothing() -> None:
    for back in (1.0, 2 * 3600.0, 30 * DAY):
        assert age(issued(DAY), START - back) is None
        assert freshness(issued(DAY), START - back, POLICY) is C


@pytest.mark.parametrize(
    ("wall", "expected"), [(EPOCH, C), (1.0, C), (YEAR_2106, X), (YEAR_2106 - 1, X), (2.0**33, X)]
)
def test_f32_clocks_of_1970_and_2106(wall: float, expected: Freshness) -> None:
    assert freshness(issued(10 * DAY), wall, POLICY) is expected
    unknown = login(None, obtained_at="2023-11-14T22:13:20Z")
    assert freshness(unknown, wall, POLICY) is (C if expected is C else A)


def test_f32_tokens_of_1970_and_2106() -> None:
    at_epoch = login(obtained_at="1970-01-01T00:00:00Z", expires_at=864_000_000)
    assert freshness(at_epoch, EPOCH, POLICY) is C
    assert freshness(at_epoch, START, POLICY) is X
    in_2106 = login(obtained_at="2106-02-07T06:28:16Z", expires_at=round((YEAR_2106 + 10 * DAY) * 1000))
    assert freshness(in_2106, YEAR_2106, POLICY) is C
    assert freshness(in_2106, YEAR_2106 + 10 * DAY - 200, POLICY) is M


def test_age_counts_from_when_the_tokens_were_obtained() -> None:
    assert age(issued(DAY), START) == 0.0
    assert age(issued(DAY), START + 12.5) == 12.5
    assert age(login(obtained_at="2023-11-14T23:13:20+01:00"), START + 5) == 5.0


# -- properties ----------------------------------------------------------------------------------------

walls = st.floats(min_value=0, max_value=2.0**33, allow_nan=False)
lives = st.none() | st.floats(min_value=-DAY, max_value=400 * DAY, allow_nan=False)
jitters = st.floats(min_value=0, max_value=1)


@st.composite
def records(draw: st.DrawFn) -> Record:
    life = draw(lives)
    obtained = draw(st.sampled_from(["2023-11-14T22:13:20Z", "never", "1970-01-01T00:00:00Z"]))
    expires = None if life is None else max(0, round((START + life) * 1000))
    earliest = draw(st.none() | st.integers(0, 4 * 10**12))
    return login(obtained_at=obtained, expires_at=expires, earliest_refresh_at=earliest)


@given(record=records(), walls=st.lists(walls, min_size=2, max_size=8), jitter=jitters)
def test_f32_a_token_only_ever_gets_older(record: Record, walls: list[float], jitter: float) -> None:
    seen = [ORDER.index(freshness(record, wall, POLICY, jitter)) for wall in sorted(walls)]
    assert seen == sorted(seen)


@given(record=records(), near=st.floats(-700, 400, allow_nan=False), jitter=jitters)
def test_it_has_expired_if_and_only_if_its_end_has_come(record: Record, near: float, jitter: float) -> None:
    expires_at = record.credential.expires_at
    assume(expires_at is not None)
    assert expires_at is not None
    wall = expires_at / 1000 + near
    assert (freshness(record, wall, POLICY, jitter) is X) is (wall >= expires_at / 1000)
    if near < -300:
        assert freshness(record, wall, POLICY, jitter) in (C, A)


@given(life=st.floats(1, 30 * DAY), share=st.floats(0, 1), jitter=jitters)
def test_nothing_is_due_in_the_first_half_of_a_life(life: float, share: float, jitter: float) -> None:
    assert freshness(issued(life), START + share * life / 2, POLICY, jitter) is C


# -- the policy itself ---------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [field.name for field in attrs.fields(RenewalPolicy)])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_every_span_of_a_policy_is_positive(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: more than 0 seconds"):
        RenewalPolicy(**{field: value})


def test_the_policy_is_the_documented_one() -> None:
    spans = {field.name: getattr(POLICY, field.name) for field in attrs.fields(RenewalPolicy)}
    assert spans == {
        "skew": 300.0,
        "max_age": 691_200.0,
        "spacing": 60.0,
        "lock_limit": 20.0,
        "expired_lock_limit": 210.0,
        "request_timeout": 60.0,
        "retry_limit": 30.0,
    }


def test_r0_no_answer_is_waited_for_longer_than_others_count_on() -> None:
    """Who waits for the lock takes an intent for over 60 s after the last moment to send."""
    assert RenewalPolicy(request_timeout=60.0).request_timeout == 60.0
    for value in (60.001, math.inf):
        with pytest.raises(ValueError, match="request_timeout: at most 60 seconds"):
            RenewalPolicy(request_timeout=value)


def test_r0_the_times_are_the_documented_ones_and_derived_from_each_other() -> None:
    assert (times.SEND_BY, times.WRITE_BY, times.REQUEST_TIMEOUT, times.SAVE_WITHIN) == (5, 15, 60, 30)
    assert times.INTENT_LIFE == times.WRITE_BY + times.REQUEST_TIMEOUT + times.SAVE_WITHIN == 105
    assert (times.WAIT_USABLE, times.WAIT_EXPIRED, times.REVOKE_WITHIN) == (20, 2 * times.INTENT_LIFE, 10)


def test_f32_r13_a_clock_that_was_fast_and_was_set_right_lets_no_token_live_too_long() -> None:
    """It dated a token of ten days when it was thirty days ahead."""
    ahead, life = 30 * 86_400.0, 864_000.0
    record = attrs.evolve(
        login(life, life=life), server_offset=-ahead
    )  # by the fast clock: obtained at W0, good until W0 + life
    true_time = W0 - ahead
    assert freshness(record, true_time + 60, RenewalPolicy()) is Freshness.CURRENT
    assert freshness(record, true_time + life - 60, RenewalPolicy()) is Freshness.MANDATORY
    assert freshness(record, true_time + life + 1, RenewalPolicy()) is Freshness.EXPIRED
    assert freshness(record, W0 + 60, RenewalPolicy()) is Freshness.CURRENT  # it was not set right
    assert (
        freshness(attrs.evolve(record, server_offset=None), true_time, RenewalPolicy()) is Freshness.CURRENT
    )
