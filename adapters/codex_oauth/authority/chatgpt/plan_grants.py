"""What an authority of the official sign-in has granted: registrations, codes, sign-ins and their tokens.

Rules of this file: a registration belongs to one person, one workspace and one callback path for ever; a code
and a refresh token are good for one client, once; whatever is wrong with an exchange, it spends the code.
Secrets are kept as fingerprints. All times are monotonic seconds.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from enum import Enum, unique

import attrs

from codex_oauth.authority.chatgpt.settings import ALL_SCOPES, PLAN_SCOPE, ChatGptPolicy, Person, Workspace
from codex_oauth_core.pkce import base64url, s256
from codex_oauth_core.secret import Secret

__all__ = ["Ended", "IssuedTokens", "PlanGrants", "Registration", "SignedIn"]


@attrs.define(eq=False, kw_only=True)
class Registration:
    """An issued client. `path` is that of its redirect URIs; `plan`: the person lets it use the plan."""

    client_id: str
    person: Person
    workspace: Workspace
    path: str
    name: str
    host_ids: set[str] = attrs.field(factory=set[str])
    plan: bool


@unique
class Ended(Enum):
    """Why a sign-in is over."""

    SIGNED_OUT = "signed out"
    REUSED = "reused"
    DISCONNECTED = "disconnected"

    @property
    def code(self) -> str:
        """What a refresh is told."""
        return "invalid_grant" if self is Ended.DISCONNECTED else "refresh_token_invalidated"


@attrs.define(eq=False, kw_only=True)
class SignedIn:
    """One sign-in of a registration: of its refresh tokens only the `current` one is worth anything."""

    registration: Registration
    scope: frozenset[str]
    nonce: str = attrs.field(repr=False)
    current: str = ""
    refresh_until: float = 0.0
    ended: Ended | None = None

    @property
    def scope_text(self) -> str:
        """The granted scopes as the protocol writes them, sorted."""
        return " ".join(sorted(self.scope))


@attrs.frozen(kw_only=True)
class IssuedTokens:
    """The tokens of one answer."""

    access_token: Secret[str]
    refresh_token: Secret[str] | None
    """None: there is none, or the old one stays."""
    id_token: Secret[str] | None


@attrs.define(eq=False, kw_only=True)
class _PlanCode:
    client_id: str
    redirect_uri: str
    code_challenge: str
    expires_at: float
    session: SignedIn
    used: bool = False


@attrs.define(eq=False)
class PlanGrants:
    """All registrations, codes and sign-ins of one authority."""

    policy: ChatGptPolicy
    entropy: Callable[[int], bytes] = attrs.field(repr=False)
    registrations: dict[str, Registration] = attrs.field(factory=dict[str, Registration], init=False)
    sessions: list[SignedIn] = attrs.field(factory=list[SignedIn], init=False, repr=False)
    _codes: dict[str, _PlanCode] = attrs.field(factory=dict[str, _PlanCode], init=False, repr=False)
    _by_refresh: dict[str, SignedIn] = attrs.field(factory=dict[str, SignedIn], init=False, repr=False)
    """By the fingerprint of every refresh token that the sign-in ever had."""
    _by_access: dict[str, tuple[SignedIn, float]] = attrs.field(
        factory=dict[str, tuple[SignedIn, float]], init=False, repr=False
    )
    """And when the token expires."""
    _by_id_token: dict[str, SignedIn] = attrs.field(factory=dict[str, SignedIn], init=False, repr=False)

    # -- registrations -------------------------------------------------------------------------------

    def register(
        self, person: Person, workspace: Workspace, path: str, name: str, *, plan: bool
    ) -> Registration:
        """A new client of this person and workspace."""
        new = Registration(
            client_id=f"oaiapp_test_{base64url(self.entropy(12))}",
            person=person,
            workspace=workspace,
            path=path,
            name=name,
            plan=plan,
        )
        self.registrations[new.client_id] = new
        return new

    def disconnect(self, client_id: str) -> None:
        """End the sign-ins of a client, as a person does in the settings. KeyError for an unknown one."""
        registration = self.registrations[client_id]
        for session in self.sessions:
            if session.registration is registration:
                session.ended = session.ended or Ended.DISCONNECTED

    def forget(self, client_id: str) -> None:
        """Delete a client, with its sign-ins. KeyError for an unknown one."""
        self.disconnect(client_id)
        del self.registrations[client_id]

    # -- codes ---------------------------------------------------------------------------------------

    def issue_code(
        self,
        registration: Registration,
        redirect_uri: str,
        code_challenge: str,
        nonce: str,
        now: float,
        *,
        plan: bool,
    ) -> tuple[Secret[str], SignedIn]:
        """A code for this client, redirect URI and challenge; and the sign-in that it leads to."""
        code = Secret(f"fake-code-{base64url(self.entropy(32))}")
        scope = ALL_SCOPES if plan else ALL_SCOPES - {PLAN_SCOPE}
        granted = scope - self.policy.withheld_scopes
        session = SignedIn(registration=registration, scope=granted, nonce=nonce)
        self._codes[code.fingerprint()] = _PlanCode(
            client_id=registration.client_id,
            redirect_uri=redirect_uri,
            code_challenge=code_challenge,
            expires_at=now + self.policy.code_lifetime,
            session=session,
        )
        return code, session

    def exchange(
        self, client_id: str, code: Secret[str], verifier: str, redirect_uri: str, now: float
    ) -> SignedIn | None:
        """The sign-in that a code leads to, None if it is not good for this. A code used twice ends it."""
        known = self._codes.get(code.fingerprint())
        if known is None:
            return None
        if known.used:
            known.session.ended = known.session.ended or Ended.REUSED
            return None
        known.used = True
        proven = hmac.compare_digest(s256(verifier), known.code_challenge)
        bound = (known.client_id, known.redirect_uri) == (client_id, redirect_uri)
        if not proven or not bound or now >= known.expires_at or known.session.ended:
            return None
        self.sessions.append(known.session)
        return known.session

    def is_of_another_client(self, client_id: str, code: Secret[str]) -> bool:
        """Whether a code was issued, but to another client."""
        known = self._codes.get(code.fingerprint())
        return known is not None and known.client_id != client_id

    # -- tokens --------------------------------------------------------------------------------------

    def remember(self, session: SignedIn, tokens: IssuedTokens, now: float) -> None:
        """These are the sign-in's tokens from now on; its older refresh tokens are spent."""
        self._by_access[tokens.access_token.fingerprint()] = (session, now + self.policy.access_lifetime)
        if tokens.refresh_token is not None:
            session.current = tokens.refresh_token.fingerprint()
            self._by_refresh[session.current] = session
        if tokens.id_token is not None:
            self._by_id_token[tokens.id_token.fingerprint()] = session
        session.refresh_until = now + self.policy.refresh_lifetime

    def refresh(self, token: Secret[str], now: float) -> SignedIn | str:
        """The sign-in that a refresh token renews, or the code of the refusal."""
        session = self._by_refresh.get(token.fingerprint())
        if session is None:
            return "invalid_grant"
        if token.fingerprint() != session.current:
            if self.policy.reuse_ends_session:
                session.ended = session.ended or Ended.REUSED
            return "refresh_token_reused"
        if session.ended is not None:
            return session.ended.code
        return "refresh_token_expired" if now >= session.refresh_until else session

    def of_token(self, token: Secret[str]) -> SignedIn | None:
        """The sign-in that an access or refresh token belongs to, spent or not."""
        known = token.fingerprint()
        by_access = self._by_access.get(known)
        return self._by_refresh.get(known) or (by_access[0] if by_access else None)

    def of_id_token(self, token: Secret[str]) -> SignedIn | None:
        """The sign-in that an ID token is of, expired or not."""
        return self._by_id_token.get(token.fingerprint())

    def opened_by(self, token: Secret[str], now: float) -> SignedIn | str:
        """The sign-in whose access token this is, or the code of the refusal."""
        session, expires_at = self._by_access.get(token.fingerprint(), (None, 0.0))
        if session is None:
            return "invalid_token"
        if session.ended is not None:
            return "token_invalidated"
        return "token_expired" if now >= expires_at else session
