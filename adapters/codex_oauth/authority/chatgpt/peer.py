"""The authority of the official sign-in: every request in, its answer out. No socket, no clock, no thread.

Rules of this file: as `Authority`'s: requests are read, counted, answered and recorded here, in this order.
A mistake of a program, at an endpoint of programs or in an authorization request, is noted beside its answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import ClassVar, Final

import attrs

from codex_oauth.authority import pages
from codex_oauth.authority.chatgpt.authorize import AuthorizePage
from codex_oauth.authority.chatgpt.consent_pages import AUTHORIZE_PATH
from codex_oauth.authority.chatgpt.hostile import ATTACKER, ChatGptFault, Hostile, HostileAnswer, html
from codex_oauth.authority.chatgpt.minting import ATTACKER_KEYS_PATH, Minting
from codex_oauth.authority.chatgpt.model_api import API_PREFIX, ModelApi
from codex_oauth.authority.chatgpt.plan_grants import PlanGrants, Registration
from codex_oauth.authority.chatgpt.script import ClientFault, Script
from codex_oauth.authority.chatgpt.settings import ALL_SCOPES, ChatGptPolicy
from codex_oauth.authority.chatgpt.signing import ATTACKER_KEY, KeyRing
from codex_oauth.authority.chatgpt.token_endpoint import TokenEndpoint, as_json_answer, form_only
from codex_oauth.authority.endpoints import (
    Door,
    Endpoint,
    Fields,
    Handler,
    Received,
    finished,
    note,
    read_request,
)
from codex_oauth.authority.messages import Answer, Call, Rejected
from codex_oauth_core.effects import Request

__all__ = ["ChatGptAuthority"]

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
KEYS_PATH: Final = "/.well-known/jwks.json"
TOKEN_PATH: Final = "/api/accounts/oauth/token"  # noqa: S105  # a path
REVOCATION_PATH: Final = "/api/accounts/oauth/revoke"

_FAVICON: Final = "/favicon.ico"
_GRANTS: Final = {"authorization_code": "exchange", "refresh_token": "refresh"}


@attrs.define(eq=False)
class _Published:
    """What the issuer says about itself."""

    keys: KeyRing
    script: Script

    def discovery(self, call: Call, fields: Fields) -> Answer:
        """The discovery document (OpenID Connect Discovery 1.0 §4)."""
        del fields
        hostile = self.script.hostile("discovery")
        base = ATTACKER if Hostile.FOREIGN_ENDPOINTS in hostile else call.origin
        return as_json_answer(
            200,
            {
                "issuer": ATTACKER if Hostile.OTHER_ISSUER in hostile else call.origin,
                "authorization_endpoint": base + AUTHORIZE_PATH,
                "token_endpoint": base + TOKEN_PATH,
                "revocation_endpoint": base + REVOCATION_PATH,
                "jwks_uri": base + KEYS_PATH,
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "scopes_supported": sorted(ALL_SCOPES),
            },
        )

    def key_set(self, call: Call, fields: Fields) -> Answer:
        """The key set (RFC 7517 §5)."""
        del call, fields
        hostile = self.script.hostile("keys")
        if Hostile.KEYS_UNAVAILABLE in hostile:
            return as_json_answer(503, {"error": "temporarily_unavailable"})
        if Hostile.KEYS_HTML in hostile:
            return html(200)
        keys = self.keys.published()
        if Hostile.KEYS_EMPTY in hostile:
            keys = []
        if Hostile.KEYS_UNKNOWN_KID in hostile:
            keys = [{**key, "kid": f"{key['kid']}-old"} for key in keys]
        return as_json_answer(200, {"keys": keys})

    @staticmethod
    def attacker_keys(call: Call, fields: Fields) -> Answer:
        """The key set of a forger. Whoever asks for it has been taken in."""
        del call, fields
        return as_json_answer(200, {"keys": [ATTACKER_KEY.jwk()]})


def _faults(faults: Iterable[ChatGptFault | HostileAnswer]) -> tuple[ChatGptFault | HostileAnswer, ...]:
    return tuple(faults)


@attrs.define(eq=False, kw_only=True)
class ChatGptAuthority:
    """An authorization server that keeps the rules of "Sign in with ChatGPT" for open-source tools.

    Its people are made up and its tokens are fake. `policy` and `faults` may be changed while it runs.
    `entropy` returns the given number of random bytes, and must not repeat itself. `requests` lists the
    requests that came, and `client_faults` the rules that they broke. `counts` says how often each endpoint
    was asked: `authorize`, `exchange`, `refresh`, `token` (all grants), `revoke`, `discovery`, `keys`,
    `models`, `responses`, `attacker`, `other`, `any`; `callback` counts the redirects of a browser back to a
    client.
    """

    max_body: ClassVar[int] = 16 * 1024 * 1024
    policy: ChatGptPolicy = attrs.field(factory=ChatGptPolicy)
    faults: tuple[ChatGptFault | HostileAnswer, ...] = attrs.field(default=(), converter=_faults)
    entropy: Callable[[int], bytes] = attrs.field(default=secrets.token_bytes, repr=False)
    requests: list[Received] = attrs.field(factory=list[Received], init=False, repr=False)
    _script: Script = attrs.field(init=False, repr=False)
    _keys: KeyRing = attrs.field(factory=KeyRing, init=False, repr=False)
    _grants: PlanGrants = attrs.field(init=False, repr=False)
    _api: ModelApi = attrs.field(init=False, repr=False)
    _endpoints: Mapping[str, Endpoint] = attrs.field(init=False, repr=False)
    _tokens: TokenEndpoint = attrs.field(init=False, repr=False)
    _lock: RLock = attrs.field(factory=RLock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        policy, entropy = self.policy, self.entropy
        self._script = Script(self.faults)
        self._grants = grants = PlanGrants(policy, entropy)
        self._tokens = TokenEndpoint(policy, grants, Minting(policy, self._keys, entropy), self._script)
        self._api = ModelApi(policy, grants, self._script, entropy)
        page = AuthorizePage(policy, grants, self._script, entropy)
        self._endpoints = _routes(_Published(self._keys, self._script), page, self._tokens, self._api)

    def handle(self, request: Request, now: float, wall: float) -> Answer:
        """Answer a request that came at `now` (monotonic) and `wall` (Unix time), in seconds.

        The base of the request's URL is the issuer for this client. Never raises, whatever a client sends.
        """
        with self._lock:
            self._script.faults = self.faults
            call = Call.of(request, now, wall)
            endpoint = None if call.origin == ATTACKER else self._endpoints.get(call.path)
            fields, mistake = read_request(endpoint, call)
            names = ("attacker", "any") if call.origin == ATTACKER else _names(endpoint, fields)
            numbers = self._script.count(*names)
            fault = self._script.fault(numbers)
            answer = Answer(status=200)
            if fault is None or fault.acts:
                answer = self._answer(endpoint, call, fields, mistake, next(iter(numbers)))
            answer = finished(answer if fault is None else fault.applied(answer), wall)
            note(self.requests, call, fields, numbers, answer.status)
            return answer

    # -- for tests -----------------------------------------------------------------------------------

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each endpoint was asked, by the names above. An endpoint that was never asked is
        missing.
        """
        return self._script.counts

    @property
    def client_faults(self) -> list[ClientFault]:
        """The rules that clients broke, in order."""
        return self._script.client_faults

    @property
    def registrations(self) -> Mapping[str, Registration]:
        """The issued clients, by their client ids."""
        return self._grants.registrations

    def serves(self, path: str) -> bool:
        """Whether this authority serves the path, apart from its icon."""
        return path.startswith(API_PREFIX) or (path in self._endpoints and path != _FAVICON)

    def received(self, endpoint: str) -> list[Received]:
        """The requests to one endpoint, by the names above."""
        return [request for request in self.requests if request.endpoint == endpoint]

    def rotate_keys(self) -> None:
        """Sign with a new key from now on. The old key stays in the key set."""
        with self._lock:
            self._keys.rotate()

    def disconnect(self, client_id: str) -> None:
        """Disconnect a program, as its person does in the settings. KeyError for an unknown client."""
        with self._lock:
            self._grants.disconnect(client_id)

    def forget(self, client_id: str) -> None:
        """Disconnect a program and delete its registration. KeyError for an unknown client."""
        with self._lock:
            self._grants.forget(client_id)

    # ------------------------------------------------------------------------------------------------

    def _answer(
        self, endpoint: Endpoint | None, call: Call, fields: Fields, mistake: Rejected | None, name: str
    ) -> Answer:
        if call.origin == ATTACKER:
            self._script.accuse(name, "attacker", "a request went to another host than the issuer's")
        elif call.path.startswith(API_PREFIX) and (endpoint is None or call.method not in endpoint.doors):
            return self._api.elsewhere(call, name)
        if mistake is None and endpoint is not None:
            try:
                return endpoint.doors[call.method].answer(call, fields)
            except Rejected as found:
                mistake = found
        wrong = mistake or Rejected("not_found", "There is nothing here.", 404)
        if endpoint is not None and endpoint.page:
            page = pages.message("This did not work", wrong.why, wrong.status)
            if call.method == "GET" and wrong.code == "invalid_request":
                self._script.accuse(name, wrong.code, wrong.why)
            return attrs.evolve(page, headers=(*page.headers, *wrong.headers))
        if endpoint is not None:
            self._script.accuse(name, wrong.code, wrong.why)
        answer = self._tokens.error(wrong.code, wrong.status, wrong.why)
        return attrs.evolve(answer, headers=(*answer.headers, *wrong.headers))


