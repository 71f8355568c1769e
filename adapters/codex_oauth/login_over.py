"""Why a stored login is over, in words for people: `status`, `list` and `doctor` say the same.

Rules of this file: nobody is asked, and nothing is changed; what the server said is told in the words of the
login's own provider.
"""

from __future__ import annotations

import time

from codex_oauth.elsewhere import is_elsewhere, owner_of
from codex_oauth_core.credential import Credential
from codex_oauth_core.providers import provider_of
from codex_oauth_core.record import OWN_WORDS, Record

__all__ = ["is_expired", "why_over"]


def is_expired(credential: Credential) -> bool:
    """Whether the access token is surely of no use any more."""
    return credential.expires_at is not None and credential.expires_at / 1000 <= time.time()


def why_over(record: Record) -> str | None:
    """Why a login is over: it cannot be renewed any more, or not at all and its token has expired. None if it
    is not.
    """
    credential = record.credential
    if record.dead_code is not None:
        return f"{_last_word(credential, record.dead_code)} It cannot be renewed."
    if record.spent:
        return "The server answered with another account when this login was renewed."
    if credential.refresh_token is None and is_expired(credential):
        return "The access token was copied from another program, and has expired."
    if is_expired(credential) and is_elsewhere(credential):
        return f"The access token has expired, and only {owner_of(credential)} can renew it."
    return None


def _last_word(credential: Credential, code: str) -> str:
    """What ended a login, as its provider's people are told."""
    provider = provider_of(credential)
    said = None if provider is None else provider.dialect.login_over_message(code)
    return OWN_WORDS.get(code) or said or "The server has ended the login."
