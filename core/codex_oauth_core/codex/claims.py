"""What a login's tokens say of whose it is, and what a request to ChatGPT's own API carries of it.

Rules of this file: claims are hints, for people and for a header, and never verified; one list of headers for
every way in which a token leaves; whether it may leave is asked elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_oauth_core.codex.token_answers import CLAIMS
from codex_oauth_core.identity import Profile
from codex_oauth_core.reading.json_body import as_object
from codex_oauth_core.reading.jwt import read_claims
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth_core.credential import Credential
    from codex_oauth_core.provider import Provider
    from codex_oauth_core.request import RequestHeaders

__all__ = ["headers", "is_fedramp", "read_profile"]


def read_profile(credential: Credential) -> Profile:
    """The email and the plan, from the id token or else the access token; None where neither says."""
    tokens = (credential.id_token, credential.access_token)
    claims = [read_claims(token) for token in tokens if token is not None]
    emails = (each.get("email") for each in claims)
    plans = (as_object(each.get(CLAIMS)).get("chatgpt_plan_type") for each in claims)
    return Profile(
        next((email for email in emails if isinstance(email, str) and email), None),
        next((plan for plan in plans if isinstance(plan, str) and plan), None),
    )


_FEDRAMP: Final = "chatgpt_account_is_fedramp"


def is_fedramp(credential: Credential) -> bool:
    """Whether the id token says that the workspace is one of the United States government (FedRAMP). Without
    an id token the access token stands for it.
    """
    claims = read_claims(credential.id_token or credential.access_token)
    return any(each.get(_FEDRAMP) is True for each in (as_object(claims.get(CLAIMS)), claims))


def headers(provider: Provider, credential: Credential) -> RequestHeaders:
    """What a request to ChatGPT's own API bears; the account only where one is known."""
    account = credential.account_id
    return (
        ("Authorization", Secret(f"Bearer {credential.access_token.reveal()}")),
        *(() if account is None else (("ChatGPT-Account-Id", account),)),
        ("originator", provider.originator),
        *((("x-openai-fedramp", "true"),) if is_fedramp(credential) else ()),
    )
