"""A WebSocket to a model backend: messages in, frames out. No socket, no clock.

Rules of this file: the headers, the token among them, count at the upgrade only. A message that is wrong gets
one `error` frame, and the connection goes on; the connection ends when it is too old.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from codex_oauth.authority.faults import Fault
from codex_oauth.authority.messages import Call
from codex_oauth.authority.models import refusals
from codex_oauth.authority.models.backend import Asked, ModelBackend
from codex_oauth.authority.models.misfortunes import Misfortune, ModelFault
from codex_oauth.authority.models.requests import BodyRefused, parsed_object

__all__ = ["CLOSED_BY_FAULT", "NORMAL_END", "Conversation", "Frame"]

NORMAL_END: Final = 1000
CLOSED_BY_FAULT: Final = 1011
TOO_OLD: Final = "websocket_connection_limit_reached"
CREATE: Final = "response.create"


@attrs.frozen
class Frame:
    """A text message, after a silence of `after` seconds; or with `close`, the connection's end."""

    text: str = attrs.field(default="", repr=False)
    after: float = 0.0
    close: int | None = None


@attrs.define(eq=False)
class Conversation:
    """One connection. `call` is its upgrade."""

    backend: ModelBackend
    asked: Asked
    call: Call
    _answered: list[str] = attrs.field(factory=list[str], init=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer to the upgrade."""
        return self.backend.answer_headers(self.asked, self.call.wall)

    def too_old(self, now: float) -> list[Frame]:
        """The frames that end a connection which has lived too long; none before."""
        if now - self.call.now < self.backend.policy.socket_lifetime:
            return []
        text = "Responses websocket connection limit reached. Create a new websocket connection to continue."
        return [_error(400, refusals.error_object(text, TOO_OLD)), Frame(close=NORMAL_END)]

    def receive(self, message: str | bytes, now: float, wall: float) -> list[Frame]:
        """The frames that answer a message which came at `now` (monotonic) and `wall` (Unix time)."""
        with self.backend.desk.lock:
            over = self.too_old(now)
            if over:
                return over
            numbers, fault = self.backend.desk.due("message")
            call = attrs.evolve(self.call, method="MESSAGE", now=now, wall=wall)
            misfortune = fault if isinstance(fault, ModelFault) else None
            body: dict[str, Any] | None = None
            try:
                body = parsed_object(message)
                frames = self._answered_frames(body, misfortune, wall)
                status = 200
            except BodyRefused as wrong:
                frames, status = [_refusal(wrong)], 400
            except _Stopped as stopped:
                frames, status = [stopped.frame], stopped.status
            if isinstance(fault, Fault):
                frames = _spoilt(frames, fault)
            self.backend.note(call, numbers, status, body)
            return frames

    def _answered_frames(self, body: Mapping[str, Any], fault: ModelFault | None, wall: float) -> list[Frame]:
        if body.get("type") != CREATE:
            why = f"Invalid value: '{body.get('type')}'. Supported: '{CREATE}'."
            raise BodyRefused(why, "invalid_value", "type")
        asked = attrs.evolve(self.asked, fault=fault)
        self._check_limit(asked, wall)
        rest = {name: value for name, value in body.items() if name != "type"}
        self.backend.check_body(asked, rest, self.call.headers.get("version"), self._answered)
        return list(self._frames(asked, rest, wall))

    def _frames(self, asked: Asked, body: Mapping[str, Any], wall: float) -> Iterator[Frame]:
        for number, (after, event) in enumerate(self.backend.events(asked, body, wall)):
            if event is None:
                yield Frame(close=CLOSED_BY_FAULT)
                return
            if event["type"] == "response.completed":
                self._answered.append(event["response"]["id"])
            yield Frame(json.dumps({**event, "sequence_number": number}), after)

    def _check_limit(self, asked: Asked, wall: float) -> None:
        limit, plan = self.backend.limit_of(asked), asked.account.plan
        if limit is not None:
            frame = {
                "type": "error",
                "error": refusals.limit_error(limit, plan, wall),
                "status_code": 429,
                "headers": refusals.limit_headers(limit, plan, wall),
            }
            raise _Stopped(429, Frame(json.dumps(frame)))
        if asked.misfortune is Misfortune.TOO_MANY_REQUESTS:
            raise _Stopped(429, _error(429, refusals.error_object("Too many requests", None)))
        if asked.misfortune is Misfortune.OVERLOADED:
            error = refusals.error_object(refusals.OVERLOADED_TEXT, "server_is_overloaded")
            raise _Stopped(503, _error(503, {**error, "type": "server_error"}))


class _Stopped(Exception):  # an answer, not an error of ours
    def __init__(self, status: int, frame: Frame) -> None:
        super().__init__(status)
        self.status = status
        self.frame = frame


def _error(status: int, error: Mapping[str, Any]) -> Frame:
    return Frame(json.dumps({"type": "error", "status": status, "error": error}))


def _refusal(wrong: BodyRefused) -> Frame:
    told = {"type": "invalid_request_error", "message": wrong.why}
    more = {} if wrong.code is None else {"code": wrong.code, "param": wrong.param}
    return _error(400, {**told, **more})


def _spoilt(frames: list[Frame], fault: Fault) -> list[Frame]:
    """What a general fault leaves of the frames: they come late, or the connection ends instead."""
    if not fault.acts or fault.reset or fault.truncate is not None:
        return [Frame(after=fault.delay, close=CLOSED_BY_FAULT)]
    return [attrs.evolve(frames[0], after=frames[0].after + fault.delay), *frames[1:]]
