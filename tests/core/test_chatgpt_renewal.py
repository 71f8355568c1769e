"""Logins of the official sign-in over time: renewed hourly, saved before they are judged, ended by six codes and
kept by all else, and revoked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.authority import Hostile, HostileAnswer
from codex_oauth.testing import FakeWorld, Lost, Reply, answered_by
from codex_oauth_core import (
    CHATGPT,
    Cause,
    ErrorKind,
    Phase,
    Provider,
    Record,
    Renewal,
    Request,
    Revocation,
    Revoked,
    Secret,
    SignInError,
    use_is_off,
)
from codex_oauth_core.outcomes import NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.providers import identified, provider_of
from codex_oauth_core.record import read_record, write_record
from codex_oauth_core.storage import Rescue, Save
from tests.core.chatgpt import FIRST, Desk, authority, flow, signed_in
from tests.core.storing import StoreWorld
from tests.support import as_json, page

E, H = ErrorKind, Hostile
HOUR: Final = 3600.0
LOST: Final = Lost(Cause.RESET, Phase.MAYBE_SENT)


@attrs.define(eq=False)
class Later:
    """A login that was signed in officially, and what happens to it from then on."""

    desk: Desk
    world: StoreWorld
    provider: Provider

    def sleep(self, seconds: float) -> Later:
        net = self.world.net
        net.at, net.wall = net.at + seconds, net.wall + seconds
        return self

    def renew(self, **options: Any) -> Any:
        return self.world.run(Renewal(provider=self.provider, **options))

    def hostile(self, *names: Hostile) -> Later:
        self.desk.server.faults = tuple(HostileAnswer(name=name) for name in names)
        return self

    def answers(self, *replies: Reply | Lost) -> Later:
        """From now on a script answers, and no longer the authority."""
        script = iter(replies)

        def respond(request: Request, at: float, wall: float) -> Reply | Lost:
            return next(script)

        self.world.net.server = respond
        return self

    @property
    def record(self) -> Record:
        assert self.world.stored is not None
        return self.world.stored

    @property
    def sent(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(each.body.reveal().decode())) for each in self.world.sent]


def after_sign_in(**policy: Any) -> Later:
    desk = Desk(authority(**policy))
    credential = signed_in(desk.run(flow()))
    world = StoreWorld(Record(credential))
    world.net = FakeWorld(answered_by(desk.server), at=desk.world.at, wall=desk.world.wall)
    provider = provider_of(credential)
    assert provider is not None
    return Later(desk, world, provider)


def failed(outcome: Any) -> SignInError:
    assert isinstance(outcome, SignInError), outcome
    return outcome


# -- which provider ------------------------------------------------------------------------------------


def test_a_stored_login_finds_its_provider_with_its_client() -> None:
    credential = after_sign_in().record.credential
    assert provider_of(credential) == CHATGPT.registered(credential.client_id)
    assert provider_of(credential, (FIRST,)) == FIRST.registered(credential.client_id)
    elsewhere = provider_of(attrs.evolve(credential, issuer="http://127.0.0.1:1"))
    assert elsewhere == CHATGPT.at("http://127.0.0.1:1").registered(credential.client_id)


def test_a_login_of_a_client_of_ones_own_that_says_no_scopes_is_not_of_this_provider() -> None:
    credential = attrs.evolve(after_sign_in().record.credential, scopes=None)
    found = provider_of(credential)
    assert found is not None
    assert found.dialect is not CHATGPT.dialect


def test_what_a_login_is_stored_as_is_what_it_was() -> None:
    record = after_sign_in().record
    again = read_record(write_record(record))
    assert isinstance(again, Record)
    assert again == record
    assert again.credential.scopes == record.credential.scopes is not None
    assert identified(attrs.evolve(again.credential, user_id=None)).user_id == "user-fake-1"


# -- a renewal -----------------------------------------------------------------------------------------


def test_a_renewal_is_a_form_with_the_resource_and_without_a_scope() -> None:
    later = after_sign_in().sleep(HOUR)
    before = later.record.credential
    assert before.refresh_token is not None
    assert isinstance(later.renew(), Renewed)
    assert later.sent == [
        {
            "grant_type": "refresh_token",
            "client_id": before.client_id,
            "refresh_token": before.refresh_token.reveal(),
            "resource": "https://api.openai.com/v1",
        }
    ]
    assert later.world.order == ["Load", "Lock", "Reserve", "SendRequest", "Save", "Release"]
    assert later.desk.mistakes == []
    assert later.record.credential.identity == before.identity
    assert later.record.credential.id_token == before.id_token


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("with_id_token", [True, False])
def test_what_a_renewal_leaves_out_stays_as_it_was(told: bool, with_id_token: bool) -> None:
    later = after_sign_in(scope_on_refresh=told, id_token_on_refresh=with_id_token).sleep(HOUR)
    before = later.record.credential
    assert isinstance(later.renew(), Renewed)
    after = later.record.credential
    assert set(after.scopes or ()) == set(before.scopes or ())
    assert (after.id_token == before.id_token) is not with_id_token
    assert after.key == before.key
    assert not use_is_off(after, CHATGPT)


def test_a_plan_that_is_taken_back_is_off_from_then_on() -> None:
    narrow = as_json(
        200, {"access_token": "a2", "refresh_token": "r2", "expires_in": 3600, "scope": "openid"}
    )
    later = after_sign_in().sleep(HOUR).answers(narrow)
    assert isinstance(later.renew(), Renewed)
    assert later.record.credential.scopes == ("openid",)
    assert use_is_off(later.record.credential, CHATGPT)


def test_a_provider_without_an_issued_client_id_renews_nothing() -> None:
    later = after_sign_in().sleep(HOUR)
    later.provider = FIRST
    assert failed(later.renew()).kind is E.CLIENT_REJECTED
    assert later.sent == []


# -- what is not for this login ------------------------------------------------------------------------


def test_another_persons_tokens_are_on_the_disk_and_not_used() -> None:
    later = after_sign_in().sleep(HOUR).hostile(H.REFRESH_OTHER_SUBJECT)
    before = later.record.credential
    error = failed(later.renew())
    assert error.kind is E.ACCOUNT_CHANGED
    assert [type(each) for each in later.world.effects if isinstance(each, Rescue | Save)] == [Rescue, Save]
    (beside,) = later.world.beside
    assert beside.credential.user_id not in (None, before.user_id)
    assert beside.credential.refresh_token != before.refresh_token
    assert (later.record.spent, later.record.credential) == (True, before)
    again = failed(later.sleep(120).renew())
    assert (again.kind, again.details["reason"], len(later.sent)) == (E.LOGIN_REQUIRED, "account_changed", 1)


@pytest.mark.parametrize(("name", "reason"), [(H.ISSUER_SLASH, "iss"), (H.OTHER_AUDIENCE, "aud")])
def test_tokens_of_another_issuer_or_client_are_on_the_disk_and_not_used(name: Hostile, reason: str) -> None:
    later = after_sign_in(id_token_on_refresh=True).sleep(HOUR).hostile(name)
    before = later.record
    error = failed(later.renew())
    assert (error.kind, error.details) == (E.ACCOUNT_CHANGED, {"reason": reason})
    after = later.record
    assert (after.spent, after.generation, after.parent) == (True, before.generation + 1, before.fingerprint)
    assert after.credential.refresh_token != before.credential.refresh_token
    assert attrs.evolve(after.credential, refresh_token=None) == attrs.evolve(
        before.credential, refresh_token=None
    )
    failed(later.sleep(120).renew())
    assert len(later.sent) == 1, "and what is spent is not sent again"
    assert later.world.run(Revocation(provider=later.provider)) == Revoked(confirmed=True)
    token = after.credential.refresh_token
    assert token is not None
    assert later.sent[-1]["token"] == token.reveal()


def test_a_doubt_of_before_is_over_when_the_tokens_came() -> None:
    later = after_sign_in(id_token_on_refresh=True).sleep(HOUR).hostile(H.OTHER_AUDIENCE)
    later.world.stored = attrs.evolve(later.record, uncertain_at=later.world.net.wall - 600)
    failed(later.renew())
    assert (later.record.spent, later.record.uncertain_at) == (True, None)


def test_an_id_token_of_a_renewal_that_cannot_be_read_says_nothing() -> None:
    body = {"access_token": "a2", "refresh_token": "r2", "id_token": "opaque"}
    later = after_sign_in().sleep(HOUR).answers(as_json(200, body))
    before = later.record.credential
    assert isinstance(later.renew(), Renewed)
    assert later.record.credential.id_token == before.id_token


# -- codes ---------------------------------------------------------------------------------------------


SIX: Final = (
    "invalid_grant",
    "invalid_refresh_token",
    "token_expired",
    "refresh_token_expired",
    "refresh_token_invalidated",
    "refresh_token_reused",
)


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("status", [400, 401, 403, 500])
@pytest.mark.parametrize("code", SIX)
def test_six_codes_end_a_login_and_keep_who_it_is(code: str, status: int, nested: bool) -> None:
    body = {"error": {"code": code}} if nested else {"error": code}
    later = after_sign_in().sleep(HOUR).answers(as_json(status, body))
    before = later.record.credential
    error = failed(later.renew())
    assert (error.kind, error.details["code"]) == (E.LOGIN_REQUIRED, code)
    assert later.record.dead_code == code
    assert later.record.credential.identity == before.identity
    assert CHATGPT.dialect.profile(later.record.credential).email == "somebody@example.com"
    again = failed(later.sleep(600).renew())
    assert (again.kind, again.message, len(later.sent)) == (E.LOGIN_REQUIRED, error.message, 1)


def test_each_of_the_six_has_its_own_message() -> None:
    assert len({CHATGPT.dialect.login_over_message(code) for code in SIX} - {None}) == 6
    assert CHATGPT.dialect.login_over_message("account_deleted") is None


KEPT: Final[tuple[tuple[Reply | Lost, ErrorKind], ...]] = (
    (as_json(401, {"error": "invalid_client"}), E.CLIENT_REJECTED),
    (as_json(400, {"error": "invalid_client"}), E.CLIENT_REJECTED),
    *(
        (as_json(status, {"error": code}), E.INVALID_RESPONSE)
        for status in (400, 401)
        for code in (
            "unauthorized_client",
            "invalid_request",
            "invalid_scope",
            "invalid_target",
            "unsupported_grant_type",
        )
    ),
    *((as_json(status, {"error": "temporarily_unavailable"}), E.NETWORK) for status in (400, 401, 403, 503)),
    (as_json(500, {}), E.NETWORK),
    (as_json(503, {}), E.NETWORK),
    (as_json(408, {}), E.NETWORK),
    (page(401), E.BLOCKED),
    (page(403), E.BLOCKED),
    (page(200), E.BLOCKED),
    (Reply(200, b"not json"), E.INVALID_RESPONSE),
    (as_json(200, {}), E.INVALID_RESPONSE),
    (as_json(307, {}, {"location": "https://attacker.example/"}), E.BLOCKED),
    (as_json(400, {"error": "something_new"}), E.INVALID_RESPONSE),
    (LOST, E.NETWORK),
)


@pytest.mark.parametrize(("reply", "kind"), KEPT, ids=[str(number) for number in range(len(KEPT))])
def test_all_else_keeps_the_tokens(reply: Reply | Lost, kind: ErrorKind) -> None:
    later = after_sign_in().sleep(HOUR).answers(reply)
    before = later.record.credential
    error = failed(later.renew())
    assert error.kind is kind
    assert (later.record.credential, later.record.dead_code, later.record.spent) == (before, None, False)
    assert len(later.sent) == 1


def test_a_code_that_is_not_known_ends_it_with_401_and_its_tokens_stay() -> None:
    later = after_sign_in().sleep(HOUR).answers(as_json(401, {"error": "something_new"}))
    before = later.record.credential
    assert failed(later.renew()).kind is E.LOGIN_REQUIRED
    assert later.record.credential == before


def test_a_limit_is_waited_for_and_the_token_is_unspent() -> None:
    again = as_json(200, {"access_token": "a2", "refresh_token": "r2"})
    later = after_sign_in().sleep(HOUR).answers(as_json(429, {}, {"retry-after": "3"}), again)
    assert isinstance(later.renew(), Renewed)
    assert len(later.sent) == 2


def test_an_answer_that_was_lost_is_asked_for_once_and_the_end_says_so() -> None:
    later = after_sign_in().sleep(HOUR).hostile(H.REFRESH_LOST)
    assert failed(later.renew()).details["uncertain"] is True
    assert later.record.uncertain_at is not None
    assert (len(later.sent), later.desk.count("refresh")) == (1, 1)
    later.hostile()
    error = failed(later.sleep(120).renew())
    assert (error.kind, error.details["code"]) == (E.LOGIN_REQUIRED, "refresh_token_reused")
    assert "lost its answer" in error.message
    assert later.record.credential.client_id == later.provider.client_id


@pytest.mark.parametrize("name", [H.TOKEN_REDIRECT, H.TOKEN_HTML, H.TOKEN_HUGE])
def test_what_is_no_answer_leaves_it_in_doubt_and_is_not_followed(name: Hostile) -> None:
    later = after_sign_in().sleep(HOUR).hostile(name)
    failed(later.renew())
    assert later.record.uncertain_at is not None
    assert later.desk.count("attacker") == 0


# -- the times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [H.EARLIEST_REFRESH_2099, H.EARLIEST_REFRESH_NEGATIVE, H.EARLIEST_REFRESH_OBJECT]
)
def test_an_expired_token_is_renewed_whatever_the_earliest_time_says(name: Hostile) -> None:
    desk = Desk(authority(HostileAnswer(name=name)))
    credential = signed_in(desk.run(flow()))
    assert (credential.earliest_refresh_at is not None) is (name is H.EARLIEST_REFRESH_2099)
    later = after_sign_in()
    later.world.stored = Record(
        attrs.evolve(later.record.credential, earliest_refresh_at=credential.earliest_refresh_at)
    )
    assert isinstance(later.sleep(HOUR).renew(), Renewed)


@pytest.mark.parametrize("how", ["number", "string", "absent"])
def test_the_earliest_time_only_delays_what_is_not_yet_needed(how: str) -> None:
    later = after_sign_in(earliest_refresh_at=how, earliest_refresh_after=3250.0).sleep(HOUR - 390)
    kept = later.renew(jitter=1.0)
    if how == "absent":
        assert isinstance(kept, Renewed), "in its last tenth it is worth renewing"
        return
    assert isinstance(kept, NotRenewed)
    assert kept.why is NotRenewedReason.CURRENT
    assert later.sent == []
    assert isinstance(later.sleep(60).renew(jitter=1.0), Renewed)


def _uses(later: Later, sleeps: Iterable[float], jitter: float) -> Iterable[tuple[float, Any]]:
    for seconds in sleeps:
        left = (later.record.credential.expires_at or 0) / 1000 - later.sleep(seconds).world.net.wall
        yield left, later.renew(jitter=jitter)


@given(
    sleeps=st.lists(st.floats(0, 7200) | st.floats(3100, 3700), min_size=1, max_size=6),
    jitter=st.floats(0, 1),
    rotates=st.booleans(),
)
def test_an_hour_after_hour_there_is_a_good_token_and_one_request_for_each(
    sleeps: list[float], jitter: float, rotates: bool
) -> None:
    later = after_sign_in(scope_on_refresh=rotates, id_token_on_refresh=rotates)
    renewed = 0
    for left, outcome in _uses(later, sleeps, jitter):
        renewed += isinstance(outcome, Renewed)
        assert isinstance(outcome, Renewed | NotRenewed)
        assert isinstance(outcome, Renewed) or left > 300
        assert isinstance(outcome, NotRenewed) or left <= 360 * 1.2
        credential = later.record.credential
        bearer = (("Authorization", f"Bearer {credential.access_token.reveal()}"),)
        models = Request("GET", "https://api.openai.com/v1/models", bearer, Secret(b""))
        assert later.desk.server.handle(models, *later.world.net.now()).status == 200
        assert later.desk.count("refresh") == renewed == later.record.generation
    assert later.desk.mistakes == []


# -- the end -------------------------------------------------------------------------------------------


def test_a_revocation_is_a_form_and_an_empty_200_is_success() -> None:
    later = after_sign_in()
    credential = later.record.credential
    assert credential.refresh_token is not None
    assert later.world.run(Revocation(provider=later.provider)) == Revoked(confirmed=True)
    assert later.sent == [
        {
            "token": credential.refresh_token.reveal(),
            "token_type_hint": "refresh_token",
            "client_id": credential.client_id,
        }
    ]
    (request,) = later.world.sent
    assert dict(request.plain_headers())["Content-Type"] == "application/x-www-form-urlencoded"
    assert (later.world.stored, later.desk.mistakes) == (None, [])


def test_a_server_that_cannot_revoke_is_asked_for_ten_seconds_and_the_login_is_gone() -> None:
    later = after_sign_in(revocation_unavailable=True)
    began = later.world.net.at
    assert later.world.run(Revocation(provider=later.provider)) == Revoked(confirmed=False)
    assert later.world.stored is None
    assert 2 < len(later.sent) < 10
    assert later.world.net.at - began <= 10


def test_headers_are_the_token_and_nothing_else() -> None:
    credential = after_sign_in().record.credential
    (header,) = CHATGPT.dialect.headers(CHATGPT, credential)
    assert header == ("Authorization", Secret(f"Bearer {credential.access_token.reveal()}"))
    assert CHATGPT.hosts == ("api.openai.com",)
