"""The page of a verified sign-in is made once, and again where the server's metadata change the provider."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from codex_oauth_core import BrowserPrompt, Provider, Secret, Started, Wait
from codex_oauth_core.provider import AuthorizationRequest, CodeInHand
from tests.core.chatgpt import FIRST, Desk, authority, flow


def run_to_the_page(desk: Desk, signing_in: Any) -> BrowserPrompt:
    effect = desk.tell(signing_in, Started(*desk.world.now()))
    while not isinstance(effect, Wait):
        effect = desk.tell(signing_in, desk.answer(effect))
    assert isinstance(effect.prompt, BrowserPrompt)
    return effect.prompt


@pytest.mark.parametrize("moved", [False, True])
def test_the_page_is_of_the_provider_that_the_metadata_make(moved: bool) -> None:
    made: list[str | None] = []

    def page(provider: Provider, asked: AuthorizationRequest) -> Secret[str]:
        made.append(provider.jwks_uri)
        return Secret(f"{provider.authorization_endpoint}?keys={provider.jwks_uri}")

    before = f"{FIRST.issuer}/elsewhere" if moved else FIRST.jwks_uri
    provider = attrs.evolve(FIRST, jwks_uri=before, dialect=attrs.evolve(FIRST.dialect, authorize_url=page))
    prompt = run_to_the_page(Desk(authority()), flow(provider))
    assert prompt.authorize_url.reveal() == f"{FIRST.authorization_endpoint}?keys={FIRST.jwks_uri}"
    assert made == ([before, FIRST.jwks_uri] if moved else [before])


def test_a_client_id_that_was_read_needs_no_query() -> None:
    code = CodeInHand(
        authorization_code=Secret("c"),
        code_verifier=Secret("v"),
        redirect_uri="http://127.0.0.1:1/auth/callback",
        client_id="oaiapp_1",
    )
    assert FIRST.dialect.issued_client_id(FIRST, code) == "oaiapp_1"
