"""The endpoints that people's browsers open: the page for device codes, and the authorize page.

Rules of this file: nothing is decided without a form that the browser got from here: the CSRF token is a
keyed hash of the browser's session cookie, and every POST is checked before anything else is looked at. A
redirect goes to a registered redirect URI and nowhere else (RFC 9700 §4.1); an unknown client or redirect
URI gets a page, never a redirect (RFC 6749 §4.1.2.1).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

import attrs

from codex_oauth.authority import pages
from codex_oauth.authority.grants import Devices, Grants, Standing
from codex_oauth.authority.messages import Answer, Call, Rejected
from codex_oauth.authority.policy import Approve, Policy
from codex_oauth_core.codex import CODEX
from codex_oauth_core.pkce import base64url
from codex_oauth_core.secret import Secret

__all__ = ["Session", "Web", "check_form", "session_of"]


_COOKIE: Final = "authority_session"
_SESSION: Final = re.compile(rf"(?:^|;\s*){_COOKIE}=([A-Za-z0-9_-]{{43}})(?:;|$)", re.ASCII)


@attrs.frozen
class Session:
    """One browser, by its cookie, and the CSRF token of its forms."""

    cookie: Secret[str]
    csrf: Secret[str]
    new: bool

    def remembered(self, answer: Answer) -> Answer:
        """The answer, with the cookie if the browser does not have it yet."""
        if not self.new:
            return answer
        value = f"{_COOKIE}={self.cookie.reveal()}; Path=/; HttpOnly; SameSite=Lax"
        return attrs.evolve(answer, headers=(*answer.headers, ("Set-Cookie", value)))


def session_of(call: Call, key: Secret[bytes], fresh: bytes) -> Session:
    """The session of a request, or a new one made of 32 `fresh` random bytes."""
    found = _SESSION.search(call.headers.get("cookie", ""))
    cookie = found[1] if found else base64url(fresh)
    csrf = base64url(hmac.digest(key.reveal(), cookie.encode(), hashlib.sha256))
    return Session(Secret(cookie), Secret(csrf), new=found is None)


def check_form(call: Call, fields: Mapping[str, str], session: Session) -> None:
    """`Rejected` unless the form came from a page that this browser got from this authority."""
    site = call.headers.get("sec-fetch-site", "same-origin")
    origin = call.headers.get("origin", "null")  # a page with `no-referrer` sends null
    ours = site == "same-origin" and origin in ("null", call.origin)
    if not ours or session.new or Secret(fields.get("csrf", "")) != session.csrf:
        raise Rejected("csrf", "This form is out of date. Open the page again.", 403)


# -- the endpoints -------------------------------------------------------------------------------------


TICKET_LIFETIME: Final = 600.0
"""Seconds that a consent page can be answered."""

_REDIRECT: Final = re.compile(
    rf"http://(?:127\.0\.0\.1|localhost):([1-9]\d{{0,4}}){re.escape(CODEX.redirect_path)}", re.ASCII
)
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_UNKNOWN_CODE: Final = "This code is unknown or has expired. Check it, or start the sign-in again."

PageFields = Mapping[str, str]


@attrs.frozen
class _Ticket:
    """An authorization request that waits for a person's answer."""

    redirect_uri: str
    state: Secret[str]
    code_challenge: str
    scope: str
    expires_at: float
    csrf: Secret[str]
    """Of the browser that asked; only it may answer."""


