"""What we send to the official sign-in's authorization server: one function a request.

Rules of this file: tokens, codes and verifiers go into bodies; the one token that the protocol puts into a
URL (`id_token_hint`) is there only if it is asked for, and that URL is shown to nobody. The client id that
begins a first registration is sent to the authorize endpoint, and never to any other. Where the provider has
no endpoint there is no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from codex_oauth_core.callback import read_client_id
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import Refusal
from codex_oauth_core.request import Request, RequestHeaders
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth_core.provider import AuthorizationRequest, CodeInHand, Provider

__all__ = [
    "authorize_url",
    "exchange_request",
    "issued_client_id",
    "keys_request",
    "metadata_request",
    "refresh_request",
    "revocation_request",
    "why_not",
]

_FORM: Final = (("Content-Type", "application/x-www-form-urlencoded"),)
_NOTHING: Final = Secret(b"")


def why_not(provider: Provider) -> Refusal | None:
    """What a sign-in cannot be begun without."""
    if provider.verify_signature is None:
        return Refusal(ErrorKind.MISCONFIGURED, reason="extra_missing")
    if not provider.host_id:
        return Refusal(ErrorKind.MISCONFIGURED, reason="host_id")
    if not (provider.application or provider.is_registered):
        return Refusal(ErrorKind.MISCONFIGURED, reason="application")
    return None


def metadata_request(provider: Provider) -> Request | None:
    """Ask what the server says of itself (OpenID Connect Discovery §4)."""
    return _get(provider, provider.metadata_endpoint)


def keys_request(provider: Provider) -> Request | None:
    """Ask for the keys that ID tokens are signed with (RFC 7517 §5)."""
    return _get(provider, provider.jwks_uri)


def authorize_url(provider: Provider, asked: AuthorizationRequest) -> Secret[str] | None:
    """The page to open in the browser (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, OpenID Connect Core
    §3.1.2.1). A first registration says what the program is called; a returning one says who returns.
    """
    endpoint = provider.authorization_endpoint
    if endpoint is None or provider.token_endpoint is None:
        return None
    returning = {
        "id_token_hint": _plain(asked.id_token_hint),
        "login_hint": asked.login_hint,
        "prompt": asked.prompt,
    }
    query = {
        "client_id": provider.client_id,
        **(returning if provider.is_registered else {"agent_name_hint": provider.application}),
        "ext_agent_host_id": provider.host_id,
        "response_type": "code",
        "redirect_uri": asked.redirect_uri,
        "scope": " ".join(provider.scopes),
        "resource": provider.resource,
        "state": asked.state.reveal(),
        "nonce": _plain(asked.nonce),
        "code_challenge": asked.code_challenge,
        "code_challenge_method": "S256",
    }
    glue = "&" if "?" in endpoint else "?"
    given = urlencode({name: value for name, value in query.items() if value})
    return Secret(f"{endpoint}{glue}{given}")


def issued_client_id(provider: Provider, code: CodeInHand) -> str | Refusal | None:
    """The client id that a redirect newly issues; None where it need not, and does not.

    A first registration needs one, of a form that the server issues. A returning sign-in has one, and no
    redirect changes that.
    """
    named = code.client_id
    if named is None and code.query is not None:  # after a checkpoint, or for a caller of its own
        named = read_client_id(code.query)
    if provider.is_registered:
        changed = named is not None and named != provider.client_id
        return _unusable("client_id_changed") if changed else None
    if named is None:
        return _unusable("client_id_missing")
    return named if provider.issues(named) else _unusable("client_id_unusable")


def _unusable(reason: str) -> Refusal:
    return Refusal(ErrorKind.INVALID_RESPONSE, reason=reason)


def exchange_request(provider: Provider, code: CodeInHand) -> Request | Refusal | None:
    """Exchange an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5, RFC 8707 §2.2)."""
    issued = issued_client_id(provider, code)
    if isinstance(issued, Refusal):
        return issued
    return _form(
        provider,
        provider.token_endpoint,
        {
            "grant_type": "authorization_code",
            "client_id": issued or provider.client_id,
            "code": code.authorization_code.reveal(),
            "code_verifier": code.code_verifier.reveal(),
            "redirect_uri": code.redirect_uri,
            "resource": provider.resource,
        },
    )


def refresh_request(provider: Provider, refresh_token: Secret[str]) -> Request | None:
    """Renew a login (RFC 6749 §6, RFC 8707 §2.2; without a scope). The refresh token is spent by this."""
    if not provider.is_registered:
        return None
    return _form(
        provider,
        provider.token_endpoint,
        {
            "grant_type": "refresh_token",
            "client_id": provider.client_id,
            "refresh_token": refresh_token.reveal(),
            "resource": provider.resource,
        },
    )


def revocation_request(provider: Provider, token: Secret[str], token_type_hint: str) -> Request | None:
    """Revoke a token (RFC 7009 §2.1)."""
    if not provider.is_registered:
        return None
    body = {"token": token.reveal(), "token_type_hint": token_type_hint, "client_id": provider.client_id}
    return _form(provider, provider.revocation_endpoint, body)


def _plain(secret: Secret[str] | None) -> str | None:
    return None if secret is None else secret.reveal()


def _get(provider: Provider, url: str | None) -> Request | None:
    return None if url is None else Request("GET", url, provider.headers, _NOTHING)


def _form(provider: Provider, url: str | None, body: Mapping[str, str | None]) -> Request | None:
    if url is None:
        return None
    given = urlencode({name: value for name, value in body.items() if value is not None})
    headers: RequestHeaders = provider.headers + _FORM
    return Request("POST", url, headers, Secret(given.encode()))
