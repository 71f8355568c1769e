"""The pytest plugin, in runs of their own: what its fixtures give, and that it costs nothing until then."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth.testing import FakeWorld, VirtualClock, scripted
from codex_oauth_core import CallbackRule, Secret, Wait, Why
from tests.testing_plugin.runs import ENTRY_POINT, installed, passed, pytest_run

SIGN_IN = """
from codex_oauth import DeviceFlow, run

def test_first(fake_world, authority, virtual_clock):
    before = virtual_clock.instant()
    assert run(DeviceFlow(), fake_world).account_id == authority.policy.account.account_id
    assert virtual_clock.instant() == fake_world.at > before
    assert [request.endpoint for request in authority.requests] == ["usercode", "poll", "exchange"]

def test_each_test_has_its_own(authority):
    assert authority.requests == []

def test_a_credential_is_fresh(credential, virtual_clock):
    import time
    assert credential.is_stale(time.time()) is False
    assert credential.is_stale(virtual_clock.wall()) is False
    virtual_clock.step(11 * 86400)
    assert credential.is_stale(virtual_clock.wall()) is True
"""

RENEWED = """
from codex_oauth import CODEX, MemoryStore, TokenSource, finish_sign_in

def test_the_authority_renews_the_credential(credential, fake_world, virtual_clock):
    store = MemoryStore()
    finish_sign_in(credential, store, CODEX, fake_world)
    virtual_clock.step(11 * 86400)
    with TokenSource(store, make_world=lambda: fake_world, now=virtual_clock) as tokens:
        assert tokens.token() != credential.access_token.reveal()
"""

OVER_HTTP = """
import urllib.request

def test_it_answers(authority_server, authority):
    with urllib.request.urlopen(authority_server.url + "/codex/device") as page:
        assert page.status == 200
    assert authority_server.authority is authority
    assert len(authority.requests) == 1

def test_its_clock_is_the_virtual_one(authority_server, virtual_clock):
    virtual_clock.step(1000.0)
    assert authority_server.clock() == virtual_clock.instant()
    urllib.request.urlopen(authority_server.url + "/codex/device").close()
    assert authority_server.authority.requests[0].at == virtual_clock.instant()
"""

UNUSED = """
import sys

def test_nothing_is_loaded_before_a_fixture_is_used():
    ours = {name for name in sys.modules if name.startswith("codex_oauth")}
    assert ours <= {
        "codex_oauth", "codex_oauth.loading", "codex_oauth.testing", "codex_oauth.testing.plugin",
        "codex_oauth_core", "codex_oauth_core._lazy",
    }, ours
"""

OVERRIDDEN = """
import pytest

@pytest.fixture
def credential():
    return "mine"

def test_a_fixture_of_ones_own_wins(credential):
    assert credential == "mine"
"""


def written(folder: Path, code: str) -> Path:
    (folder / "test_it.py").write_text(code, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("code", "count"),
    [(SIGN_IN, 3), (RENEWED, 1), (OVER_HTTP, 2), (UNUSED, 1), (OVERRIDDEN, 1)],
    ids=["sign-in", "renewed", "over http", "unused", "overridden"],
)
def test_installed(code: str, count: int, tmp_path: Path) -> None:
    done = pytest_run(written(tmp_path, code), environment=installed(tmp_path))
    assert passed(done) == count, done.stdout


def test_with_the_option_too(tmp_path: Path) -> None:
    done = pytest_run(written(tmp_path, SIGN_IN), "-p", ENTRY_POINT, environment=installed(tmp_path))
    assert passed(done) == 3, done.stdout


def test_on_several_processes(tmp_path: Path) -> None:
    code = SIGN_IN + OVER_HTTP
    done = pytest_run(written(tmp_path, code), "-n", "2", environment=installed(tmp_path))
    assert passed(done) == 5, done.stdout


def test_left_out(tmp_path: Path) -> None:
    done = pytest_run(written(tmp_path, SIGN_IN), "-p", f"no:{ENTRY_POINT}", environment=installed(tmp_path))
    assert "fixture 'fake_world' not found" in done.stdout


def test_an_empty_run_says_nothing_of_it(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "--collect-only", environment=installed(tmp_path))
    assert "no tests collected" in done.stdout
    assert "warning" not in done.stdout.lower()
    assert done.stderr == ""


def test_its_fixtures_say_what_they_are(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "--fixtures", environment=installed(tmp_path))
    for name in ("authority", "authority_server", "credential", "fake_world", "virtual_clock"):
        assert f"\n{name} -- " in done.stdout


# -- the clock -----------------------------------------------------------------------------------------


def test_a_clock_stands_until_it_is_moved() -> None:
    clock = VirtualClock()
    at, wall = clock()
    assert clock() == (at, wall) == (clock.instant(), clock.wall())
    clock.step(2.5)
    assert clock() == (at + 2.5, wall + 2.5)
    with pytest.raises(ValueError, match="never goes back"):
        clock.step(-1.0)


def test_a_clock_is_that_of_its_world() -> None:
    world = FakeWorld(scripted(()))
    clock = VirtualClock(world)
    world.perform(Wait(world.at + 5.0, Why.PENDING))
    assert clock() == world.now()
    clock.step(1.0)
    assert clock() == world.now()


def test_a_clock_skips_waits_but_for_those_for_a_redirect() -> None:
    clock = VirtualClock()
    until = clock.instant() + 5.0
    clock.skip(Wait(until, Why.PENDING))
    clock.skip(Wait(until - 1.0, Why.PENDING))
    assert clock.instant() == until
    rule = CallbackRule("http://127.0.0.1:1/callback", Secret("s"), (), "http://127.0.0.1:2")
    clock.skip(Wait(until + 5.0, Why.CALLBACK, callback=rule))
    assert clock.instant() == until
