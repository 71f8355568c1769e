"""P5, another part: the same device flow as somebody would write it with httpx, in three ways.

Rules of this file: `by_hand` does what the protocol demands, and nothing more. `by_hand_limited` has time limits and can
be cancelled. `by_hand_careful` believes nothing that comes from outside before it was looked at, as this library does;
it is the floor of a short sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from typing import Any, Final

import anyio
import anyio.lowlevel
import httpx

from codex_oauth_core import CODEX
from tests.bench.rows.device_ours import server

__all__ = [
    "by_hand",
    "by_hand_async",
    "by_hand_careful",
    "by_hand_limited",
    "json_object",
    "once_each",
]

_LIMIT: Final = 30.0
_TOKEN: Final = re.compile(r"[!-~]{1,16384}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CLAIMS: Final = "https://api.openai.com/auth"


def _start() -> bytes:
    return json.dumps({"client_id": CODEX.client_id}).encode()


def _poll(device: dict[str, str]) -> dict[str, str]:
    return {"device_auth_id": device["device_auth_id"], "user_code": device["user_code"]}


def _exchange(granted: dict[str, str]) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": CODEX.client_id,
        "code": granted["authorization_code"],
        "code_verifier": granted["code_verifier"],
        "redirect_uri": f"{CODEX.issuer}/deviceauth/callback",
    }


_USERCODE = f"{CODEX.issuer}/api/accounts/deviceauth/usercode"
_POLL = f"{CODEX.issuer}/api/accounts/deviceauth/token"
_TOKEN_URL = f"{CODEX.issuer}/oauth/token"


def by_hand(polls: int) -> None:
    """The loop of twenty lines that somebody would write with httpx."""
    with httpx.Client(transport=server(polls)) as client:
        device = client.post(_USERCODE, content=_start()).json()
        while True:
            answer = client.post(_POLL, json=_poll(device))
            if answer.status_code == 200:
                break
            assert answer.json()["error"]["code"] == "deviceauth_authorization_pending"
        found = client.post(_TOKEN_URL, data=_exchange(answer.json())).json()
    assert found["access_token"]


async def by_hand_async(polls: int) -> None:
    """The same with `AsyncClient`. Its pauses take no time, and let others go on, as ours do."""
    async with httpx.AsyncClient(transport=server(polls)) as client:
        device = (await client.post(_USERCODE, content=_start())).json()
        while True:
            answer = await client.post(_POLL, json=_poll(device))
            if answer.status_code == 200:
                break
            assert answer.json()["error"]["code"] == "deviceauth_authorization_pending"
            await anyio.lowlevel.checkpoint()
        found = (await client.post(_TOKEN_URL, data=_exchange(answer.json()))).json()
    assert found["access_token"]


async def by_hand_limited(polls: int) -> None:
    """The same, with a time limit for each request, and a scope that somebody may cancel it by."""

    async def post(client: httpx.AsyncClient, url: str, **body: Any) -> httpx.Response:
        with anyio.CancelScope() as scope, anyio.move_on_after(_LIMIT):
            cancellable.append(scope)
            try:
                return await client.post(url, **body)
            finally:
                cancellable.pop()
        raise TimeoutError

    cancellable: list[anyio.CancelScope] = []
    async with httpx.AsyncClient(transport=server(polls)) as client:
        device = (await post(client, _USERCODE, content=_start())).json()
        while True:
            answer = await post(client, _POLL, json=_poll(device))
            if answer.status_code == 200:
                break
            assert answer.json()["error"]["code"] == "deviceauth_authorization_pending"
            await anyio.lowlevel.checkpoint()
        found = (await post(client, _TOKEN_URL, data=_exchange(answer.json()))).json()
    assert found["access_token"]


# -- with care -----------------------------------------------------------------------------------------


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of a JSON object, or of a query, in which no name stands twice."""
    members = dict(pairs)
    assert len(members) == len(pairs), "a name stands twice"
    return members


def json_object(text: bytes) -> dict[str, Any]:
    """A JSON object, read with care."""
    value: dict[str, Any] = json.loads(text.decode("utf-8"), object_pairs_hook=once_each)
    assert isinstance(value, dict)
    return value


def _device(found: dict[str, Any]) -> dict[str, Any]:
    assert found["user_code"].isprintable()
    assert 0 < len(found["user_code"]) <= 128
    assert _TOKEN.fullmatch(found["device_auth_id"])
    assert 0 < float(found["interval"]) < 1e9
    return found


def _granted(found: dict[str, Any]) -> dict[str, str]:
    """The server makes the verifier: it must be the one of its challenge."""
    digest = hashlib.sha256(found["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == found["code_challenge"]
    assert _VERIFIER.fullmatch(found["code_verifier"])
    assert _TOKEN.fullmatch(found["authorization_code"])
    return found


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return json_object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _login(found: dict[str, Any], began: float) -> dict[str, Any]:
    for name in ("access_token", "refresh_token", "id_token"):
        assert _TOKEN.fullmatch(found[name])
    assert found["token_type"].lower() == "bearer"
    assert 0 < found["expires_in"] < 1e9
    claims = [_claims(found[name]) for name in ("access_token", "id_token")]
    accounts = [each[_CLAIMS]["chatgpt_account_id"] for each in claims if _CLAIMS in each]
    assert accounts
    assert _TOKEN.fullmatch(accounts[0])
    return {**found, "account_id": accounts[0], "expires_at": began + found["expires_in"]}


def by_hand_careful(polls: int) -> None:
    """The same with every check, a deadline, and a flag by which somebody may cancel it."""
    cancelled, deadline = threading.Event(), time.monotonic() + 900
    with httpx.Client(transport=server(polls), timeout=_LIMIT) as client:
        device = _device(json_object(client.post(_USERCODE, content=_start()).content))
        while True:
            assert time.monotonic() < deadline
            assert not cancelled.wait(0)
            answer = client.post(_POLL, json=_poll(device))
            if answer.status_code == 200:
                break
            assert answer.headers["content-type"] == "application/json"
            assert json_object(answer.content)["error"]["code"] == "deviceauth_authorization_pending"
        granted, began = _granted(json_object(answer.content)), time.time()
        login = _login(json_object(client.post(_TOKEN_URL, data=_exchange(granted)).content), began)
    assert secrets.compare_digest(login["token_type"], "Bearer")
