"""The authority: every request in, its answer out. No socket, no clock, no thread of its own.

Rules of this file: requests are read, counted, answered and recorded here, in this order; what an
endpoint does stands in `protocol` and `web`. One call at a time: a lock guards it, so that a test may
look and decide while a server runs.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from threading import RLock
from typing import Final

import attrs

from codex_oauth.authority import pages
from codex_oauth.authority.answer import Answer
from codex_oauth.authority.devices import Devices
from codex_oauth.authority.faults import Fault, first_fault
from codex_oauth.authority.grants import Grants
from codex_oauth.authority.journal import Received, shielded, shown_headers
from codex_oauth.authority.policy import Policy
from codex_oauth.authority.protocol import Protocol
from codex_oauth.authority.reading import FORM, JSON, Call, Rejected
from codex_oauth.authority.web import Web
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.render import render_error
from codex_oauth_core.effects import Request

__all__ = ["Authority"]

Fields = Mapping[str, str]

_ALWAYS: Final = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
MOST_REMEMBERED: Final = 10_000
"""Requests that are kept to look at."""

_GRANT_NAMES: Final = {"authorization_code": "exchange", "refresh_token": "refresh"}


@attrs.frozen
class _Door:
    """One method of one endpoint: how its fields are read, and what answers."""

    read: Callable[[Call], dict[str, str]]
    answer: Callable[[Call, Fields], Answer]


@attrs.frozen
class _Endpoint:
    name: str
    doors: Mapping[str, _Door]
    page: bool = False
    """For people: its errors are pages."""


def _faults(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(faults)


@attrs.define(eq=False, kw_only=True)
class Authority:
    """An authorization server that speaks the Codex dialect, with made-up accounts and fake tokens.

    `entropy` gives that many random bytes, and must not repeat itself. `requests` is what came in.
    """

    policy: Policy = attrs.field(factory=Policy)
    faults: tuple[Fault, ...] = attrs.field(default=(), converter=_faults)
    entropy: Callable[[int], bytes] = attrs.field(default=secrets.token_bytes, repr=False)
    client_id: str = CODEX.client_id
    requests: list[Received] = attrs.field(factory=list[Received], init=False, repr=False)
    _counts: dict[str, int] = attrs.field(factory=dict[str, int], init=False, repr=False)
    _lock: RLock = attrs.field(factory=RLock, init=False, repr=False)
    _devices: Devices = attrs.field(init=False, repr=False)
    _endpoints: Mapping[str, _Endpoint] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._devices = Devices(self.policy, self.entropy)
        grants = Grants(self.policy, self.client_id, self.entropy)
        protocol = Protocol(self.client_id, self._devices, grants, self.entropy)
        web = Web(self.policy, self.client_id, self._devices, grants, self.entropy)
        self._endpoints = _routes(protocol, web)

    def handle(self, request: Request, now: float, wall: float) -> Answer:
        """The answer to a request that came at `now` (monotonic) and `wall` (Unix time), in seconds.

        To its sender, the base of the request's URL is the issuer. Never raises for what a client sends.
        """
        with self._lock:
            call = Call.of(request, now, wall)
            endpoint = self._endpoints.get(call.path)
            fields, mistake = _read(endpoint, call)
            numbers = self._count(_names(endpoint, fields))
            fault = first_fault(self.faults, numbers)
            answer = Answer(status=200)
            if fault is None or fault.acts:
                answer = _answer(endpoint, call, fields, mistake)
            answer = _finished(answer if fault is None else fault.applied(answer), wall)
            self._record(call, fields, numbers, answer)
            return answer

    def decide(self, user_code: str, now: float, *, approve: bool) -> bool:
        """Approve or deny a device login as a person would, at `now`.

        False if there is nothing to decide any more. LookupError for a code that was never issued.
        """
        with self._lock:
            device = self._devices.find(user_code)
            if device is None:
                raise LookupError("no such user code")
            return self._devices.decide(device, now, approve=approve)

    def received(self, endpoint: str) -> list[Received]:
        """The requests to one endpoint, by the names of `Received`."""
        return [request for request in self.requests if request.endpoint == endpoint]

    def _count(self, names: tuple[str, ...]) -> dict[str, int]:
        """The request's number under each of its names, the most exact first."""
        for name in names:
            self._counts[name] = self._counts.get(name, 0) + 1
        return {name: self._counts[name] for name in names}

    def _record(self, call: Call, fields: Fields, numbers: Mapping[str, int], answer: Answer) -> None:
        name = next(iter(numbers))
        del self.requests[: -MOST_REMEMBERED + 1]
        self.requests.append(
            Received(
                endpoint=name,
                number=numbers[name],
                at=call.now,
                wall=call.wall,
                method=call.method,
                path=call.path,
                status=answer.status,
                headers=shown_headers(call.headers),
                fields=shielded(fields),
            )
        )


