"""What granted tokens make of a login: its first credential, or the successor of a stored record.

Rules of this file: pure; `expires_in` counts from the start of the request, and every time is by this
machine's clock; a new refresh token is kept whatever is wrong with the rest of a renewal's answer, because
the old one is spent, and what that answer leaves out stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import OTHER_PERSON, ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import Refusal, Tokens
from codex_oauth_core.identity import Identity, answers_to, usable_id
from codex_oauth_core.provider import Provider, Required
from codex_oauth_core.reading.times import plausible_time, rfc3339
from codex_oauth_core.record import UNUSABLE_SUCCESSOR, Record
from codex_oauth_core.secret import Secret

__all__ = [
    "UNUSABLE",
    "accept_tokens",
    "as_sign_in",
    "expires_at",
    "is_asked_for",
    "renewed_credential",
    "renewed_record",
    "server_offset",
    "unused_successor",
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


# -- a renewal ---------------------------------------------------------------------------------------


UNUSABLE: Final = Secret("unusable")
"""Stands for an access token that was not issued as it must be; it has always expired."""


def renewed_record(record: Record, tokens: Tokens, event: ResponseReceived, provider: Provider) -> Record:
    """The successor of `record`: one generation on, and nothing in doubt.

    Where the new refresh token cannot be used the old one stays, by which the record is told apart, and is
    marked: it is spent.
    """
    known, spent = provider.identified(record.credential), tokens.refresh_token_unusable
    credential = renewed_credential(known, tokens, event)
    if spent:
        credential = attrs.evolve(credential, refresh_token=record.credential.refresh_token)
    return Record(
        credential=credential,
        generation=record.generation + 1,
        parent=record.fingerprint,
        spent=spent,
        dead_code=UNUSABLE_SUCCESSOR if spent else None,
        server_offset=server_offset(tokens, event),
        unknown=record.unknown,
    )


def unused_successor(record: Record, tokens: Tokens) -> Record:
    """The successor of `record` where the dialect does not take what was granted: the new refresh token
    stands in the place of the old one, which is spent, and is never sent but to be revoked. Nothing else
    changes.
    """
    return attrs.evolve(
        record,
        credential=attrs.evolve(record.credential, refresh_token=tokens.refresh_token),
        generation=record.generation + 1,
        parent=record.fingerprint,
        spent=True,
        uncertain_at=None,
    )


def as_sign_in(record: Record, tokens: Tokens, event: ResponseReceived) -> Record:
    """Tokens of another account or person, as a login of theirs."""
    base = attrs.evolve(
        record.credential,
        account_id=usable_id(tokens.account_id),
        user_id=usable_id(tokens.user_id),
        id_token=None,
    )
    return Record(renewed_credential(base, tokens, event), server_offset=server_offset(tokens, event))


def renewed_credential(old: Credential, tokens: Tokens, event: ResponseReceived) -> Credential:
    """`old` with what was issued anew. Without a usable access token it is marked `UNUSABLE`, and expired; it
    has no refresh token if the new one cannot be used.
    """
    usable = tokens.access_token is not None
    return attrs.evolve(
        old,
        access_token=tokens.access_token or UNUSABLE,
        refresh_token=None if tokens.refresh_token_unusable else tokens.refresh_token or old.refresh_token,
        id_token=tokens.id_token or old.id_token,
        expires_at=expires_at(tokens, event) if usable else 0,
        earliest_refresh_at=tokens.earliest_refresh_at,
        obtained_at=rfc3339(event.wall),
        account_id=old.account_id or usable_id(tokens.account_id),
        user_id=old.user_id or usable_id(tokens.user_id),
        scopes=old.scopes if tokens.scopes is None else tokens.scopes,
    )
