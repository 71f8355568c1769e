"""The way to the server and back: a request arrives at one instant, and its answer comes back at another.

Rules of this file: what has left a process arrives whether the process lives on or not; what stands between
the two (a proxy, a rate limit) may answer in the server's place; all that happens was drawn beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final

import attrs

from codex_oauth.authority import Answer
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived, Secret

__all__ = ["Mishap", "Trip"]

_PAGE: Final = (("content-type", "text/html"),)
_JSON: Final = (("content-type", "application/json"),)


@unique
class Mishap(StrEnum):
    """What befalls a request."""

    NOT_SENT = "not sent"
    LOST_REQUEST = "lost request"
    LOST_REPLY = "lost reply"
    TIMEOUT = "reply after the limit"
    ERROR_ACTED = "5xx, acted"
    ERROR_UNACTED = "5xx, not acted"
    UNAVAILABLE = "503 with Retry-After"
    LIMITED = "429 with Retry-After"
    PAGE = "403 HTML page"

    @property
    def arrives(self) -> bool:
        """Whether the server acts upon the request."""
        return self in (Mishap.LOST_REPLY, Mishap.TIMEOUT, Mishap.ERROR_ACTED)


def _instead(status: int, headers: tuple[tuple[str, str], ...] = _JSON, body: bytes = b"{}") -> Answer:
    return Answer(status=status, headers=headers, body=Secret(body))


_ANSWERS: Final[Mapping[Mishap, Answer]] = {
    Mishap.ERROR_ACTED: _instead(502),
    Mishap.ERROR_UNACTED: _instead(500),
    Mishap.UNAVAILABLE: _instead(503, (*_JSON, ("retry-after", "3"))),
    Mishap.LIMITED: _instead(429, (*_JSON, ("retry-after", "7"))),
    Mishap.PAGE: _instead(403, _PAGE, b"<!doctype html><title>Blocked</title>"),
}


@attrs.define(eq=False)
class Trip:
    """One request under way. `outbound` and `duration` are seconds, to its arrival and to its end."""

    sent_at: float
    outbound: float
    duration: float
    mishap: Mishap | None
    answer: Answer | None = None
    """What the server said, once the request has arrived there."""

    @property
    def arrives(self) -> bool:
        """Whether the server will see it."""
        return self.mishap is None or self.mishap.arrives

    @property
    def is_lost(self) -> bool:
        """Whether the server may have acted, and its answer never comes."""
        return self.mishap not in (None, Mishap.NOT_SENT, Mishap.UNAVAILABLE, Mishap.LIMITED, Mishap.PAGE)

    def event(self, at: float, wall: float) -> ResponseReceived | RequestFailed:
        """What the process sees at `at`: also past its own limit it takes what has arrived."""
        if self.mishap is Mishap.NOT_SENT:
            return RequestFailed(at, Phase.NOT_SENT, Cause.CONNECT)
        if self.mishap is Mishap.TIMEOUT:
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.TIMEOUT)
        if self.mishap in (Mishap.LOST_REPLY, Mishap.LOST_REQUEST):
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.RESET)
        answer = self.answer if self.mishap is None else _ANSWERS[self.mishap]
        assert answer is not None  # nobody is woken before that
        return answer.received(self.sent_at, at, wall)
