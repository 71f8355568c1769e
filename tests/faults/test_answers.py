"""F26, F28 to F30, F37: the server refuses, or asks for patience; what it says decides, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from codex_oauth import Store
from codex_oauth_core import ErrorKind, NotRenewed, Secret
from codex_oauth_core.codex.codes import LOGIN_OVER
from tests.faults.runs import OLD, Fate, Peer, SkippingClock, answer, granting, in_turn, renew
from tests.support import account_token
from tests.transport.servers import Script, no_new_sockets

E = ErrorKind
HTML = b"<html><title>canary"
BOTH = pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])


def refusal(status: int, code: Any, **headers: str) -> Script:
    return answer(status, {"error": {"code": code, "message": "canary prose"}}, **headers)


def page(status: int, **headers: str) -> Script:
    return answer(status, HTML, Content_Type="text/html; charset=utf-8", **headers)


# -- refusals -------------------------------------------------------------------------------------------

KEPT: dict[str, tuple[Script, ErrorKind]] = {
    "F26 403 Cloudflare": (page(403, cf_mitigated="challenge", Server="cloudflare"), E.BLOCKED),
    "F26 403 page": (page(403), E.BLOCKED),
    "F26 401 page": (page(401), E.BLOCKED),
    "F26 403 challenge in JSON": (answer(403, {}, cf_mitigated="challenge"), E.BLOCKED),
    "F26 407": (answer(407), E.BLOCKED),
    "F26 code in a challenge": (refusal(400, "invalid_grant", cf_mitigated="challenge"), E.BLOCKED),
    "F30 unknown code 400": (refusal(400, "weird"), E.INVALID_RESPONSE),
    "F30 unknown code 403": (refusal(403, "something_new"), E.INVALID_RESPONSE),
    "F30 empty 400": (answer(400), E.INVALID_RESPONSE),
    "F30 empty 401": (answer(401), E.INVALID_RESPONSE),
    "F30 empty 403": (answer(403), E.INVALID_RESPONSE),
    "F30 code is a number": (refusal(400, 7), E.INVALID_RESPONSE),
    "F30 code is a list": (refusal(400, ["invalid_grant"]), E.INVALID_RESPONSE),
    "F30 code is null": (refusal(403, None), E.INVALID_RESPONSE),
    "F30 noise 401": (answer(401, b"canary"), E.INVALID_RESPONSE),
    "F30 refresh token as code": (refusal(400, OLD), E.INVALID_RESPONSE),
    "F30 invalid_client": (refusal(401, "invalid_client"), E.CLIENT_REJECTED),
    "F30 unauthorized_client": (refusal(400, "unauthorized_client"), E.CLIENT_REJECTED),
    "F30 region": (refusal(403, "unsupported_country_region_territory"), E.REGION_BLOCKED),
    "F30 region in a 200": (refusal(200, "unsupported_country_region_territory"), E.REGION_BLOCKED),
}


@BOTH
@pytest.mark.parametrize("name", KEPT)
def test_a_refusal_that_says_nothing_of_the_login_leaves_it_intact(
    name: str, usable: bool, store: Store
) -> None:
    script, kind = KEPT[name]
    with no_new_sockets(), Peer(script) as peer:
        ran = renew(peer.issuer, store, usable=usable)
        assert peer.connections == 1
    assert (peer.sent, ran.fate, ran.waits) == (1, Fate.INTACT, [])
    assert (ran.error.kind, isinstance(ran.outcome, NotRenewed)) == (kind, usable)


OVER: dict[str, Script] = {
    **{f"F30 {code} nested": refusal(401, code) for code in LOGIN_OVER},
    **{f"F30 {code} flat": answer(400, {"error": code}) for code in LOGIN_OVER},
    **{f"F30 token_expired {status}": refusal(status, "token_expired") for status in (200, 403, 429, 503)},
    "F30 401 JSON, unknown code": refusal(401, "something_new"),
    "F30 401 JSON, no code": answer(401, {"detail": "canary"}),
}


@BOTH
@pytest.mark.parametrize("name", OVER)
def test_a_login_that_the_server_has_ended_is_remembered_and_not_deleted(
    name: str, usable: bool, store: Store
) -> None:
    with no_new_sockets(), Peer(OVER[name]) as peer:
        ran = renew(peer.issuer, store, usable=usable)
        again = renew(peer.issuer, store, usable=usable)
        assert peer.connections == 1
    assert (peer.sent, ran.fate, again.fate) == (1, Fate.DEAD, Fate.INTACT)
    for each in (ran, again):
        assert (each.error.kind, isinstance(each.outcome, NotRenewed)) == (E.LOGIN_REQUIRED, usable)
        assert each.error.message == again.error.message
    assert again.after.credential == ran.before.credential


# F37
@pytest.mark.parametrize("code", ["refresh_token_invalidated", "token_invalidated", "invalid_grant"])
def test_a_family_that_was_revoked_is_one_failure_and_no_storm(code: str, store: Store) -> None:
    clock = SkippingClock()
    with no_new_sockets(), Peer(in_turn(granting(), refusal(401, code))) as peer:
        first = renew(peer.issuer, store, usable=False, clock=clock)
        rejected = Secret(account_token(marker="new"))
        kinds: list[ErrorKind] = []
        for _ in range(20):
            kinds.append(renew(peer.issuer, store, usable=False, clock=clock, rejected=rejected).error.kind)
            clock.sleep(3600)
        assert peer.connections == 2
    assert first.fate is Fate.RENEWED
    assert kinds == [E.LOGIN_REQUIRED] * 20


# -- slower, please: F28, F29 ---------------------------------------------------------------------------


def dated(seconds: int) -> dict[str, str]:
    """A Retry-After date so far from the `Date` of the same answer, both far from this machine's clock."""
    times = (f"Thu, 01 Jan 2015 00:00:{second:02} GMT" for second in (0, seconds))
    return dict(zip(("Date", "Retry_After"), times, strict=True))


