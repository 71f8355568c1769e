"""The pytest plugin, in runs of their own: what its fixtures give, and that it costs nothing until then."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth.testing import FakeWorld, VirtualClock, plugin, scripted
from codex_oauth_core import CallbackRule, Secret, Wait, Why
from tests.testing_plugin.runs import ENTRY_POINT, installed, passed, pytest_run

SIGN_IN = """
from codex_oauth import DeviceFlow, run

def test_first(codex_oauth_world, codex_oauth_authority, codex_oauth_clock):
    before = codex_oauth_clock.instant()
    assert run(DeviceFlow(), codex_oauth_world).account_id == codex_oauth_authority.policy.account.account_id
    assert codex_oauth_clock.instant() == codex_oauth_world.at > before
    assert [request.endpoint for request in codex_oauth_authority.requests] == ["usercode", "poll", "exchange"]

def test_each_test_has_its_own(codex_oauth_authority):
    assert codex_oauth_authority.requests == []

def test_a_credential_is_fresh(codex_oauth_credential, codex_oauth_clock):
    import time
    assert codex_oauth_credential.is_stale(time.time()) is False
    assert codex_oauth_credential.is_stale(codex_oauth_clock.wall()) is False
    codex_oauth_clock.step(11 * 86400)
    assert codex_oauth_credential.is_stale(codex_oauth_clock.wall()) is True
"""

RENEWED = """
from codex_oauth import CODEX, MemoryStore, TokenSource, finish_sign_in

def test_the_authority_renews_the_credential(codex_oauth_credential, codex_oauth_world, codex_oauth_clock):
    store = MemoryStore()
    finish_sign_in(codex_oauth_credential, store, CODEX, codex_oauth_world)
    codex_oauth_clock.step(11 * 86400)
    with TokenSource(store, make_world=lambda: codex_oauth_world, now=codex_oauth_clock) as tokens:
        assert tokens.token() != codex_oauth_credential.access_token.reveal()
"""

OVER_HTTP = """
import urllib.request

def test_it_answers(codex_oauth_authority_server, codex_oauth_authority):
    with urllib.request.urlopen(codex_oauth_authority_server.url + "/codex/device") as page:
        assert page.status == 200
    assert codex_oauth_authority_server.authority is codex_oauth_authority
    assert len(codex_oauth_authority.requests) == 1

def test_its_clock_is_the_virtual_one(codex_oauth_authority_server, codex_oauth_clock):
    codex_oauth_clock.step(1000.0)
    assert codex_oauth_authority_server.clock() == codex_oauth_clock.instant()
    urllib.request.urlopen(codex_oauth_authority_server.url + "/codex/device").close()
    assert codex_oauth_authority_server.authority.requests[0].at == codex_oauth_clock.instant()
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
def codex_oauth_credential():
    return "mine"

@pytest.fixture
def credential():
    return "mine, too"

def test_a_fixture_of_ones_own_wins(codex_oauth_credential, credential):
    assert (codex_oauth_credential, credential) == ("mine", "mine, too")
"""

SIGNED_IN = """
import os, subprocess, sys
from pathlib import Path
import pytest
from codex_oauth import FileStore, SignInError, TokenSource, refresh

@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("CODEX_OAUTH_ACCOUNT", "somebody@example.com")
    monkeypatch.setenv("CODEX_OAUTH_PROVIDER", "chatgpt")

def test_the_default_store_has_a_login(codex_oauth_signed_in):
    with TokenSource(FileStore()) as tokens:
        assert tokens.token() == codex_oauth_signed_in.credential.access_token.reveal()
        assert tokens.credential().issuer == codex_oauth_signed_in.server.url
    assert FileStore().home == codex_oauth_signed_in.store.home

def test_nothing_of_the_environment_reaches_the_program(codex_oauth_signed_in):
    ours = {name for name in os.environ if name.startswith("CODEX_OAUTH_")}
    assert ours == {"CODEX_OAUTH_HOME", "CODEX_OAUTH_ISSUER"}

