"""The token endpoint's answers of the official sign-in: to an exchange and to a refresh.

Rules of this file: what a redirect says of scopes is no evidence, and what a token answer does not say was
not granted; whose tokens they are is what a verified ID token says. A rotated refresh token is kept whatever
is wrong beside it. Where two readings of an answer are possible both work.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from codex_oauth_core.chatgpt.codes import CLIENT_REJECTED, LOGIN_OVER, OUR_MISTAKES, TEMPORARY
from codex_oauth_core.chatgpt.id_token import (
    Expected,
    IdToken,
    failed_check,
    names_audience,
    read_id_token,
)
from codex_oauth_core.chatgpt.requests import issued_client_id
from codex_oauth_core.codex.answers import Answer
from codex_oauth_core.codex.token_answers import (
    granted_anything,
    grants,
    is_blocked,
    is_in_between,
    is_refusal,
    nothing_granted,
    read_token_fields,
    refresh_answer,
)
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import ExchangeFact, Granted, RefreshFact, Refusal, Tokens, TryAgain
from codex_oauth_core.identity import Profile

if TYPE_CHECKING:
    from codex_oauth_core.credential import Credential
    from codex_oauth_core.events import ResponseReceived
    from codex_oauth_core.provider import CodeInHand, Provider
    from codex_oauth_core.secret import Secret

__all__ = ["identify", "profile", "read_exchange", "read_refresh"]

_SCOPE: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_MOST_SCOPES: Final = 100


def read_exchange(provider: Provider, code: CodeInHand, response: ResponseReceived) -> ExchangeFact:
    """What the server says to an authorization code: tokens, of which the ID token was judged."""
    answer = Answer(response)
    if grants(answer):
        return Granted(_judged(provider, code, read_token_fields(answer), answer))
    if is_blocked(answer):
        return Refusal(ErrorKind.BLOCKED, answer.code, answer.status)
    if answer.code in CLIENT_REJECTED and not is_in_between(answer):
        return Refusal(ErrorKind.CLIENT_REJECTED, answer.code, answer.status)
    uncertain = not is_refusal(answer)
    return Refusal(ErrorKind.TOKEN_REQUEST_FAILED, answer.code, answer.status, uncertain=uncertain)


def _judged(provider: Provider, code: CodeInHand, tokens: Tokens, answer: Answer) -> Tokens:
    """The tokens with what is known of them: the client they are bound to, what was granted, and whose they
    are; or why they are not taken.
    """
    issued = issued_client_id(provider, code)
    client_id = issued if isinstance(issued, str) else provider.client_id
    judged = partial(attrs.evolve, tokens, client_id=client_id, scopes=_scopes(answer) or ())
    if isinstance(issued, Refusal):
        return judged(refusal=issued)
    if provider.verify_signature is None:
        return judged(refusal=Refusal(ErrorKind.MISCONFIGURED, reason="extra_missing"))
    token = None if tokens.id_token is None else read_id_token(tokens.id_token)
    if token is None:
        return judged(refusal=_unverified("id_token"))
    expected = Expected(
        issuer=provider.issuer,
        client_id=client_id,
        nonce=code.nonce,
        keys=code.keys,
        verify=provider.verify_signature,
        now=answer.response.wall if tokens.server_time is None else tokens.server_time,
    )
    failed = failed_check(token, expected)
    key_id = token.header.get("kid")
    named = key_id if isinstance(key_id, str) and _SCOPE.fullmatch(key_id) else None
    if failed is not None:
        unknown_key = failed == "kid" and named is not None
        return judged(key_id=named, refusal=_unverified(failed), unknown_key=unknown_key)
    return judged(key_id=named, user_id=_subject(token))


def _unverified(what: str) -> Refusal:
    return Refusal(ErrorKind.INVALID_RESPONSE, reason=what)


def _scopes(answer: Answer) -> tuple[str, ...] | None:
    """What an answer says was granted (RFC 6749 §3.3); None where it says nothing."""
    told = answer.fields.get("scope")
    if not isinstance(told, str):
        return None
    return tuple(each for each in told.split(" ") if _SCOPE.fullmatch(each))[:_MOST_SCOPES]


def _subject(token: IdToken) -> str | None:
    subject = token.claims.get("sub")
    return subject if isinstance(subject, str) and _SCOPE.fullmatch(subject) else None


# -- a refresh ---------------------------------------------------------------------------------------


def read_refresh(provider: Provider, response: ResponseReceived) -> RefreshFact:
    """What the server says to a refresh token. A code decides at any status; a 401 in JSON whose code is not
    known ends the login.
    """
    answer = refresh_answer(response)
    granted = granted_anything(answer, lambda read: _renewed(provider, read))
    if granted is not None:
        return Granted(granted)
    if not is_in_between(answer):
        if answer.code in TEMPORARY:
            kind, after = ErrorKind.NETWORK, answer.retry_after
            return TryAgain(kind, True, after, answer.code, answer.status)
        if answer.code in OUR_MISTAKES:
            return Refusal(ErrorKind.INVALID_RESPONSE, answer.code, answer.status)
    return nothing_granted(answer, LOGIN_OVER, CLIENT_REJECTED)


def _renewed(provider: Provider, answer: Answer) -> Tokens:
    """The tokens of a renewal. An ID token, which it may have, came from the token endpoint itself: its
    claims are compared (OpenID Connect Core §12.2), and no nonce is asked for. One that cannot be read is
    left out.
    """
    tokens = attrs.evolve(read_token_fields(answer), scopes=_scopes(answer))
    token = None if tokens.id_token is None else read_id_token(tokens.id_token)
    subject = None if token is None else _subject(token)
    if token is None or subject is None:
        return attrs.evolve(tokens, id_token=None)
    if token.claims.get("iss") != provider.issuer:
        return attrs.evolve(tokens, refusal=Refusal(ErrorKind.ACCOUNT_CHANGED, reason="iss"))
    if not names_audience(token, provider.client_id):
        return attrs.evolve(tokens, refusal=Refusal(ErrorKind.ACCOUNT_CHANGED, reason="aud"))
    return attrs.evolve(tokens, user_id=subject)


# -- whose they are ------------------------------------------------------------------------------------


def identify(_access: Secret[str] | None, id_token: Secret[str] | None) -> tuple[None, str | None]:
    """The person that a login's ID token names, as it was judged when it was stored; no account is named."""
    token = None if id_token is None else read_id_token(id_token)
    return None, None if token is None else _subject(token)


def profile(credential: Credential) -> Profile:
    """The e-mail address in the ID token, for people."""
    token = None if credential.id_token is None else read_id_token(credential.id_token)
    email = None if token is None else token.claims.get("email")
    return Profile(email if isinstance(email, str) and email else None)
