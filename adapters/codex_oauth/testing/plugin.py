"""The pytest plugin: fixtures to test a program that signs in, without a network.

Rules of this file: pytest loads it in every run where codex-oauth is installed, so nothing else is imported
before a fixture is used, and the names of the fixtures are ours; a fixture of the same name in a test suite
takes its place, as fixtures do. The former names, which are anybody's, warn and give the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator

import pytest

TYPE_CHECKING = False  # as typing's, without loading typing

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from codex_oauth.authority import Authority, AuthorityServer
    from codex_oauth.testing import FakeWorld, SignedInProgram, VirtualClock
    from codex_oauth_core.credential import Credential

__all__ = [
    "authority",
    "authority_server",
    "codex_oauth_authority",
    "codex_oauth_authority_server",
    "codex_oauth_clock",
    "codex_oauth_credential",
    "codex_oauth_signed_in",
    "codex_oauth_world",
    "credential",
    "fake_world",
    "virtual_clock",
]


@pytest.fixture
def codex_oauth_authority() -> Authority:
    """An authorization server as an object: no socket, made-up accounts, and every sign-in is approved. The
    model backends take its tokens.
    """
    from codex_oauth.authority import Authority, ModelPolicy, Policy

    return Authority(policy=Policy(approve="auto"), models=ModelPolicy())


@pytest.fixture
def codex_oauth_world(codex_oauth_authority: Authority) -> FakeWorld:
    """A world in virtual time, in which `codex_oauth_authority` answers every request. Its calendar starts
    today.
    """
    return _world(codex_oauth_authority)


@pytest.fixture
def codex_oauth_clock(codex_oauth_world: FakeWorld) -> VirtualClock:
    """The clock of `codex_oauth_world` and of `codex_oauth_authority_server`, to move by hand."""
    return _clock(codex_oauth_world)


@pytest.fixture
def codex_oauth_authority_server(
    codex_oauth_authority: Authority, codex_oauth_clock: VirtualClock
) -> Generator[AuthorityServer]:
    """`codex_oauth_authority` over HTTP on a loopback port, on `codex_oauth_clock` (extra `authority`)."""
    yield from _served(codex_oauth_authority, codex_oauth_clock)


@pytest.fixture
def codex_oauth_credential(codex_oauth_world: FakeWorld) -> Credential:
    """A fresh login that `codex_oauth_authority` has granted, and would renew or revoke."""
    return _granted(codex_oauth_world)


@pytest.fixture
def codex_oauth_signed_in(
    codex_oauth_authority_server: AuthorityServer,
    codex_oauth_world: FakeWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> SignedInProgram:
    """The program under test is signed in: `FileStore()` has a login of `codex_oauth_authority_server`, which
    is where `login()` and `codex-oauth` sign in until the end of the test (extra `authority`).
    """
    from codex_oauth.testing.signed_in import sign_in_program

    home = tmp_path / "codex-oauth"
    return sign_in_program(codex_oauth_authority_server, codex_oauth_world, home, monkeypatch)


# -- what they are made of -----------------------------------------------------------------------------


def _world(authority: Authority) -> FakeWorld:
    import time

    from codex_oauth.testing import FakeWorld, answered_by

    return FakeWorld(answered_by(authority), wall=time.time())


def _clock(world: FakeWorld) -> VirtualClock:
    from codex_oauth.testing import VirtualClock

    return VirtualClock(world)


def _served(authority: Authority, clock: VirtualClock) -> Generator[AuthorityServer]:
    from codex_oauth.authority import serve

    with serve(authority, clock=clock.instant, wall=clock.wall) as server:
        yield server


def _granted(world: FakeWorld) -> Credential:
    from codex_oauth.worlds.world import run
    from codex_oauth_core import Credential, DeviceFlow

    granted = run(DeviceFlow(), world)
    if not isinstance(granted, Credential):
        raise granted
    return granted


# -- the former names, for one release -----------------------------------------------------------------


_FORMER = {
    "authority": "codex_oauth_authority",
    "fake_world": "codex_oauth_world",
    "virtual_clock": "codex_oauth_clock",
    "authority_server": "codex_oauth_authority_server",
    "credential": "codex_oauth_credential",
}


def _warn(former: str) -> None:
    text = f"the fixture `{former}` of codex-oauth is now `{_FORMER[former]}`; the former name goes"
    warnings.warn(text, DeprecationWarning, stacklevel=2)


def _beside(request: pytest.FixtureRequest, former: str) -> tuple[Any, bool]:
    """What a former name gives, and whether a fixture of the test suite's own has taken its place. Nobody is
    warned of it: the test did not ask for this name.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", rf"the fixture `{former}` of codex-oauth", DeprecationWarning)
        given = request.getfixturevalue(former)
    return given, given is not request.getfixturevalue(_FORMER[former])


@pytest.fixture
def authority(codex_oauth_authority: Authority) -> Authority:
    """The former name of `codex_oauth_authority`."""
    _warn("authority")
    return codex_oauth_authority


@pytest.fixture
def fake_world(request: pytest.FixtureRequest) -> FakeWorld:
    """The former name of `codex_oauth_world`."""
    _warn("fake_world")
    given, is_theirs = _beside(request, "authority")
    ours: FakeWorld = _world(given) if is_theirs else request.getfixturevalue("codex_oauth_world")
    return ours


@pytest.fixture
def virtual_clock(request: pytest.FixtureRequest) -> VirtualClock:
    """The former name of `codex_oauth_clock`."""
    _warn("virtual_clock")
    given, is_theirs = _beside(request, "fake_world")
    ours: VirtualClock = _clock(given) if is_theirs else request.getfixturevalue("codex_oauth_clock")
    return ours


@pytest.fixture
def authority_server(request: pytest.FixtureRequest) -> Generator[AuthorityServer]:
    """The former name of `codex_oauth_authority_server`."""
    _warn("authority_server")
    (rules, other_rules), (clock, other_clock) = (
        _beside(request, name) for name in ("authority", "virtual_clock")
    )
    if other_rules or other_clock:
        yield from _served(rules, clock)
    else:
        yield request.getfixturevalue("codex_oauth_authority_server")


@pytest.fixture
def credential(request: pytest.FixtureRequest) -> Credential:
    """The former name of `codex_oauth_credential`."""
    _warn("credential")
    given, is_theirs = _beside(request, "fake_world")
    ours: Credential = _granted(given) if is_theirs else request.getfixturevalue("codex_oauth_credential")
    return ours
