"""The official sign-in from the first registration to a returning one: what is asked, in which order, and what
comes of every answer that is not as it should be.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest

from codex_oauth.authority import Hostile, HostileAnswer
from codex_oauth_core import (
    CHATGPT,
    BrowserPrompt,
    ErrorKind,
    Secret,
    SendRequest,
    SignInError,
    Wait,
    use_is_off,
)
from codex_oauth_core.flows.browser import State
from codex_oauth_core.storage import StoreFailed
from tests.core.chatgpt import (
    APP,
    FIRST,
    HOST_ID,
    NONCE,
    PAIR,
    STATE,
    URI,
    Desk,
    authority,
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


# -- the way -------------------------------------------------------------------------------------------


def test_a_first_registration_asks_for_all_that_it_needs_and_for_nothing_else() -> None:
    desk = Desk()
    signed_in(desk.run(flow()))
    assert desk.asked == {
        "client_id": "dynamic_agent_client",
        "agent_name_hint": APP,
        "ext_agent_host_id": HOST_ID,
        "response_type": "code",
        "redirect_uri": URI,
        "scope": SCOPES,
        "resource": "https://api.openai.com/v1",
        "state": STATE.reveal(),
        "nonce": NONCE.reveal(),
        "code_challenge": PAIR.code_challenge,
        "code_challenge_method": "S256",
    }
    assert desk.mistakes == []


def test_the_keys_come_before_the_page_and_the_registration_is_kept_before_the_exchange() -> None:
    desk = Desk()
    credential = signed_in(desk.run(flow()))
    order = [type(effect).__name__ for effect in desk.effects]
    assert order == ["SendRequest", "SendRequest", "Wait", "Register", "SendRequest", "Finished"]
    assert [effect.request.url.rpartition("/")[2] for effect in desk.world.requests] == [
        "openid-configuration",
        "jwks.json",
        "token",
    ]
    assert [effect.once for effect in desk.world.requests] == [False, False, True]
    assert desk.at_registration == [0]
    (kept,) = desk.kept
    assert (kept.issuer, kept.client_id, kept.application) == (CHATGPT.issuer, credential.client_id, APP)
    assert kept.redirect_path == "/auth/callback"
    assert kept.registered_at[:2] == "20"
    assert desk.sent == [
        {
            "grant_type": "authorization_code",
            "client_id": credential.client_id,
            "code": desk.sent[0]["code"],
            "code_verifier": PAIR.code_verifier.reveal(),
            "redirect_uri": URI,
            "resource": "https://api.openai.com/v1",
        }
    ]


@pytest.mark.parametrize("policy", [{}, {"audience_as_list": False}, {"iss_in_callback": True}])
def test_the_login_is_the_persons_under_the_client_id_that_was_issued(policy: dict[str, Any]) -> None:
    credential = signed_in(Desk(authority(**policy)).run(flow()))
    assert credential.client_id.startswith("oaiapp_test_")
    assert (credential.account_id, credential.user_id) == (None, "user-fake-1")
    assert credential.issuer == "https://auth.openai.com"
    assert set(credential.scopes or ()) == set(SCOPES.split())
    assert not use_is_off(credential, CHATGPT)
    assert credential.earliest_refresh_at is not None
    assert CHATGPT.dialect.profile(credential).email == "somebody@example.com"


@pytest.mark.parametrize("named", [True, False])
def test_a_returning_sign_in_has_the_issued_id_and_registers_nothing(named: bool) -> None:
    desk = Desk(authority(client_id_on_return=named))
    first, again = returning(desk, id_token_hint=None)
    credential = signed_in(desk.run(again))
    assert credential.identity == first.identity
    assert desk.asked["client_id"] == first.client_id
    assert not {"agent_name_hint", "prompt", "id_token_hint", "login_hint"} & set(desk.asked)
    assert len(desk.kept) == 1
    assert "Register" not in [type(effect).__name__ for effect in desk.effects[6:]]
    assert desk.mistakes == []


def test_the_hints_are_in_the_url_that_only_a_browser_gets() -> None:
    desk = Desk()
    first = signed_in(desk.run(flow()))
    hint, mail = first.id_token, "somebody@example.com"
    assert hint is not None
    again = flow(FIRST.registered(first.client_id), id_token_hint=hint, login_hint=mail, prompt="consent")
    signed_in(desk.run(again))
    (prompt,) = (each.prompt for each in desk.effects[6:] if isinstance(each, Wait) and each.prompt)
    assert isinstance(prompt, BrowserPrompt)
    assert prompt.open_url is not None
    shown = dict(parse_qsl(prompt.authorize_url.reveal().partition("?")[2]))
    opened = dict(parse_qsl(prompt.open_url.reveal().partition("?")[2]))
    assert opened == {**shown, "id_token_hint": hint.reveal(), "login_hint": mail}
    assert shown["prompt"] == "consent"
    assert hint.reveal() not in repr(desk.effects) + repr(again) + prompt.authorize_url.reveal()
    assert mail not in repr(again)
    assert desk.mistakes == []


def test_a_hint_that_is_echoed_as_an_error_is_not_repeated() -> None:
    hint = "canaryhint" * 5
    desk = Desk(changed=lambda query: f"error={hint[:30]}&state={dict(parse_qsl(query))['state']}")
    error = failed(desk.run(flow(FIRST, id_token_hint=Secret(hint))))
    assert (error.kind, error.details) == (E.OAUTH_ERROR, {"code": "other"})


def test_without_hints_there_is_one_page() -> None:
    desk = Desk()
    signed_in(desk.run(flow()))
    (prompt,) = (each.prompt for each in desk.effects if isinstance(each, Wait) and each.prompt)
    assert isinstance(prompt, BrowserPrompt)
    assert prompt.open_url is None


# -- what cannot be begun ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        ({"verify_signature": None}, "extra_missing"),
        ({"host_id": None}, "host_id"),
        ({"application": None}, "application"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_asked_or_shown(lacking: Any, reason: str) -> None:
    desk = Desk()
    error = failed(desk.run(flow(attrs.evolve(FIRST, **lacking))))
    assert (error.kind, error.details) == (E.MISCONFIGURED, {"reason": reason})
    assert desk.world.performed == []
    assert ("codex-oauth[chatgpt]" in error.next_actions[0]) is (reason == "extra_missing")


def test_a_program_that_is_registered_needs_no_name() -> None:
    desk = Desk()
    first = signed_in(desk.run(flow()))
    nameless = attrs.evolve(FIRST.registered(first.client_id), application=None)
    assert signed_in(desk.run(flow(nameless))).client_id == first.client_id


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
def test_a_provider_that_lacks_an_endpoint_is_asked_for_nothing(name: str) -> None:
    desk = Desk()
    lacking: Any = {name: None}
    error = failed(desk.run(flow(attrs.evolve(FIRST, **lacking))))
    assert (error.kind, error.details) == (E.OAUTH_ERROR, {"reason": "no_endpoint"})
    assert desk.world.performed == []


# -- the redirect --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [(H.NO_CLIENT_ID, "client_id_missing"), (H.REGISTRATION_CLIENT_ID, "client_id_unusable")],
)
def test_an_incomplete_registration_exchanges_and_keeps_nothing(name: Hostile, reason: str) -> None:
    desk = hostile(name)
    error = failed(desk.run(flow()))
    assert (error.kind, error.details) == (E.INVALID_RESPONSE, {"reason": reason})
    assert "client id" in error.message
    assert (desk.kept, desk.count("token")) == ([], 0)


def test_another_client_id_on_return_exchanges_nothing() -> None:
    desk = Desk()
    _, again = returning(desk)
    desk.server.faults = (HostileAnswer(name=H.OTHER_CLIENT_ID),)
    error = failed(desk.run(again))
    assert (error.kind, error.details) == (E.INVALID_RESPONSE, {"reason": "client_id_changed"})
    assert (len(desk.kept), desk.count("exchange")) == (1, 1)


@pytest.mark.parametrize(
    "name", [H.WRONG_STATE, H.DENIED_WRONG_STATE, H.TWO_STATES, H.TWO_CLIENT_IDS, H.TWO_CODES]
)
def test_a_redirect_that_is_not_ours_is_waited_through(name: Hostile) -> None:
    desk = Desk(authority(HostileAnswer(name=name, requests=1)))
    assert signed_in(desk.run(flow())).user_id == "user-fake-1"
    assert len(desk.opened) == 2


def test_who_refuses_has_exchanged_and_registered_nothing() -> None:
    desk = Desk(authority(approve="deny"))
    error = failed(desk.run(flow()))
    assert (error.kind, error.details) == (E.DENIED, {"code": "access_denied"})
    assert (desk.kept, desk.count("token")) == ([], 0)


def test_unknown_parameters_of_a_redirect_are_nothing() -> None:
    desk = Desk(changed=lambda query: f"{query}&future=1&scope=chatgpt.tokens.use.direct")
    assert signed_in(desk.run(flow())).user_id == "user-fake-1"


# -- a registration is kept, or nothing is exchanged ---------------------------------------------------


def test_a_store_that_fails_ends_it_and_exchanges_nothing() -> None:
    full = SignInError.of(E.AUTH_WRITE_FAILED, reason="ENOSPC")
    desk = Desk(store=[StoreFailed(full)])
    signing_in = flow()
    assert failed(desk.run(signing_in)) is full
    assert signing_in.state is State.FAILED
    assert (desk.kept, desk.count("token")) == ([], 0)


def test_a_registration_survives_an_exchange_that_fails_and_the_next_sign_in_uses_it() -> None:
    desk = hostile(H.TOKEN_HTML)
    failed(desk.run(flow()))
    (kept,) = desk.kept
    desk.server.faults = ()
    assert signed_in(desk.run(flow(FIRST.registered(kept.client_id)))).client_id == kept.client_id
    assert len(desk.kept) == 1


def test_a_code_that_is_too_old_when_the_registration_is_kept_is_not_exchanged() -> None:
    desk = Desk(slow=30.0)
    error = failed(desk.run(flow()))
    assert (error.kind, error.details) == (E.TOKEN_REQUEST_FAILED, {"reason": "too_late"})
    assert (len(desk.kept), desk.count("token")) == (1, 0)
    signed_in(Desk(slow=29.5).run(flow()))


# -- the keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [(H.KEYS_UNAVAILABLE, E.NETWORK), (H.KEYS_EMPTY, E.INVALID_RESPONSE), (H.KEYS_HTML, E.BLOCKED)],
)
def test_without_keys_nobody_is_asked_to_sign_in(name: Hostile, kind: ErrorKind) -> None:
    desk = hostile(name)
    began = desk.world.at
    error = failed(desk.run(flow()))
    assert (error.kind, error.retryable) == (kind, True)
    assert desk.opened == []
    assert desk.count("keys") == 5
    assert desk.world.at - began <= 31


@pytest.mark.parametrize("name", [H.KEYS_UNAVAILABLE, H.KEYS_EMPTY, H.KEYS_HTML])
def test_keys_that_come_late_are_good(name: Hostile) -> None:
    desk = Desk(authority(HostileAnswer(name=name, requests="1-2")))
    signed_in(desk.run(flow()))
    assert desk.count("keys") == 3


def test_a_new_key_is_asked_for_once_with_the_tokens_in_hand() -> None:
    desk = Desk(authority(HostileAnswer(name=H.KEYS_UNKNOWN_KID, requests=1)))
    credential = signed_in(desk.run(flow()))
    assert (desk.count("keys"), desk.count("exchange"), desk.count("revoke")) == (2, 1, 0)
    assert credential.user_id == "user-fake-1"
    asked = [effect for effect in desk.effects if isinstance(effect, SendRequest)]
    assert [effect.once for effect in asked] == [False, False, True, True], "what is in hand is not cut"


def test_a_key_that_stays_unknown_is_refused_revoked_and_no_proof_of_a_bad_identity() -> None:
    desk = hostile(H.KEYS_UNKNOWN_KID)
    error = failed(desk.run(flow()))
    assert (error.kind, error.details) == (E.INVALID_RESPONSE, {"reason": "kid", "revoked": True})
    assert error.retryable
    assert desk.count("keys") == 2


def test_keys_that_cannot_be_had_for_tokens_in_hand_are_a_passing_failure() -> None:
    faults = (
        HostileAnswer(name=H.KEYS_UNKNOWN_KID, requests=1),
        HostileAnswer(name=H.KEYS_UNAVAILABLE, requests=2),
    )
    desk = Desk(authority(*faults))
    error = failed(desk.run(flow()))
    assert (error.kind, error.retryable, error.details["revoked"]) == (E.NETWORK, True, True)
    assert desk.count("keys") == 2


# -- what the server says of itself --------------------------------------------------------------------


@pytest.mark.parametrize(("name", "problem"), [(H.FOREIGN_ENDPOINTS, "origin"), (H.OTHER_ISSUER, "issuer")])
def test_a_document_that_leads_elsewhere_is_not_used(name: Hostile, problem: str) -> None:
    desk = hostile(name, H.NO_NONCE)
    signing_in = flow()
    failed(desk.run(signing_in))
    assert signing_in.metadata_problem == problem
    assert (desk.count("attacker"), desk.count("keys"), desk.count("revoke")) == (0, 1, 1)


def test_a_document_that_is_good_has_no_problem_and_a_provider_may_have_none() -> None:
    desk = Desk()
    signing_in = flow()
    signed_in(desk.run(signing_in))
    assert signing_in.metadata_problem is None
    signed_in(desk.run(flow(attrs.evolve(FIRST, metadata_endpoint=None))))
    assert (desk.count("discovery"), desk.count("keys")) == (1, 2)
