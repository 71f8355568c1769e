"""A program that asks the model stub in virtual time: what it sends is right until a test changes it."""

from __future__ import annotations

import json
from typing import Any

from codex_oauth.authority import Account, Answer, Authority, Fault, ModelFault, ModelPolicy, Policy
from codex_oauth_core import Request, Secret
from tests.authority.peer import BASE, Peer

__all__ = [
    "CODEX",
    "CODEX_BODY",
    "MODEL",
    "PLAN",
    "PLAN_BODY",
    "Asker",
    "error_of",
    "events_in",
    "said",
    "types",
]

CODEX = "/backend-api/codex"
PLAN = "/v1"
MODEL = "gpt-5.5-codex"
HELLO: dict[str, Any] = {"type": "message", "role": "user", "content": "Hello"}
PLAN_BODY: dict[str, Any] = {"model": MODEL, "input": [HELLO], "store": False, "stream": True}
CODEX_BODY: dict[str, Any] = {**PLAN_BODY, "instructions": "Be brief."}


class Asker(Peer):
    """A peer that has signed in, and asks with its tokens. A header or field that is `...` is left out."""

    def __init__(
        self,
        *faults: Fault | ModelFault,
        account: Account | None = None,
        lifetime: int = 864_000,
        **policy: Any,
    ) -> None:
        super().__init__()
        self.models = ModelPolicy(**policy)
        settings = Policy(approve="auto", account=account or Account(), access_lifetime=lifetime)
        self.authority = Authority(policy=settings, faults=faults, models=self.models)
        self.tokens = self.sign_in()

    def renew(self) -> None:
        self.tokens = json.loads(self.refresh(self.tokens["refresh_token"]).body.reveal())

    def headers(self, changes: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        given = {
            "Authorization": f"Bearer {self.tokens['access_token']}",
            "ChatGPT-Account-Id": self.authority.policy.account.account_id or ...,
            "originator": "demo",
            "User-Agent": "demo/1.0 (test)",
            "Content-Type": "application/json",
            **changes,
        }
        return tuple((name, value) for name, value in given.items() if value is not ...)

    def request(self, method: str, path: str, body: Any = None, **changes: Any) -> Request:
        text = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in changes.items()}
        return Request(method, BASE + path, self.headers(names), Secret(text))

    def call(self, method: str, path: str, body: Any = None, **changes: Any) -> Answer:
        return self.authority.handle(self.request(method, path, body, **changes), self.now, self.wall)

    def ask(self, fields: dict[str, Any] | None = None, base: str = CODEX, **changes: Any) -> Answer:
        """Ask for an answer; `fields` are changes to a good body."""
        body = {**(CODEX_BODY if base == CODEX else PLAN_BODY), **(fields or {})}
        sent = {name: value for name, value in body.items() if value is not ...}
        return self.call("POST", f"{base}/responses", sent, **changes)


def said(answer: Answer) -> tuple[int, Any]:
    """Status and JSON."""
    return answer.status, json.loads(answer.body.reveal())


def error_of(answer: Answer) -> tuple[int, Any, Any]:
    """Status, and `code` and `param` of the error."""
    error = json.loads(answer.body.reveal())["error"]
    assert error["message"]
    return answer.status, error.get("code"), error.get("param")


def events_in(answer: Answer) -> list[dict[str, Any]]:
    """The events of a stream that is whole up to its last byte."""
    assert answer.status == 200, (answer.status, answer.body.reveal())
    found: list[dict[str, Any]] = []
    text = answer.body.reveal().decode()
    assert text.endswith("\n\n")
    for block in text.split("\n\n")[:-1]:
        kind, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert kind == f"event: {found[-1]['type']}"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert sum(part.size for part in answer.parts) == len(answer.body.reveal())
    assert len(answer.parts) == len(found)
    return found


def types(events: list[dict[str, Any]]) -> list[str]:
    """The types of events, without what they share."""
    return [str(event["type"]).removeprefix("response.") for event in events]
