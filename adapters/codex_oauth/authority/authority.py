"""The authority: every request in, its answer out. No socket, no clock, no thread of its own.

Rules of this file: requests are read, counted, answered and recorded here, in this order. What a program's
endpoint does (device authorization, poll, token, revocation) stands here too, what a page does in `web`;
what the protocol says is told as a fact and written by the dialect's own renderer, and a client's mistake
is `Rejected`. One call at a time: a lock guards it, so that a test may look and decide while a server runs.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import ClassVar, Final

import attrs

from codex_oauth.authority import pages
from codex_oauth.authority.endpoints import (
    Door,
    Endpoint,
    Fields,
    Handler,
    Received,
    finished,
    note,
    read_request,
    shown_headers,
    with_secrets,
)
from codex_oauth.authority.faults import Fault, first_fault
from codex_oauth.authority.grants import Device, Devices, Grants
from codex_oauth.authority.messages import FORM, JSON, Answer, Call, Rejected, require
from codex_oauth.authority.models.backend import Desk, ModelBackend
from codex_oauth.authority.models.conversation import Conversation
from codex_oauth.authority.models.misfortunes import ModelFault
from codex_oauth.authority.models.settings import ModelPolicy
from codex_oauth.authority.policy import Policy
from codex_oauth.authority.web import Web
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex import render as dialect
from codex_oauth_core.codex.render import render_error
from codex_oauth_core.effects import Request
from codex_oauth_core.facts import Approved, Issued
from codex_oauth_core.pkce import Pkce
from codex_oauth_core.secret import Secret

__all__ = ["Authority", "Protocol", "Received", "shown_headers", "with_secrets"]


VERIFICATION_PATH: Final = "/codex/device"
DEVICE_REDIRECT_PATH: Final = "/deviceauth/callback"
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_HINTS: Final = ("access_token", "refresh_token")


@attrs.define(eq=False)
class Protocol:
    """These endpoints of one authority."""

    client_id: str
    devices: Devices
    grants: Grants
    entropy: Callable[[int], bytes] = attrs.field(repr=False)

    def usercode(self, call: Call, fields: Fields) -> Answer:
        """Device authorization (RFC 8628 §3.1)."""
        self._check_client(fields)
        device = self.devices.issue(call.now, call.origin + VERIFICATION_PATH)
        return Answer.of(dialect.render_device_authorization(Issued(device)))

    def poll(self, call: Call, fields: Fields) -> Answer:
        """A poll (RFC 8628 §3.4). An approval is handed out once."""
        device_auth_id, user_code = require(fields, "device_auth_id", "user_code")
        said = self.devices.poll(Secret(device_auth_id), user_code, call.now)
        fact = self._approve(call) if isinstance(said, Device) else said
        return Answer.of(dialect.render_poll(fact))

    def token(self, call: Call, fields: Fields) -> Answer:
        """The token endpoint (RFC 6749 §3.2)."""
        (grant_type,) = require(fields, "grant_type")
        self._check_client(fields)
        if "state" in fields:
            raise Rejected("invalid_request", "state does not belong here")
        grant = {"authorization_code": self._exchange, "refresh_token": self._refresh}.get(grant_type)
        if grant is None:
            raise Rejected("unsupported_grant_type", "authorization_code or refresh_token")
        return grant(call, fields)

    def revoke(self, call: Call, fields: Fields) -> Answer:
        """Revocation (RFC 7009 §2.1). A token that nobody knows counts as revoked."""
        del call
        (token,) = require(fields, "token")
        hint = fields.get("token_type_hint", "access_token")
        if hint not in _HINTS:
            raise Rejected("unsupported_token_type", f"token_type_hint is one of {', '.join(_HINTS)}")
        if hint == "refresh_token" or "client_id" in fields:
            self._check_client(fields)
        self.grants.revoke(Secret(token))
        return Answer.of(dialect.render_revocation(confirmed=True))

    def _check_client(self, fields: Fields) -> None:
        (client_id,) = require(fields, "client_id")
        if client_id != self.client_id:
            raise Rejected("invalid_client", "this client is not registered", 401)

    def _approve(self, call: Call) -> Approved:
        """In this dialect the server makes the PKCE pair of a device login."""
        pair = Pkce.from_entropy(self.entropy(32))
        redirects = (call.origin + DEVICE_REDIRECT_PATH, f"{CODEX.issuer}{DEVICE_REDIRECT_PATH}")
        code = self.grants.issue_code(redirects, pair.code_challenge, " ".join(CODEX.scopes), call.now)
        return Approved(code, pair.code_verifier)

    def _exchange(self, call: Call, fields: Fields) -> Answer:
        code, verifier, redirect_uri = require(fields, "code", "code_verifier", "redirect_uri")
        if not _VERIFIER.fullmatch(verifier):
            raise Rejected("invalid_request", "a code_verifier has 43 to 128 unreserved characters")
        fact = self.grants.exchange(
            Secret(code), Secret(verifier), redirect_uri, call.origin, now=call.now, wall=call.wall
        )
        return Answer.of(dialect.render_exchange(fact))

    def _refresh(self, call: Call, fields: Fields) -> Answer:
        (token,) = require(fields, "refresh_token")
        fact = self.grants.refresh(Secret(token), call.origin, now=call.now, wall=call.wall)
        return Answer.of(dialect.render_refresh(fact))


# -- the authority -------------------------------------------------------------------------------------


_MOST_BYTES: Final = 16 * 1024 * 1024
_GRANT_NAMES: Final = {"authorization_code": "exchange", "refresh_token": "refresh"}


def _faults(faults: Iterable[Fault | ModelFault]) -> tuple[Fault | ModelFault, ...]:
    return tuple(faults)


@attrs.define(eq=False, kw_only=True)
class Authority:
    """An authorization server that speaks the Codex dialect, with made-up accounts and fake tokens.

    `entropy` returns the given number of random bytes, and must not repeat itself. `requests` lists the
    requests that came. With `models` the authority also serves the model backends, which accept its tokens.
    ValueError for a `ModelFault` without `models`.
    """

    max_body: ClassVar[int] = _MOST_BYTES
    policy: Policy = attrs.field(factory=Policy)
    faults: tuple[Fault | ModelFault, ...] = attrs.field(default=(), converter=_faults)
    models: ModelPolicy | None = None
    entropy: Callable[[int], bytes] = attrs.field(default=secrets.token_bytes, repr=False)
    client_id: str = CODEX.client_id
    requests: list[Received] = attrs.field(factory=list[Received], init=False, repr=False)
    _counts: dict[str, int] = attrs.field(factory=dict[str, int], init=False, repr=False)
    _lock: RLock = attrs.field(factory=RLock, init=False, repr=False)
    _devices: Devices = attrs.field(init=False, repr=False)
    _endpoints: Mapping[str, Endpoint] = attrs.field(init=False, repr=False)
    _backend: ModelBackend | None = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.models is None and any(isinstance(fault, ModelFault) for fault in self.faults):
            raise ValueError("answer: this authority has no models; `--models` or `models=` brings them")
        self._devices = Devices(self.policy, self.entropy)
        grants = Grants(self.policy, self.client_id, self.entropy)
        protocol = Protocol(self.client_id, self._devices, grants, self.entropy)
        web = Web(self.policy, self.client_id, self._devices, grants, self.entropy)
        self._endpoints = _routes(protocol, web)
        desk = Desk(self._count, lambda: self.faults, self.requests, self._lock)
        self._backend = None if self.models is None else ModelBackend(self.models, grants, desk, self.entropy)

    def handle(self, request: Request, now: float, wall: float) -> Answer:
        """Answer a request that came at `now` (monotonic) and `wall` (Unix time), in seconds.

        The base of the request's URL is the issuer for this client. Never raises, whatever a client sends.
        """
        with self._lock:
            call = Call.of(request, now, wall)
            if self._backend is not None and self._backend.serves(call.path):
                return finished(self._backend.handle(call), wall)
            endpoint = self._endpoints.get(call.path)
            fields, mistake = read_request(endpoint, call)
            numbers = self._count(_names(endpoint, fields))
            fault = first_fault((one for one in self.faults if isinstance(one, Fault)), numbers)
            answer = Answer(status=200)
            if fault is None or fault.acts:
                answer = _answer(endpoint, call, fields, mistake)
            answer = finished(answer if fault is None else fault.applied(answer), wall)
            note(self.requests, call, fields, numbers, answer.status)
            return answer

    def upgrade(self, request: Request, now: float, wall: float) -> Answer | Conversation:
        """The WebSocket that a request opens, or the answer that refuses it: see `handle`."""
        with self._lock:
            call = Call.of(request, now, wall)
            if self._backend is None or not self._backend.serves(call.path):
                return self.handle(request, now, wall)
            found = self._backend.upgraded(call)
            if isinstance(found, Answer):
                return finished(found, wall)
            return Conversation(self._backend, found, call)

    def decide(self, user_code: str, now: float, *, approve: bool) -> bool:
        """Approve or deny a device login at `now`, as a person does.

        Returns False if the login is decided or over. Raises LookupError for a code that was never issued.
        """
        with self._lock:
            device = self._devices.find(user_code)
            if device is None:
                raise LookupError("no such user code")
            return self._devices.decide(device, now, approve=approve)

    def received(self, endpoint: str) -> list[Received]:
        """The requests to one endpoint; its name is one of those of `Received`."""
        return [request for request in self.requests if request.endpoint == endpoint]

    def _count(self, names: tuple[str, ...]) -> dict[str, int]:
        """The request's number under each of its names, the most exact first."""
        for name in names:
            self._counts[name] = self._counts.get(name, 0) + 1
        return {name: self._counts[name] for name in names}


