"""What granted tokens make of a sign-in: its credential, or the reason why it gets none.

Rules of this file: pure; `expires_in` counts from the start of the request, and every time is by this
machine's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import OTHER_PERSON, ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import Refusal, Tokens
from codex_oauth_core.identity import Identity, answers_to, usable_id
from codex_oauth_core.provider import Provider, Required
from codex_oauth_core.reading.times import plausible_time, rfc3339

__all__ = [
    "accept_tokens",
    "expires_at",
    "is_asked_for",
    "server_offset",
]


def accept_tokens(
    tokens: Tokens,
    provider: Provider,
    workspaces: Sequence[str],
    event: ResponseReceived,
    account: Identity | str | None = None,
) -> Credential | Refusal:
    """The credential of a first sign-in, or why there is none. `account`: the login that was asked for."""
    if tokens.refusal is not None:
        return tokens.refusal
    if tokens.access_token is None:
        return Refusal(ErrorKind.INVALID_RESPONSE, reason=tokens.problem or Required.ACCESS_TOKEN)
    if (missing := _missing(tokens, provider)) is not None:
        return missing
    account_id, user_id = usable_id(tokens.account_id), usable_id(tokens.user_id)
    if tokens.account_id and account_id is None:  # two people of whom it is left out would be one
        return Refusal(ErrorKind.INVALID_RESPONSE, reason="account_id")
    if tokens.user_id and user_id is None:
        return Refusal(ErrorKind.INVALID_RESPONSE, reason="user_id")
    credential = Credential(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        account_id=account_id,
        issuer=provider.issuer,
        client_id=tokens.client_id or provider.client_id,
        obtained_at=rfc3339(event.wall),
        id_token=tokens.id_token,
        expires_at=expires_at(tokens, event),
        earliest_refresh_at=tokens.earliest_refresh_at,
        user_id=user_id,
        scopes=tokens.scopes,
    )
    if account is not None and not is_asked_for(account, credential, provider):
        return Refusal(ErrorKind.ACCOUNT_CHANGED, reason=OTHER_PERSON, signed_in=_who(credential, provider))
    if workspaces and tokens.account_id not in workspaces:
        who = _who(credential, provider)
        text = None if who is None else f"{who} signed in, and is not in the workspace that was asked for."
        return Refusal(ErrorKind.WORKSPACE_RESTRICTED, message=text)
    return credential


def _missing(tokens: Tokens, provider: Provider) -> Refusal | None:
    """What the provider must grant, and did not."""
    needed = provider.must_grant
    if tokens.refresh_token is None and (Required.REFRESH_TOKEN in needed or tokens.refresh_token_unusable):
        return Refusal(ErrorKind.INVALID_RESPONSE, reason=tokens.problem or Required.REFRESH_TOKEN)
    if Required.ACCOUNT in needed and not tokens.account_id:
        return Refusal(ErrorKind.NO_ACCOUNT_ID)
    granted = provider.scopes if tokens.scopes is None else tokens.scopes
    if Required.SCOPE in needed and not set(provider.scopes) <= set(granted):
        return Refusal(ErrorKind.INVALID_RESPONSE, reason=Required.SCOPE)
    return None


def _who(credential: Credential, provider: Provider) -> str | None:
    """What to call the person of a login, in a text that prints: a person may have several accounts."""
    email, account = provider.dialect.profile(credential).email, credential.account_id or credential.user_id
    if not (email and email.isprintable() and len(email) <= _LONGEST_EMAIL):
        return account
    return email if account is None else f"{email} ({account})"


_LONGEST_EMAIL: Final = 254  # RFC 5321 §4.5.3.1.3: a path has no more


def is_asked_for(account: Identity | str, credential: Credential, provider: Provider) -> bool:
    """Whether a login is the one that was asked for: by the identity of one that is known, or by a name."""
    if isinstance(account, Identity):
        return credential.identity.fits(account)
    return answers_to(account, credential.identity, provider.dialect.profile(credential).email)


def expires_at(tokens: Tokens, event: ResponseReceived) -> int | None:
    """When the access token expires, by this machine's clock, in Unix milliseconds; it may be in the past.

    By `expires_in` from the start of the request, else by the token itself, with its server's clock set
    against ours. None if neither says, or if this machine's clock is outside the years 2001 to 2100.
    """
    if plausible_time(event.wall) is None:
        return None
    begun = event.wall - max(0.0, event.at - event.sent_at)
    told = None if tokens.expires_in is None else plausible_time(begun + tokens.expires_in)
    moment = _by_our_clock(tokens, event) if told is None else told
    return None if moment is None else round(moment * 1000)


def _by_our_clock(tokens: Tokens, event: ResponseReceived) -> float | None:
    if tokens.token_expires_at is None:
        return None
    return plausible_time(tokens.token_expires_at - (server_offset(tokens, event) or 0.0))


def server_offset(tokens: Tokens, event: ResponseReceived) -> float | None:
    """The server's clock less this machine's, in seconds; None if the server did not say.

    Zero if its time falls, to the second, between the request and the answer: those may be far apart, where
    the machine was suspended in between.
    """
    if tokens.server_time is None:
        return None
    begun = event.wall - max(0.0, event.at - event.sent_at)
    right = begun - 1 <= tokens.server_time <= event.wall
    return 0.0 if right else tokens.server_time - event.wall
