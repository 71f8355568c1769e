"""The readers of the Codex dialect, for tests that have an answer and nothing else: whose it is, and of which code."""

from __future__ import annotations

from typing import Final

from codex_oauth_core import CODEX, ResponseReceived, Secret
from codex_oauth_core.facts import ExchangeFact, PollFact, RefreshFact, RevocationFact
from codex_oauth_core.provider import AuthorizationRequest, CodeInHand
from tests.support import CODE, VERIFIER, there

__all__ = ["IN_HAND", "asked", "read_exchange", "read_poll", "read_refresh", "read_revocation"]

IN_HAND: Final = CodeInHand(
    authorization_code=Secret(CODE),
    code_verifier=Secret(VERIFIER),
    redirect_uri=there(CODEX.device_redirect_uri),
)


def asked(redirect_uri: str, state: str, challenge: str, *workspaces: str) -> AuthorizationRequest:
    """What a page is opened with."""
    return AuthorizationRequest(
        redirect_uri=redirect_uri, state=Secret(state), code_challenge=challenge, workspaces=workspaces
    )


def read_poll(response: ResponseReceived) -> PollFact:
    return CODEX.dialect.read_poll(CODEX, response)


def read_exchange(response: ResponseReceived) -> ExchangeFact:
    return CODEX.dialect.read_exchange(CODEX, IN_HAND, response)


def read_refresh(response: ResponseReceived) -> RefreshFact:
    return CODEX.dialect.read_refresh(CODEX, response)


def read_revocation(response: ResponseReceived) -> RevocationFact:
    return CODEX.dialect.read_revocation(CODEX, response)
