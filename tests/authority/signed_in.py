"""A served authority with models, and a token source of a login that it has granted: what a client needs."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from codex_oauth import CODEX, MemoryStore, TokenSource, login
from codex_oauth.authority import (
    Authority,
    AuthorityServer,
    Fault,
    ModelFault,
    ModelPolicy,
    Policy,
    serve,
)
from codex_oauth.testing import FakeWorld, answered_by

__all__ = ["signed_in"]


@contextmanager
def signed_in(*faults: Fault | ModelFault, **models: Any) -> Generator[tuple[AuthorityServer, TokenSource]]:
    """The server and the source. The sign-in itself costs no time; a renewal is a real request."""
    rules = Authority(policy=Policy(approve="auto"), faults=faults, models=ModelPolicy(**models))
    with serve(rules) as server:
        store, provider = MemoryStore(), CODEX.at(server.url)
        world = FakeWorld(answered_by(rules), wall=time.time())
        login(
            device=True, provider=provider, store=store, on_prompt=lambda _: None, make_world=lambda _: world
        )
        with TokenSource(store, provider=provider, hosts=(f"127.0.0.1:{server.port}",)) as source:
            yield server, source
