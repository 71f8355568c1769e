"""A token that a server refused with 401: it is replaced once, by whoever is first."""

from __future__ import annotations

import threading

import pytest

from codex_oauth.authority import Fault
from codex_oauth_core import ErrorKind, SignInError
from tests.tokens.rig import LIFETIME, eventually, renewals, rig

ADVISORY = LIFETIME * 0.09
OVER = Fault(endpoint="refresh", status=401, body={"error": {"code": "refresh_token_reused"}})


def test_a_rejected_token_is_renewed_once() -> None:
    made = rig()
    source = made.source()
    old = source.token()
    new = source.rejected(old)
    assert new != old
    assert source.rejected(old) == new == source.token() == made.stored_token
    assert made.refreshes == 1


def test_a_second_rejection_within_a_minute_is_answered_with_the_token_as_it_is() -> None:
    made = rig()
    source = made.source()
    new = source.rejected(source.token())
    assert source.rejected(new) == new
    assert made.refreshes == 1
    made.pass_time(61)
    assert source.rejected(new) != new
    assert made.refreshes == 2


def test_a_rejected_token_that_another_process_has_replaced_costs_no_request() -> None:
    made = rig()
    source, other = made.source(), made.source()
    old = source.token()
    new = other.rejected(old)
    assert source.rejected(old) == new
    assert made.refreshes == 1


def test_a_source_that_knows_nothing_yet_can_be_told_of_a_rejected_token() -> None:
    made = rig()
    assert made.source().rejected(made.stored_token) == made.stored_token
    assert made.refreshes == 1


def test_a_token_is_not_given_out_while_its_rejection_is_looked_into() -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.gate.clear()
    got: list[str] = []
    callers = [
        threading.Thread(target=lambda: got.append(source.rejected(old))),
        threading.Thread(target=lambda: got.append(source.token())),
    ]
    callers[0].start()
    eventually(lambda: len(renewals()) == 1)
    callers[1].start()
    assert got == []
    made.gate.set()
    for caller in callers:
        caller.join()
    assert got == [made.stored_token] * 2
    assert old not in got


def test_a_rejection_during_a_renewal_that_changes_nothing_is_looked_into_by_another() -> None:
    made = rig(Fault(endpoint="refresh", requests="1", status=403, body={"error": {"code": "weird"}}))
    source = made.source()
    old = source.token()
    made.make_due(ADVISORY)
    made.gate.clear()
    assert source.token() == old  # begins a renewal
    got: list[str] = []
    caller = threading.Thread(target=lambda: got.append(source.rejected(old)))
    caller.start()
    made.gate.set()
    caller.join()
    assert got == [old]  # it failed a moment ago, and is not tried again at once
    made.pass_time(61)
    assert source.rejected(old) == made.stored_token != old


def test_a_rejected_token_whose_login_is_over_is_never_given_out_again() -> None:
    made = rig(OVER)
    source = made.source()
    old = source.token()
    for number in range(4):
        with pytest.raises(SignInError) as raised:
            source.token() if number % 2 else source.rejected(old)
        assert raised.value.kind is ErrorKind.LOGIN_REQUIRED
    made.pass_time(3600)
    with pytest.raises(SignInError):
        source.token()
    assert made.refreshes == 1
