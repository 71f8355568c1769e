"""A token source of a login whose person has not allowed that requests are made with it, or does so no longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import attrs
import pytest

from codex_oauth import CHATGPT, MemoryStore, TokenSource
from codex_oauth.testing import FakeWorld, Reply, scripted
from codex_oauth_core import Credential, ErrorKind, Record, Secret, SignInError
from codex_oauth_core.reading.times import rfc3339
from tests.support import W0, as_json

PLAN = "chatgpt.tokens.use.direct"
Ask = Callable[[TokenSource], Any]
WAYS: dict[str, Ask] = {
    "token": lambda source: source.token(),
    "credential": lambda source: source.credential(),
    "headers": lambda source: source.headers("https://api.openai.com/v1/responses"),
    "rejected": lambda source: source.rejected("access-0"),
    "atoken": lambda source: anyio.run(source.atoken),
    "acredential": lambda source: anyio.run(source.acredential),
}


def kept(*scopes: str, expires_in: float = 3600.0) -> Record:
    credential = Credential(
        access_token=Secret("access-0"),
        refresh_token=Secret("refresh-0"),
        account_id=None,
        user_id="user-1",
        issuer=CHATGPT.issuer,
        client_id="oaiapp_1",
        obtained_at=rfc3339(W0 - 3600),
        expires_at=round((W0 + expires_in) * 1000),
        scopes=scopes,
    )
    return Record(credential)


def store_with(record: Record) -> MemoryStore:
    store = MemoryStore()
    put(store, record, None)
    store.select(record.credential.key)
    return store


def put(store: MemoryStore, record: Record, expected: str | None) -> None:
    held = store.slot(record.credential.key).lock()
    assert held is not None
    with held:
        held.save(record, expected)


def source_of(store: MemoryStore, *answers: Reply) -> TokenSource:
    world = FakeWorld(scripted(answers), wall=W0)
    return TokenSource(store, make_world=lambda: world, now=world.now, jitter=0.0)


def refreshed(scope: str) -> Reply:
    return as_json(
        200, {"access_token": "access-1", "refresh_token": "refresh-1", "expires_in": 3600, "scope": scope}
    )


def refused(ask: Ask, source: TokenSource) -> None:
    with pytest.raises(SignInError) as caught:
        ask(source)
    assert caught.value.kind is ErrorKind.PLAN_USE_OFF


@pytest.mark.parametrize("ask", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("expires_in", [3600.0, -60.0], ids=["current", "expired"])
def test_nothing_is_given_out_and_nothing_is_sent(ask: Ask, expires_in: float) -> None:
    with source_of(store_with(kept("openid", expires_in=expires_in))) as source:
        for _ in range(3):
            refused(ask, source)


@pytest.mark.parametrize("ask", WAYS.values(), ids=list(WAYS))
def test_a_plan_that_is_gone_at_a_renewal_is_gone_for_everybody(ask: Ask) -> None:
    store = store_with(kept(PLAN, expires_in=-60.0))
    with source_of(store, refreshed("openid profile")) as source:
        for _ in range(3):
            refused(ask, source)
    (place,) = store.names()
    record = store.slot(place).load()
    assert record is not None
    assert record.credential.refresh_token == Secret("refresh-1")  # stored before it was judged


def test_a_plan_that_is_allowed_meanwhile_is_used_at_once() -> None:
    off = kept("openid")
    store = store_with(off)
    with source_of(store) as source:
        refused(WAYS["token"], source)
        allowed = attrs.evolve(off.credential, scopes=(PLAN,), refresh_token=Secret("refresh-9"))
        put(store, Record(attrs.evolve(allowed, access_token=Secret("access-9"))), off.fingerprint)
        assert source.token() == "access-9"


def test_the_scopes_of_before_stay_where_a_renewal_names_none() -> None:
    answer = as_json(200, {"access_token": "access-1", "refresh_token": "refresh-1", "expires_in": 3600})
    with source_of(store_with(kept(PLAN, expires_in=-60.0)), answer) as source:
        assert source.token() == "access-1"
