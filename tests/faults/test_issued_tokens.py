"""F26, F31, T1 to T4, J1 to J8: tokens are issued, whole or not, and odd in every way."""

from __future__ import annotations

import base64
from typing import Any

import attrs
import pytest

from codex_oauth import Store
from codex_oauth_core import ErrorKind, NotRenewed, Renewed, Secret
from codex_oauth_core.flows.renewed_record import UNUSABLE
from codex_oauth_core.outcomes import NotRenewedReason
from tests.faults.runs import ACCOUNT, NEW, OLD, Fate, Peer, SkippingClock, answer, granting, place_at, renew
from tests.support import account_token
from tests.transport.servers import Script, no_new_sockets

E = ErrorKind
BOTH = pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])


@pytest.mark.parametrize("label", ["text/plain", "text/html", "application/octet-stream", ""])
def test_f26_tokens_are_tokens_whatever_the_label_says(label: str, store: Store) -> None:
    body = b'{"access_token": "%s", "refresh_token": "%s"}' % (account_token().encode(), NEW.encode())
    with no_new_sockets(), Peer(answer(200, body, Content_Type=label)) as peer:
        ran = renew(peer.issuer, store, usable=False)
    assert (peer.sent, ran.fate) == (1, Fate.RENEWED)
    assert isinstance(ran.outcome, Renewed)


@attrs.frozen
class Granted:
    """What is issued, and what becomes of the old and the new."""

    script: Script
    refresh_token: str = NEW
    reason: str | None = None
    spent: bool = False


UNFIT: dict[str, Any] = {
    "T1 a space": "canary token",
    "T1 a line feed": "canary\ntoken",
    "T1 a header": "canary\r\nX-Evil: 1",
    "T1 a NUL": "canary\0",
    "T1 nothing": "",
    "T2 a letter beyond ASCII": "canäry",
    "T2 a lone surrogate": "canary\ud800",
    "T3 one letter too long": "c" * 16_385,
    "T3 a megabyte": "c" * 1_000_000,
    "T4 null": None,
    "T4 a list": ["canary"],
    "T4 an object": {"canary": "canary"},
    "T4 a number": 7,
    "T4 true": True,
}


GRANTED = {
    "F31 all": Granted(granting()),
    "F31 no refresh_token": Granted(granting("refresh_token"), OLD),
    "F31 the same refresh_token": Granted(granting(refresh_token=OLD), OLD),
    "F31 no id_token": Granted(granting(id_token=None)),
    "F31 no access_token": Granted(granting("access_token"), reason="access_token"),
    "F31 no bearer": Granted(granting(token_type="mac"), reason="token_type"),
    "F31 expired": Granted(
        granting("expires_in", access_token=account_token(exp=1_500_000_000)), reason="expired_token"
    ),
    **{
        f"{what} as {name}": Granted(
            granting(**{name: value}),
            OLD if name == "refresh_token" else NEW,
            "access_token" if name == "access_token" else None,
            spent=name == "refresh_token" and value is not None,
        )
        for name in ("access_token", "refresh_token", "id_token")
        for what, value in UNFIT.items()
    },
}


@BOTH
@pytest.mark.parametrize("name", GRANTED)
def test_what_was_issued_is_saved_before_anything_else_in_it_is_judged(
    name: str, usable: bool, store: Store
) -> None:
    granted = GRANTED[name]
    with no_new_sockets(), Peer(granted.script) as peer:
        ran = renew(peer.issuer, store, usable=usable)
    assert (peer.sent, ran.fate) == (1, Fate.SPENT if granted.spent else Fate.RENEWED)
    saved = ran.after.credential
    assert saved.refresh_token == Secret(granted.refresh_token)
    assert saved.id_token == ran.before.credential.id_token
    if granted.reason is None:
        assert isinstance(ran.outcome, Renewed)
        assert saved.access_token == Secret(account_token(marker="new"))
    else:
        assert (ran.error.kind, ran.error.details["reason"]) == (E.INVALID_RESPONSE, granted.reason)
        assert (saved.access_token == UNUSABLE) is (granted.reason != "expired_token")


