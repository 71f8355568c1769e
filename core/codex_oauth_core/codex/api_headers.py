"""What a request to ChatGPT's own API carries of a login.

Rules of this file: one list for every way in which a token leaves; whether it may leave is asked elsewhere.
"""

from __future__ import annotations

from typing import Final

from codex_oauth_core.codex.token_answers import CLAIMS
from codex_oauth_core.credential import Credential
from codex_oauth_core.reading.json_body import as_object
from codex_oauth_core.reading.jwt import read_claims

__all__ = ["api_headers", "is_fedramp"]

_FEDRAMP: Final = "chatgpt_account_is_fedramp"


def is_fedramp(credential: Credential) -> bool:
    """Whether the id token says that the workspace is one of the United States government (FedRAMP). Without
    an id token the access token stands for it.
    """
    claims = read_claims(credential.id_token or credential.access_token)
    return any(each.get(_FEDRAMP) is True for each in (as_object(claims.get(CLAIMS)), claims))


def api_headers(credential: Credential, originator: str, *, fedramp: bool) -> dict[str, str]:
    """The headers of a request; `Authorization` bears the token as plain text. `fedramp` is `is_fedramp`."""
    carried = {
        "Authorization": f"Bearer {credential.access_token.reveal()}",
        "ChatGPT-Account-Id": credential.account_id,
        "originator": originator,
    }
    return {**carried, "x-openai-fedramp": "true"} if fedramp else carried
