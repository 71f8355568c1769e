"""What can befall a model request, by name: scripted beside the faults of `faults`.

Rules of this file: pure; a name stands for one thing that goes wrong, and everything else about the answer is
right. Which names make sense where is a table: requests (`responses`, `models`, `usage`), the upgrade to a
WebSocket (`websocket`), and the messages on one (`message`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum, unique
from typing import Any, Final, Self
from urllib.parse import urlsplit

import attrs

from codex_oauth.authority.faults import (
    EVERY,
    Ranges,
    check_endpoint,
    check_fields,
    in_ranges,
    ranges,
    seconds_field,
)
from codex_oauth.authority.models.events import ModelEvent

__all__ = ["MODEL_ENDPOINTS", "Misfortune", "ModelFault", "befallen", "first_misfortune", "other_host"]

MODEL_ENDPOINTS: Final = ("responses", "models", "usage", "websocket", "message")
HUGE: Final = 1024 * 1024


@unique
class Misfortune(StrEnum):
    """The names of the faults of model requests."""

    TOKEN_INVALIDATED = "token_invalidated"  # noqa: S105  # a name
    TOKEN_EXPIRED = "token_expired"  # noqa: S105  # a name
    UNAUTHORIZED_PAGE = "unauthorized_page"
    FIREWALL_PAGE = "firewall_page"
    REDIRECT = "redirect"
    USAGE_LIMIT = "usage_limit"
    TOO_MANY_REQUESTS = "too_many_requests"
    OVERLOADED = "overloaded"
    FAILED = "failed"
    USAGE_LIMIT_IN_STREAM = "usage_limit_in_stream"
    CUT = "cut"
    NO_CONTENT_TYPE = "no_content_type"
    UNKNOWN_EVENTS = "unknown_events"
    HUGE_EVENT = "huge_event"
    SILENCE = "silence"


TELLING: Final[Mapping[Misfortune, str]] = {
    Misfortune.TOKEN_INVALIDATED: "401: this access token is over; a renewed one is taken",
    Misfortune.TOKEN_EXPIRED: "401: this access token has expired; a renewed one is taken",
    Misfortune.UNAUTHORIZED_PAGE: "401 with a page, which says nothing about the token",
    Misfortune.FIREWALL_PAGE: "403 with the page of a firewall",
    Misfortune.REDIRECT: "307 to `location`, by default this server under its other name",
    Misfortune.USAGE_LIMIT: "429: the usage limit has been reached",
    Misfortune.TOO_MANY_REQUESTS: "429 without a word on usage",
    Misfortune.OVERLOADED: "503: the servers are overloaded",
    Misfortune.FAILED: "the stream begins, and ends with `response.failed` and `code`",
    Misfortune.USAGE_LIMIT_IN_STREAM: "the stream begins, and fails because of the usage limit",
    Misfortune.CUT: "the connection is closed after the second piece of the answer",
    Misfortune.NO_CONTENT_TYPE: "the stream has no Content-Type",
    Misfortune.UNKNOWN_EVENTS: "events of unknown types are between the others",
    Misfortune.HUGE_EVENT: "one event has 1 MB",
    Misfortune.SILENCE: "nothing comes for `seconds` before the first piece of the answer",
}
"""What each of them is, for people."""

_STREAM: Final = frozenset(
    {
        Misfortune.FAILED,
        Misfortune.USAGE_LIMIT_IN_STREAM,
        Misfortune.CUT,
        Misfortune.UNKNOWN_EVENTS,
        Misfortune.HUGE_EVENT,
        Misfortune.SILENCE,
    }
)
"""What befalls an answer that has begun."""

_REQUEST: Final = frozenset({*Misfortune}) - _STREAM - {Misfortune.NO_CONTENT_TYPE}
_MESSAGE: Final = frozenset({Misfortune.USAGE_LIMIT, Misfortune.TOO_MANY_REQUESTS, Misfortune.OVERLOADED})
_URL: Final = re.compile(r"(?:http|ws)s?://[\w.:\[\]-]+(?:[/?][\x21\x22\x24-\x7e]*)?", re.ASCII)
WHERE: Final[Mapping[str, frozenset[Misfortune]]] = {
    "responses": frozenset({*Misfortune}),
    "models": _REQUEST - {Misfortune.USAGE_LIMIT},
    "usage": _REQUEST,
    "websocket": _REQUEST,
    "message": _STREAM | _MESSAGE,
}


def _location(_fault: object, field: Any, value: Any) -> None:
    if value is not None and not (isinstance(value, str) and _URL.fullmatch(value)):
        raise ValueError(f"{field.name}: a URL that begins with http://, https://, ws:// or wss://")


def _code(_fault: object, field: Any, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{field.name}: a text")


def _name(value: object) -> Misfortune:
    if value not in [*Misfortune]:
        raise ValueError(f"answer: one of {', '.join(Misfortune)}")
    return Misfortune(str(value))


@attrs.frozen(kw_only=True)
class ModelFault:
    """One fault of model requests. ValueError with the name of the field for an impossible one.

    `endpoint` is `responses`, `models`, `usage`, `websocket` (the upgrade) or `message` (a request on one);
    `requests` are the numbers of its requests, counted from 1, as in `Fault`. `code` is the error of
    `failed`, `seconds` is the length of `silence`, and `location` is the target of `redirect`.
    """

    answer: Misfortune = attrs.field(converter=_name)
    endpoint: str = attrs.field(default="responses", validator=check_endpoint(MODEL_ENDPOINTS))
    requests: Ranges = attrs.field(default=EVERY, converter=ranges)
    code: str = attrs.field(default="server_is_overloaded", validator=_code)
    seconds: float = attrs.field(default=2.0, validator=seconds_field)
    location: str | None = attrs.field(default=None, validator=_location)

    def __attrs_post_init__(self) -> None:
        if self.answer not in WHERE[self.endpoint]:
            fitting = ", ".join(name for name in MODEL_ENDPOINTS if self.answer in WHERE[name])
            raise ValueError(f"endpoint: {self.answer} happens at {fitting}")

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """The fault in one row of a file. ValueError with the name of the field for an impossible one."""
        check_fields(row, attrs.fields_dict(cls), needed=("answer",))
        return cls(**row)

    def fits(self, numbers: Mapping[str, int]) -> bool:
        """Whether the fault is for a request with these numbers, by the names of its endpoint."""
        number = numbers.get(self.endpoint)
        return number is not None and in_ranges(number, self.requests)


def first_misfortune(faults: Iterable[object], numbers: Mapping[str, int]) -> ModelFault | None:
    """The misfortune that a request with these numbers meets."""
    return next((one for one in faults if isinstance(one, ModelFault) and one.fits(numbers)), None)


def other_host(url: str) -> str:
    """The same URL under the machine's other name: another host to everybody who compares names."""
    parts = urlsplit(url)
    name = "127.0.0.1" if parts.hostname == "localhost" else "localhost"
    port = "" if parts.port is None else f":{parts.port}"
    return parts._replace(netloc=f"{name}{port}").geturl()


def befallen(
    events: Iterable[ModelEvent], fault: ModelFault | None
) -> Iterator[tuple[float, ModelEvent | None]]:
    """The events, each with the silence before it, as the misfortune leaves them; None: the connection is
    closed there.
    """
    name, deltas = (None if fault is None else fault.answer), 0
    for event in events:
        is_piece = str(event["type"]).endswith(".delta")
        deltas += is_piece
        if name is Misfortune.UNKNOWN_EVENTS:
            yield 0.0, {"type": "response.fake_news", "fake": {"of": event["type"]}}
        if name is Misfortune.HUGE_EVENT and is_piece and deltas == 1:
            yield 0.0, {"type": "response.fake_ballast", "fake": "x" * HUGE}
        silent = name is Misfortune.SILENCE and is_piece and deltas == 1
        yield (fault.seconds if fault is not None and silent else 0.0), event
        if name is Misfortune.CUT and deltas == 2:
            yield 0.0, None
            return
