"""Twenty hostile answers of the official sign-in's server, over HTTP: what the front door makes of each.

Rules of this file: every name of a hostile answer is in a test, under the number of its row.
"""

from __future__ import annotations

import ast
import time
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth.authority import HOSTILE_ANSWERS, Hostile, HostileAnswer
from codex_oauth_core import ErrorKind
from tests.conformance.official import PLAN, Desk, desk, secrets_of

H = Hostile


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def once(name: Hostile, *, at: int | str = 1) -> HostileAnswer:
    return HostileAnswer(name=name, requests=at)


def refused_as(there: Desk, reason: str, kind: ErrorKind = ErrorKind.INVALID_RESPONSE) -> None:
    """A sign-in fails so, and nothing of it is kept."""
    before = there.logins()
    error = there.fails()
    assert (error.kind, error.details["reason"]) == (kind, reason)
    assert there.logins() == before


# -- redirects -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [H.WRONG_STATE, H.DENIED_WRONG_STATE, H.TWO_STATES, H.TWO_CLIENT_IDS, H.TWO_CODES],
    ids=lambda name: f"{HOSTILE_ANSWERS[name].row:02}-{name}",
)
def test_01_to_03_a_redirect_that_is_not_ours_is_refused_and_waited_through(
    home: Path, name: Hostile
) -> None:
    with desk(home, once(name)) as there:
        there.sign_in()
        assert there.count("exchange") == 1
    assert there.visits[0] // 100 == 4
    assert there.visits[1:] == [200]


@pytest.mark.parametrize(
    ("name", "reason"),
    [(H.NO_CLIENT_ID, "client_id_missing"), (H.REGISTRATION_CLIENT_ID, "client_id_unusable")],
)
def test_04_and_05_an_incomplete_registration_exchanges_nothing(
    home: Path, name: Hostile, reason: str
) -> None:
    with desk(home, once(name)) as there:
        refused_as(there, reason)
        assert there.count("exchange") == 0
        assert there.store.registrations() == ()
        there.sign_in()


def test_06_another_client_id_on_return_changes_nothing(home: Path) -> None:
    with desk(home, once(H.OTHER_CLIENT_ID, at="2-")) as there:
        there.sign_in()
        refused_as(there, "client_id_changed")
        assert there.count("exchange") == 1


# -- scopes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "policy"), [(H.CALLBACK_CLAIMS_PLAN, {"plan_use": False}), (H.NO_SCOPE, {})]
)
def test_07_and_08_only_the_token_answer_grants(home: Path, name: Hostile, policy: dict[str, Any]) -> None:
    with desk(home, once(name), **policy) as there:
        assert PLAN not in (there.sign_in().scopes or ())
        requests = len(there.authority.sent)
        assert there.token_fails().kind is ErrorKind.PLAN_USE_OFF
        assert len(there.authority.sent) == requests


# -- ID tokens -----------------------------------------------------------------------------------------


FORGED = (
    H.ALG_NONE, H.ALG_HS256, H.OTHER_AUDIENCE, H.TWO_AUDIENCES, H.OTHER_AZP, H.OTHER_NONCE, H.NO_NONCE,
    H.ISSUER_SLASH, H.EXPIRED_ID_TOKEN, H.HEADER_JKU, H.HEADER_JWK,
)  # fmt: skip


@pytest.mark.parametrize("name", FORGED, ids=lambda name: f"{HOSTILE_ANSWERS[name].row:02}-{name}")
def test_09_to_13_a_bad_id_token_is_refused_revoked_and_named(home: Path, name: Hostile) -> None:
    with desk(home, once(name)) as there:
        error = there.fails()
        assert there.logins() == {}
        (revoked,) = there.authority.forms("/api/accounts/oauth/revoke")
        assert there.count("attacker") == 0
        assert revoked["client_id"] == there.store.registrations()[0].client_id
    assert error.kind is ErrorKind.INVALID_RESPONSE
    assert error.details["revoked"] is True
    assert "ID token" in error.message


@pytest.mark.parametrize("name", [H.KEYS_UNAVAILABLE, H.KEYS_EMPTY, H.KEYS_HTML, H.KEYS_UNKNOWN_KID])
def test_14_keys_that_are_away_for_a_moment_end_nothing(home: Path, name: Hostile) -> None:
    with desk(home, once(name)) as there:
        there.sign_in()
        assert there.count("keys") == 2
        assert there.count("revoke") == 0


