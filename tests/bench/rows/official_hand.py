"""P16, the other half: the official sign-in as somebody would write it with httpx and PyJWT, in two ways.

Rules of this file: `short` does what the protocol demands of a client, and nothing more. `careful` believes nothing
that comes from outside before it was looked at, as this library does: JSON in which a name stands twice, endpoints of
another server, a redirect that is another sign-in's, keys and tokens that are none; every request has a time limit, and
nothing cuts the exchange. It is the floor of a client that is to be trusted.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
import anyio.lowlevel
import attrs
import httpx

from tests.core.chatgpt import APP, FIRST, HOST_ID, NONCE, PAIR, STATE, URI

__all__ = ["CAREFUL", "SHORT", "Hand", "by_hand", "by_hand_async"]

_TOKEN: Final = re.compile(r"[!-~]{1,16384}")
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "jwks_uri")
_LIMIT: Final = 30.0


def _page(about: dict[str, Any]) -> str:
    query = {
        "client_id": FIRST.client_id,
        "agent_name_hint": APP,
        "ext_agent_host_id": HOST_ID,
        "response_type": "code",
        "redirect_uri": URI,
        "scope": " ".join(FIRST.scopes),
        "resource": FIRST.resource,
        "state": STATE.reveal(),
        "nonce": NONCE.reveal(),
        "code_challenge": PAIR.code_challenge,
        "code_challenge_method": "S256",
    }
    return f"{about['authorization_endpoint']}?{urlencode(query)}"


def _exchange(back: dict[str, str]) -> dict[str, str]:
    assert secrets.compare_digest(back["state"], STATE.reveal())
    return {
        "grant_type": "authorization_code",
        "client_id": back["client_id"],
        "code": back["code"],
        "code_verifier": PAIR.code_verifier.reveal(),
        "redirect_uri": URI,
        "resource": FIRST.resource or "",
    }


def _claims(
    found: dict[str, Any], about: dict[str, Any], keys: dict[str, Any], client_id: str
) -> dict[str, Any]:
    jwt = import_module("jwt")
    token = found["id_token"]
    name = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWK(next(key for key in keys["keys"] if key["kid"] == name))
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=client_id, issuer=about["issuer"], leeway=60
    )
    assert secrets.compare_digest(claims["nonce"], NONCE.reveal())
    assert found["access_token"]
    return claims


# -- with care -----------------------------------------------------------------------------------------


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    assert len(members) == len(pairs), "a name stands twice"
    return members


def _object(text: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text.decode("utf-8"), object_pairs_hook=_once_each)
    assert isinstance(value, dict)
    return value


def _of_the_issuer(about: dict[str, Any]) -> dict[str, Any]:
    assert about["issuer"] == FIRST.issuer
    for name in _ENDPOINTS:
        parts = urlsplit(str(about[name]))
        assert f"{parts.scheme}://{parts.netloc}" == FIRST.issuer
        assert parts.port is None
        assert not parts.fragment
        assert about[name].isascii()
        assert about[name].isprintable()
    return about


def _usable(keys: dict[str, Any]) -> dict[str, Any]:
    for key in keys["keys"]:
        assert key["kty"] == "RSA"
        assert key.get("use", "sig") == "sig"
        assert key.get("alg", "RS256") == "RS256"
        assert len(key["n"]) >= 2048 // 6
    return keys


def _redirect(query: str) -> dict[str, str]:
    back = _once_each(parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict"))
    assert "error" not in back
    assert back.get("iss", FIRST.issuer) == FIRST.issuer
    assert _TOKEN.fullmatch(back["code"])
    assert _CLIENT_ID.fullmatch(back["client_id"])
    return back


def _with_care(
    found: dict[str, Any], about: dict[str, Any], keys: dict[str, Any], client_id: str
) -> dict[str, Any]:
    for name in ("access_token", "refresh_token", "id_token"):
        assert _TOKEN.fullmatch(found[name])
    assert found["token_type"].lower() == "bearer"
    assert 0 < found["expires_in"] < 10**9
    assert set(found["scope"].split()) <= set(FIRST.scopes)
    for part in found["id_token"].split(".")[:2]:
        _object(import_module("jwt.utils").base64url_decode(part))
    claims = _claims(found, about, keys, client_id)
    assert _TOKEN.fullmatch(claims["sub"])
    assert claims.get("azp", client_id) == client_id
    return claims


# -- both ----------------------------------------------------------------------------------------------


def _believed(value: dict[str, Any]) -> dict[str, Any]:
    return value


def _anyhow(query: str) -> dict[str, str]:
    return dict(parse_qsl(query))


@attrs.frozen
class Hand:
    """How it is written."""

    read: Callable[[bytes], dict[str, Any]]
    about: Callable[[dict[str, Any]], dict[str, Any]]
    keys: Callable[[dict[str, Any]], dict[str, Any]]
    redirect: Callable[[str], dict[str, str]]
    judge: Callable[[dict[str, Any], dict[str, Any], dict[str, Any], str], dict[str, Any]]
    limited: Callable[[], AbstractContextManager[object]]
    uncut: Callable[[], AbstractContextManager[object]]


SHORT: Final = Hand(json.loads, _believed, _believed, _anyhow, _claims, nullcontext, nullcontext)
CAREFUL: Final = Hand(
    _object,
    _of_the_issuer,
    _usable,
    _redirect,
    _with_care,
    lambda: anyio.move_on_after(_LIMIT),
    lambda: anyio.move_on_after(_LIMIT, shield=True),
)


def by_hand(hand: Hand, transport: httpx.MockTransport, query: str) -> None:
    """Blocking: the time limits are httpx's."""
    with httpx.Client(transport=transport, timeout=_LIMIT) as client:
        about = hand.about(hand.read(client.get(FIRST.metadata_endpoint or "").content))
        keys = hand.keys(hand.read(client.get(about["jwks_uri"]).content))
        assert _page(about)
        back = hand.redirect(query)
        found = hand.read(client.post(about["token_endpoint"], data=_exchange(back)).content)
        assert hand.judge(found, about, keys, back["client_id"])


async def by_hand_async(hand: Hand, transport: httpx.MockTransport, query: str) -> None:
    """The wait for the browser takes no time, and lets others go on, as ours does."""
    async with httpx.AsyncClient(transport=transport) as client:
        with hand.limited():
            about = hand.about(hand.read((await client.get(FIRST.metadata_endpoint or "")).content))
        with hand.limited():
            keys = hand.keys(hand.read((await client.get(about["jwks_uri"])).content))
        assert _page(about)
        await anyio.lowlevel.checkpoint()
        back = hand.redirect(query)
        with hand.uncut():
            found = hand.read((await client.post(about["token_endpoint"], data=_exchange(back))).content)
        assert hand.judge(found, about, keys, back["client_id"])
