"""Device logins at the authority: issued, polled at a pace, decided once, handed out once."""

from __future__ import annotations

import re

import pytest

from codex_oauth.authority import Policy
from codex_oauth_core import CODEX
from codex_oauth_core.pkce import s256
from tests.authority.peer import BASE, Peer, read, refusal

PENDING = (403, "deviceauth_authorization_pending")
DENIED = (403, "deviceauth_authorization_denied")
EXPIRED = (403, "deviceauth_authorization_expired")
GONE = (404, "deviceauth_not_found")
SLOW_DOWN = (400, "slow_down")


def test_an_answer_has_what_every_client_needs() -> None:
    device = Peer(interval=7, lifetime=300).begin()
    assert device["interval"] == "7"
    assert device["expires_in"] == 300
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", device["user_code"])
    assert device["device_auth_id"].startswith("fake-")


def test_it_is_pending_until_a_person_approves_and_is_handed_out_once() -> None:
    peer = Peer()
    device = peer.begin()
    assert refusal(peer.poll(device)) == PENDING
    peer.sleep(5)
    assert peer.authority.decide(device["user_code"], peer.now, approve=True)
    given = read(peer.poll(device))
    assert given["code_challenge"] == s256(given["code_verifier"])
    peer.sleep(5)
    assert refusal(peer.poll(device)) == GONE


def test_a_denial_is_final() -> None:
    peer = Peer()
    device = peer.begin()
    assert peer.authority.decide(device["user_code"], peer.now, approve=False)
    assert not peer.authority.decide(device["user_code"], peer.now, approve=True)
    for _ in range(2):
        assert refusal(peer.poll(device)) == DENIED
        peer.sleep(5)


def test_it_expires_to_the_second_even_when_approved() -> None:
    peer = Peer(lifetime=60, strict_pace=False)
    device = peer.begin()
    peer.sleep(59.75)
    assert refusal(peer.poll(device)) == PENDING
    assert peer.authority.decide(device["user_code"], peer.now, approve=True)
    peer.sleep(0.25)
    assert refusal(peer.poll(device)) == EXPIRED
    assert not peer.authority.decide(device["user_code"], peer.now, approve=True)


@pytest.mark.parametrize(
    ("policy", "before", "after"),
    [
        ("ask", PENDING, PENDING),
        ("auto", PENDING, 200),
        ("deny", PENDING, DENIED),
        ("never", PENDING, PENDING),
    ],
)
def test_the_policy_decides_after_its_time(
    policy: str, before: tuple[int, str], after: tuple[int, str] | int
) -> None:
    peer = Peer(approve=policy, approve_after=20)
    device = peer.begin()
    peer.sleep(19.5)
    assert refusal(peer.poll(device)) == before
    peer.sleep(5)
    answer = peer.poll(device)
    assert (answer.status if after == 200 else refusal(answer)) == after


def test_auto_decides_at_once_by_default() -> None:
    peer = Peer(approve="auto")
    assert peer.poll(peer.begin()).status == 200


def test_under_never_not_even_a_person_can_approve() -> None:
    peer = Peer(approve="never")
    device = peer.begin()
    assert not peer.authority.decide(device["user_code"], peer.now, approve=True)


def test_a_code_that_was_never_issued_cannot_be_decided() -> None:
    with pytest.raises(LookupError):
        Peer().authority.decide("BBBB-BBBB", 0.0, approve=True)


@pytest.mark.parametrize("typed", ["{}", " {} ", "lower", "nodash", "spaces"])
def test_people_may_type_the_code_as_they_like(typed: str) -> None:
    peer = Peer()
    code = peer.begin()["user_code"]
    forms = {
        "lower": code.lower(),
        "nodash": code.replace("-", ""),
        "spaces": " ".join(code.replace("-", "")),
    }
    assert peer.authority.decide(forms.get(typed, typed.format(code)), peer.now, approve=True)


def test_two_logins_do_not_touch_each_other() -> None:
    peer = Peer()
    one, two = peer.begin(), peer.begin()
    assert peer.authority.decide(one["user_code"], peer.now, approve=True)
    assert refusal(peer.poll(two)) == PENDING
    assert peer.poll(one).status == 200


@pytest.mark.parametrize("wrong", ["device_auth_id", "user_code"])
def test_both_halves_must_belong_together(wrong: str) -> None:
    peer = Peer(approve="auto")
    device, other = peer.begin(), peer.begin()
    assert refusal(peer.poll({**device, wrong: other[wrong]})) == GONE
    assert refusal(peer.poll({**device, wrong: "unknown"})) == GONE


def test_the_user_code_of_a_poll_is_compared_exactly() -> None:
    peer = Peer(approve="auto")
    device = peer.begin()
    assert refusal(peer.poll({**device, "user_code": device["user_code"].lower()})) == GONE


# -- pace (RFC 8628 §3.5) ------------------------------------------------------------------------------


def test_the_first_poll_may_come_at_once_and_the_next_after_an_interval() -> None:
    peer = Peer()
    device = peer.begin()
    assert refusal(peer.poll(device)) == PENDING
    peer.sleep(5)
    assert refusal(peer.poll(device)) == PENDING
    peer.sleep(4.95)  # clocks differ a little
    assert refusal(peer.poll(device)) == PENDING


def test_each_poll_that_is_too_fast_costs_five_seconds_for_good() -> None:
    peer = Peer(approve="auto", approve_after=1)
    device = peer.begin()
    assert refusal(peer.poll(device)) == PENDING
    peer.sleep(4.5)
    assert refusal(peer.poll(device)) == SLOW_DOWN
    peer.sleep(9.5)
    assert refusal(peer.poll(device)) == SLOW_DOWN
    peer.sleep(15)
    assert peer.poll(device).status == 200


def test_without_strict_pace_a_client_may_poll_at_will() -> None:
    peer = Peer(strict_pace=False)
    device = peer.begin()
    assert [refusal(peer.poll(device)) for _ in range(3)] == [PENDING] * 3


# -- codes of a device login ---------------------------------------------------------------------------


@pytest.mark.parametrize("redirect_uri", [f"{BASE}/deviceauth/callback", CODEX.device_redirect_uri])
def test_the_code_can_be_exchanged_with_either_device_redirect_uri(redirect_uri: str) -> None:
    peer = Peer(approve="auto")
    given = read(peer.poll(peer.begin()))
    answer = peer.exchange(given["authorization_code"], redirect_uri, given["code_verifier"])
    assert read(answer)["token_type"] == "Bearer"


@pytest.mark.parametrize(
    "bad",
    [
        {"interval": 0},
        {"interval": 1.5},
        {"lifetime": 0},
        {"lifetime": float("inf")},
        {"approve_after": -1},
        {"approve": "maybe"},
        {"access_lifetime": 0},
        {"refresh_lifetime": 0},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each names another field
        Policy(**bad)  # type: ignore[arg-type]  # wrong on purpose
