"""What the endpoints of an authority have in common: methods, how a request is read, and the journal.

Rules of this file: nothing here knows a dialect. In the journal a value that is a secret of the protocol is a
`Secret`; cookies and `Authorization` are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol

import attrs

from codex_oauth.authority.messages import Answer, Call, Rejected
from codex_oauth_core.effects import Request
from codex_oauth_core.secret import Secret

__all__ = [
    "MOST_REMEMBERED",
    "Door",
    "Endpoint",
    "Fields",
    "Handler",
    "Received",
    "Rules",
    "finished",
    "note",
    "read_request",
    "shown_headers",
    "with_secrets",
]

Fields = Mapping[str, str]
Handler = Callable[[Call, Fields], Answer]


class Rules(Protocol):
    """Rules of a server, without a socket or a clock, such as `Authority`. `serve` serves them."""

    max_body: ClassVar[int]
    """The most bytes that a request's body may have."""

    def handle(self, request: Request, now: float, wall: float) -> Answer:
        """Answer a request that came at `now` (monotonic) and `wall` (Unix time), in seconds."""
        ...


@attrs.frozen
class Door:
    """One method of one endpoint: how its fields are read, and what answers."""

    read: Callable[[Call], dict[str, str]]
    answer: Handler


@attrs.frozen
class Endpoint:
    """One path: its name in the journal, and what each method does."""

    name: str
    doors: Mapping[str, Door]
    page: bool = False
    """For people: its errors are pages."""


def read_request(endpoint: Endpoint | None, call: Call) -> tuple[Fields, Rejected | None]:
    """The fields of a request, and what is wrong with it if something is."""
    if endpoint is None:
        return {}, Rejected("not_found", "There is nothing here.", 404)
    door = endpoint.doors.get(call.method)
    if door is None:
        allow = {"Allow": ", ".join(endpoint.doors)}
        return {}, Rejected("method_not_allowed", "This method does nothing here.", 405, allow)
    try:
        return door.read(call), None
    except Rejected as mistake:
        return {}, mistake


_ALWAYS: Final = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
MOST_REMEMBERED: Final = 10_000
"""Requests that are kept to look at."""
MOST_BODIES: Final = 1000
"""The latest of them are kept with their JSON, which may be large."""


def finished(answer: Answer, wall: float) -> Answer:
    """The answer with the headers that every answer has, unless a fault gave its own."""
    given = {name.lower() for name, _ in answer.headers}
    more = (*_ALWAYS, ("Date", formatdate(wall, usegmt=True)))
    added = tuple(pair for pair in more if pair[0].lower() not in given)
    return attrs.evolve(answer, headers=(*answer.headers, *added))


# -- what was received ---------------------------------------------------------------------------------


_SECRET: Final = frozenset(
    {
        "access_token",
        "authorization_code",
        "code",
        "client_secret",
        "code_verifier",
        "csrf",
        "device_auth_id",
        "id_token",
        "id_token_hint",
        "nonce",
        "refresh_token",
        "state",
        "subject_token",
        "ticket",
        "token",
    }
)
_HIDDEN_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


@attrs.frozen(kw_only=True)
class Received:
    """One request that came.

    `endpoint` is `usercode`, `poll`, `authorize`, `device`, `exchange`, `refresh`, `token` (another grant),
    `revoke` or `other`, or of the model stub `responses`, `models`, `usage`, `websocket` (the upgrade) or
    `message` (a request on one); and `number` counts its requests from 1. `at` is monotonic and `wall` is
    Unix time, both in seconds. `fields` are its parameters, empty if they were unreadable. `status` is the
    status of the answer. Only requests to the model stub have `token`, the bearer token, and `body`, the
    JSON.
    """

    endpoint: str
    number: int
    at: float
    wall: float
    method: str
    path: str
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    fields: Mapping[str, str | Secret[str]]
    token: Secret[str] | None = None
    body: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


def with_secrets(fields: Mapping[str, str]) -> Mapping[str, str | Secret[str]]:
    """The parameters with every secret among them wrapped."""
    return MappingProxyType({k: Secret(v) if k in _SECRET else v for k, v in fields.items()})


def shown_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers, by lower-case names, without those that hold credentials."""
    return MappingProxyType({k: v for k, v in headers.items() if k not in _HIDDEN_HEADERS})


def note(
    journal: list[Received],
    call: Call,
    fields: Fields,
    numbers: Mapping[str, int],
    status: int,
    *,
    token: Secret[str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> None:
    """Write a request into the journal, under the first of its names; the oldest make room."""
    name = next(iter(numbers))
    del journal[: -MOST_REMEMBERED + 1]
    journal.append(
        Received(
            endpoint=name,
            number=numbers[name],
            at=call.now,
            wall=call.wall,
            method=call.method,
            path=call.path,
            status=status,
            headers=shown_headers(call.headers),
            fields=with_secrets(fields),
            token=token,
            body=body,
        )
    )
    if len(journal) > MOST_BODIES and journal[-MOST_BODIES - 1].body is not None:
        journal[-MOST_BODIES - 1] = attrs.evolve(journal[-MOST_BODIES - 1], body=None)