SLOWER: dict[str, tuple[Script, ErrorKind, float]] = {
    "F28 seconds": (answer(429, {}, Retry_After="7"), E.RATE_LIMITED, 7.0),
    "F28 a date": (answer(429, {}, **dated(20)), E.RATE_LIMITED, 20.0),
    "F28 garbage": (answer(429, {}, Retry_After="soon"), E.RATE_LIMITED, 1.0),
    "F28 negative": (answer(429, {}, Retry_After="-5"), E.RATE_LIMITED, 1.0),
    "F28 zero": (answer(429, {}, Retry_After="0"), E.RATE_LIMITED, 1.0),
    "F28 none": (answer(429), E.RATE_LIMITED, 1.0),
    "F28 page": (page(429, Retry_After="3"), E.RATE_LIMITED, 3.0),
    "F28 with a code": (refusal(429, "rate_limit_exceeded", Retry_After="3"), E.RATE_LIMITED, 3.0),
    "F29 503 with Retry-After": (answer(503, {}, Retry_After="3"), E.NETWORK, 3.0),
}


@pytest.mark.parametrize("name", SLOWER)
def test_a_wish_for_fewer_requests_is_honoured_without_the_lock(name: str, store: Store) -> None:
    script, kind, seconds = SLOWER[name]
    with no_new_sockets(), Peer(in_turn(script, granting())) as peer:
        ran = renew(peer.issuer, store, usable=False)
    assert (peer.sent, ran.fate, len(ran.waits)) == (2, Fate.RENEWED, 1)
    assert ran.waits[0][0] == pytest.approx(seconds, abs=0.2)
    assert ran.waits[0][1] == ("rate_limited" if kind is E.RATE_LIMITED else "retry")


@pytest.mark.parametrize("name", SLOWER)
def test_while_the_token_is_usable_nobody_waits(name: str, store: Store) -> None:
    script, kind, _ = SLOWER[name]
    with no_new_sockets(), Peer(script) as peer:
        ran = renew(peer.issuer, store, usable=True)
        assert peer.connections == 1
    assert (ran.error.kind, ran.fate, ran.waits) == (kind, Fate.INTACT, [])


# F28
@BOTH
@pytest.mark.parametrize("header", ["31", "45", "1000000000", "9999999999", "Thu, 01 Jan 2099 00:00:00 GMT"])
def test_a_wish_beyond_the_limit_ends_it_at_once(header: str, usable: bool, store: Store) -> None:
    with no_new_sockets(), Peer(answer(429, {}, Retry_After=header)) as peer:
        ran = renew(peer.issuer, store, usable=usable)
        assert peer.connections == 1
    assert (ran.error.kind, ran.fate, ran.waits) == (E.RATE_LIMITED, Fate.INTACT, [])
    assert isinstance(ran.outcome, NotRenewed) is usable


# F28, F29
@pytest.mark.parametrize("status", [429, 503])
def test_the_total_limit_holds_whatever_the_server_wishes(status: int, store: Store) -> None:
    with no_new_sockets(), Peer(answer(status, {}, Retry_After="9")) as peer:
        ran = renew(peer.issuer, store, usable=False)
    assert (peer.sent, ran.fate, len(ran.waits)) == (4, Fate.INTACT, 3)
    assert ran.waited < 30
