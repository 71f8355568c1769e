"""Edges: the exact instants, sizes and histories at which a rule begins to hold."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from codex_oauth import run
from codex_oauth.testing import FakeWorld, Lost, Reply, scripted
from codex_oauth.testing.scenarios import DONE, GONE, RESET, UNKNOWN, UNSENT
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    Cause,
    Credential,
    DeviceFlow,
    Effect,
    ErrorKind,
    Event,
    Finished,
    Phase,
    Renewal,
    RequestFailed,
    Revocation,
    Secret,
    SignInError,
    Started,
    StoreLogin,
    TimeReached,
    Wait,
)
from codex_oauth_core.codex.answers import read_device_authorization
from codex_oauth_core.codex.claims import read_profile
from codex_oauth_core.facts import Approved, Issued, Pending, Refusal, SlowDown, TryAgain
from codex_oauth_core.flows.device import State
from codex_oauth_core.flows.pace import Pace
from codex_oauth_core.reading.json_body import MAX_BODY, read_json
from codex_oauth_core.reading.jwt import read_claims
from codex_oauth_core.reading.times import http_date, read_seconds, retry_after
from codex_oauth_core.secret import leaks
from tests.codex_readers import read_exchange, read_poll, read_refresh
from tests.support import (
    DEVICE_ID,
    PENDING,
    SIGN_IN,
    T0,
    W0,
    account_token,
    approved,
    as_json,
    code,
    issued,
    jwt,
    page,
    response,
    tokens,
)

E = ErrorKind
SECRET = "canary-handed-out-and-echoed"


def sign_in(*replies: Reply | Lost, **options: Any) -> tuple[Any, FakeWorld]:
    world = FakeWorld(scripted(replies))
    return run(DeviceFlow(**options), world), world


def after(*events: Event, **options: Any) -> tuple[DeviceFlow, Effect]:
    """A flow that was started and took these events, and its effect."""
    flow = DeviceFlow(**options)
    effect = flow.receive(Started(T0, W0))
    for event in events:
        effect = flow.receive(event)
    return flow, effect


def unsent(at: float) -> RequestFailed:
    return RequestFailed(at, Phase.NOT_SENT, Cause.DNS)


def limited(seconds: str, status: int = 429) -> Event:
    return response(as_json(status, {}, {"Retry-After": seconds}), T0)


def error_of(effect: Effect) -> SignInError:
    assert isinstance(effect, Finished)
    assert isinstance(effect.outcome, SignInError)
    return effect.outcome


TO_THE_EXCHANGE = (response(issued(), T0), TimeReached(T0 + 5), response(approved(), T0 + 5))


# -- histories ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        ((issued(), PENDING, as_json(403, {}), UNKNOWN), E.DEVICE_AUTH_FAILED),
        ((issued(expires_in=16), RESET, PENDING), E.EXPIRED),
        ((issued(), PENDING, RESET, UNSENT, GONE), E.APPROVAL_LOST),
        ((issued(), GONE, UNKNOWN, *DONE), None),
    ],
)
def test_what_a_later_answer_remembers(replies: tuple[Reply | Lost, ...], kind: ErrorKind | None) -> None:
    outcome, _ = sign_in(*replies)
    assert isinstance(outcome, Credential if kind is None else SignInError)
    assert getattr(outcome, "kind", None) in (kind, "subscription")


def test_a_failure_before_the_code_does_not_explain_its_expiry() -> None:
    flow, _ = after(unsent(T0), TimeReached(T0 + 1), response(issued(), T0 + 2), TimeReached(T0 + 3600))
    assert flow.state is State.EXPIRED


def test_an_ending_keeps_its_code_and_status() -> None:
    outcome, _ = sign_in(issued(), PENDING, GONE)
    assert outcome.details == {"code": "deviceauth_not_found", "status": 404}
    outcome, _ = sign_in(*[code("overloaded", 503)] * 3)
    assert outcome.details == {"code": "overloaded", "status": 503}


# -- instants ----------------------------------------------------------------------------------------


def test_the_limit_for_a_code() -> None:
    assert isinstance(after(unsent(T0), TimeReached(T0 + 30))[1], Finished)
    assert isinstance(after(limited("30"))[1], Finished)
    _, wait = after(limited("0"))
    assert isinstance(wait, Wait)
    assert wait.until == T0 + 1


def test_a_failing_server_that_asks_for_more_patience_than_we_have_limits_us() -> None:
    ended = error_of(after(limited("40", 503))[1])
    assert (ended.kind, ended.details) == (E.RATE_LIMITED, {"status": 503})


def test_the_callers_limit_counts_from_the_start() -> None:
    events = (unsent(T0 + 15), TimeReached(T0 + 16), response(issued(), T0 + 17))
    flow, wait = after(*events, max_lifetime=20.0)
    assert isinstance(wait, Wait)
    assert wait.until <= T0 + 20
    assert error_of(flow.receive(TimeReached(T0 + 20))).kind is E.EXPIRED


def test_every_request_has_the_callers_timeout() -> None:
    _, world = sign_in(*SIGN_IN, request_timeout=7.0)
    assert [request.timeout for request in world.requests] == [7.0] * 4
    with pytest.raises(ValueError, match="request_timeout"):
        DeviceFlow(request_timeout=float("inf"))


def test_the_pace_at_the_deadline() -> None:
    assert Pace(5.0, T0 + 10).failed(T0) == T0 + 8  # a back-off that ends exactly at the deadline
    assert Pace(5.0, T0 + 25).failed(T0, 60.0) == T0 + 25  # no poll before Retry-After has passed


def test_the_limit_for_an_exchange() -> None:
    flow, _ = after(*TO_THE_EXCHANGE, unsent(T0 + 17), TimeReached(T0 + 18))
    assert isinstance(flow.receive(unsent(T0 + 30)), Wait)  # 27 of 30 s
    assert isinstance(flow.receive(TimeReached(T0 + 35)), Finished)
    assert isinstance(after(*TO_THE_EXCHANGE, unsent(T0 + 34))[1], Finished)


def test_an_untrusted_certificate_at_the_exchange_keeps_its_cause() -> None:
    failed = RequestFailed(T0 + 6, Phase.MAYBE_SENT, Cause.TLS_CERTIFICATE)
    ended = error_of(after(*TO_THE_EXCHANGE, failed)[1])
    assert (ended.kind, ended.details) == (E.TLS_UNTRUSTED, {"cause": "tls_certificate"})


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (Cause.TOO_BIG, E.INVALID_RESPONSE),
        (Cause.TLS_EOF, E.NETWORK),
        (Cause.PROXY, E.NETWORK),
        (Cause.TRUNCATED, E.NETWORK),
    ],
)
def test_what_a_cause_is_called(cause: Cause, kind: ErrorKind) -> None:
    _, wait = after(RequestFailed(T0, Phase.MAYBE_SENT, cause))
    assert isinstance(wait, Wait)
    assert wait.cause is kind


# -- echoes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device_id", "name", "shown"),
    [
        ("DEVICE-ID-UPPER-77", "device-id-upper-77", "other"),
        (DEVICE_ID, f"no-such-login:{DEVICE_ID}", "other"),
        (DEVICE_ID, f"x.{DEVICE_ID[:20]}", "other"),
        ("weird-and-more-of-it", "weird", "weird"),
        ("short", "it-is-short", "other"),
    ],
)
def test_a_known_secret_in_an_error_code(device_id: str, name: str, shown: str) -> None:
    outcome, _ = sign_in(issued(device_auth_id=device_id), code(name, 400))
    assert outcome.details["code"] == shown


@pytest.mark.parametrize(
    "replies",
    [
        (issued(device_auth_id=SECRET, user_code="\x1b", error=SECRET),),
        (issued(), approved(authorization_code=SECRET, code_challenge="x", error=SECRET)),
        (issued(), as_json(400, {"code_verifier": SECRET, "error": f"no.{SECRET[3:15]}"})),
        (issued(), approved(), as_json(400, {"refresh_token": SECRET, "error": SECRET})),
    ],
)
def test_a_secret_of_the_same_answer_in_an_error_code(replies: tuple[Reply, ...]) -> None:
    outcome, _ = sign_in(*replies)
    assert isinstance(outcome, SignInError)
    assert outcome.details["code"] == "other"


def test_sharing_text() -> None:
    assert leaks("xx12345678", Secret("0123456789"))
    assert not leaks("xx1234567", Secret("0123456789"))
    assert not leaks("anything", Secret(""))
    assert leaks("anything", Secret("THING"))


# -- sizes and shapes --------------------------------------------------------------------------------


def meaning(reply: Reply) -> Any:
    return read_poll(response(reply))


def test_poll_answers() -> None:
    assert meaning(as_json(403, {}, {"cf-mitigated": "challenge"})) == Pending(named=False)
    assert isinstance(meaning(approved(authorization_code="x" * 2048)), Approved)
    for size in (43, 128):
        assert isinstance(meaning(approved(code_verifier="v" * size, code_challenge=None)), Approved)
    assert meaning(code("rate_limit_exceeded", 429, interval=12)) == SlowDown(12.0, None, limited=True)
    nested = {"interval": None, "error": {"code": "slow_down", "interval": 30}}
    assert meaning(as_json(400, nested)) == SlowDown(30.0)
    assert meaning(as_json(300, {})) == TryAgain(E.BLOCKED, False, None, None, 300)
    mislabelled = Reply(400, b'{"error":"weird"}', {"content-type": "text/html"})
    assert meaning(mislabelled) == Refusal(E.DEVICE_AUTH_FAILED, "weird", 400)
    assert meaning(code("x" * 64, 400)).code == "x" * 64
    assert meaning(code("x" * 65, 400)).code == "other"


def test_device_authorizations() -> None:
    def read(reply: Reply) -> Any:
        return read_device_authorization(CODEX, response(reply))

    assert isinstance(read(issued(device_auth_id="x" * 4096)), Issued)
    assert read(page(429)) == TryAgain(E.RATE_LIMITED, False, None, None, 429)
    until = issued(expires_at="2027-01-15T14:00:00Z")
    long_lived = attrs.evolve(until, headers={"Date": "Fri, 15 Jan 2027 12:00:00 GMT"})
    assert read(long_lived).authorization.expires_in == 7200.0


def test_token_answers() -> None:
    whole: Any = read_exchange(response(tokens(access_token="x" * 16384)))
    assert whole.tokens.access_token is not None
    other_type: Any = read_exchange(response(tokens(token_type="mac", id_token=...)))
    assert (other_type.tokens.account_id, other_type.tokens.access_token) == ("acct_fake", None)
    over: Any = read_refresh(response(as_json(400, {"error": {"type": "invalid_grant"}})))
    assert over.kind is E.LOGIN_REQUIRED


@pytest.mark.parametrize("space", ["\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u2003"])
def test_odd_white_space_in_retry_after_is_no_number(space: str) -> None:
    assert retry_after({"retry-after": f"{space}5"}, 0.0) is None
    assert isinstance(after(limited(f"{space}5"))[1], Wait)


def test_readers() -> None:
    assert read_claims(Secret("a.b")) == {}
    assert read_claims(Secret("a.e3!0.c")) == {}
    payload = jwt({"x": "y" * 12279}).split(".")[1]
    assert len(payload) == 16 * 1024
    assert read_claims(Secret(f"a.{payload}.c"))["x"]
    assert read_seconds("9" * 15) == 999_999_999_999_999.0
    assert read_json(b"1" + b" " * (MAX_BODY - 1)) == 1
    assert http_date("Thursday, 01-Jan-70 00:00:00 GMT") == 0.0


def test_the_id_token_names_the_person_before_the_access_token() -> None:
    access, identity = (Secret(account_token(email=f"{name}@example.com")) for name in ("access", "id"))
    credential = Credential(access, Secret("r"), "acct_1", "i", "c", "t", identity)
    assert read_profile(credential).email == "id@example.com"
    assert read_profile(attrs.evolve(credential, id_token=None)).email == "access@example.com"


@pytest.mark.parametrize("flow", [BrowserFlow, StoreLogin, DeviceFlow, Renewal, Revocation])
def test_nothing_runs_when_a_flow_changes_an_attribute(flow: type[object]) -> None:
    assert flow.__setattr__ is object.__setattr__
