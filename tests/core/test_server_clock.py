"""By whose clock a token expires: F32 and R13. Ours may be fast, slow, in 1970 or in 2106."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import attrs
import pytest

from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import Granted, Tokens
from codex_oauth_core.flows.grant import accept_tokens, expires_at, server_offset
from tests.codex_readers import read_exchange, read_refresh
from tests.support import T0, account_token, response, tokens

LIVES = 3600.0
TOOK = 0.25


def dated(server: float, wall: float, **fields: Any) -> tuple[Tokens, ResponseReceived]:
    """What is granted by a server whose clock shows `server`, to a machine whose clock shows `wall`."""
    headers = {"Date": format_datetime(datetime.fromtimestamp(server, UTC), usegmt=True)}
    event = response(attrs.evolve(tokens(**fields), headers=headers), T0, wall, TOOK)
    fact = read_refresh(event)
    assert isinstance(fact, Granted)
    return fact.tokens, event


NOW = 1_800_000_000.0
CLOCKS = {"right": 0.0, "two hours fast": 7200.0, "two hours slow": -7200.0, "an hour of DST": 3600.0}


# R13
@pytest.mark.parametrize("ahead", CLOCKS.values(), ids=CLOCKS.keys())
def test_f32_by_its_own_expiry_a_token_lives_as_long_whatever_our_clock_shows(ahead: float) -> None:
    wall = NOW + ahead
    found, event = dated(NOW, wall, expires_in=..., access_token=account_token(exp=NOW + LIVES))
    assert expires_at(found, event) == (wall + LIVES) * 1000
    assert server_offset(found, event) == -ahead


@pytest.mark.parametrize("ahead", CLOCKS.values(), ids=CLOCKS.keys())
def test_f32_by_expires_in_a_token_lives_from_the_request_by_our_clock(ahead: float) -> None:
    wall = NOW + ahead
    found, event = dated(NOW, wall, expires_in=LIVES, access_token=account_token(exp=NOW + 5))
    assert expires_at(found, event) == (wall - TOOK + LIVES) * 1000


IN_1970, IN_2106 = 86_400.0, 4_300_000_000.0


@pytest.mark.parametrize("wall", [IN_1970, IN_2106])
@pytest.mark.parametrize("lifetime", [LIVES, ...])
@pytest.mark.parametrize("has_date", [True, False])
def test_f32_on_a_clock_in_1970_or_2106_an_expiry_is_unknown(
    wall: float, lifetime: Any, has_date: bool
) -> None:
    access = account_token(exp=NOW + LIVES)
    found, event = dated(NOW, wall, expires_in=lifetime, access_token=access)
    if not has_date:
        found = attrs.evolve(found, server_time=None)
    assert expires_at(found, event) is None


@pytest.mark.parametrize("server", [0.0, IN_1970, IN_2106])
def test_f32_an_absurd_date_of_the_server_is_none(server: float) -> None:
    found, event = dated(server, NOW, expires_in=..., access_token=account_token(exp=NOW + LIVES))
    assert found.server_time is None
    assert server_offset(found, event) is None
    assert expires_at(found, event) == (NOW + LIVES) * 1000


@pytest.mark.parametrize("text", ["", "now", "2027-01-15T08:00:00Z", "Fri, 15 Jan 2027 08:00:00 +0000"])
def test_f32_without_a_readable_date_an_expiry_is_taken_as_it_is(text: str) -> None:
    reply = tokens(expires_in=..., access_token=account_token(exp=NOW + LIVES))
    event = response(attrs.evolve(reply, headers={"Date": text}), T0, NOW - 7200)
    found = read_refresh(event)
    assert isinstance(found, Granted)
    assert server_offset(found.tokens, event) is None
    assert expires_at(found.tokens, event) == (NOW + LIVES) * 1000


def test_f32_an_expiry_that_our_clock_would_show_outside_this_century_is_unknown() -> None:
    wall = 1_000_000_000.0  # 2001, and the token ends before that
    found, event = dated(NOW, wall, expires_in=..., access_token=account_token(exp=NOW - 30_000_000))
    assert expires_at(found, event) is None


def test_f32_a_lifetime_beyond_this_century_leaves_the_tokens_own_expiry() -> None:
    found, event = dated(NOW, NOW + 7200, expires_in=1e10, access_token=account_token(exp=NOW + LIVES))
    assert expires_at(found, event) == (NOW + 7200 + LIVES) * 1000


@pytest.mark.parametrize("ahead", [0.0, 7200.0, -7200.0])
def test_f31_a_token_that_has_expired_when_it_comes_has_an_expiry_in_the_past(ahead: float) -> None:
    wall = NOW + ahead
    found, event = dated(NOW, wall, expires_in=..., access_token=account_token(exp=NOW - 60))
    assert expires_at(found, event) == (wall - 60) * 1000


def test_f32_a_clock_that_ran_backwards_during_the_request_does_not_lengthen_a_life() -> None:
    found, event = dated(NOW, NOW, expires_in=LIVES)
    assert expires_at(found, attrs.evolve(event, sent_at=event.at + 5)) == (NOW + LIVES) * 1000


def test_f32_a_first_sign_in_is_corrected_too() -> None:
    found, event = dated(NOW, NOW + 7200, expires_in=..., access_token=account_token(exp=NOW + LIVES))
    assert read_exchange(event) == Granted(found)
    credential = accept_tokens(found, CODEX, (), event)
    assert isinstance(credential, Credential)
    assert credential.expires_at == (NOW + 7200 + LIVES) * 1000


@pytest.mark.parametrize("into", [-1.0, 0.0, 1800.0, 3600.0])
def test_f33_a_suspend_while_the_answer_was_under_way_is_no_wrong_clock(into: float) -> None:
    """The request was sent at NOW, answered some time later, and read after an hour of sleep."""
    found, event = dated(NOW + into, NOW + 3600, expires_in=..., access_token=account_token(exp=NOW + LIVES))
    slept = attrs.evolve(event, sent_at=event.at - 3600)
    assert server_offset(found, slept) == 0.0
    assert expires_at(found, slept) == (NOW + LIVES) * 1000
