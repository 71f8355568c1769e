"""P16, the other half: the official sign-in as somebody would write it with httpx and PyJWT, in two ways.

Rules of this file: `short` does what the protocol demands of a client, and nothing more. `careful` believes nothing
that comes from outside before it was looked at, as this library does: JSON in which a name stands twice, endpoints of
another server, a redirect that is another sign-in's, keys and tokens that are none; every request has a time limit, and
nothing cuts the exchange. It is the floor of a client that is to be trusted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
import anyio.lowlevel
import attrs
import httpx

from tests.bench.rows.device_hand import json_object, once_each
from tests.core.chatgpt import APP, FIRST, HOST_ID, NONCE, PAIR, STATE, URI

__all__ = ["CAREFUL", "SHORT", "Hand", "by_hand", "by_hand_async"]

_TOKEN: Final = re.compile(r"[!-~]{1,16384}")
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "jwks_uri")
_LIMIT: Final = 30.0
_SLICE: Final = 0.5

Send = Callable[[], Awaitable[httpx.Response]]


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
    back = once_each(parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict"))
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
        json_object(import_module("jwt.utils").base64url_decode(part))
    claims = _claims(found, about, keys, client_id)
    assert _TOKEN.fullmatch(claims["sub"])
    assert claims.get("azp", client_id) == client_id
    return claims


# -- both ----------------------------------------------------------------------------------------------


def _believed(value: dict[str, Any]) -> dict[str, Any]:
    return value


def _anyhow(query: str) -> dict[str, str]:
    return dict(parse_qsl(query))


class Browser:
    """Who brings the redirect: a person who has agreed before the page is there. `careful`: it is waited for as a
    listener's thread would bring it.
    """

    def __init__(self, query: str, *, careful: bool) -> None:
        self._query = query
        self._careful = careful

    def wait(self) -> str:
        """The query, for a program that blocks."""
        if self._careful:
            came = threading.Event()
            came.set()
            assert came.wait(_LIMIT)
        return self._query

    async def wait_async(self) -> str:
        """The same; others go on meanwhile, as where ours waits."""
        if self._careful:
            came = anyio.Event()
            came.set()
            with anyio.move_on_after(_LIMIT):
                await came.wait()
        await anyio.lowlevel.checkpoint()
        return self._query


@attrs.frozen
class Hand:
    """How it is written."""

    read: Callable[[bytes], dict[str, Any]]
    about: Callable[[dict[str, Any]], dict[str, Any]]
    keys: Callable[[dict[str, Any]], dict[str, Any]]
    redirect: Callable[[str], dict[str, str]]
    judge: Callable[[dict[str, Any], dict[str, Any], dict[str, Any], str], dict[str, Any]]
    limited: Callable[[Send], Awaitable[httpx.Response]]
    uncut: Callable[[Send], Awaitable[httpx.Response]]
    is_careful: bool = False


async def _at_once(send: Send) -> httpx.Response:
    return await send()


async def _limited(send: Send) -> httpx.Response:
    """With a time limit, and a scope that somebody may cancel it by."""
    with anyio.CancelScope(), anyio.move_on_after(_LIMIT):
        return await send()
    raise TimeoutError


async def _uncut(send: Send) -> httpx.Response:
    """With a time limit, and cut by nobody: a code is spent by one exchange. asyncio's `cancel()` goes through the
    shields of anyio, so that there it takes a task of its own. The limit counts the time for which a machine sleeps,
    which the clock of an event loop does not: so that takes another one.
    """

    async def watch(scope: anyio.CancelScope) -> None:
        while (left := until - time.clock_gettime(time.CLOCK_BOOTTIME)) > 0:  # noqa: ASYNC110
            await anyio.sleep(min(left, _SLICE))
        scope.cancel()

    async def exchange() -> httpx.Response:
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch, tasks.cancel_scope)
                answer = await send()
                tasks.cancel_scope.cancel()
                return answer
        raise TimeoutError

    until = time.clock_gettime(time.CLOCK_BOOTTIME) + _LIMIT

    if "trio" in sys.modules and sys.modules["trio"].lowlevel.in_trio_task():
        return await exchange()
    task = asyncio.ensure_future(exchange())
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()


SHORT: Final = Hand(json.loads, _believed, _believed, _anyhow, _claims, _at_once, _at_once)
CAREFUL: Final = Hand(
    json_object, _of_the_issuer, _usable, _redirect, _with_care, _limited, _uncut, is_careful=True
)


def by_hand(hand: Hand, transport: httpx.MockTransport, query: str) -> None:
    """Blocking: the time limits are httpx's."""
    browser = Browser(query, careful=hand.is_careful)
    with httpx.Client(transport=transport, timeout=_LIMIT) as client:
        about = hand.about(hand.read(client.get(FIRST.metadata_endpoint or "").content))
        keys = hand.keys(hand.read(client.get(about["jwks_uri"]).content))
        assert _page(about)
        back = hand.redirect(browser.wait())
        found = hand.read(client.post(about["token_endpoint"], data=_exchange(back)).content)
        assert hand.judge(found, about, keys, back["client_id"])


async def by_hand_async(hand: Hand, transport: httpx.MockTransport, query: str) -> None:
    """The same with `AsyncClient`."""
    browser = Browser(query, careful=hand.is_careful)
    async with httpx.AsyncClient(transport=transport) as client:
        found = await hand.limited(partial(client.get, FIRST.metadata_endpoint or ""))
        about = hand.about(hand.read(found.content))
        keys = hand.keys(hand.read((await hand.limited(partial(client.get, about["jwks_uri"]))).content))
        assert _page(about)
        back = hand.redirect(await browser.wait_async())
        answer = await hand.uncut(partial(client.post, about["token_endpoint"], data=_exchange(back)))
        assert hand.judge(hand.read(answer.content), about, keys, back["client_id"])
