"""Where a client asks that was given no address: never at the real backend with a login of a test server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import (
    CODEX,
    Credential,
    FileStore,
    TokenSource,
    async_openai_client,
    openai_client,
    run,
    store_login,
)
from codex_oauth.authority import Authority, Policy
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth_core import DeviceFlow

clients = pytest.mark.parametrize("make", [openai_client, async_openai_client])
dialects = pytest.mark.parametrize("dialect", [False, True])


def _signed_in(home: Path, issuer: str) -> FileStore:
    """A store with a login of a server there."""
    provider = CODEX.at(issuer)
    world = FakeWorld(answered_by(Authority(policy=Policy(approve="auto"))))
    granted = run(DeviceFlow(provider=provider), world)
    assert isinstance(granted, Credential)
    store = FileStore(home)
    store_login(store, granted, provider=provider)
    return store


@clients
@dialects
@pytest.mark.parametrize("issuer", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"])
def test_the_login_of_a_test_server_needs_an_address(
    tmp_path: Path, make: Callable[..., Any], issuer: str, *, dialect: bool
) -> None:
    store = _signed_in(tmp_path, issuer)
    with (
        TokenSource(store) as source,
        pytest.raises(ValueError, match="base_url: the login is of a test") as raised,
    ):
        make(source, dialect=dialect)
    assert issuer in str(raised.value)
    with TokenSource(store, hosts=["127.0.0.1"]) as source:
        client = make(source, base_url="http://127.0.0.1:1/backend-api/codex", dialect=dialect)
    assert client.base_url.host == "127.0.0.1"


@clients
@dialects
def test_another_login_is_sent_to_its_provider_s_models(
    tmp_path: Path, make: Callable[..., Any], *, dialect: bool
) -> None:
    store = _signed_in(tmp_path, CODEX.issuer)
    with TokenSource(store) as source:
        client = make(source, dialect=dialect)
    assert CODEX.model_api is not None
    assert str(client.base_url).rstrip("/") == CODEX.model_api.base_url
