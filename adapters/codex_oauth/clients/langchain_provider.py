"""What LangChain's model of the Codex backend takes for `token_provider=`.

Rules of this file: nothing of LangChain is needed to make one; a token is in no repr.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import attrs

from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.credential import Credential

__all__ = ["LangchainProvider", "LangchainToken", "langchain_provider"]

_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


@attrs.frozen
class LangchainToken:
    """A token that is good now; `expires_at` is far off where the login does not say when that is."""

    access_token: str = attrs.field(repr=False)
    account_id: str | None
    expires_at: datetime


@attrs.frozen
class LangchainProvider:
    """Gives what a token source has, by the names that LangChain calls it."""

    _source: TokenSource

    def get_token(self) -> LangchainToken:
        """The token to use now."""
        return _token_of(self._source.credential())

    async def aget_token(self) -> LangchainToken:
        """`get_token()` for asyncio."""
        return _token_of(await self._source.acredential())

    def get_access_token(self) -> str:
        """Only the token itself."""
        return self._source.token()

    async def aget_access_token(self) -> str:
        """`get_access_token()` for asyncio."""
        return await self._source.atoken()


def langchain_provider(source: TokenSource) -> LangchainProvider:
    """`token_provider=` for the model of the Codex backend in `langchain_openai`, so that the model keeps no
    login of its own. It does not renew the token after a 401: also give the model `http_client=` with
    `TokenAuth(source)`.
    """
    return LangchainProvider(source)


def _token_of(credential: Credential) -> LangchainToken:
    expires_at = credential.expires_at
    return LangchainToken(
        credential.access_token.reveal(),
        credential.account_id,
        _FOREVER if expires_at is None else datetime.fromtimestamp(expires_at / 1000, UTC),
    )
