"""What the server says of itself and of its keys: the discovery document and the key set.

Rules of this file: a document counts only if it is the issuer's own, to the letter, and what is used of it is
at the issuer's own origin; a key counts if it can check a signature by RS256; whatever else comes is no
answer, and never proof of anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from codex_oauth_core.codex.answers import Answer, is_success, no_answer
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import KeySet, KeysFact, MetadataFact, PublicKey, Refusal, ServerMetadata
from codex_oauth_core.provider import Provider, is_page
from codex_oauth_core.reading.json_body import as_object

if TYPE_CHECKING:
    from codex_oauth_core.events import ResponseReceived

__all__ = ["read_keys", "read_metadata"]

_NUMBER: Final = re.compile(r"[A-Za-z0-9_-]{2,1024}", re.ASCII)
_KEY_ID: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_MOST_KEYS: Final = 64


def read_metadata(provider: Provider, response: ResponseReceived) -> MetadataFact:
    """What the server says of itself (OpenID Connect Discovery §3, §4.3). `Refusal.reason` is `issuer` for a
    document of another issuer, and `origin` for one that leads elsewhere.
    """
    answer = Answer(response)
    if not is_success(answer.status) or not isinstance(answer.body, dict):
        return no_answer(answer)
    if answer.fields.get("issuer") != provider.issuer:
        return Refusal(ErrorKind.INVALID_RESPONSE, status=answer.status, reason="issuer")
    used = {name: answer.fields.get(name) for name in ("revocation_endpoint", "jwks_uri")}
    if any(url is not None and not _is_at_home(provider, url) for url in used.values()):
        return Refusal(ErrorKind.INVALID_RESPONSE, status=answer.status, reason="origin")
    return ServerMetadata(**cast("dict[str, str | None]", used))


def _is_at_home(provider: Provider, url: object) -> bool:
    if not isinstance(url, str) or len(url) > 1024 or not is_page(url):
        return False
    ours, theirs = urlsplit(provider.issuer), urlsplit(url)
    return (ours.scheme, ours.netloc.lower()) == (theirs.scheme, theirs.netloc.lower())


def read_keys(provider: Provider, response: ResponseReceived) -> KeysFact:
    """The keys that ID tokens are signed with (RFC 7517 §5). An answer without one is no answer."""
    answer = Answer(response)
    listed = answer.fields.get("keys")
    if is_success(answer.status) and isinstance(listed, list):
        keys = tuple(_usable(cast("Iterable[object]", listed)))[:_MOST_KEYS]
        if keys:
            return KeySet(keys)
    return no_answer(answer)


def _usable(listed: Iterable[object]) -> Iterable[PublicKey]:
    for key in map(as_object, listed):
        if not _is_for_rs256(key):
            continue
        key_id, modulus, exponent = key.get("kid"), key.get("n"), key.get("e")
        if isinstance(key_id, str) and isinstance(modulus, str) and isinstance(exponent, str):
            whole = _KEY_ID.fullmatch(key_id) and _NUMBER.fullmatch(modulus) and _NUMBER.fullmatch(exponent)
            if whole:
                yield PublicKey(key_id, modulus, exponent)


def _is_for_rs256(key: Mapping[str, object]) -> bool:
    told = (key.get("kty"), key.get("use", "sig"), key.get("alg", "RS256"))
    return told == ("RSA", "sig", "RS256")
