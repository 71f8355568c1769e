"""The provider of tokens for LangChain: what it gives, and what it does not show."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import attrs
import pytest

from codex_oauth import MemoryStore, SignInError, TokenSource, langchain_provider
from tests.tokens.rig import put, rig


def test_it_gives_what_the_source_has() -> None:
    made = rig()
    provider = langchain_provider(made.source())
    token, credential = provider.get_token(), made.stored.credential
    assert credential.expires_at is not None
    assert token == anyio.run(provider.aget_token)
    assert (token.access_token, token.account_id) == (made.stored_token, credential.account_id)
    assert token.expires_at == datetime.fromtimestamp(credential.expires_at / 1000, UTC)
    assert provider.get_access_token() == anyio.run(provider.aget_access_token) == made.stored_token


def test_it_renews_what_is_due() -> None:
    made = rig()
    old = made.stored_token
    made.make_due(-60.0)
    assert langchain_provider(made.source()).get_token().access_token == made.stored_token != old


def test_a_login_that_does_not_say_when_it_expires_is_good_for_long() -> None:
    made = rig()
    put(made.store, attrs.evolve(made.stored.credential, expires_at=None))
    assert langchain_provider(made.source()).get_token().expires_at > datetime(9000, 1, 1, tzinfo=UTC)


def test_no_token_is_shown() -> None:
    made = rig()
    provider = langchain_provider(made.source())
    assert made.stored_token not in repr(provider) + repr(provider.get_token()) + str(provider.get_token())


def test_nobody_signed_in_is_said_as_it_is() -> None:
    with pytest.raises(SignInError):
        langchain_provider(TokenSource(MemoryStore())).get_token()
