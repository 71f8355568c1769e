"""What the answer to a renewal makes of a stored login: the successor of its record.

Rules of this file: pure; a new refresh token is kept whatever is wrong with the rest of the answer, because
the old one is spent; what the answer leaves out stays as it was.
"""

from __future__ import annotations

from typing import Final

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import Tokens
from codex_oauth_core.flows.grant import expires_at, server_offset
from codex_oauth_core.identity import usable_id
from codex_oauth_core.provider import Provider
from codex_oauth_core.reading.times import rfc3339
from codex_oauth_core.record import UNUSABLE_SUCCESSOR, Record
from codex_oauth_core.secret import Secret

__all__ = ["UNUSABLE", "as_sign_in", "renewed_credential", "renewed_record", "unused_successor"]

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