def _routes(protocol: Protocol, web: Web) -> Mapping[str, _Endpoint]:
    def nothing(_call: Call) -> dict[str, str]:
        return {}

    def json_only(call: Call) -> dict[str, str]:
        return call.body_fields((JSON,))

    def json_or_form(call: Call) -> dict[str, str]:
        return call.body_fields((FORM, JSON))

    def program(name: str, read: Callable[[Call], dict[str, str]], answer: _Handler) -> _Endpoint:
        return _Endpoint(name, {"POST": _Door(read, answer)})

    def page(name: str, get: _Door, post: _Handler) -> _Endpoint:
        return _Endpoint(name, {"GET": get, "POST": _Door(Call.typed_fields, post)}, page=True)

    def fixed(answer: Answer) -> _Endpoint:
        return _Endpoint("other", {"GET": _Door(nothing, lambda _call, _fields: answer)}, page=True)

    return {
        "/api/accounts/deviceauth/usercode": program("usercode", json_only, protocol.usercode),
        "/api/accounts/deviceauth/token": program("poll", json_only, protocol.poll),
        "/oauth/token": program("token", json_or_form, protocol.token),
        "/oauth/revoke": program("revoke", json_or_form, protocol.revoke),
        "/oauth/authorize": page("authorize", _Door(Call.query_fields, web.authorize), web.authorize_form),
        "/codex/device": page("device", _Door(nothing, web.device), web.device_form),
        "/": fixed(pages.redirect("/codex/device")),
        "/favicon.ico": fixed(pages.favicon()),
    }


_Handler = Callable[[Call, Fields], Answer]


def _read(endpoint: _Endpoint | None, call: Call) -> tuple[Fields, Rejected | None]:
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


def _names(endpoint: _Endpoint | None, fields: Fields) -> tuple[str, ...]:
    name = "other" if endpoint is None else endpoint.name
    grant = _GRANT_NAMES.get(fields.get("grant_type", "")) if name == "token" else None
    return (name, "any") if grant is None else (grant, name, "any")


def _answer(endpoint: _Endpoint | None, call: Call, fields: Fields, mistake: Rejected | None) -> Answer:
    if mistake is None and endpoint is not None:
        try:
            return endpoint.doors[call.method].answer(call, fields)
        except Rejected as found:
            mistake = found
    wrong = mistake or Rejected("not_found", "There is nothing here.", 404)
    if endpoint is None or not endpoint.page:
        return Answer.of(render_error(wrong.code, wrong.status, wrong.headers, wrong.why))
    page = pages.message("This did not work", wrong.why, wrong.status, start_over=True)
    return attrs.evolve(page, headers=(*page.headers, *wrong.headers))


def _finished(answer: Answer, wall: float) -> Answer:
    """The answer with the headers that every answer has, unless a fault gave its own."""
    given = {name.lower() for name, _ in answer.headers}
    more = (*_ALWAYS, ("Date", formatdate(wall, usegmt=True)))
    added = tuple(pair for pair in more if pair[0].lower() not in given)
    return attrs.evolve(answer, headers=(*answer.headers, *added))