def test_a_program_of_its_own_finds_it_too(codex_oauth_signed_in):
    code = "from codex_oauth.cli.main import main; main(['token'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == codex_oauth_signed_in.credential.access_token.reveal(), done.stderr

def test_the_server_renews_it(codex_oauth_signed_in):
    assert refresh(codex_oauth_signed_in.credential.refresh_token).issuer == codex_oauth_signed_in.server.url

def test_a_program_can_be_signed_out(codex_oauth_signed_in):
    codex_oauth_signed_in.store.select(None)
    with TokenSource(FileStore()) as tokens, pytest.raises(SignInError) as failed:
        tokens.token()
    assert failed.value.kind == "login_required"

def test_who_signs_in_is_a_fixture(codex_oauth_signed_in, codex_oauth_authority):
    assert codex_oauth_signed_in.server.authority is codex_oauth_authority
    assert codex_oauth_signed_in.credential.account_id == codex_oauth_authority.policy.account.account_id

def test_afterwards_all_is_as_before():
    assert os.environ["CODEX_OAUTH_ACCOUNT"] == "somebody@example.com"
    assert "CODEX_OAUTH_ISSUER" not in os.environ
"""

FORMER = """
import pytest

FORMER = ["authority", "fake_world", "virtual_clock", "authority_server", "credential"]

@pytest.mark.parametrize(("former", "name"), [
    ("authority", "codex_oauth_authority"),
    ("fake_world", "codex_oauth_world"),
    ("virtual_clock", "codex_oauth_clock"),
    ("authority_server", "codex_oauth_authority_server"),
    ("credential", "codex_oauth_credential"),
])
def test_each_warns_of_itself_alone_and_is_the_same(former, name, request, recwarn):
    given = request.getfixturevalue(former)
    (warning,) = recwarn
    assert str(warning.message) == (
        f"the fixture `{former}` of codex-oauth is now `{name}`; the former name goes"
    )
    assert warning.category is DeprecationWarning
    assert given is request.getfixturevalue(name)

@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_they_belong_together(authority, fake_world, virtual_clock, authority_server, codex_oauth_world):
    assert authority_server.authority is authority
    assert fake_world is codex_oauth_world
    assert virtual_clock.instant() == fake_world.at
"""

FORMER_OVERRIDDEN = """
import pytest
from codex_oauth import CODEX, DeviceFlow, SignInError, run
from codex_oauth.authority import Authority, Policy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

@pytest.fixture
def authority():
    return Authority(policy=Policy(approve="deny"))

def test_the_world_is_that_of_the_suite_s_own_authority(fake_world, authority):
    assert run(DeviceFlow(), fake_world).kind == "denied"
    assert authority.requests

def test_so_are_the_server_and_the_clock(authority_server, authority, virtual_clock, fake_world):
    assert authority_server.authority is authority
    fake_world.at += 5.0
    assert authority_server.clock() == virtual_clock.instant() == fake_world.at

def test_and_so_is_the_credential(request):
    with pytest.raises(SignInError):
        request.getfixturevalue("credential")
"""


def written(folder: Path, code: str) -> Path:
    (folder / "test_it.py").write_text(code, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("code", "count"),
    [
        (SIGN_IN, 3),
        (RENEWED, 1),
        (OVER_HTTP, 2),
        (UNUSED, 1),
        (OVERRIDDEN, 1),
        (SIGNED_IN, 7),
        (FORMER, 6),
        (FORMER_OVERRIDDEN, 3),
    ],
    ids=[
        "sign-in",
        "renewed",
        "over http",
        "unused",
        "overridden",
        "signed in",
        "former names",
        "overridden formers",
    ],
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
    assert "fixture 'codex_oauth_world' not found" in done.stdout


def test_an_empty_run_says_nothing_of_it(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "--collect-only", environment=installed(tmp_path))
    assert "no tests collected" in done.stdout
    assert "warning" not in done.stdout.lower()
    assert done.stderr == ""


def test_its_fixtures_say_what_they_are(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "--fixtures", environment=installed(tmp_path))
    for name in plugin.__all__:
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
