"""An authorization server of somebody else's making, on loopback: Authlib's, with what it leaves to its user.

Rules of this file: Authlib decides what is right; here are a dictionary for each thing that it keeps, and a person who
approves or denies. It knows nothing of the library under test.
"""

# pyright: basic, reportIncompatibleMethodOverride=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import attrs
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request, TokenMixin, grants
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant, DeviceCredentialDict
from authlib.oauth2.rfc9207 import IssuerParameter

__all__ = ["CLIENT_ID", "Home", "Policy", "home_server"]

CLIENT_ID: Final = "the-app"


@attrs.define(kw_only=True)
class Policy:
    """What this server does of all that it may. All times are seconds."""

    now: Callable[[], float] = time.time
    told_interval: int = 5
    least_interval: float = 0.0
    """A client that polls faster than this is told to slow down."""
    lifetime: int = 600
    grants_refresh: bool = True
    granted_scope: str | None = None
    token_life: int = 3600


class App(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A public client on this machine (RFC 8252 §8.4)."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or "" if self._policy.granted_scope is None else self._policy.granted_scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        parts = urlsplit(redirect_uri)  # any port (RFC 8252 §7.3)
        return (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/callback")

    def check_client_secret(self, client_secret: str) -> bool:
        return False

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return bool(method == "none")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type != "refresh_token" or self._policy.grants_refresh


class Issued(TokenMixin):  # type: ignore[misc]
    """A pair of tokens."""

    def __init__(self, token: dict[str, Any]) -> None:
        self.token = token
        self.revoked = False

    def check_client(self, client: App) -> bool:
        return client.get_client_id() == CLIENT_ID

    def get_scope(self) -> str:
        return str(self.token.get("scope", ""))

    def get_expires_in(self) -> int:
        return int(self.token["expires_in"])

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return self.revoked

    def get_user(self) -> str:
        return "somebody"


@attrs.define
class Code:
    """An authorization code in Authlib's shape."""

    code: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@attrs.define
class Answer:
    """An answer in Authlib's shape."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def location(self) -> str | None:
        return self.headers.get("Location")

    @location.setter
    def location(self, value: str) -> None:
        self.headers["Location"] = value


class Home(AuthorizationServer):  # type: ignore[misc]
    """The server, and all that it has issued."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy
        self.url = ""
        self.issued: list[Issued] = []
        self.codes: dict[str, Code] = {}
        self.devices: dict[str, dict[str, Any]] = {}
        self.approvals: dict[str, bool] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.denies_browsers = False
        generator = BearerTokenGenerator(
            lambda **_: f"opaque.{len(self.issued)}",
            lambda **_: f"rt.{len(self.issued)}",
            lambda *_: policy.token_life,
        )
        self.register_token_generator("default", generator)
        self.register_grant(_BrowserGrant, [CodeChallenge(required=True)])
        self.register_grant(_DeviceGrant)
        self.register_grant(_RefreshGrant)
        self.register_endpoint(_DeviceEndpoint)
        self.register_endpoint(_Revocation)
        self.register_extension(_names_itself)

    def query_client(self, client_id: str) -> App | None:
        return App(self.policy) if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        self.issued.append(Issued(token))

    def send_signal(self, *_: Any, **__: Any) -> None: ...

    def create_oauth2_request(self, request: Any) -> Any:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        return Answer(status, body, dict(headers))

    def by_refresh_token(self, value: str) -> Issued | None:
        found = (
            each for each in self.issued if each.token.get("refresh_token") == value and not each.revoked
        )
        return next(found, None)

    def asked(self, path: str) -> list[dict[str, str]]:
        """The fields of all requests to an endpoint."""
        return [fields for found, fields in self.requests if found == path]


def _names_itself(server: Home) -> Any:
    class Names(IssuerParameter):  # type: ignore[misc]
        def get_issuer(self) -> str:
            return server.url

    return Names()(server)


class _BrowserGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

    def save_authorization_code(self, code: str, request: Any) -> None:
        data = request.payload.data
        self.server.codes[code] = Code(
            code,
            data["redirect_uri"],
            data.get("scope", ""),
            data["code_challenge"],
            data["code_challenge_method"],
        )

    def query_authorization_code(self, code: str, client: App) -> Code | None:
        found: Code | None = self.server.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> str:
        return "somebody"


class _DeviceGrant(DeviceCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

    def query_device_credential(self, device_code: str) -> Any:
        found = self.server.devices.get(device_code)
        return None if found is None else _Device(found, self.server.policy)

    def query_user_grant(self, user_code: str) -> tuple[str, bool] | None:
        approved = self.server.approvals.get(user_code)
        return None if approved is None else ("somebody", approved)

    def should_slow_down(self, credential: Any) -> bool:
        kept, now = self.server.devices[credential["device_code"]], self.server.policy.now()
        before, kept["polled_at"] = kept.get("polled_at", kept["issued_at"]), now
        return bool(now - before < self.server.policy.least_interval)


class _Device(DeviceCredentialDict):  # type: ignore[misc]
    def __init__(self, kept: dict[str, Any], policy: Policy) -> None:
        super().__init__(kept)
        self._policy = policy

    def is_expired(self) -> bool:
        kept: Any = dict(self)
        return bool(self._policy.now() > kept["issued_at"] + kept["expires_in"])


class _RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
        found: Issued | None = self.server.by_refresh_token(refresh_token)
        return found

    def authenticate_user(self, refresh_token: Issued) -> str:
        return "somebody"

    def revoke_old_credential(self, refresh_token: Issued) -> None:
        refresh_token.revoked = True


class _DeviceEndpoint(DeviceAuthorizationEndpoint):  # type: ignore[misc]
    def create_endpoint_response(self, request: Any) -> Any:
        policy = self.server.policy
        self.INTERVAL, self.EXPIRES_IN = policy.told_interval, policy.lifetime
        return super().create_endpoint_response(request)

    def get_verification_uri(self) -> str:
        return f"{self.server.url}/device"

    def save_device_credential(self, client_id: str, scope: str, data: dict[str, Any]) -> None:
        kept = {**data, "client_id": client_id, "scope": scope, "issued_at": self.server.policy.now()}
        self.server.devices[data["device_code"]] = kept


class _Revocation(RevocationEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS = ("none",)

    def query_token(self, token_string: str, token_type_hint: str) -> Issued | None:
        found: Issued | None = self.server.by_refresh_token(token_string)
        return found or next(
            (each for each in self.server.issued if each.token["access_token"] == token_string), None
        )

    def revoke_token(self, token: Issued, request: Any) -> None:
        token.revoked = True


# -- on loopback -----------------------------------------------------------------------------------------


class _Request(OAuth2Request):  # type: ignore[misc]
    """One request in Authlib's shape; it is told that TLS ended before it, as behind any proxy."""

    def __init__(self, method: str, path: str, query: str, body: str, headers: dict[str, str]) -> None:
        super().__init__(method, f"https://home.example{path}", headers=headers)
        self._query = dict(parse_qsl(query, strict_parsing=bool(query)))
        self._fields = dict(parse_qsl(body, strict_parsing=bool(body)))
        self.payload = BasicOAuth2Payload({**self._query, **self._fields})

    @property
    def args(self) -> dict[str, str]:
        return self._query

    @property
    def form(self) -> dict[str, str]:
        return self._fields


def _answer(home: Home, path: str, request: _Request) -> Answer:
    home.requests.append((path, {**request.args, **request.form}))
    found: Any
    match (request.method, path):
        case ("GET", "/authorize"):
            person = None if home.denies_browsers else "somebody"
            grant = home.get_consent_grant(request, person)
            found = home.create_authorization_response(request, person, grant=grant)
        case ("POST", "/token"):
            found = home.create_token_response(request)
        case ("POST", "/device_authorization"):
            found = home.create_endpoint_response("device_authorization", request)
        case ("POST", "/revoke"):
            found = home.create_endpoint_response("revocation", request)
        case _:
            found = Answer(404, {"error": "not_found"}, {})
    answered: Answer = found
    return answered


@contextmanager
def home_server(policy: Policy) -> Generator[Home]:
    """The server, running on a loopback port."""
    home, lock = Home(policy), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("ascii")
            request = _Request(self.command, parts.path, parts.query, body, dict(self.headers))
            with lock:
                answer = _answer(home, parts.path, request)
            text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET  # noqa: N815  # http.server's name

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        home.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield home
        finally:
            server.shutdown()
            thread.join()
