"""The authorize endpoint of the official sign-in: what a request must say, who decides, and the way back.

Rules of this file: an unknown client or a redirect URI that is not the client's gets a page and no redirect
(RFC 6749 §4.1.2.1); every other mistake goes back to the client as an error and is noted; nothing is decided
without a form that this browser got from here. A registration is made when a person agrees, not before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

import attrs

from codex_oauth.authority import pages
from codex_oauth.authority.chatgpt.consent_pages import choose_account, plan_consent
from codex_oauth.authority.chatgpt.hostile import Hostile, spoilt_redirect
from codex_oauth.authority.chatgpt.plan_grants import Ended, PlanGrants, Registration
from codex_oauth.authority.chatgpt.script import Script
from codex_oauth.authority.chatgpt.settings import (
    ALL_SCOPES,
    REGISTRATION_CLIENT_ID,
    ChatGptPolicy,
    Person,
    Workspace,
)
from codex_oauth.authority.endpoints import Fields
from codex_oauth.authority.messages import Answer, Call, Rejected
from codex_oauth.authority.policy import Approve
from codex_oauth.authority.web import TICKET_LIFETIME, Session, check_form, session_of
from codex_oauth_core.pkce import base64url
from codex_oauth_core.secret import Secret

__all__ = ["AuthorizePage"]

_REDIRECT: Final = re.compile(r"http://127\.0\.0\.1:([1-9]\d{0,4})(/[A-Za-z0-9._~/-]*)", re.ASCII)
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_HEX: Final = "[0-9a-fA-F]"
_HOST_IDS: Final = (
    re.compile(rf"urn:uuid:{_HEX}{{8}}-{_HEX}{{4}}-4{_HEX}{{3}}-[89abAB]{_HEX}{{3}}-{_HEX}{{12}}", re.ASCII),
    re.compile(r"urn:ietf:params:oauth:jwk-thumbprint:sha-256:[A-Za-z0-9_-]{43}", re.ASCII),
    re.compile(r"did:key:z[1-9A-HJ-NP-Za-km-z]{8,200}", re.ASCII),
)
_NEVER: Final = (
    "force_reconsent",
    "originator",
    "codex_cli_simplified_flow",
    "id_token_add_organizations",
    "allowed_workspace_id",
    "client_secret",
)
_RETURNING_ONLY: Final = ("prompt", "id_token_hint", "login_hint")
_LONGEST: Final = 512


@attrs.frozen(kw_only=True)
class _Wrong:
    """Why a request is refused: an error code and, for a person, the reason."""

    code: str
    why: str


@attrs.frozen(kw_only=True)
class _Request:
    """An authorization request that keeps the rules, and waits for a person's answer."""

    registration: Registration | None
    redirect_uri: str
    path: str
    name: str
    host_id: str
    state: Secret[str]
    nonce: str = attrs.field(repr=False)
    code_challenge: str
    scopes: tuple[str, ...]
    asks_consent: bool
    expires_at: float
    csrf: Secret[str]
    """Of the browser that asked; only it may answer."""


@attrs.frozen(kw_only=True)
class _Consent:
    """What a person agreed to: who they are, and with the plan or without it."""

    plan: bool
    person: Person
    workspace: Workspace
    name: str


