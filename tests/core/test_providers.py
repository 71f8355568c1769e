"""Which provider a login belongs to: its issuer and its client say so, and nothing else."""

from __future__ import annotations

from typing import Final

import attrs
import pytest

from codex_oauth_core import CODEX, Credential, FinishSignIn, Provider, provider_of
from codex_oauth_core.provider import Dialect
from tests.core.storing import CURRENT, StoreWorld, login
from tests.support import as_json

LOGIN: Final = CURRENT.credential
HOME: Final = Provider(
    issuer="https://home.example/",
    client_id="app",
    scopes=(),
    token_endpoint="https://home.example/token",
    revocation_endpoint="https://home.example/revoke",
    dialect=Dialect(revocation_request=CODEX.dialect.revocation_request),
)
ISSUING: Final = Provider(
    issuer=CODEX.issuer, client_id="anybody", scopes=(), issued_client_ids="oa_[a-z]+", dialect=Dialect()
)


def of(issuer: str, client_id: str = "app") -> Credential:
    return attrs.evolve(LOGIN, issuer=issuer, client_id=client_id)


def test_a_login_of_codex_is_one_whoever_asks() -> None:
    assert provider_of(LOGIN) is CODEX
    assert provider_of(LOGIN, (HOME, ISSUING)) is CODEX
    assert provider_of(of("http://127.0.0.1:1", CODEX.client_id)) == CODEX.at("http://127.0.0.1:1")
    assert provider_of(of(CODEX.issuer, "x")) == attrs.evolve(CODEX, client_id="x")


def test_a_login_of_a_provider_that_is_named_is_of_that() -> None:
    assert provider_of(of(HOME.issuer), (HOME,)) is HOME
    assert provider_of(of(HOME.issuer, "other"), (HOME,)) == attrs.evolve(HOME, client_id="other")


@pytest.mark.parametrize(
    "issuer", ["https://home.example", "https://HOME.example/", "https://home.example//"]
)
def test_an_issuer_that_differs_in_a_letter_is_another(issuer: str) -> None:
    found = provider_of(of(issuer), (HOME,))
    assert found is not None
    assert found.dialect is CODEX.dialect


def test_a_login_of_another_issuer_is_bound_to_it_to_the_letter_and_no_endpoint_has_two_slashes() -> None:
    found = provider_of(of("https://auth.example/"))
    assert found is not None
    assert (found.issuer, found.client_id) == ("https://auth.example/", "app")
    assert found.token_endpoint == "https://auth.example/oauth/token"


def test_a_client_id_that_a_redirect_issued_tells_two_providers_of_one_issuer_apart() -> None:
    assert provider_of(of(CODEX.issuer, "oa_x"), (ISSUING,)) == attrs.evolve(ISSUING, client_id="oa_x")
    for other in ("oa_", "oa_X", "x_oa_x", "oa_x\n"):
        found = provider_of(of(CODEX.issuer, other))
        assert found == attrs.evolve(CODEX, client_id=other)
    assert provider_of(of(CODEX.issuer, "oa_X"), (HOME, ISSUING)) == attrs.evolve(ISSUING, client_id="oa_X")
    assert provider_of(LOGIN, (ISSUING,)) is CODEX


@pytest.mark.parametrize("issuer", ["http://evil.example", "https://", "no issuer"])
def test_what_is_no_issuer_is_nobodys(issuer: str) -> None:
    assert provider_of(of(issuer), (HOME,)) is None


def test_a_login_that_is_replaced_is_ended_where_the_new_one_was_granted_if_both_are_of_it() -> None:
    old = login(9e5, number=1, issuer=HOME.issuer, client_id=HOME.client_id)
    new = login(9e5, number=2, issuer=HOME.issuer, client_id=HOME.client_id)
    world = StoreWorld(old, [as_json(200, {})])
    world.run(FinishSignIn(record=new, provider=HOME, revoke_old=True))
    assert [request.url for request in world.sent] == [HOME.revocation_endpoint]
