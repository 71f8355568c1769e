"""The form of a trace: one JSON object a line, a header first (`docs/traces.md` explains each field).

Rules of this file: what is written here can be read again, byte for byte; any text is a trace or a
`TraceError`, which names the line and the field and repeats nothing of the text; what comes out can be fed to
a shadow, and shown: every field has its type, every number is finite and every time is one that a calendar
has. What a step did is told as written, whatever it says. `VERSION` grows when an older reader could
misunderstand a line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum, unique
from typing import Any, Final, NoReturn, TypeVar, cast

import attrs

from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.reading.strict_json import NotStrictJsonError, read_object
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Registered, StoreFailed

__all__ = [
    "FLOWS",
    "FORMAT",
    "LONGEST_TRACE_LINE",
    "MOST_LINES",
    "VERSION",
    "Asked",
    "Ended",
    "Fields",
    "Gap",
    "Header",
    "Registering",
    "Sent",
    "Step",
    "Trace",
    "TraceError",
    "Waited",
    "as_line",
    "read_trace",
]


# -- what is written -----------------------------------------------------------------------------------


FORMAT: Final = "codex-oauth-trace"
VERSION: Final = 1
FLOWS: Final = ("device", "browser")
"""The kinds of flow that traces have."""


class TraceError(ValueError):
    """The text is not a trace, or this version cannot read it. The error repeats nothing of the text."""


@unique
class Gap(StrEnum):
    """Why a trace stops before the end of its sign-in."""

    UNSUPPORTED = "unsupported"
    """A kind of flow, or of event, that traces do not have."""
    BEGUN = "begun"
    """The flow had begun before it was recorded."""
    NO_RENDERERS = "no_renderers"
    """The dialect has no inverse of its readers."""
    UNREADABLE = "unreadable"
    """The dialect's reader failed."""
    NOT_RENDERED = "not_rendered"
    """No answer made of fakes means the same."""
    DIFFERS = "differs"
    """The shadow went another way than the real flow."""
    FAILED = "failed"
    """Anything else went wrong with the recording."""


@attrs.frozen(kw_only=True)
class Header:
    """The first line: what it takes to build the same flow again.

    `issuer` says no more than `default`, `loopback` or `other`. `lifetime` and `request_timeout` are seconds.
    `workspaces` are fakes, and so is `client_id`, which only a sign-in has whose client id was issued to it.
    """

    library: str
    flow: str
    dialect: str
    issuer: str
    lifetime: float
    request_timeout: float
    workspaces: tuple[str, ...]
    client_id: str | None = None

    def line(self) -> str:
        """The header as its line, without a line end."""
        fields = attrs.asdict(self)
        if self.client_id is None:  # as earlier releases wrote it
            del fields["client_id"]
        return as_line({"format": FORMAT, "version": VERSION, **fields})


def as_line(fields: Mapping[str, Any]) -> str:
    """One object as one line. Raises ValueError for a number that is not finite."""
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


# -- one line, member by member ------------------------------------------------------------------------


_LATEST: Final = 1e12
"""Seconds, or milliseconds: no instant or moment of a sign-in is beyond that in either direction."""
_WALLS: Final = (-6e10, 2.5e11)  # Unix times within the years 1 to 9999


