"""MSAL over an HTTP client in memory, as its documentation shows: `PublicClientApplication(http_client=...)`.

Rules of this file: nothing of MSAL is replaced; what its documentation offers for tests is used.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, Protocol, cast

import attrs

__all__ = ["MsalAnswer", "MsalApp", "client_of", "msal_app", "signed_in"]

AUTHORITY: Final = "https://login.example.com/contoso"
SCOPES: Final = ["https://api.example.com/.default"]


@attrs.frozen
class MsalAnswer:
    """What MSAL expects of an answer."""

    status_code: int
    text: str
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def raise_for_status(self) -> None:
        """An answer of these tests is never one to raise for."""


class MsalApp(Protocol):
    """The part of `msal.PublicClientApplication` that is measured."""

    def initiate_device_flow(self, scopes: list[str]) -> dict[str, Any]: ...
    def acquire_token_by_device_flow(self, flow: dict[str, Any]) -> dict[str, Any]: ...
    def get_accounts(self) -> list[dict[str, Any]]: ...
    def acquire_token_silent(self, scopes: list[str], account: dict[str, Any]) -> dict[str, Any] | None: ...


_TOKENS: Final = "/oauth2/v2.0/token"
_DISCOVERY: Final = {
    "issuer": AUTHORITY,
    "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
    "token_endpoint": f"{AUTHORITY}{_TOKENS}",
    "device_authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/devicecode",
}
_DEVICE: Final = {
    "device_code": "fake-device-code",
    "user_code": "ABCD-12345",
    "verification_uri": "https://login.example.com/device",
    "interval": 0,
    "expires_in": 900,
}


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def msal_tokens() -> str:
    """The body of a token answer that MSAL can keep: with an ID token and client info."""
    claims = {"aud": "fake", "iss": AUTHORITY, "sub": "me", "exp": 4e9, "iat": 0, "preferred_username": "me"}
    body = {
        "access_token": "fake-access-token-" + "x" * 900,
        "refresh_token": "fake-refresh-token",
        "id_token": f"{_part({'alg': 'none'})}.{_part(claims)}.fake",
        "client_info": _part({"uid": "me", "utid": "contoso"}),
        "expires_in": 86400,
        "token_type": "Bearer",
        "scope": SCOPES[0],
    }
    return json.dumps(body)


class client_of:  # noqa: N801  # a maker of HTTP clients
    """An HTTP client in memory: `on_token` answers at the token endpoint."""

    def __init__(self, on_token: Callable[[], MsalAnswer]) -> None:
        self._on_token = on_token

    def get(self, url: str, **_: Any) -> MsalAnswer:
        """Discovery."""
        return MsalAnswer(200, json.dumps(_DISCOVERY))

    def post(self, url: str, **_: Any) -> MsalAnswer:
        """A device authorization, or tokens."""
        return self._on_token() if url.endswith(_TOKENS) else MsalAnswer(200, json.dumps(_DEVICE))

    def close(self) -> None:
        """Nothing is open."""


def msal_app(on_token: Callable[[], MsalAnswer]) -> MsalApp:
    """An application whose server is `on_token`."""
    make = import_module("msal").PublicClientApplication
    app = make("fake-client", authority=AUTHORITY, http_client=client_of(on_token), instance_discovery=False)
    return cast("MsalApp", app)


def signed_in(on_token: Callable[[], MsalAnswer]) -> tuple[MsalApp, dict[str, Any]]:
    """An application with one login in its memory, and the account."""
    app = msal_app(on_token)
    flow = app.initiate_device_flow(SCOPES)
    answer = app.acquire_token_by_device_flow(flow)
    assert "access_token" in answer, answer
    return app, app.get_accounts()[0]
