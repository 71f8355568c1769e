"""P5, the other half: the same sign-in by libraries, at a server that answers as RFC 8628 says.

Rules of this file: a client of its own for every sign-in, answered in the process; nobody sleeps.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from io import BytesIO
from typing import Any, Final

__all__ = ["DEVICE_PEERS"]

_TOKEN: Final = "https://auth.example.com/token"
_DEVICE: Final = "https://auth.example.com/device"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_ISSUED: Final = {
    "device_code": "fake-device-code",
    "user_code": "ABCD-12345",
    "verification_uri": "https://auth.example.com/activate",
    "interval": 5,
    "expires_in": 900,
}
_PENDING: Final = {"error": "authorization_pending", "error_description": "x" * 100}
_TOKENS: Final = {
    "access_token": "fake-access-token-" + "x" * 900,
    "refresh_token": "fake-refresh-token",
    "token_type": "Bearer",
    "expires_in": 864000,
}


def _answers(polls: int) -> Callable[[str], tuple[int, bytes]]:
    left: Iterator[int] = iter(range(polls))

    def answer(url: str) -> tuple[int, bytes]:
        if url == _DEVICE:
            return 200, json.dumps(_ISSUED).encode()
        done = next(left, None) is None
        return (200, json.dumps(_TOKENS).encode()) if done else (400, json.dumps(_PENDING).encode())

    return answer


def authlib(polls: int) -> None:
    """`OAuth2Client.fetch_token` with the device grant, until it raises no `authorization_pending`; over
    httpx, or httpx2 where there is one.
    """
    make: Any = import_module("authlib.integrations.httpx_client").OAuth2Client
    error: type[Exception] = import_module("authlib.integrations.base_client").OAuthError
    below = next(base for base in make.__mro__ if base.__name__ == "Client")
    library: Any = import_module(below.__module__.partition(".")[0])
    answer = _answers(polls)

    def respond(request: Any) -> Any:
        status, body = answer(str(request.url))
        return library.Response(status, content=body, headers={"content-type": "application/json"})

    with make(
        client_id="fake", token_endpoint_auth_method="none", transport=library.MockTransport(respond)
    ) as client:
        device = client.request("POST", _DEVICE, data={"client_id": "fake"}, withhold_token=True).json()
        token: Any = None
        while token is None:
            try:
                token = client.fetch_token(_TOKEN, grant_type=_GRANT, device_code=device["device_code"])
            except error as pending:
                if getattr(pending, "error", None) != "authorization_pending":
                    raise
    assert token["access_token"]


def requests_oauth2client(polls: int) -> None:
    """`OAuth2Client.authorize_device`, then `.device_code` until it raises no `AuthorizationPending`."""
    library: Any = import_module("requests_oauth2client")
    session: Any = import_module("requests").Session()
    session.mount("https://", _adapter(_answers(polls)))
    client = library.OAuth2Client(
        token_endpoint=_TOKEN, device_authorization_endpoint=_DEVICE, client_id="fake", session=session
    )
    device = client.authorize_device()
    token: Any = None
    while token is None:
        with contextlib.suppress(library.AuthorizationPending):
            token = client.device_code(device.device_code)
    assert token.access_token


def _adapter(answer: Callable[[str], tuple[int, bytes]]) -> Any:
    requests: Any = import_module("requests")
    raw: Any = import_module("urllib3").HTTPResponse
    base: type[Any] = import_module("requests.adapters").BaseAdapter

    def send(_: Any, request: Any, **__: Any) -> Any:
        response = requests.Response()
        response.status_code, body = answer(request.url)
        response.request, response.url = request, request.url
        response.headers["Content-Type"] = "application/json"
        response.raw = raw(BytesIO(body), preload_content=False)
        return response

    return type("Adapter", (base,), {"send": send, "close": send})()


DEVICE_PEERS: Final = (
    ("Authlib", "authlib", "OAuth2Client.fetch_token(device grant)", authlib),
    (
        "requests_oauth2client",
        "requests_oauth2client",
        "authorize_device(), device_code()",
        requests_oauth2client,
    ),
)
