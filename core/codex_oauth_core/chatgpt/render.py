"""The inverse of this dialect's readers in a sign-in, for traces: from a fact to an answer that means it.

Rules of this file: pure, and what it writes proves nothing: a signature here is a hash that anybody can make,
which only the shadow of a trace accepts; tokens are of a server and a sign-in that do not exist. What is no
fact of this dialect is written as the Codex dialect writes it. ValueError for a fact that no answer can
state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, assert_never

import attrs

from codex_oauth_core.chatgpt.codes import known_code
from codex_oauth_core.codex.render import RENDERERS as CODEX_RENDERERS
from codex_oauth_core.codex.render import render_exchange as render_plainly
from codex_oauth_core.codex.render import render_refresh, unsigned_token
from codex_oauth_core.facts import (
    ExchangeFact,
    Granted,
    KeySet,
    KeysFact,
    MetadataFact,
    Refusal,
    ServerMetadata,
    Tokens,
    TryAgain,
)
from codex_oauth_core.pkce import base64url
from codex_oauth_core.rendering import FAKE_ISSUER, FAKE_NONCE, Rendered, Renderers
from codex_oauth_core.secret import Secret

__all__ = ["RENDERERS", "fake_signature", "render_exchange", "render_keys", "render_metadata"]

_JSON: Final = (("Content-Type", "application/json"),)
_NEVER: Final = 4_000_000_000
_SPOILT: Final[Mapping[str, Mapping[str, object]]] = {
    "iss": {"iss": f"{FAKE_ISSUER}/other"},
    "aud": {"aud": "fake other"},
    "azp": {"azp": "fake other"},
    "exp": {"exp": 0},
    "iat": {"iat": None},
    "sub": {"sub": None},
    "nonce": {"nonce": "fake-other"},
}
"""By the name of a check, the claims that do not pass it."""


def fake_signature(_key: Mapping[str, Any], signed: bytes, signature: bytes) -> bool:
    """Whether a signature is one of this file's."""
    return signature == hashlib.sha256(signed).digest()


def render_metadata(fact: MetadataFact) -> Rendered:
    """The discovery document."""
    match fact:
        case ServerMetadata():
            said = {name: url for name, url in attrs.asdict(fact).items() if url is not None}
            return _answer({"issuer": FAKE_ISSUER, **said})
        case Refusal():
            elsewhere = f"{FAKE_ISSUER}/other" if fact.reason == "issuer" else FAKE_ISSUER
            return _answer({"issuer": elsewhere, "jwks_uri": "https://other.invalid/keys"}, fact.status)
        case TryAgain():
            return render_refresh(fact)
        case _:
            assert_never(fact)


def render_keys(fact: KeysFact) -> Rendered:
    """The key set."""
    if isinstance(fact, TryAgain):
        return render_refresh(fact)
    return _answer({"keys": [key.jwk for key in KeySet(fact.keys).keys]})


def render_exchange(fact: ExchangeFact) -> Rendered:
    """The answer to an authorization code: with an ID token that passes the checks, or fails the one
    named.
    """
    if not isinstance(fact, Granted):
        return render_plainly(fact)
    tokens = fact.tokens
    plain = render_plainly(Granted(attrs.evolve(tokens, id_token=_id_token(tokens))))
    body = json.loads(plain.body.reveal())
    return attrs.evolve(plain, body=_body({**body, "scope": " ".join(tokens.scopes or ())}))


def _id_token(tokens: Tokens) -> Secret[str] | None:
    """The ID token of a fact, which is marked by the fake of the real one."""
    if tokens.id_token is None:
        return None
    failed = None if tokens.refusal is None else tokens.refusal.reason
    if failed == "id_token":
        return Secret("fake.id.token")
    mark = hashlib.sha256(tokens.id_token.reveal().encode()).hexdigest()[:8]
    header: dict[str, object] = {"alg": "none" if failed == "alg" else "RS256", "kid": tokens.key_id}
    if failed == "crit":
        header["crit"] = ["fake"]
    claims: dict[str, object] = {
        "iss": FAKE_ISSUER,
        "aud": tokens.client_id,
        "sub": tokens.user_id or "fake-user",
        "nonce": FAKE_NONCE,
        "iat": 0,
        "exp": _NEVER,
        "jti": mark,
        **_SPOILT.get(failed or "", {}),
    }
    signed = ".".join(base64url(json.dumps(part).encode("ascii")) for part in (header, claims))
    made = b"fake" if failed == "signature" else hashlib.sha256(signed.encode("ascii")).digest()
    return Secret(f"{signed}.{base64url(made)}")


def _marked_token(
    mark: str, expires_at: float | None, _account_id: str | None, _user_id: str | None
) -> Secret[str]:
    return unsigned_token({"jti": mark, **({} if expires_at is None else {"exp": expires_at})})


def _answer(value: Mapping[str, object], status: int | None = None) -> Rendered:
    return Rendered(status or 200, _JSON, _body(value))


def _body(value: object) -> Secret[bytes]:
    return Secret(json.dumps(value).encode("ascii"))


RENDERERS: Final = Renderers(
    name="chatgpt",
    device_authorization=CODEX_RENDERERS.device_authorization,
    poll=CODEX_RENDERERS.poll,
    exchange=render_exchange,
    revocation=CODEX_RENDERERS.revocation,
    token=_marked_token,
    known_code=known_code,
    metadata=render_metadata,
    keys=render_keys,
    verify_signature=fake_signature,
)
"""This dialect's answers as data, for traces."""