@attrs.frozen
class Fields:
    """The members of one JSON object, on the line `number`."""

    members: Mapping[str, object]
    number: int

    def wrong(self, what: str) -> NoReturn:
        """Raise the TraceError that says what is wrong with this line."""
        raise TraceError(f"Line {self.number}: {what}.")

    def text(self, name: str) -> str:
        """A text."""
        value = self.members.get(name)
        return value if isinstance(value, str) else self.wrong(f"{name} is no text")

    def text_or_none(self, name: str) -> str | None:
        """A text, or null."""
        return None if self.members.get(name) is None else self.text(name)

    def ascii(self, name: str) -> str:
        """A text of ASCII characters alone."""
        text = self.text(name)
        return text if text.isascii() else self.wrong(f"{name} is not plain ASCII")

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.members.get(name)
        return value if isinstance(value, bool) else self.wrong(f"{name} is neither true nor false")

    def whole(self, name: str) -> int:
        """A whole number."""
        value = self.members.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(f"{name} is no whole number")
        return value

    def number_of(self, name: str) -> float:
        """A finite number."""
        value = self.members.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(f"{name} is no number")
        if abs(value) > _LATEST or math.isnan(value):
            self.wrong(f"{name} is out of bounds")
        return float(value)

    def wall(self, name: str = "wall") -> float:
        """Unix time that a calendar has."""
        wall = self.number_of(name)
        return wall if _WALLS[0] < wall < _WALLS[1] else self.wrong(f"{name} is out of bounds")

    def inner(self, name: str) -> Fields:
        """An object."""
        value = self.members.get(name)
        if not isinstance(value, dict):
            self.wrong(f"it has no {name}")
        return Fields(cast("Mapping[str, object]", value), self.number)

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """A list of at most so many texts."""
        value = self.members.get(name)
        found = cast("list[object]", value) if isinstance(value, list) else []
        if not isinstance(value, list) or len(found) > most:
            self.wrong(f"{name} is no list, or too long")
        return tuple(each if isinstance(each, str) else self.wrong(f"{name} has no texts") for each in found)

    def text_by_name(self, name: str) -> Mapping[str, str]:
        """An object whose members are texts."""
        inner = self.inner(name)
        return {key: inner.text(key) for key in inner.members}


# -- what is read --------------------------------------------------------------------------------------


LONGEST_TRACE_LINE: Final = 256 * 1024
"""Characters."""
MOST_LINES: Final = 100_000
_MOST_WORKSPACES: Final = 1000
_DEEPEST: Final = 4  # objects within objects

K = TypeVar("K", Phase, Cause, ErrorKind)


@attrs.frozen
class Sent:
    """A request was sent: its name, how long it might take, and whether only `once`."""

    request: str
    timeout: float
    once: bool


@attrs.frozen
class Waited:
    """A wait began, for the reason `why`; `cause`: what the last attempt met."""

    until: float
    why: str
    cause: str | None
    prompt: str | None


@attrs.frozen
class Ended:
    """It was over: signed in, or with the `error` of that kind."""

    error: str | None
    details: Mapping[str, object]


@attrs.frozen
class Registering:
    """A registration was to be kept."""


Asked = Sent | Waited | Registering | Ended


@attrs.frozen
class Step:
    """One line: the event, and what the flow then did."""

    number: int
    """Of the line, from 1."""
    event: Event
    trigger: str | None
    state: str
    asked: Asked
    fields: Mapping[str, Any]
    """The line as it was written."""


@attrs.frozen
class Trace:
    """A whole trace. `gap`: why the trace stops early, if it says so."""

    header: Header
    steps: tuple[Step, ...]
    gap: Gap | None


def read_trace(lines: Iterable[str]) -> Trace:
    """The trace in these lines, with or without their line ends. Raises TraceError, and nothing else."""
    header: Header | None = None
    steps: list[Step] = []
    gap: Gap | None = None
    for number, line in enumerate(lines, 1):
        fields = Fields(_object(line, number), number)
        if gap is not None:
            fields.wrong("there is nothing after a gap")
        if "gap" in fields.members:
            gap = _gap(fields, begun=header is not None)
        elif header is None:
            header = _header(fields)
        else:
            steps.append(_step(fields))
    if header is None:
        raise TraceError("It is empty.")
    return Trace(header, tuple(steps), gap)


def _object(line: str, number: int) -> Mapping[str, object]:
    if number > MOST_LINES:
        raise TraceError(f"It has more than {MOST_LINES} lines.")
    try:
        return read_object(line, LONGEST_TRACE_LINE, _DEEPEST)
    except NotStrictJsonError as error:
        raise TraceError(f"Line {number}: {_FAULTS.get(error.reason, 'it is not JSON')}.") from None


_FAULTS: Final = {
    "too_big": "it is too long",
    "not_an_object": "it is no flat JSON object",
    "too_deep": "it is no flat JSON object",
}