@attrs.define(eq=False)
class AuthorizePage:
    """The authorize endpoint of one authority."""

    policy: ChatGptPolicy
    grants: PlanGrants
    script: Script
    entropy: Callable[[int], bytes] = attrs.field(repr=False)
    _key: Secret[bytes] = attrs.field(init=False, repr=False)
    _waiting: dict[str, _Request] = attrs.field(factory=dict[str, _Request], init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._key = Secret(self.entropy(32))

    def authorize(self, call: Call, fields: Fields) -> Answer:
        """An authorization request: answered at once, by the policy, or by a person on a page."""
        registration = self._registration(fields)
        path = self._redirect_path(fields, registration)
        wrong = self._wrong(fields, registration)
        if wrong is not None:
            self.script.accuse("authorize", wrong.code, wrong.why)
            state = {"state": fields["state"]} if "state" in fields else {}
            return pages.redirect(f"{fields['redirect_uri']}?{urlencode({'error': wrong.code, **state})}")
        session = session_of(call, self._key, self.entropy(32))
        request = _Request(
            registration=registration,
            redirect_uri=fields["redirect_uri"],
            path=path,
            name=fields.get("agent_name_hint", ""),
            host_id=fields["ext_agent_host_id"],
            state=Secret(fields["state"]),
            nonce=fields["nonce"],
            code_challenge=fields["code_challenge"],
            scopes=tuple(fields["scope"].split()),
            asks_consent="prompt" in fields,
            expires_at=call.now + TICKET_LIFETIME,
            csrf=session.csrf,
        )
        return self._answer(request, call, session, hinted="id_token_hint" in fields)

    def authorize_form(self, call: Call, fields: Fields) -> Answer:
        """A page was answered. Each can be answered once."""
        session = session_of(call, self._key, self.entropy(32))
        check_form(call, fields, session)
        if self.policy.approve is Approve.NEVER:
            return pages.message("Nobody may decide", "This authority was told to answer nobody.", 403)
        decision = fields.get("decision")
        if decision not in ("approve", "no_plan", "deny"):
            raise Rejected("invalid_request", "This is neither an approval nor a denial.")
        request = self._waiting.get(fields.get("ticket", ""))
        if request is None or request.csrf != session.csrf or call.now >= request.expires_at:
            return pages.message("Too late", "This page was answered before, or is too old.", 409)
        consent = None if decision == "deny" else self._consent(request, fields, plan=decision == "approve")
        del self._waiting[fields["ticket"]]
        return self._sent_back(request, call, consent)

    # -- what a request must say ---------------------------------------------------------------------

    def _registration(self, fields: Fields) -> Registration | None:
        """The client that returns; None for a first registration."""
        client_id = fields.get("client_id")
        if client_id == REGISTRATION_CLIENT_ID:
            return None
        registration = self.grants.registrations.get(client_id or "")
        if registration is None:
            raise Rejected("invalid_client", "This program is not registered, or not any more.")
        return registration

    def _redirect_path(self, fields: Fields, registration: Registration | None) -> str:
        match = _REDIRECT.fullmatch(fields.get("redirect_uri", ""))
        if match is None or int(match[1]) > 65_535:
            raise Rejected("invalid_request", "The redirect URI is not http://127.0.0.1:PORT/PATH.")
        if registration is not None and match[2] != registration.path:
            raise Rejected("invalid_request", "The redirect URI has another path than the registered one.")
        return match[2]

    def _wrong(self, fields: Fields, registration: Registration | None) -> _Wrong | None:
        """What is wrong with a request (RFC 6749 §4.1.2.1, RFC 7636 §4.4.1, RFC 8707 §2)."""
        if fields.get("response_type") != "code":
            given = "response_type" in fields
            code = "unsupported_response_type" if given else "invalid_request"
            return _Wrong(code=code, why="response_type is code")
        if frozenset(fields.get("scope", "").split()) != ALL_SCOPES:
            return _Wrong(code="invalid_scope", why="the scopes are always the whole set")
        if fields.get("resource") != self.policy.resource:
            code = "invalid_target" if "resource" in fields else "invalid_request"
            return _Wrong(code=code, why=f"the resource is {self.policy.resource}")
        why = (
            _wrong_secrets(fields)
            or _wrong_host(fields)
            or _wrong_hint(fields, registration)
            or self._wrong_return(fields, registration)
        )
        return None if why is None else _Wrong(code="invalid_request", why=why)

    def _wrong_return(self, fields: Fields, registration: Registration | None) -> str | None:
        if fields.get("prompt", "consent") != "consent":
            return "prompt is consent, or absent"
        hint = fields.get("id_token_hint")
        if hint is None:
            return None
        hinted = self.grants.of_id_token(Secret(hint))
        if hinted is None or hinted.registration is not registration:
            return "id_token_hint is no ID token of this client"
        if hinted.ended is Ended.SIGNED_OUT:
            return "id_token_hint was signed out"
        if fields.get("login_hint", hinted.registration.person.email) != hinted.registration.person.email:
            return "login_hint is not the address of id_token_hint"
        return None

    # -- who decides ---------------------------------------------------------------------------------

    def _answer(self, request: _Request, call: Call, session: Session, *, hinted: bool) -> Answer:
        registration = request.registration
        if self.policy.approve in (Approve.AUTO, Approve.DENY):
            return self._sent_back(request, call, self._by_policy(request), self.policy.approve_after)
        if registration is not None and hinted and not request.asks_consent:
            return self._sent_back(request, call, _as_before(registration))
        ticket = base64url(self.entropy(24))
        self._waiting[ticket] = request
        hidden = {"csrf": session.csrf.reveal(), "ticket": ticket}
        can_approve = self.policy.approve is not Approve.NEVER
        if registration is not None and not request.asks_consent:
            page = choose_account(hidden=hidden, people=self.policy.people, can_approve=can_approve)
        else:
            page = plan_consent(
                hidden=hidden,
                name=request.name,
                people=self.policy.people,
                registration=registration,
                scopes=request.scopes,
                returns_to=urlsplit(request.redirect_uri).netloc,
                can_approve=can_approve,
            )
        return session.remembered(page)

    def _by_policy(self, request: _Request) -> _Consent | None:
        if self.policy.approve is Approve.DENY:
            return None
        if (registration := request.registration) is not None:
            before = _as_before(registration)
            return attrs.evolve(before, plan=self.policy.plan_use) if request.asks_consent else before
        person, workspace = self.policy.at_the_browser()
        return _Consent(plan=self.policy.plan_use, person=person, workspace=workspace, name=request.name)

    def _consent(self, request: _Request, fields: Fields, *, plan: bool) -> _Consent:
        """What a page's form says. A registration's own person is the only one who can answer for it."""
        account = fields.get("account", "")
        if (registration := request.registration) is not None:
            if account not in ("", registration.person.subject):
                raise Rejected("access_denied", "This program is registered for another account.", 403)
            before = _as_before(registration)  # an ordinary return asks for the account only
            return attrs.evolve(before, plan=plan) if request.asks_consent else before
        name = fields.get("agent_name", "").strip() or request.name
        for person in self.policy.people:
            for workspace in person.workspaces:
                if account == f"{person.subject} {workspace.workspace_id}":
                    return _Consent(plan=plan, person=person, workspace=workspace, name=name)
        raise Rejected("invalid_request", "There is no such account.")

    # -- the way back --------------------------------------------------------------------------------

    def _sent_back(
        self, request: _Request, call: Call, consent: _Consent | None, delay: float = 0.0
    ) -> Answer:
        self.script.count("callback")
        hostile = self.script.hostile("callback")
        state = ("state", request.state.reveal())
        if consent is None:
            pairs = [("error", "access_denied"), state]
        else:
            pairs = self._granted(request, consent, hostile, call.now + delay)
        pairs = [*pairs, *([("iss", call.origin)] if self.policy.iss_in_callback else [])]
        query = urlencode(spoilt_redirect(pairs, hostile))
        return pages.redirect(f"{request.redirect_uri}?{query}", delay)

    def _granted(
        self, request: _Request, consent: _Consent, hostile: frozenset[Hostile], now: float
    ) -> list[tuple[str, str]]:
        """The parameters of an approval, in the order in which the real server gives them."""
        plan = consent.plan
        registration = request.registration or self.grants.register(
            consent.person, consent.workspace, request.path, consent.name, plan=plan
        )
        registration.plan = plan
        registration.host_ids.add(request.host_id)
        claims_plan = Hostile.CALLBACK_CLAIMS_PLAN in hostile
        code, session = self.grants.issue_code(
            registration,
            request.redirect_uri,
            request.code_challenge,
            request.nonce,
            now,
            plan=plan and not claims_plan,
        )
        scope = " ".join(sorted(ALL_SCOPES)) if claims_plan else session.scope_text
        pairs = [("code", code.reveal()), ("scope", scope), ("state", request.state.reveal())]
        if request.registration is None or self.policy.client_id_on_return:
            pairs.append(("client_id", registration.client_id))
        return pairs


def _as_before(registration: Registration) -> _Consent:
    """What the person of a registration agreed to before."""
    return _Consent(
        plan=registration.plan,
        person=registration.person,
        workspace=registration.workspace,
        name=registration.name,
    )


def _wrong_secrets(fields: Fields) -> str | None:
    if fields.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
        fields.get("code_challenge", "")
    ):
        return "the code challenge is one of S256"
    values = [fields.get(name, "") for name in ("state", "nonce", "code_challenge")]
    if not all(0 < len(value) <= _LONGEST for value in values):
        return "state and nonce are needed"
    return None if len(set(values)) == len(values) else "state, nonce and challenge are three values"


def _wrong_host(fields: Fields) -> str | None:
    host_id = fields.get("ext_agent_host_id", "")
    known = any(form.fullmatch(host_id) for form in _HOST_IDS)
    return None if known else "ext_agent_host_id has one of three forms"


def _wrong_hint(fields: Fields, registration: Registration | None) -> str | None:
    if registration is None and "agent_name_hint" not in fields:
        return "a first registration needs agent_name_hint"
    if registration is not None and "agent_name_hint" in fields:
        return "agent_name_hint is for a first registration only"
    early = [name for name in _RETURNING_ONLY if name in fields] if registration is None else []
    never = [name for name in _NEVER if name in fields]
    return f"this does not belong here: {', '.join(early + never)}" if early or never else None
