"""The token endpoint and the revocation of the official sign-in: a public client's forms, read strictly.

Rules of this file: a request says what the documentation asks for, and none of what it forbids: what is
forbidden is refused and noted, although a milder server would overlook it; an error is told by its code. A
token that belongs to another client is never touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Final

import attrs

from codex_oauth.authority.chatgpt.hostile import Hostile, replaced
from codex_oauth.authority.chatgpt.minting import Minting
from codex_oauth.authority.chatgpt.plan_grants import Ended, PlanGrants, SignedIn
from codex_oauth.authority.chatgpt.script import Script
from codex_oauth.authority.chatgpt.settings import REGISTRATION_CLIENT_ID, ChatGptPolicy
from codex_oauth.authority.endpoints import Fields
from codex_oauth.authority.messages import FORM, Answer, Call, Rejected, require
from codex_oauth_core.codex.codes import LOGIN_OVER
from codex_oauth_core.secret import Secret

__all__ = ["TokenEndpoint", "as_json_answer", "form_only"]

_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_SECRETS: Final = ("client_secret", "client_assertion", "client_assertion_type")
_ELSEWHERE: Final = ("scope", "state", "nonce", "ext_agent_host_id", "agent_name_hint", "id_token_hint")
"""Parameters that do not belong into a token request."""


def form_only(call: Call) -> dict[str, str]:
    """The parameters of a form; `Rejected`, always with 400, for anything else."""
    try:
        return call.body_fields((FORM,))
    except Rejected as mistake:
        raise Rejected(mistake.code, mistake.why) from None


def as_json_answer(status: int, value: Mapping[str, object]) -> Answer:
    """An answer with a JSON object."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Answer(status=status, headers=(("Content-Type", "application/json"),), body=Secret(body))


@attrs.define(eq=False)
class TokenEndpoint:
    """Exchange, refresh and revocation of one authority."""

    policy: ChatGptPolicy
    grants: PlanGrants
    minting: Minting
    script: Script

    def token(self, call: Call, fields: Fields) -> Answer:
        """The token endpoint (RFC 6749 §3.2)."""
        hostile = self.script.hostile("token")
        instead = replaced(hostile)
        if instead is not None:
            return instead
        (grant_type,) = require(fields, "grant_type")
        grant = {"authorization_code": self._exchange, "refresh_token": self._refresh}.get(grant_type)
        if grant is None:
            raise Rejected("unsupported_grant_type", "authorization_code or refresh_token")
        self._check_public(call, fields, _ELSEWHERE)
        return grant(call, fields)

    def revoke(self, call: Call, fields: Fields) -> Answer:
        """Revocation (RFC 7009 §2.1): an empty 200, also for a token that nobody knows or that is over."""
        if self.policy.revocation_unavailable:
            return self.error("temporarily_unavailable", 503)
        self._check_public(call, fields, ("scope",))
        token, hint, client_id = require(fields, "token", "token_type_hint", "client_id")
        if hint != "refresh_token":
            raise Rejected("unsupported_token_type", "the refresh token is what is revoked")
        session = self.grants.of_token(Secret(token))
        if session is not None and session.registration.client_id != client_id:
            self.script.accuse("revoke", "invalid_client", "the token is another client's")
        elif session is not None:
            session.ended = session.ended or Ended.SIGNED_OUT
        return Answer(status=200)

    def error(self, code: str, status: int = 400, why: str | None = None) -> Answer:
        """An error in the form that the policy chose: neither is documented."""
        text = {} if why is None else {"error_description": why}
        if not self.policy.nested_errors:
            return as_json_answer(status, {"error": code, **text})
        return as_json_answer(status, {"error": {"code": code, "message": why or code}})

    # -- the grants ----------------------------------------------------------------------------------

    def _exchange(self, call: Call, fields: Fields) -> Answer:
        code, verifier, redirect_uri = require(fields, "code", "code_verifier", "redirect_uri")
        client_id = self._known_client(fields)
        self._check_resource(fields)
        if not _VERIFIER.fullmatch(verifier):
            raise Rejected("invalid_request", "a code_verifier has 43 to 128 unreserved characters")
        if client_id is None:
            return self.error("invalid_client", 401)
        if self.grants.is_of_another_client(client_id, Secret(code)):
            self.script.accuse("exchange", "invalid_grant", "the code is another client's")
        session = self.grants.exchange(client_id, Secret(code), verifier, redirect_uri, call.now)
        if session is None:
            return self.error("invalid_grant")
        return self._tokens(session, call, self.script.hostile("token", "exchange"), renewed=False)

    def _refresh(self, call: Call, fields: Fields) -> Answer:
        (token,) = require(fields, "refresh_token")
        client_id = self._known_client(fields)
        self._check_resource(fields)
        if client_id is None:
            return self.error("invalid_client", 401)
        owner = self.grants.of_token(Secret(token))
        if owner is not None and owner.registration.client_id != client_id:
            self.script.accuse("refresh", "invalid_grant", "the refresh token is another client's")
            return self.error("invalid_grant")
        found = self.grants.refresh(Secret(token), call.now)
        if isinstance(found, str):
            return self.error(found, 400 if found == "invalid_grant" else 401, LOGIN_OVER.get(found))
        hostile = self.script.hostile("token", "refresh")
        answer = self._tokens(found, call, hostile, renewed=True)
        return attrs.evolve(answer, reset=True) if Hostile.REFRESH_LOST in hostile else answer

    def _tokens(self, session: SignedIn, call: Call, hostile: frozenset[Hostile], *, renewed: bool) -> Answer:
        tokens, body = self.minting.answer(session, call.origin, call.wall, hostile, renewed=renewed)
        self.grants.remember(session, tokens, call.now)
        return as_json_answer(200, body)

    # -- what every request owes ---------------------------------------------------------------------

    def _known_client(self, fields: Fields) -> str | None:
        """The issued client id; None for one that is not, or no longer, registered."""
        (client_id,) = require(fields, "client_id")
        return client_id if client_id in self.grants.registrations else None

    def _check_public(self, call: Call, fields: Fields, elsewhere: Collection[str]) -> None:
        """`Rejected` for a client that authenticates, names the registration id, or says too much."""
        if "authorization" in call.headers or any(name in fields for name in _SECRETS):
            raise Rejected("invalid_request", "this is a public client: it has no secret")
        if fields.get("client_id") == REGISTRATION_CLIENT_ID:
            raise Rejected("invalid_client", "the registration id belongs to authorize only", 401)
        wrong = [name for name in elsewhere if name in fields]
        if wrong:
            code = "invalid_scope" if "scope" in wrong else "invalid_request"
            raise Rejected(code, f"this does not belong here: {', '.join(wrong)}")

    def _check_resource(self, fields: Fields) -> None:
        (resource,) = require(fields, "resource")
        if resource != self.policy.resource:
            raise Rejected("invalid_target", f"the resource is {self.policy.resource}")
