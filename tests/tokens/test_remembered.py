"""What a token source remembers of a renewal that failed, and what it tells of it."""

from __future__ import annotations

import warnings

import pytest

from codex_oauth import CodexOAuthWarning, MemoryStore
from codex_oauth.authority import Fault
from codex_oauth.stores.memory_store import MemoryHeld
from codex_oauth.stores.store import SaveFailed
from codex_oauth_core import ErrorKind, RenewalPolicy, SignInError
from tests.tokens.rig import LIFETIME, eventually, put, renewals, rig, signed_in

MANDATORY = 200.0
DEAD = -1.0
REFUSED = Fault(endpoint="refresh", status=403, body={"error": {"code": "weird"}})
OVER = Fault(endpoint="refresh", status=401, body={"error": {"code": "refresh_token_reused"}})


def test_f37_a_login_that_the_server_ended_is_asked_about_once() -> None:
    made = rig()
    source = made.source()
    made.make_due(DEAD)
    made.authority.faults = (OVER,)
    for _ in range(500):
        with pytest.raises(SignInError) as raised:
            source.token()
        assert raised.value.kind is ErrorKind.LOGIN_REQUIRED
        made.pass_time(72)  # ten hours in all
    assert made.refreshes == 1


def test_f37_a_failure_is_remembered_for_half_a_minute_to_a_minute() -> None:
    made = rig(REFUSED)
    source = made.source(jitter=0.5)
    made.make_due(DEAD)
    errors: list[SignInError] = []
    for _ in range(44):
        with pytest.raises(SignInError) as raised:
            source.token()
        errors.append(raised.value)
        made.pass_time(1)
    assert made.refreshes == 1
    made.pass_time(2)
    with pytest.raises(SignInError):
        source.token()
    assert made.refreshes == 2
    assert {error.kind for error in errors} == {ErrorKind.INVALID_RESPONSE}


def test_every_caller_gets_an_error_of_its_own_and_tracebacks_do_not_grow() -> None:
    made = rig(REFUSED)
    source = made.source()
    made.make_due(DEAD)
    lengths: list[int] = []
    seen: set[int] = set()
    kept: list[SignInError] = []
    for _ in range(5):
        with pytest.raises(SignInError) as raised:
            source.token()
        lengths.append(len(raised.traceback))
        seen.add(id(raised.value))
        kept.append(raised.value)
    assert len(set(lengths)) == 1
    assert len(seen) == 5


def test_a_new_login_is_found_at_once_although_a_failure_is_remembered() -> None:
    made = rig(Fault(endpoint="refresh", requests="1", status=401, body={"error": {"code": "invalid_grant"}}))
    source = made.source()
    made.make_due(DEAD)
    with pytest.raises(SignInError):
        source.token()
    put(made.store, signed_in(made.world))
    assert source.token() == made.stored_token


def test_a_failure_with_a_usable_token_is_told_once_and_tried_again_a_minute_later() -> None:
    made = rig(REFUSED)
    source = made.source()
    old = source.token()
    made.make_due(MANDATORY)
    assert [source.token() for _ in range(20)] == [old] * 20
    assert made.refreshes == 1
    assert len(made.notes) == 1
    assert "still works, but could not be renewed" in made.notes[0]
    made.pass_time(61)
    assert source.token() == old
    assert made.refreshes == 2
    assert len(made.notes) == 1  # it is still the same
    made.authority.faults = ()
    made.pass_time(61)
    assert source.token() != old


def test_a_note_is_told_again_after_all_was_well_between() -> None:
    made = rig(Fault(endpoint="refresh", requests="1,3", status=403, body={"error": {"code": "weird"}}))
    source = made.source()
    for _ in range(3):
        made.make_due(MANDATORY)
        source.token()
        made.pass_time(61)
        source.token()
    eventually(lambda: renewals() == [])
    assert len(made.notes) == 2


def test_by_default_a_note_is_a_warning() -> None:
    made = rig(REFUSED)
    source = made.source(on_note=None)
    source.token()
    made.make_due(MANDATORY)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        source.token()
        eventually(lambda: bool(caught))
    assert [each.category for each in caught] == [CodexOAuthWarning]


def test_an_unsaved_renewal_is_used_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.make_due(DEAD)

    def fail(*_: object, **__: object) -> object:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"), rescued=True)

    monkeypatch.setattr(MemoryHeld, "save", fail)
    new = source.token()
    assert new != old == made.stored_token
    assert source.token() == new
    eventually(lambda: renewals() == [])
    assert len(made.notes) == 1
    assert "could not be stored" in made.notes[0]


def test_a_store_that_cannot_be_read_is_an_error_of_its_own_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rig()
    source = made.source()

    def fail(_: object) -> object:
        raise SignInError.of(ErrorKind.CORRUPT_AUTH, reason="not_json")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "current", fail)
        with pytest.raises(SignInError) as raised:
            source.token()
    assert raised.value.kind is ErrorKind.CORRUPT_AUTH
    assert source.token() == made.stored_token


def test_f32_a_clock_that_jumps_back_or_ahead_is_seen_at_once() -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.world.wall += LIFETIME * 2
    assert source.token() != old
    made.world.wall -= LIFETIME * 3
    assert source.token() == made.stored_token
    assert made.refreshes == 1


def test_a_token_that_is_born_old_does_not_make_a_loop() -> None:
    made = rig()
    source = made.source(policy=RenewalPolicy(skew=10 * LIFETIME))
    made.make_due(LIFETIME * 0.05)
    for _ in range(50):
        source.token()
        made.pass_time(0.5)
    assert made.refreshes <= 2
