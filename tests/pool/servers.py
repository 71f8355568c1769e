"""A server in memory for thousands of sign-ins, and the transport that reaches it after a fixed latency.

Rules of this file: every login has ids of its own, as long as real ones, so that memory is measured honestly;
what a test wants to know of the requests is counted here, not guessed from outside.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from codex_oauth.clock import Clock
from codex_oauth_core import ResponseReceived, SendRequest
from tests.support import approved, code, tokens

__all__ = ["Crowd"]

_JSON: Mapping[str, str] = {"content-type": "application/json"}
_PENDING = code("deviceauth_authorization_pending").body
_APPROVED = approved().body
_TOKENS = tokens().body


class Crowd:
    """Answers each request after `latency` seconds; approves a login at its poll number `polls`."""

    def __init__(self, now: Clock, *, latency: float = 0.0, polls: int | None = None, **fields: Any) -> None:
        self._now = now
        self._latency = latency
        self._polls = polls
        self._fields = fields
        self._numbers = itertools.count()
        self._in_flight = 0
        self.most = 0
        self.polled: dict[str, list[float]] = {}
        """The instants of each login's polls."""

    async def __call__(self, effect: SendRequest) -> ResponseReceived:
        sent_at, _ = self._now()
        self._in_flight += 1
        self.most = max(self.most, self._in_flight)
        try:
            await (anyio.sleep(self._latency) if self._latency else checkpoint())
            status, body = self._answer(effect, sent_at)
        finally:
            self._in_flight -= 1
        return ResponseReceived(sent_at, *self._now(), status, _JSON, body)

    def _answer(self, effect: SendRequest, at: float) -> tuple[int, Any]:
        match effect.request.url.rpartition("/")[2]:
            case "usercode":
                return 200, self._issued(next(self._numbers))
            case "token" if not effect.once:
                return self._poll(json.loads(effect.request.body.reveal())["user_code"], at)
            case _:
                return 200, _TOKENS

    def _issued(self, number: int) -> bytes:
        login = {
            "device_auth_id": f"deviceauth_{number:036d}",
            "user_code": f"ABCD-{number:05d}",
            "interval": "5",
            "expires_in": 900,
        }
        return json.dumps({**login, **self._fields}).encode()

    def _poll(self, user_code: str, at: float) -> tuple[int, Any]:
        polled = self.polled.setdefault(user_code, [])
        polled.append(at)
        return (200, _APPROVED) if len(polled) == self._polls else (403, _PENDING)
