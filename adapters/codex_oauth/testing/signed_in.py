"""A program under test that finds a login: in the store that it opens by default, of a server on loopback.

Rules of this file: what the program finds is set by variables alone, so that programs that it starts find it,
too; no variable of this library that the tests were started with reaches it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from codex_oauth.default_provider import ISSUER_VARIABLE, default_provider
from codex_oauth.sign_in import login
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.names import HOME_VARIABLE
from codex_oauth_core.credential import Credential

if TYPE_CHECKING:
    import pytest

    from codex_oauth.authority.server import AuthorityServer
    from codex_oauth.testing.fake_world import FakeWorld

__all__ = ["SignedInProgram", "sign_in_program"]

_OURS: Final = "CODEX_OAUTH_"


@attrs.frozen
class SignedInProgram:
    """The result of the fixture `codex_oauth_signed_in`: the login that the program finds, the store that
    holds it, and the server that granted it.
    """

    credential: Credential
    store: FileStore
    server: AuthorityServer


def sign_in_program(
    server: AuthorityServer, world: FakeWorld, home: Path, monkeypatch: pytest.MonkeyPatch
) -> SignedInProgram:
    """Sign in at `server`, and have `FileStore()` be the store in `home` until the end of the test.

    `world` is a fake one in which the server's authority answers: the sign-in waits for nothing.
    """
    for name in [each for each in os.environ if each.startswith(_OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    monkeypatch.setenv(ISSUER_VARIABLE, server.url)
    store = FileStore()
    credential = login(
        device=True,
        provider=default_provider(),
        store=store,
        on_prompt=_approved_by_itself,
        make_world=lambda sources: world,
    )
    return SignedInProgram(credential, store, server)


def _approved_by_itself(prompt: object) -> None:
    """The authority approves; nobody needs to see it."""
