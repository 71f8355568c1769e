"""A client of the official sign-in, by hand and in virtual time: it sends what it is told, right or wrong.

Rules of this file: `walk_in` is a person and a browser; everything else sends one request. A parameter that is
given as None is left out. Signatures are checked by a library that is none of ours.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from codex_oauth.authority import Answer, ChatGptAuthority, ChatGptFault, ChatGptPolicy, HostileAnswer
from codex_oauth_core import Request, Secret
from codex_oauth_core.pkce import s256
from tests.authority.peer import FORM, hidden

AUTHORIZE = "/api/accounts/authorize"
TOKEN = "/api/accounts/oauth/token"
REVOKE = "/api/accounts/oauth/revoke"
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/.well-known/jwks.json"
ISSUER = "https://auth.openai.com"
API = "https://api.openai.com"
RESOURCE = "https://api.openai.com/v1"
FIRST = "dynamic_agent_client"
HOST_ID = "urn:uuid:11111111-2222-4333-8444-555555555555"
URI = "http://127.0.0.1:49152/auth/callback"
PLAN = "chatgpt.tokens.use.direct"
SCOPES = f"openid profile email offline_access resource.invoke {PLAN}"
VERIFIER = "v" * 43
ASKED = {
    "response_type": "code",
    "redirect_uri": URI,
    "scope": SCOPES,
    "resource": RESOURCE,
    "state": "state-" + "s" * 37,
    "nonce": "nonce-" + "n" * 37,
    "code_challenge": s256(VERIFIER),
    "code_challenge_method": "S256",
    "ext_agent_host_id": HOST_ID,
}
MODEL: dict[str, Any] = {"model": "gpt-5.5-codex", "store": False, "stream": True, "input": []}


class Client:
    """One client and one browser. `client_id`, `tokens` are what it keeps between sign-ins."""

    def __init__(self, *faults: ChatGptFault | HostileAnswer, **policy: Any) -> None:
        settings: dict[str, Any] = {"approve": "auto", **policy}
        self.authority = ChatGptAuthority(policy=ChatGptPolicy(**settings), faults=faults)
        self.now = 1_000_003.25
        self.wall = 1_800_000_007.5
        self.cookie: str | None = None
        self.client_id = ""
        self.tokens: dict[str, Any] = {}

    @property
    def policy(self) -> ChatGptPolicy:
        return self.authority.policy

    @property
    def mistakes(self) -> list[tuple[str, str]]:
        """What the authority noted: endpoint and code."""
        return [(fault.endpoint, fault.code) for fault in self.authority.client_faults]

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def send(self, method: str, url: str, body: bytes = b"", **headers: str) -> Answer:
        sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return self.authority.handle(Request(method, url, sent, Secret(body)), self.now, self.wall)

    def form(self, path: str, fields: dict[str, Any], **headers: str) -> Answer:
        given = {name: value for name, value in fields.items() if value is not None}
        return self.send("POST", ISSUER + path, urlencode(given).encode(), Content_Type=FORM, **headers)

    # -- as a browser ------------------------------------------------------------------------------

    def authorize(self, **changes: str | None) -> Answer:
        """An authorization request as the situation wants it: first, or returning."""
        returning = {"client_id": self.client_id}
        mine = returning if self.client_id else {"client_id": FIRST, "agent_name_hint": "Example"}
        query = {**ASKED, **mine, **changes}
        given = {name: value for name, value in query.items() if value is not None}
        return self.browse("GET", f"{AUTHORIZE}?{urlencode(given)}")

    def browse(self, method: str, path: str, fields: dict[str, str] | None = None, **headers: str) -> Answer:
        sent = {"Content_Type": FORM, **({"Cookie": self.cookie} if self.cookie else {}), **headers}
        answer = self.send(method, ISSUER + path, urlencode(fields or {}).encode(), **sent)
        if (cookie := answer.header("Set-Cookie")) is not None:
            self.cookie = cookie.partition(";")[0]
        return answer

    def decide(self, page: Answer, decision: str, **fields: str) -> Answer:
        """Answer a page as a person does."""
        form = {name: hidden(page, name) for name in ("csrf", "ticket")}
        return self.browse("POST", AUTHORIZE, {**form, "decision": decision, **fields})

    # -- as a program ------------------------------------------------------------------------------

    def exchange(self, code: str, /, **changes: str | None) -> Answer:
        body = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "code": code,
            "code_verifier": VERIFIER,
            "redirect_uri": URI,
            "resource": RESOURCE,
        }
        return self.form(TOKEN, {**body, **changes})

    def refresh(self, token: str | None = None, **changes: str | None) -> Answer:
        body = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "refresh_token": token or self.tokens["refresh_token"],
            "resource": RESOURCE,
        }
        answer = self.form(TOKEN, {**body, **changes})
        if answer.status == 200 and not answer.reset and token is None:
            self.tokens = {**self.tokens, **read(answer)}
        return answer

    def revoke(self, **changes: str | None) -> Answer:
        body = {
            "token": self.tokens["refresh_token"],
            "token_type_hint": "refresh_token",
            "client_id": self.client_id,
        }
        return self.form(REVOKE, {**body, **changes})

    def ask(self, body: dict[str, Any] | None = None, /, **headers: str) -> Answer:
        """A model request with the access token."""
        sent = {"Authorization": f"Bearer {self.tokens['access_token']}", "Content_Type": "application/json"}
        text = json.dumps(MODEL if body is None else body).encode()
        return self.send("POST", f"{API}/v1/responses", text, **{**sent, **headers})

    def models(self) -> Answer:
        return self.send(
            "GET", f"{API}/v1/models", b"", Authorization=f"Bearer {self.tokens['access_token']}"
        )

    def get(self, path: str) -> Answer:
        return self.send("GET", ISSUER + path)

    def walk_in(self, **changes: str | None) -> dict[str, Any]:
        """A whole sign-in that the policy approves: the client id is kept, and the tokens."""
        query = dict(way_back(self.authorize(**changes)))
        self.client_id = query.get("client_id", self.client_id)
        self.tokens = read(self.exchange(query["code"]))
        return self.tokens

    # -- as a verifier -----------------------------------------------------------------------------

    def is_signed(self, token: str) -> bool:
        """Whether an ID token is one that a careful client accepts, by its algorithm and its signature."""
        head, payload, signature = token.split(".")
        header = json.loads(decoded(head))
        keys = {key["kid"]: key for key in read(self.get(KEYS))["keys"]}
        if header["alg"] != "RS256" or header.get("kid") not in keys:
            return False
        return verifies(keys[header["kid"]], f"{head}.{payload}", decoded(signature))


def verifies(key: dict[str, str], signed: str, signature: bytes) -> bool:
    n, e = (int.from_bytes(decoded(key[name]), "big") for name in ("n", "e"))
    try:
        RSAPublicNumbers(e, n).public_key().verify(signature, signed.encode(), PKCS1v15(), SHA256())
    except Exception:  # noqa: BLE001  # InvalidSignature, or a key that is none
        return False
    return True


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def header_of(token: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(decoded(token.split(".", maxsplit=1)[0]))
    return value


def claims_of(token: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(decoded(token.split(".")[1]))
    return value


def read(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, (answer.status, answer.body.reveal())
    value: dict[str, Any] = json.loads(answer.body.reveal())
    return value


def error(answer: Answer) -> tuple[int, str]:
    """Status and error code, in the flat form."""
    return answer.status, json.loads(answer.body.reveal())["error"]


def api_error(answer: Answer) -> tuple[int, str]:
    """Status and error code of the model API."""
    return answer.status, json.loads(answer.body.reveal())["error"]["code"]


def way_back(answer: Answer) -> list[tuple[str, str]]:
    """The parameters of a redirect to the client, in their order."""
    assert answer.status == 303, (answer.status, answer.body.reveal())
    parts = urlsplit(answer.header("Location") or "")
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == URI, parts
    return parse_qsl(parts.query, strict_parsing=True)
