"""Who is signed in, as the tokens of a credential say. Hints for people: never verified."""

from __future__ import annotations

import attrs

from codex_oauth_core.codex.token_answers import CLAIMS
from codex_oauth_core.credential import Credential
from codex_oauth_core.reading.json_body import as_object
from codex_oauth_core.reading.jwt import read_claims

__all__ = ["Identity", "read_identity"]


@attrs.frozen
class Identity:
    """What to call an account. The server's own words: filter them before they reach a terminal."""

    email: str | None
    plan: str | None


def read_identity(credential: Credential) -> Identity:
    """The email and the plan, from the id token or else the access token; None where neither says."""
    tokens = (credential.id_token, credential.access_token)
    claims = [read_claims(token) for token in tokens if token is not None]
    emails = (each.get("email") for each in claims)
    plans = (as_object(each.get(CLAIMS)).get("chatgpt_plan_type") for each in claims)
    return Identity(
        next((email for email in emails if isinstance(email, str) and email), None),
        next((plan for plan in plans if isinstance(plan, str) and plan), None),
    )
