"""What we send to a Codex authorization server: one function a request.

Rules of this file: secrets go into bodies, and into a URL only where the protocol puts them there
(`state` in the authorize URL); no parameter is sent twice or empty. Where the provider has no endpoint
there is no request; a flow that lacks one of its steps is not begun.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from codex_oauth_core.request import Request, RequestHeaders, plain
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth_core.credential import DeviceAuthorization
    from codex_oauth_core.provider import AuthorizationRequest, CodeInHand, Provider

__all__ = [
    "authorize_url",
    "device_authorization_request",
    "exchange_request",
    "poll_request",
    "refresh_request",
    "revocation_request",
]

_JSON: Final = (("Content-Type", "application/json"),)
_TEXT: Final = json.JSONEncoder().encode
"""A text as JSON; for the few of a request that takes a fifth of the time of json.dumps."""
_FORM: Final = (("Content-Type", "application/x-www-form-urlencoded"),)


def device_authorization_request(provider: Provider) -> Request | None:
    """Ask for a device authorization (RFC 8628 §3.1, as JSON)."""
    later = (provider.device_token_endpoint, provider.verification_uri, provider.device_redirect_uri)
    if None in (*later, provider.token_endpoint):
        return None
    return _json(provider, provider.device_authorization_endpoint, {"client_id": provider.client_id})


def poll_request(provider: Provider, device: DeviceAuthorization) -> Request | None:
    """Ask whether the login was approved (RFC 8628 §3.4; no grant type and no client id here)."""
    body = {"device_auth_id": device.device_auth_id.reveal(), "user_code": device.user_code}
    return _json(provider, provider.device_token_endpoint, body)


def exchange_request(provider: Provider, code: CodeInHand) -> Request | None:
    """Exchange an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5). `state` is not sent here."""
    return _form(
        provider,
        provider.token_endpoint,
        {
            "grant_type": "authorization_code",
            "client_id": provider.client_id,
            "code": code.authorization_code.reveal(),
            "code_verifier": code.code_verifier.reveal(),
            "redirect_uri": code.redirect_uri,
        },
    )


def refresh_request(provider: Provider, refresh_token: Secret[str]) -> Request | None:
    """Renew a login (RFC 6749 §6, without a scope). The refresh token is spent by this."""
    return _form(
        provider,
        provider.token_endpoint,
        {
            "grant_type": "refresh_token",
            "client_id": provider.client_id,
            "refresh_token": refresh_token.reveal(),
        },
    )


def revocation_request(provider: Provider, token: Secret[str], token_type_hint: str) -> Request | None:
    """Revoke a token (RFC 7009 §2.1, as JSON). The client id goes with a refresh token only."""
    body = {"token": token.reveal(), "token_type_hint": token_type_hint}
    if token_type_hint == "refresh_token":  # noqa: S105  # a token type, not a token
        body["client_id"] = provider.client_id
    return _json(provider, provider.revocation_endpoint, body)


def authorize_url(provider: Provider, asked: AuthorizationRequest) -> Secret[str] | None:
    """The page to open in the browser (RFC 6749 §4.1.1, RFC 7636 §4.3). Secret, because it holds `state`."""
    endpoint = provider.authorization_endpoint
    if endpoint is None or provider.token_endpoint is None:
        return None
    query = {
        **dict(plain(provider.authorize_parameters)),
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": asked.redirect_uri,
        "scope": " ".join(provider.scopes),
        "code_challenge": asked.code_challenge,
        "code_challenge_method": "S256",
        "state": asked.state.reveal(),
        "originator": provider.originator,
        "allowed_workspace_id": ",".join(asked.workspaces),
    }
    glue = "&" if "?" in endpoint else "?"
    given = urlencode({name: value for name, value in query.items() if value})
    return Secret(f"{endpoint}{glue}{given}")


def _json(provider: Provider, url: str | None, body: dict[str, str]) -> Request | None:
    members = ", ".join([f'"{name}": {_TEXT(value)}' for name, value in body.items()])
    return _post(provider, url, _JSON, f"{{{members}}}")


def _form(provider: Provider, url: str | None, body: dict[str, str]) -> Request | None:
    return _post(provider, url, _FORM, urlencode(body))


def _post(provider: Provider, url: str | None, kind: RequestHeaders, body: str) -> Request | None:
    return None if url is None else Request("POST", url, provider.headers + kind, Secret(body.encode()))