@attrs.define(eq=False)
class Web:
    """The pages of one authority."""

    policy: Policy
    client_id: str
    devices: Devices
    grants: Grants
    entropy: Callable[[int], bytes] = attrs.field(repr=False)
    _key: Secret[bytes] = attrs.field(init=False, repr=False)
    _tickets: dict[str, _Ticket] = attrs.field(factory=dict[str, _Ticket], init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._key = Secret(self.entropy(32))

    # -- the device page (RFC 8628 §3.3) -------------------------------------------------------------

    def device(self, call: Call, fields: PageFields) -> Answer:
        """The page that asks for a code."""
        del fields
        session = self._session(call)
        return session.remembered(pages.ask_for_code(session.csrf))

    def device_form(self, call: Call, fields: PageFields) -> Answer:
        """A code was typed, and then decided about."""
        session = self._session(call)
        check_form(call, fields, session)
        typed = fields.get("user_code", "")
        device = self.devices.find(typed)
        if device is None or self.devices.standing(device, call.now) is not Standing.PENDING:
            return pages.ask_for_code(session.csrf, typed, _UNKNOWN_CODE)
        if "decision" not in fields:
            return self._device_consent(device.user_code, session)
        approve = _decision(fields)
        if not self.devices.decide(device, call.now, approve=approve):
            return pages.message("Nobody may decide", "This authority was told to let codes expire.", 403)
        return pages.decided(approved=approve)

    def _device_consent(self, user_code: str, session: Session) -> Answer:
        return pages.consent(
            action="/codex/device",
            hidden={"csrf": session.csrf.reveal(), "user_code": user_code},
            client_id=self.client_id,
            account=self.grants.approver,
            scopes=CODEX.scopes,
            user_code=user_code,
            can_approve=self.policy.approve is not Approve.NEVER,
        )

    # -- the authorize page (RFC 6749 §4.1.1) --------------------------------------------------------

    def authorize(self, call: Call, fields: PageFields) -> Answer:
        """An authorization request: answered by the policy, or by a person on the consent page."""
        redirect_uri = self._redirect_uri(fields)
        problem = _problem(fields)
        if problem is not None:
            state = {"state": fields["state"]} if "state" in fields else {}
            return pages.redirect(_with_query(redirect_uri, {"error": problem, **state}))
        session = self._session(call)
        ticket = _Ticket(
            redirect_uri,
            Secret(fields["state"]),
            fields["code_challenge"],
            fields["scope"],
            call.now + TICKET_LIFETIME,
            session.csrf,
        )
        decision = {Approve.AUTO: True, Approve.DENY: False}.get(self.policy.approve)
        if decision is not None:
            return self._sent_back(ticket, call, approve=decision, delay=self.policy.approve_after)
        return session.remembered(self._consent(ticket, session))

    def authorize_form(self, call: Call, fields: PageFields) -> Answer:
        """The consent page was answered. Each page can be answered once."""
        session = self._session(call)
        check_form(call, fields, session)
        approve = _decision(fields)
        if self.policy.approve is Approve.NEVER:
            return pages.message("Nobody may decide", "This authority was told to answer nobody.", 403)
        ticket = self._tickets.pop(fields.get("ticket", ""), None)
        if ticket is None or ticket.csrf != session.csrf or call.now >= ticket.expires_at:
            return pages.message("Too late", "This page was answered before, or is too old.", 409)
        return self._sent_back(ticket, call, approve=approve)

    def _consent(self, ticket: _Ticket, session: Session) -> Answer:
        name = base64url(self.entropy(24))
        self._tickets[name] = ticket
        return pages.consent(
            action="/oauth/authorize",
            hidden={"csrf": session.csrf.reveal(), "ticket": name},
            client_id=self.client_id,
            account=self.grants.approver,
            scopes=ticket.scope.split(),
            returns_to=urlsplit(ticket.redirect_uri).netloc,
            can_approve=self.policy.approve is not Approve.NEVER,
        )

    def _sent_back(self, ticket: _Ticket, call: Call, *, approve: bool, delay: float = 0.0) -> Answer:
        state = {"state": ticket.state.reveal()}
        if not approve:
            location = _with_query(ticket.redirect_uri, {"error": "access_denied", **state})
            return pages.redirect(location, delay)
        issued_at = call.now + delay
        code = self.grants.issue_code((ticket.redirect_uri,), ticket.code_challenge, ticket.scope, issued_at)
        return pages.redirect(_with_query(ticket.redirect_uri, {"code": code.reveal(), **state}), delay)

    def _redirect_uri(self, fields: PageFields) -> str:
        if fields.get("client_id") != self.client_id:
            raise Rejected("invalid_client", "This client is not registered.")
        redirect_uri = fields.get("redirect_uri", "")
        match = _REDIRECT.fullmatch(redirect_uri)
        port = int(match[1]) if match else 0
        registered = port <= 65535 if self.policy.any_redirect_port else port in CODEX.redirect_ports
        if match is None or not registered:
            raise Rejected("invalid_request", "This redirect URI is not registered.")
        return redirect_uri

    def _session(self, call: Call) -> Session:
        return session_of(call, self._key, self.entropy(32))


def _problem(fields: PageFields) -> str | None:
    """The error code for an authorization request that is wrong (RFC 6749 §4.1.2.1, RFC 7636 §4.4.1)."""
    if fields.get("response_type") != "code":
        return "unsupported_response_type" if "response_type" in fields else "invalid_request"
    if "state" not in fields or fields.get("code_challenge_method") != "S256":
        return "invalid_request"
    if not _CHALLENGE.fullmatch(fields.get("code_challenge", "")):
        return "invalid_request"
    return None if "openid" in fields.get("scope", "").split() else "invalid_scope"


def _decision(fields: PageFields) -> bool:
    decision = fields.get("decision")
    if decision not in ("approve", "deny"):
        raise Rejected("invalid_request", "This is neither an approval nor a denial.")
    return decision == "approve"


def _with_query(uri: str, parameters: Mapping[str, str]) -> str:
    return f"{uri}?{urlencode(parameters)}"
