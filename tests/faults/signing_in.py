"""A login at an authority that keeps its real rules: tokens rotate, and one that comes twice ends the login."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from codex_oauth import FileStore, run
from codex_oauth.authority import Authority, AuthorityServer, Policy, serve
from codex_oauth_core import CODEX, Credential, DeviceFlow, Record
from tests.adapters.virtual_time import SkippingClock, skipping_world
from tests.faults.child import due
from tests.faults.runs import put

__all__ = ["signed_in"]


@contextmanager
def signed_in(store: FileStore) -> Generator[AuthorityServer]:
    """An authority with its real rules, and a login at it that has expired."""
    authority = Authority(policy=Policy(approve="auto", strict_pace=False))
    with serve(authority) as server:
        with skipping_world(SkippingClock()) as world:
            credential = run(DeviceFlow(provider=CODEX.at(server.url)), world)
        assert isinstance(credential, Credential)
        put(store, Record(credential))
        due(store)
        yield server
