"""The pytest plugin: fixtures to test a program that signs in, without a network.

Rules of this file: pytest loads it in every run where codex-oauth is installed, so nothing else is imported
before a fixture is used; a fixture of the same name in a test suite takes its place, as fixtures do.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

TYPE_CHECKING = False  # as typing's, without loading typing

if TYPE_CHECKING:
    from codex_oauth.authority import Authority, AuthorityServer
    from codex_oauth.testing import FakeWorld, VirtualClock
    from codex_oauth_core.credential import Credential

__all__ = ["authority", "authority_server", "credential", "fake_world", "virtual_clock"]


@pytest.fixture
def authority() -> Authority:
    """An authorization server as an object: no socket, made-up accounts, and every sign-in is approved. The
    model backends take its tokens.
    """
    from codex_oauth.authority import Authority, ModelPolicy, Policy

    return Authority(policy=Policy(approve="auto"), models=ModelPolicy())


@pytest.fixture
def fake_world(authority: Authority) -> FakeWorld:
    """A world in virtual time, in which `authority` answers every request. Its calendar starts today."""
    import time

    from codex_oauth.testing import FakeWorld, answered_by

    return FakeWorld(answered_by(authority), wall=time.time())


@pytest.fixture
def virtual_clock(fake_world: FakeWorld) -> VirtualClock:
    """The clock of `fake_world` and of `authority_server`, to move by hand."""
    from codex_oauth.testing import VirtualClock

    return VirtualClock(fake_world)


@pytest.fixture
def authority_server(authority: Authority, virtual_clock: VirtualClock) -> Generator[AuthorityServer]:
    """`authority` over HTTP on a loopback port, on `virtual_clock` (extra `authority`)."""
    from codex_oauth.authority import serve

    with serve(authority, clock=virtual_clock.instant, wall=virtual_clock.wall) as server:
        yield server


@pytest.fixture
def credential(fake_world: FakeWorld) -> Credential:
    """A fresh login that `authority` has granted, and would renew or revoke."""
    from codex_oauth.worlds.world import run
    from codex_oauth_core import Credential, DeviceFlow

    granted = run(DeviceFlow(), fake_world)
    if not isinstance(granted, Credential):
        raise granted
    return granted