def _names(endpoint: Endpoint | None, fields: Fields) -> tuple[str, ...]:
    name = "other" if endpoint is None else endpoint.name
    grant = _GRANTS.get(fields.get("grant_type", "")) if name == "token" else None
    return (name, "any") if grant is None else (grant, name, "any")


def _routes(
    published: _Published, page: AuthorizePage, tokens: TokenEndpoint, api: ModelApi
) -> Mapping[str, Endpoint]:
    def nothing(_call: Call) -> dict[str, str]:
        return {}

    def read(name: str, answer: Handler) -> Endpoint:
        return Endpoint(name, {"GET": Door(nothing, answer)})

    def form(name: str, answer: Handler) -> Endpoint:
        return Endpoint(name, {"POST": Door(form_only, answer)})

    asked = {
        "GET": Door(Call.query_fields, page.authorize),
        "POST": Door(Call.typed_fields, page.authorize_form),
    }

    def favicon(_call: Call, _fields: Fields) -> Answer:
        return pages.favicon()

    return {
        DISCOVERY_PATH: read("discovery", published.discovery),
        KEYS_PATH: read("keys", published.key_set),
        ATTACKER_KEYS_PATH: read("attacker", published.attacker_keys),
        AUTHORIZE_PATH: Endpoint("authorize", asked, page=True),
        TOKEN_PATH: form("token", tokens.token),
        REVOCATION_PATH: form("revoke", tokens.revoke),
        f"{API_PREFIX}models": read("models", api.models),
        f"{API_PREFIX}responses": Endpoint("responses", {"POST": Door(nothing, api.responses)}),
        _FAVICON: Endpoint("other", {"GET": Door(nothing, favicon)}, page=True),
    }