@pytest.mark.parametrize("name", [H.FOREIGN_ENDPOINTS, H.OTHER_ISSUER])
def test_15_a_document_that_leads_elsewhere_is_not_used(home: Path, name: Hostile) -> None:
    with desk(home, once(name, at="every")) as there:
        there.sign_in()
        assert there.command("logout") == 0
        assert there.count("revoke") == 1
        assert not any("attacker" in line.partition(" {")[0] for line in there.authority.raw)


def test_16_somebody_else_on_return_is_refused_and_revoked(home: Path) -> None:
    with desk(home, once(H.EXCHANGE_OTHER_SUBJECT, at="2-")) as there:
        there.sign_in()
        before = there.files()
        error = there.fails()
        assert there.files() == before
        assert there.count("revoke") == 1
    assert error.kind is ErrorKind.ACCOUNT_CHANGED
    assert error.details["revoked"] is True


# -- renewals ------------------------------------------------------------------------------------------


def test_17_a_refresh_for_somebody_else_is_stored_and_not_used(home: Path) -> None:
    with desk(home, once(H.REFRESH_OTHER_SUBJECT, at="every"), id_token_on_refresh=True) as there:
        there.sign_in()
        there.expire()
        assert there.token_fails().kind is ErrorKind.ACCOUNT_CHANGED
        later = there.token_fails()
        assert (later.kind, later.details["reason"]) == (ErrorKind.LOGIN_REQUIRED, "account_changed")
        assert there.count("refresh") == 1


def test_18_a_lost_answer_is_marked_and_a_spent_token_is_the_end_with_its_own_text(home: Path) -> None:
    with desk(home, once(H.REFRESH_LOST)) as there:
        credential = there.sign_in()
        with there.source() as source, pytest.raises(Exception, match=r".") as lost:
            source.credential(rejected=credential.access_token)
        assert there.record().in_doubt
        assert there.count("refresh") == 1
        there.expire()
        there.put(attrs.evolve(there.record(), uncertain_at=time.time() - 120))  # a while later
        error = there.token_fails()
        assert there.record().dead_code == "refresh_token_reused"
        assert len(there.store.registrations()) == 1
    assert lost.value.details["uncertain"] is True  # type: ignore[attr-defined]
    assert error.kind is ErrorKind.LOGIN_REQUIRED
    assert error.details["code"] == "refresh_token_reused"


@pytest.mark.parametrize(
    "name", [H.EARLIEST_REFRESH_2099, H.EARLIEST_REFRESH_NEGATIVE, H.EARLIEST_REFRESH_OBJECT]
)
def test_19_earliest_refresh_at_may_say_anything(home: Path, name: Hostile) -> None:
    with desk(home, once(name, at="every")) as there:
        there.sign_in()
        there.expire(earliest_refresh_at=there.record().credential.earliest_refresh_at)
        with there.source() as source:
            source.token()


@pytest.mark.parametrize("name", [H.TOKEN_REDIRECT, H.TOKEN_HTML, H.TOKEN_HUGE])
def test_20_no_answer_that_is_none_is_taken(home: Path, name: Hostile) -> None:
    with desk(home, once(name)) as there:
        error = there.fails()
        assert there.logins() == {}
        assert there.count("attacker") == 0
    assert error.kind is not ErrorKind.LOGIN_REQUIRED


@pytest.mark.parametrize("name", [H.TOKEN_REDIRECT, H.TOKEN_HTML, H.TOKEN_HUGE])
def test_20_nor_does_it_take_a_login_away(home: Path, name: Hostile) -> None:
    with desk(home, once(name, at="2-")) as there:
        credential = there.sign_in()
        with there.source() as source, pytest.raises(Exception, match=r"."):
            source.credential(rejected=credential.access_token)
        kept = there.record()
        assert there.count("attacker") == 0
    assert kept.dead_code is None
    assert secrets_of(kept.credential) == secrets_of(credential)


def test_every_name_is_in_a_test() -> None:
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    named = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "H"
    }
    assert named == {name.name for name in Hostile}
