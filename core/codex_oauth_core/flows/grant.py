"""Whether granted tokens make the credential that was asked for, and until when by which clock."""

from __future__ import annotations

from collections.abc import Sequence

from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import Refused, Tokens
from codex_oauth_core.provider import Provider
from codex_oauth_core.reading.times import plausible_time, rfc3339

__all__ = ["expires_at", "judge_grant", "server_offset"]


def judge_grant(
    tokens: Tokens, provider: Provider, workspaces: Sequence[str], event: ResponseReceived
) -> Credential | Refused:
    """The credential of a first sign-in, or why there is none."""
    if tokens.access_token is None or tokens.refresh_token is None:
        return Refused(ErrorKind.INVALID_RESPONSE, reason=tokens.problem or "refresh_token")
    if tokens.account_id is None:
        return Refused(ErrorKind.NO_ACCOUNT_ID)
    if workspaces and tokens.account_id not in workspaces:
        return Refused(ErrorKind.WORKSPACE_RESTRICTED)
    return Credential(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        account_id=tokens.account_id,
        issuer=provider.issuer,
        client_id=provider.client_id,
        obtained_at=rfc3339(event.wall),
        id_token=tokens.id_token,
        expires_at=expires_at(tokens, event),
        earliest_refresh_at=tokens.earliest_refresh_at,
    )


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