def segment(text: str | bytes) -> str:
    """A part of a JWT with this content."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claiming(text: str | bytes, header: str = '{"alg":"RS256"}') -> str:
    """A JWT with this payload."""
    return f"{segment(header)}.{segment(text)}.sig"


def naming(account_id: str) -> str:
    """A JWT with this, as JSON, for an account id."""
    return claiming(f'{{"https://api.openai.com/auth": {{"chatgpt_account_id": {account_id}}}}}')


JWTS = {
    "J1 opaque": "at-canary-1",
    "J1 dots": "....",
    "J1 empty payload": "a..b",
    "J1 two parts": "a.b",
    "J1 four parts": f"{claiming('{}')}.x",
    "J1 no base64": "h.!!!.s",
    "J1 no JSON": claiming("canary"),
    "J1 no UTF-8": claiming(b"\xff\xfe"),
    "J2 a list": claiming("[1]"),
    "J2 null": claiming("null"),
    "J2 a number": claiming("7"),
    **{
        f"J3 exp {exp:.9}": claiming(f'{{"exp": {exp}}}')
        for exp in (
            '"1900000000"',
            "true",
            "NaN",
            "Infinity",
            "1e400",
            "9" * 5000,
            "1900000000000",
            "-5",
            "[]",
        )
    },
    "J4 exp twice": claiming('{"exp": 1, "exp": 2}'),
    "J5 nested lists": claiming("[" * 12_000),
    "J5 too long": claiming('{"a": "' + "x" * 11_900 + '"}'),
    "J6 a lone surrogate": claiming('{"email": "\ud800"}'),
    "J6 escape sequences": claiming('{"email": "\\u001b]52;c;canary\\u0007", "plan": "\\u202e"}'),
    "J7 alg none": claiming("{}", '{"alg":"none"}'),
    "J7 a URL for keys": claiming("{}", '{"crit":["x"],"kid":"../x","jku":"http://127.0.0.1:9/canary"}'),
    "J8 no account": claiming("{}"),
    "J8 empty account": naming('""'),
    "J8 account is a number": naming("7"),
    "J8 account is a list": naming('["acct_other"]'),
    "J8 account with a line end": naming('"acct\\r\\nX-Evil: 1"'),
    "J8 account too long": naming(f'"{"a" * 256}"'),
}


@pytest.mark.parametrize("name", JWTS)
def test_what_a_token_says_of_itself_can_break_nothing(name: str, store: Store) -> None:
    clock, token = SkippingClock(), JWTS[name]
    with no_new_sockets(), Peer(granting(access_token=token)) as peer:
        ran = renew(peer.issuer, store, usable=False, clock=clock)
    assert isinstance(ran.outcome, Renewed)
    assert (ran.fate, ran.after.credential.account_id) == (Fate.RENEWED, ACCOUNT)
    assert ran.after.credential.access_token == Secret(token)
    expires_at = ran.after.credential.expires_at
    assert expires_at is not None
    assert expires_at / 1000 - clock.wall() == pytest.approx(TEN_DAYS, abs=3)


HOUR, TEN_DAYS = 3600.0, 864_000.0
EXPIRIES: dict[str, tuple[Any, float | None]] = {
    "a number": (TEN_DAYS, TEN_DAYS),
    "a string": ("864000", TEN_DAYS),
    "absent": (..., None),
    "null": (None, None),
    "zero": (0, None),
    "negative": (-5, None),
    "true": (True, None),
    "a word": ("soon", None),
    "a list": ([3600], None),
    "huge": (1e300, None),
    "5000 digits": ("9" * 5000, None),
}


@pytest.mark.parametrize("with_exp", [True, False], ids=["exp", "no exp"])
@pytest.mark.parametrize("name", EXPIRIES)
def test_f31_every_form_of_expires_in(name: str, with_exp: bool, store: Store) -> None:
    value, lifetime = EXPIRIES[name]
    clock = SkippingClock()
    exp: dict[str, Any] = {"exp": round(clock.wall() + HOUR)} if with_exp else {}
    token = account_token(marker="new", **exp)
    with (
        no_new_sockets(),
        Peer(
            granting(*(["expires_in"] if value is ... else []), access_token=token, expires_in=value)
        ) as peer,
    ):
        ran = renew(peer.issuer, store, usable=False, clock=clock)
    assert isinstance(ran.outcome, Renewed)
    found = ran.after.credential.expires_at
    expected = lifetime or (HOUR if with_exp else None)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found / 1000 - clock.wall() == pytest.approx(expected, abs=3)


# F31, R5
def test_a_login_whose_expiry_is_unknown_is_renewed_by_its_age(store: Store) -> None:
    clock = SkippingClock()
    with no_new_sockets(), Peer(granting("expires_in")) as peer:
        renew(peer.issuer, store, usable=False, clock=clock)
        clock.sleep(7.9 * 86_400)
        young = renew(peer.issuer, store, usable=True, clock=clock)
        assert (young.outcome, peer.connections) == (NotRenewed(young.after, NotRenewedReason.CURRENT), 1)
        clock.sleep(0.2 * 86_400)
        assert renew(peer.issuer, store, usable=True, clock=clock).fate is Fate.RENEWED
        assert peer.connections == 2


# F31
@BOTH
def test_another_account_is_kept_under_its_own_id_and_the_old_token_is_never_sent_again(
    usable: bool, store: Store
) -> None:
    clock = SkippingClock()
    stranger = account_token("acct_other", marker="new")
    with no_new_sockets(), Peer(granting(access_token=stranger)) as peer:
        ran = renew(peer.issuer, store, usable=usable, clock=clock)
        again = renew(peer.issuer, store, usable=usable, clock=clock)
        assert peer.connections == 1
    assert (ran.fate, ran.error.kind, again.error.kind) == (Fate.SPENT, E.ACCOUNT_CHANGED, E.LOGIN_REQUIRED)
    assert [isinstance(each.outcome, NotRenewed) for each in (ran, again)] == [usable] * 2
    (name,) = set(store.names()) - {place_at(peer.issuer)}
    other = store.slot(name).load()
    assert other is not None
    assert (other.credential.account_id, other.credential.key) == ("acct_other", name)
    assert (other.credential.access_token, other.credential.refresh_token) == (Secret(stranger), Secret(NEW))
    mine = store.slot(place_at(peer.issuer)).load()
    assert mine is not None
    assert mine.credential == ran.before.credential


# F31
@BOTH
def test_a_token_that_was_born_expired_is_told_once_a_minute_and_not_renewed_in_a_loop(
    usable: bool, store: Store
) -> None:
    clock = SkippingClock()
    dead = granting("expires_in", access_token=account_token(exp=1_500_000_000))
    with no_new_sockets(), Peer(dead) as peer:
        for _ in range(5):
            ran = renew(peer.issuer, store, usable=usable, clock=clock)
            assert ran.error.details["reason"] == "expired_token"
        assert peer.connections == 1
        clock.sleep(61)
        renew(peer.issuer, store, usable=usable, clock=clock)
        assert peer.connections == 2
