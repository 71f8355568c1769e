"""The official sign-in where the tokens are not this sign-in's, not the person's, or without the plan."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import attrs
import pytest

from codex_oauth.authority import Hostile, HostileAnswer
from codex_oauth_core import (
    CHATGPT,
    ErrorKind,
    Secret,
    provider_of,
    use_is_off,
)
from tests.core.chatgpt import (
    FIRST,
    HOST_ID,
    NONCE,
    STATE,
    Desk,
    authority,
    claims_of,
    failed,
    flow,
    signed_in,
)

E, H = ErrorKind, Hostile
SCOPES = "openid profile email offline_access resource.invoke chatgpt.tokens.use.direct"


def hostile(*names: Hostile, **policy: Any) -> Desk:
    return Desk(authority(*(HostileAnswer(name=name) for name in names), **policy))


def returning(desk: Desk, **options: Any) -> Any:
    """A second sign-in of a first one's registration."""
    first = signed_in(desk.run(flow()))
    return first, flow(FIRST.registered(first.client_id), **options)


# -- the ID token --------------------------------------------------------------------------------------


FORGED = {
    H.ALG_NONE: "alg",
    H.ALG_HS256: "alg",
    H.OTHER_AUDIENCE: "aud",
    H.TWO_AUDIENCES: "azp",
    H.OTHER_AZP: "azp",
    H.OTHER_NONCE: "nonce",
    H.NO_NONCE: "nonce",
    H.ISSUER_SLASH: "iss",
    H.EXPIRED_ID_TOKEN: "exp",
    H.HEADER_JKU: "signature",
    H.HEADER_JWK: "signature",
}


@pytest.mark.parametrize(("name", "claim"), FORGED.items(), ids=str)
def test_an_id_token_that_is_not_this_sign_ins_is_refused_named_and_revoked(
    name: Hostile, claim: str
) -> None:
    desk = hostile(name)
    error = failed(desk.run(flow()))
    assert error.kind is E.INVALID_RESPONSE
    assert error.details["revoked"] is True
    assert error.details["reason"] == claim or (claim == "signature" and error.details["reason"] == "kid")
    assert "ID token" in error.message
    assert (desk.count("revoke"), desk.count("attacker")) == (1, 0)
    assert desk.sent[-1]["token_type_hint"] == "refresh_token"
    assert desk.sent[-1]["client_id"] == desk.kept[0].client_id


def test_somebody_else_on_return_is_refused_and_revoked() -> None:
    desk = Desk()
    first, again = returning(desk)
    again = flow(FIRST.registered(first.client_id), account=first.identity)
    desk.server.faults = (HostileAnswer(name=H.EXCHANGE_OTHER_SUBJECT, requests="2-"),)
    error = failed(desk.run(again))
    assert error.kind is E.ACCOUNT_CHANGED
    assert error.details.items() >= {"reason": "other_person", "revoked": True}.items()


# -- the plan ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "desk", [Desk(authority(plan_use=False)), hostile(H.CALLBACK_CLAIMS_PLAN), hostile(H.NO_SCOPE)]
)
def test_without_the_plan_the_sign_in_is_good_and_its_use_is_off(desk: Desk) -> None:
    credential = signed_in(desk.run(flow()))
    assert use_is_off(credential, FIRST)
    assert credential.scopes is not None, "it says that nothing was said, and is of this provider"
    assert "chatgpt.tokens.use.direct" not in credential.scopes
    assert provider_of(credential) == CHATGPT.registered(credential.client_id)
    assert desk.count("revoke") == 0


def test_the_plan_can_be_asked_for_again() -> None:
    desk = Desk(authority(plan_use=False))
    first, _ = returning(desk)
    desk.server.policy.plan_use = True
    again = signed_in(desk.run(flow(FIRST.registered(first.client_id), prompt="consent")))
    assert not use_is_off(again, FIRST)
    assert (desk.asked["prompt"], desk.asked["scope"]) == ("consent", SCOPES)
    assert again.identity == first.identity


def test_a_provider_whose_use_is_not_a_scope_is_never_off() -> None:
    credential = signed_in(Desk(authority(plan_use=False)).run(flow()))
    assert not use_is_off(credential, attrs.evolve(FIRST, use_scope=None))
    assert use_is_off(attrs.evolve(credential, scopes=None), FIRST)


# -- errors of the token endpoint ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [H.TOKEN_REDIRECT, H.TOKEN_HTML, H.TOKEN_HUGE])
def test_what_is_no_answer_to_a_code_is_none(name: Hostile) -> None:
    desk = hostile(name)
    error = failed(desk.run(flow()))
    assert error.kind is E.TOKEN_REQUEST_FAILED
    assert (desk.count("token"), desk.count("attacker")) == (1, 0)


def test_a_deleted_registration_is_a_client_that_is_not_accepted() -> None:
    desk = Desk()
    first, again = returning(desk)

    def forgotten(query: str) -> str:
        desk.server.forget(first.client_id)
        return query

    desk.changed = forgotten
    error = failed(desk.run(again))
    assert (error.kind, error.details["code"]) == (E.CLIENT_REJECTED, "invalid_client")
    assert any("register it anew" in action for action in error.next_actions)


@pytest.mark.parametrize("query", ["state={}", "error=%1b&state={}", "code=x&state={}&access_token=y"])
def test_no_redirect_raises(query: str) -> None:
    desk = Desk(changed=lambda real: query.format(dict(parse_qsl(real))["state"]))
    error = failed(desk.run(flow()))
    assert error.kind in (E.MISSING_AUTHORIZATION_CODE, E.OAUTH_ERROR, E.TIMEOUT)


def test_nothing_secret_is_in_what_can_be_printed() -> None:
    desk = Desk()
    credential = signed_in(desk.run(flow()))
    shown = repr(desk.effects) + repr(desk.events) + repr(credential) + repr(FIRST)
    for secret in (credential.access_token, credential.refresh_token, credential.id_token, STATE, NONCE):
        assert secret is not None
        assert secret.reveal() not in shown
    assert HOST_ID not in shown
    assert claims_of(credential.id_token)["nonce"] == NONCE.reveal()


def test_the_registration_id_is_in_no_form() -> None:
    desk = hostile(H.OTHER_NONCE)
    failed(desk.run(flow()))
    signed_in(Desk().run(flow()))
    assert "dynamic_agent_client" not in urlencode([pair for form in desk.sent for pair in form.items()])
    assert CHATGPT.dialect.refresh_request(CHATGPT, Secret("x")) is None
    assert CHATGPT.dialect.revocation_request(CHATGPT, Secret("x"), "refresh_token") is None
