"""Scripted faults: which request meets which misfortune, as data and as a JSON file.

Rules of this file: pure; a fault changes an `Answer`, and whoever sends the answer makes it happen; the
first fault that fits a request is the only one.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Self, TypeVar, cast

import attrs

from codex_oauth.authority.messages import Answer
from codex_oauth_core.secret import Secret

__all__ = [
    "ENDPOINTS",
    "EVERY",
    "Fault",
    "Ranges",
    "UnknownField",
    "check_endpoint",
    "check_fields",
    "first_fault",
    "in_ranges",
    "ranges",
    "read_rows",
    "seconds_field",
]

ENDPOINTS: Final = frozenset(
    {
        "usercode",
        "poll",
        "authorize",
        "device",
        "token",
        "exchange",
        "refresh",
        "revoke",
        "responses",
        "models",
        "usage",
        "websocket",
        "message",
        "other",
        "any",
    }
)
"""`token` is every request to the token endpoint, `exchange` and `refresh` are those of one grant.
`websocket` is the upgrade to one, and `message` a request on it: there `status` and `body` close it.
"""

Ranges = tuple[tuple[int, int | None], ...]

EVERY: Final[Ranges] = ((1, None),)

_RANGE: Final = re.compile(r"\s*(\d{1,9})\s*(?:(-)\s*(\d{1,9})?\s*)?", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*", re.ASCII)
_LONGEST_DELAY: Final = 3600


def ranges(spec: object) -> Ranges:
    """The ranges that a text or number says; what is ranges already stays. ValueError for anything else."""
    if spec in ("every", EVERY):
        return EVERY
    if isinstance(spec, bool) or not isinstance(spec, int | str):
        raise ValueError("requests: a number, or text such as 2, 1-3, 4- or every")  # noqa: TRY004  # data, not a bug
    return tuple(_range(part) for part in str(spec).split(","))


def _range(text: str) -> tuple[int, int | None]:
    match = _RANGE.fullmatch(text)
    first = int(match[1]) if match else 0
    last = None if match is None or (match[2] and not match[3]) else int(match[3] or first)
    if first < 1 or (last is not None and last < first):
        raise ValueError(f"requests: {text!r} is no number or range counted from 1")
    return first, last


def in_ranges(number: int, allowed: Ranges) -> bool:
    """Whether a number is in one of the ranges."""
    return any(first <= number and (last is None or number <= last) for first, last in allowed)


def _headers(given: object) -> tuple[tuple[str, str], ...]:
    if given == ():
        return ()
    if not isinstance(given, Mapping):
        raise ValueError("headers: an object of texts")  # noqa: TRY004  # data, not a bug
    return tuple(_header(*pair) for pair in cast("Mapping[object, object]", given).items())


def _header(name: object, value: object) -> tuple[str, str]:
    named = isinstance(name, str) and _HEADER_NAME.fullmatch(name)
    if not named or not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        raise ValueError(f"headers: {name!r} is no header with a printable ASCII value")
    if str(name).lower() in ("content-length", "transfer-encoding"):
        raise ValueError(f"headers: {name} is the server's own; use truncate")
    return str(name), value


def _body(given: object) -> bytes | None:
    if given is None or isinstance(given, bytes):
        return given
    return given.encode("utf-8") if isinstance(given, str) else json.dumps(given).encode("ascii")


def _whole(low: int, high: int) -> Callable[[object, Any, Any], None]:
    def check(_fault: object, field: Any, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{field.name}: a whole number from {low} to {high}")

    return check


def seconds_field(_fault: object, field: Any, value: Any) -> None:
    """A validator: the field is a number of seconds that a test can wait."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LONGEST_DELAY:
        raise ValueError(f"{field.name}: seconds from 0 to {_LONGEST_DELAY}")