def _gap(fields: Fields, *, begun: bool) -> Gap:
    try:
        gap = Gap(cast("str", fields.members["gap"]))
    except ValueError:
        raise TraceError(f"Line {fields.number}: the gap has no reason that is known here.") from None
    if not begun:
        raise TraceError(f"Nothing was recorded: {gap.value}.")
    return gap


def _header(fields: Fields) -> Header:
    version = fields.members.get("version")
    if fields.members.get("format") != FORMAT or isinstance(version, bool) or not isinstance(version, int):
        raise TraceError("The file is no trace of codex-oauth.")
    if version > VERSION:
        raise TraceError(f"It was written by a newer codex-oauth: this one reads version {VERSION}.")
    if version != VERSION:
        raise TraceError("There is no such version of traces.")
    flow = fields.text("flow")
    if flow not in FLOWS:
        fields.wrong("there is no such flow here")
    return Header(
        library=fields.text("library"),
        flow=flow,
        dialect=fields.text("dialect"),
        issuer=fields.text("issuer"),
        lifetime=fields.number_of("lifetime"),
        request_timeout=fields.number_of("request_timeout"),
        workspaces=fields.texts("workspaces", _MOST_WORKSPACES),
        client_id=fields.text_or_none("client_id"),
    )


# -- steps ------------------------------------------------------------------------------------------


def _step(fields: Fields) -> Step:
    event, asked = fields.inner("event"), fields.inner("effect")
    make_event, make_asked = _EVENTS.get(event.text("kind")), _ASKED.get(asked.text("kind"))
    if make_event is None:
        fields.wrong("there is no such event here")
    if make_asked is None:
        fields.wrong("there is no such effect here")
    trigger, state = fields.text_or_none("trigger"), fields.text("state")
    return Step(fields.number, make_event(event), trigger, state, make_asked(asked), fields.members)


def _response(fields: Fields) -> Event:
    return ResponseReceived(
        fields.number_of("sent_at"),
        fields.number_of("at"),
        fields.wall(),
        fields.whole("status"),
        fields.text_by_name("headers"),
        Secret(fields.ascii("body").encode("ascii")),
    )


def _failed(fields: Fields) -> Event:
    return RequestFailed(fields.number_of("at"), _one(Phase, fields, "phase"), _one(Cause, fields, "cause"))


def _stored(fields: Fields) -> Event:
    failed = fields.text_or_none("error")
    answer = Registered() if failed is None else StoreFailed(SignInError.of(_one(ErrorKind, fields, "error")))
    return StoreAnswered(fields.number_of("at"), fields.wall(), answer)


def _one(kind: type[K], fields: Fields, name: str) -> K:
    found = next((each for each in kind if each.value == fields.text(name)), None)
    return fields.wrong(f"there is no such {name} here") if found is None else found


_EVENTS: Final[Mapping[str, Callable[[Fields], Event]]] = {
    "started": lambda fields: Started(fields.number_of("at"), fields.wall()),
    "response": _response,
    "failed": _failed,
    "time_reached": lambda fields: TimeReached(fields.number_of("at")),
    "callback": lambda fields: CallbackReceived(fields.number_of("at"), Secret(fields.ascii("query"))),
    "stored": _stored,
    "cancelled": lambda fields: Cancelled(fields.number_of("at")),
}


def _sent(fields: Fields) -> Asked:
    return Sent(fields.text("request"), fields.number_of("timeout"), fields.flag("once"))


def _waited(fields: Fields) -> Asked:
    causes = fields.text_or_none("cause"), fields.text_or_none("prompt")
    return Waited(fields.number_of("until"), fields.text("why"), *causes)


def _ended(fields: Fields) -> Asked:
    if fields.text("outcome") == "credential":
        return Ended(None, {})
    return Ended(fields.text("error"), fields.inner("details").members)


_ASKED: Final[Mapping[str, Callable[[Fields], Asked]]] = {
    "send": _sent,
    "wait": _waited,
    "register": lambda _: Registering(),
    "finished": _ended,
}
