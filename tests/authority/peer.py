"""A client of the authority's rules in virtual time: it sends what it is told, right or wrong."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from codex_oauth.authority import Account, Answer, Authority, Fault, Policy
from codex_oauth_core import CODEX, Request, Secret
from codex_oauth_core.pkce import s256

__all__ = ["BASE", "CHALLENGE", "FORM", "JSON", "POLL", "REVOKE", "TOKEN", "USERCODE", "VERIFIER", "Peer"]

BASE = "http://127.0.0.1:8123"
USERCODE = "/api/accounts/deviceauth/usercode"
POLL = "/api/accounts/deviceauth/token"
TOKEN = "/oauth/token"
REVOKE = "/oauth/revoke"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
VERIFIER = "v" * 43
CHALLENGE = s256(VERIFIER)


class Peer:
    def __init__(self, *faults: Fault, account: Account | None = None, **policy: Any) -> None:
        settings = Policy(account=account or Account(), **policy)
        self.authority = Authority(policy=settings, faults=faults)
        self.now = 1_000_003.25
        self.wall = 1_800_000_007.5
        self.cookie: str | None = None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def send(
        self, method: str, path: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()
    ) -> Answer:
        request = Request(method, BASE + path, headers, Secret(body))
        return self.authority.handle(request, self.now, self.wall)

    def post(self, path: str, fields: dict[str, Any], kind: str = JSON) -> Answer:
        body = json.dumps(fields) if kind == JSON else urlencode(fields)
        return self.send("POST", path, body.encode(), (("Content-Type", kind),))

    # -- as a program ------------------------------------------------------------------------------

    def begin(self) -> dict[str, Any]:
        return read(self.post(USERCODE, {"client_id": CODEX.client_id}))

    def poll(self, device: dict[str, Any]) -> Answer:
        return self.post(POLL, {name: device[name] for name in ("device_auth_id", "user_code")})

    def exchange(self, code: str, redirect_uri: str, verifier: str = VERIFIER, **fields: str) -> Answer:
        body = {
            "grant_type": "authorization_code",
            "client_id": CODEX.client_id,
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
            **fields,
        }
        return self.post(TOKEN, body, FORM)

    def refresh(self, token: str, kind: str = FORM) -> Answer:
        body = {"grant_type": "refresh_token", "client_id": CODEX.client_id, "refresh_token": token}
        return self.post(TOKEN, body, kind)

    def sign_in(self) -> dict[str, Any]:
        """The tokens of a device login that was approved at once. The policy must allow that."""
        given = read(self.poll(self.begin()))
        uri = f"{BASE}/deviceauth/callback"
        return read(self.exchange(given["authorization_code"], uri, given["code_verifier"]))

    # -- as a browser ------------------------------------------------------------------------------

    def browse(self, method: str, path: str, fields: dict[str, str] | None = None, **headers: str) -> Answer:
        sent = {"Content-Type": FORM, **({"Cookie": self.cookie} if self.cookie else {}), **headers}
        body = urlencode(fields or {}).encode()
        answer = self.send(method, path, body, tuple(sent.items()))
        if (cookie := answer.header("Set-Cookie")) is not None:
            self.cookie = cookie.partition(";")[0]
        return answer

    def authorize(self, **changes: str | None) -> Answer:
        query = {
            "response_type": "code",
            "client_id": CODEX.client_id,
            "redirect_uri": CODEX.redirect_uri(),
            "scope": " ".join(CODEX.scopes),
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "state-1",
            "originator": "codex-oauth",
            **changes,
        }
        given = {name: value for name, value in query.items() if value is not None}
        return self.browse("GET", f"/oauth/authorize?{urlencode(given)}")


def read(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, (answer.status, answer.body.reveal())
    value: dict[str, Any] = json.loads(answer.body.reveal())
    return value


def refusal(answer: Answer) -> tuple[int, str]:
    """Status and error code."""
    return answer.status, json.loads(answer.body.reveal())["error"]["code"]


def text(answer: Answer) -> str:
    return answer.body.reveal().decode()


def hidden(answer: Answer, name: str) -> str:
    """A hidden field of a page's form."""
    match = re.search(rf'name="{name}" value="([^"]*)"', text(answer))
    assert match is not None, f"no field {name}"
    return match[1]


def location(answer: Answer) -> tuple[str, dict[str, str]]:
    """Where a redirect leads, and its parameters."""
    parts = urlsplit(answer.header("Location") or "")
    query = {name: value for name, [value] in parse_qs(parts.query, strict_parsing=True).items()}
    return f"{parts.scheme}://{parts.netloc}{parts.path}", query
