"""The endpoints that programs call: device authorization, poll, token, revocation.

Rules of this file: a handler gets fields that were read strictly; what the protocol says is told as a
fact and written by the dialect's own renderer; a client's mistake is `Rejected`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from codex_oauth.authority.answer import Answer
from codex_oauth.authority.devices import Device, Devices
from codex_oauth.authority.grants import Grants
from codex_oauth.authority.reading import Call, Rejected, require
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex import render as dialect
from codex_oauth_core.facts import Approved, Issued
from codex_oauth_core.pkce import Pkce
from codex_oauth_core.secret import Secret

__all__ = ["Protocol"]

VERIFICATION_PATH: Final = "/codex/device"
DEVICE_REDIRECT_PATH: Final = "/deviceauth/callback"
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_HINTS: Final = ("access_token", "refresh_token")

Fields = Mapping[str, str]


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
        redirects = (call.origin + DEVICE_REDIRECT_PATH, CODEX.device_redirect_uri)
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
