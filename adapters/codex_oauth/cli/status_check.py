"""`codex-oauth status --check`: whether ChatGPT takes the access token of a stored login.

Rules of this file: it is asked once: one request, which costs and changes nothing, and only to the host that
tokens of the login's provider are for. What is known beforehand (the token has expired, another server issued
it) is not asked; what the server writes is never shown.
"""

from __future__ import annotations

from typing import Final, assert_never

import attrs

from codex_oauth.login_over import is_expired
from codex_oauth.transport.protocol import Transport, never
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.answers import Answer, is_success, no_answer, says_nothing
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.errors import Detail, ErrorKind, SignInError
from codex_oauth_core.events import Cancelled, RequestFailed, ResponseReceived
from codex_oauth_core.flows.machine import error_of, refusal_of, transient_of
from codex_oauth_core.flows.no_answer import naming, why_no_answer
from codex_oauth_core.provider import Provider, use_is_off
from codex_oauth_core.providers import provider_of
from codex_oauth_core.secret import Secret, leaks

__all__ = ["URL", "Checked", "ask_server"]

URL: Final = CODEX.token_check_url or ""
"""How much of the plan is used: the smallest answer that needs a token, and is free. That of another
provider is its own `token_check_url`.
"""

_LIMIT: Final = 20.0
_UNANSWERED: Final = f"{CODEX.texts.service} did not say whether it accepts the access token."
_REFUSED: Final = f"{CODEX.texts.service} does not accept the access token."
_RENEW: Final = ("Renew it: codex-oauth refresh", "If that does not help: codex-oauth login")


@attrs.frozen
class Checked:
    """What came of it: `accepted`, or `error`, or a word that says why ChatGPT was not asked."""

    accepted: bool | None = None
    not_asked: str | None = None
    error: SignInError | None = None


def ask_server(credential: Credential, transport: Transport | None = None) -> Checked:
    """Ask whether the access token is taken, by default over the usual transport."""
    provider = provider_of(credential)
    if provider is not None and use_is_off(credential, provider):
        return Checked(not_asked="plan_use_off")
    if credential.issuer != CODEX.issuer or provider is None or not _may_check(credential, provider):
        return Checked(not_asked="other_issuer")
    if is_expired(credential):
        return Checked(not_asked="expired")
    request = _request(credential, provider)
    answer = (transport or _usual())(request, never)
    match answer:
        case RequestFailed():
            failure = transient_of(answer)
            if failure.setting is not None:
                return Checked(error=error_of(refusal_of(failure)))
            error = SignInError.of(failure.kind, cause=failure.cause)
            return Checked(error=naming(why_no_answer(request, answer, failure.kind), error))
        case ResponseReceived():
            return _verdict(Answer(answer), credential)
        case Cancelled():
            return Checked(error=SignInError.of(ErrorKind.CANCELLED))
        case _:
            assert_never(answer)


def _usual() -> Transport:
    from codex_oauth.transport.httpx_transport import HttpxTransport

    return HttpxTransport()


def _may_check(credential: Credential, provider: Provider) -> bool:
    """Whether the provider has an answer that costs nothing, for a client that is its own."""
    own = provider.issued_client_ids is not None or credential.client_id == CODEX.client_id
    return own and provider.token_check_url is not None


def _request(credential: Credential, provider: Provider) -> SendRequest:
    url, carried = provider.token_check_url or URL, provider.dialect.headers(provider, credential)
    return SendRequest(Request("GET", url, (*provider.headers, *carried), Secret(b"")), _LIMIT)


def _verdict(answer: Answer, credential: Credential) -> Checked:
    """What an answer says. A page is a firewall's, whatever its status; only JSON is ChatGPT's."""
    status = answer.status
    if is_success(status) and answer.readable:
        return Checked(accepted=True)
    if status == 401 and not answer.is_page:
        error = SignInError.of(
            ErrorKind.LOGIN_REQUIRED, _REFUSED, status=status, code=_server_code(answer, credential)
        )
        return Checked(accepted=False, error=attrs.evolve(error, next_actions=_RENEW))
    if answer.region_blocked:
        return Checked(error=SignInError.of(ErrorKind.REGION_BLOCKED, status=status))
    kind = no_answer(answer).kind if says_nothing(answer) or status == 429 else ErrorKind.INVALID_RESPONSE
    return Checked(error=_unanswered(kind, status=status, code=_server_code(answer, credential)))


def _server_code(answer: Answer, credential: Credential) -> str | None:
    """The server's error code, unless it repeats the token."""
    code = answer.code
    return "other" if code and leaks(code, credential.access_token) else code


def _unanswered(kind: ErrorKind, **details: Detail) -> SignInError:
    own = kind in (ErrorKind.NETWORK, ErrorKind.INVALID_RESPONSE, ErrorKind.RATE_LIMITED)
    return SignInError.of(kind, _UNANSWERED if own else None, **details)
