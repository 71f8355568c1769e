"""How each peer gives out a fresh token, from memory, as its documentation shows.

Rules of this file: one function a peer; it returns what a program would call before every request, ready
and warm. The token is good for a day, so that none of them asks a server.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from tests.bench.logins import TOKEN
from tests.bench.msal_peer import SCOPES, MsalAnswer, msal_tokens, signed_in

__all__ = ["TOKEN_PEERS"]

Ask = Callable[[], object]
DAY: Final = 86_400
URL: Final = "https://api.example.com/v1"
_OF_A_SERVICE: Final = {"access_token": TOKEN, "expires_in": DAY, "token_type": "Bearer"}


def msal() -> Ask:
    """`PublicClientApplication`, its own cache in memory."""
    app, account = signed_in(lambda: MsalAnswer(200, msal_tokens()))
    assert app.acquire_token_silent(SCOPES, account)
    return lambda: app.acquire_token_silent(SCOPES, account)


def google() -> Ask:
    """`Credentials.before_request`, which adds the header."""
    make: Any = import_module("google.oauth2.credentials").Credentials
    transport: Any = import_module("google.auth.transport.requests").Request()
    expiry = dt.datetime.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(days=1)
    one = make(TOKEN, refresh_token="fake", expiry=expiry, token_uri=URL, client_id="a", client_secret="b")

    def ask() -> object:
        headers: dict[str, str] = {}  # new ones: it adds to what is there
        one.before_request(transport, "GET", URL, headers)
        return headers

    assert TOKEN in str(ask())
    return ask


def authlib() -> Ask:
    """`OAuth2Client.ensure_active_token`, then the token."""
    make: Any = import_module("authlib.integrations.httpx_client").OAuth2Client
    token = {"access_token": TOKEN, "token_type": "Bearer", "expires_at": int(time.time()) + DAY}
    client = make(client_id="fake", token=token, token_endpoint=URL)

    def ask() -> object:
        client.ensure_active_token()
        return client.token["access_token"]

    assert ask() == TOKEN
    return ask


def requests_oauth2client() -> Ask:
    """`OAuth2AccessTokenAuth`, called with a prepared request."""
    library: Any = import_module("requests_oauth2client")
    client = library.OAuth2Client(token_endpoint=URL, client_id="fake")
    token = library.BearerToken(access_token=TOKEN, expires_in=DAY, refresh_token="fake")
    auth = library.OAuth2AccessTokenAuth(client, token)
    request: Any = import_module("requests").Request("GET", URL).prepare()
    assert TOKEN in auth(request).headers["Authorization"]
    return lambda: auth(request)


def azure() -> Ask:
    """`ClientSecretCredential.get_token`, its cache in memory, over a `requests` session that is answered here."""
    identity: Any = import_module("azure.identity")
    transport: Any = import_module("azure.core.pipeline.transport")
    session: Any = import_module("requests").Session()
    session.mount("https://", _adapter())
    one = identity.ClientSecretCredential(
        "contoso",
        "fake-client",
        "fake",
        transport=transport.RequestsTransport(session=session, session_owner=False),
        disable_instance_discovery=True,
    )
    assert one.get_token(*SCOPES).token == TOKEN
    return lambda: one.get_token(*SCOPES)


def _adapter() -> Any:
    requests: Any = import_module("requests")
    base: type[Any] = import_module("requests.adapters").BaseAdapter
    login = "https://login.microsoftonline.com/contoso"
    discovery = {
        "issuer": f"{login}/v2.0",
        "authorization_endpoint": f"{login}/oauth2/v2.0/authorize",
        "token_endpoint": f"{login}/oauth2/v2.0/token",
    }

    def send(_: Any, request: Any, **__: Any) -> Any:
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = 200, request, request.url
        answer.headers["Content-Type"] = "application/json"
        body = json.dumps(_OF_A_SERVICE if request.method == "POST" else discovery)
        answer.raw = import_module("urllib3").HTTPResponse(io.BytesIO(body.encode()), preload_content=False)
        return answer

    return type("Adapter", (base,), {"send": send, "close": send})()


TOKEN_PEERS: Final = (
    ("Authlib", "authlib", "OAuth2Client.ensure_active_token(), token", authlib),
    (
        "requests_oauth2client",
        "requests_oauth2client",
        "OAuth2AccessTokenAuth(request)",
        requests_oauth2client,
    ),
    ("google-auth", "google.auth", "Credentials.before_request(…)", google),
    ("MSAL", "msal", "acquire_token_silent(scopes, account)", msal),
    ("azure-identity", "azure.identity", "ClientSecretCredential.get_token(scope)", azure),
)