def _routes(protocol: Protocol, web: Web) -> Mapping[str, Endpoint]:
    def nothing(_call: Call) -> dict[str, str]:
        return {}

    def json_only(call: Call) -> dict[str, str]:
        return call.body_fields((JSON,))

    def json_or_form(call: Call) -> dict[str, str]:
        return call.body_fields((FORM, JSON))

    def program(name: str, read: Callable[[Call], dict[str, str]], answer: Handler) -> Endpoint:
        return Endpoint(name, {"POST": Door(read, answer)})

    def page(name: str, get: Door, post: Handler) -> Endpoint:
        return Endpoint(name, {"GET": get, "POST": Door(Call.typed_fields, post)}, page=True)

    def fixed(answer: Answer) -> Endpoint:
        return Endpoint("other", {"GET": Door(nothing, lambda _call, _fields: answer)}, page=True)

    return {
        "/api/accounts/deviceauth/usercode": program("usercode", json_only, protocol.usercode),
        "/api/accounts/deviceauth/token": program("poll", json_only, protocol.poll),
        "/oauth/token": program("token", json_or_form, protocol.token),
        "/oauth/revoke": program("revoke", json_or_form, protocol.revoke),
        "/oauth/authorize": page("authorize", Door(Call.query_fields, web.authorize), web.authorize_form),
        "/codex/device": page("device", Door(nothing, web.device), web.device_form),
        "/": fixed(pages.redirect("/codex/device")),
        "/favicon.ico": fixed(pages.favicon()),
    }


def _names(endpoint: Endpoint | None, fields: Fields) -> tuple[str, ...]:
    name = "other" if endpoint is None else endpoint.name
    grant = _GRANT_NAMES.get(fields.get("grant_type", "")) if name == "token" else None
    return (name, "any") if grant is None else (grant, name, "any")


def _answer(endpoint: Endpoint | None, call: Call, fields: Fields, mistake: Rejected | None) -> Answer:
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