def _boolean(_fault: object, field: Any, value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{field.name}: true or false")


def check_endpoint(endpoints: Collection[str]) -> Callable[[object, Any, Any], None]:
    """A validator: the field is one of these names."""

    def check(_fault: object, field: Any, value: Any) -> None:
        if not isinstance(value, str) or value not in endpoints:
            raise ValueError(f"{field.name}: one of {', '.join(sorted(endpoints))}")

    return check


class UnknownField(ValueError):
    """A row of a file has a member that it should not have, or lacks one."""


def check_fields(row: Mapping[str, Any], known: Collection[str], needed: Collection[str]) -> None:
    """UnknownField, which lists the members of a row, for a row with others or without `needed`."""
    unknown = [name for name in row if name not in known]
    missing = [name for name in needed if name not in row]
    if unknown or missing:
        why = f"{unknown[0]!r} is no field" if unknown else f"{missing[0]!r} is missing"
        raise UnknownField(f"{why}; the fields are {', '.join(known)}")


@attrs.frozen(kw_only=True)
class Fault:
    """One fault of a server or of the network. ValueError with the name of the field for an impossible one.

    `requests` are the numbers of the endpoint's requests, counted from 1: 2, "1-3", "4-", "1,3" or "every".
    `status` and `body` replace those of the answer; `headers` are added to its headers or replace them.
    `delay`, `reset` and `truncate` are those of `Answer`. `act`: whether the authority carries out the
    request before it changes the answer; by default it does, unless `status` or `body` is given.
    """

    endpoint: str = attrs.field(validator=check_endpoint(ENDPOINTS))
    requests: Ranges = attrs.field(default=EVERY, converter=ranges)
    status: int | None = attrs.field(default=None, validator=_whole(200, 599))
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_headers)
    body: bytes | None = attrs.field(default=None, converter=_body, repr=False)
    delay: float = attrs.field(default=0.0, validator=seconds_field)
    reset: bool = attrs.field(default=False, validator=_boolean)
    truncate: int | None = attrs.field(default=None, validator=_whole(0, 1024 * 1024))
    act: bool | None = attrs.field(default=None, validator=_boolean)

    @property
    def acts(self) -> bool:
        """Whether the authority carries out the request."""
        return self.status is None and self.body is None if self.act is None else self.act

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """The fault in one row of a file. ValueError with the name of the field for an impossible one."""
        check_fields(row, [*attrs.fields_dict(cls), "body_base64"], needed=("endpoint",))
        fields = dict(row)
        if "body_base64" in fields:
            fields["body"] = _decoded(fields)
        return cls(**fields)

    def fits(self, numbers: Mapping[str, int]) -> bool:
        """Whether the fault is for a request with these numbers, by the names of its endpoint."""
        number = numbers.get(self.endpoint)
        return number is not None and in_ranges(number, self.requests)

    def applied(self, answer: Answer) -> Answer:
        """The answer with this fault."""
        replaced = self.status is not None or self.body is not None
        body = Secret(self.body or b"") if replaced else answer.body
        kept = _kind_of(body.reveal()) if replaced else answer.headers
        named = {name.lower() for name, _ in self.headers}
        return Answer(
            status=self.status or (200 if replaced else answer.status),
            headers=(*((k, v) for k, v in kept if k.lower() not in named), *self.headers),
            body=body,
            delay=answer.delay + self.delay,
            reset=self.reset,
            truncate=self.truncate,
            parts=() if replaced else answer.parts,
        )


def first_fault(faults: Iterable[Fault], numbers: Mapping[str, int]) -> Fault | None:
    """The fault that a request with these numbers meets."""
    return next((fault for fault in faults if fault.fits(numbers)), None)


T = TypeVar("T")


def read_rows(text: str | bytes, read_row: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    """What each row of a JSON file of faults says. ValueError with the place for one of `read_row`."""
    try:
        file: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(file, dict) or set(cast("dict[str, object]", file)) != {"faults"}:
        raise ValueError('the file is an object with one member, "faults"')
    rows: object = cast("dict[str, object]", file)["faults"]
    if not isinstance(rows, list):
        raise ValueError("faults: a list")  # noqa: TRY004  # data, not a bug
    return tuple(_row(place, row, read_row) for place, row in enumerate(cast("list[object]", rows)))


def _row(place: int, row: object, read_row: Callable[[Mapping[str, Any]], T]) -> T:
    if not isinstance(row, dict):
        example = '{"endpoint": "token", "status": 503}'
        raise ValueError(f"faults[{place}]: a row is an object such as {example}")  # noqa: TRY004  # data, not a bug
    try:
        return read_row(cast("dict[str, Any]", row))
    except UnknownField as error:
        raise ValueError(f"faults[{place}]: {error}") from None
    except ValueError as error:
        raise ValueError(f"faults[{place}].{error}") from None


def _decoded(fields: dict[str, Any]) -> bytes:
    given = fields.pop("body_base64")
    if "body" in fields:
        raise ValueError("body_base64: there is a body already")
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ValueError("body_base64: not base64") from None


def _kind_of(body: bytes) -> tuple[tuple[str, str], ...]:
    """The Content-Type of a scripted body that does not say its own."""
    if not body:
        return ()
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        page = body.lstrip()[:1] == b"<"
        return (("Content-Type", f"text/{'html' if page else 'plain'}; charset=utf-8"),)
    return (("Content-Type", "application/json"),)
