"""Where logins live, for every odd environment: an absolute path of their own, or a typed error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth import FileStore
from codex_oauth.stores.failures import shown
from codex_oauth.stores.paths import default_home, key_in, login_name
from codex_oauth_core import ErrorKind, SignInError
from tests.stores.logins import child, describe, login, save, tree

VARIABLES = ("CODEX_OAUTH_HOME", "HOME", "XDG_STATE_HOME")
WORKS = {
    "chosen": ({"CODEX_OAUTH_HOME": "/data", "HOME": "/home/u"}, "/data"),
    "chosen without a home": ({"CODEX_OAUTH_HOME": "/data/x"}, "/data/x"),
    "chosen wins over XDG": ({"CODEX_OAUTH_HOME": "/data", "XDG_STATE_HOME": "/state"}, "/data"),
    "empty is unset": ({"CODEX_OAUTH_HOME": "", "HOME": "/home/u"}, "/home/u/.local/state/codex-oauth"),
    "home": ({"HOME": "/home/u"}, "/home/u/.local/state/codex-oauth"),
    "home with a slash": ({"HOME": "/home/u/"}, "/home/u/.local/state/codex-oauth"),
    "XDG": ({"HOME": "/home/u", "XDG_STATE_HOME": "/var/state"}, "/var/state/codex-oauth"),
    "XDG and no home": ({"HOME": "/", "XDG_STATE_HOME": "/var/state"}, "/var/state/codex-oauth"),
    "XDG empty": ({"HOME": "/home/u", "XDG_STATE_HOME": ""}, "/home/u/.local/state/codex-oauth"),
    "new line": ({"CODEX_OAUTH_HOME": "/data/a\nb"}, "/data/a\nb"),
    "not UTF-8": ({"CODEX_OAUTH_HOME": "/data/\udcff"}, "/data/\udcff"),
    "parent of itself": ({"CODEX_OAUTH_HOME": "/data/../data/x"}, "/data/x"),
}
FAILS = {
    "chosen relative": ({"CODEX_OAUTH_HOME": "store"}, "relative_home"),
    "chosen dot": ({"CODEX_OAUTH_HOME": "."}, "relative_home"),
    "chosen tilde": ({"CODEX_OAUTH_HOME": "~/store"}, "relative_home"),
    "chosen root": ({"CODEX_OAUTH_HOME": "/"}, "root_home"),
    "chosen root twice": ({"CODEX_OAUTH_HOME": "//"}, "root_home"),
    "chosen root by parents": ({"CODEX_OAUTH_HOME": "/tmp/../.."}, "root_home"),
    "home is root": ({"HOME": "/"}, "root_home"),
    "home is root twice": ({"HOME": "//"}, "root_home"),
    "home is empty": ({"HOME": ""}, "root_home"),
    "home is relative": ({"HOME": "here"}, "no_home"),
    "home is root, XDG relative": ({"HOME": "/", "XDG_STATE_HOME": "state"}, "root_home"),
    "XDG is root": ({"HOME": "/home/u", "XDG_STATE_HOME": "/"}, "root_home"),
}


def set_environment(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


# F34
@pytest.mark.parametrize(("environment", "path"), WORKS.values(), ids=WORKS.keys())
def test_an_environment_that_names_a_home(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], path: str
) -> None:
    set_environment(monkeypatch, environment)
    assert default_home() == Path(path)
    assert FileStore().home == Path(path)


# F34
@pytest.mark.parametrize(("environment", "reason"), FAILS.values(), ids=FAILS.keys())
def test_an_environment_that_names_none(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], reason: str
) -> None:
    set_environment(monkeypatch, environment)
    with pytest.raises(SignInError) as caught:
        FileStore()
    assert (caught.value.kind, caught.value.details["reason"]) == (ErrorKind.AUTH_READ_FAILED, reason)
    assert "CODEX_OAUTH_HOME" in caught.value.next_actions[0]


# F34
def test_a_relative_xdg_path_is_never_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    set_environment(monkeypatch, {"HOME": "/home/u", "XDG_STATE_HOME": "state"})
    assert default_home() == Path("/home/u/.local/state/codex-oauth")


# F34
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a passwd entry")
def test_a_user_that_the_system_does_not_know_has_no_home(tmp_path: Path) -> None:
    code = "try: FileStore()\nexcept SignInError as error: print(error.details['reason'])"
    done = child(code, uid=54321, env={**dict.fromkeys(VARIABLES)}, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("no_home\n", "")


def test_a_known_user_without_a_home_variable_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    set_environment(monkeypatch, {})
    entry = pwd.getpwuid(os.getuid()).pw_dir
    assert default_home() == Path(entry, ".local/state/codex-oauth")


def test_a_home_that_the_caller_names_stays_when_the_current_directory_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    store = FileStore("store")
    monkeypatch.chdir("/")
    assert store.home == tmp_path / "store"


# F34
@pytest.mark.parametrize(
    ("home", "reason"),
    [
        ("", "unusable_path"),
        ("/x\0y", "unusable_path"),
        ("/tmp/\ud800x", "unusable_path"),
        ("/", "root_home"),
        ("/..", "root_home"),
    ],
)
def test_a_home_that_the_caller_may_not_name(home: str, reason: str) -> None:
    with pytest.raises(
        SignInError, match=r"^auth_read_failed: The (path of the )?directory of the logins "
    ) as caught:
        FileStore(home)
    assert caught.value.details["reason"] == reason


# F34
def test_a_very_long_home_is_a_typed_error() -> None:
    store = FileStore("/tmp/" + "x" * 300)
    with pytest.raises(SignInError) as read:
        store.names()
    with pytest.raises(SignInError) as written:
        save(store.slot("acct_1"), login(), None)
    assert describe(read.value) == (ErrorKind.AUTH_READ_FAILED, "name_too_long")
    assert describe(written.value) == (ErrorKind.AUTH_WRITE_FAILED, "name_too_long")


# F34
@pytest.mark.parametrize(
    "name", ["a\nb", "\udcff\udcfe", "a b", "ünïcode", "-rf", "\u202ereversed", "x" * 200]
)
def test_an_odd_home_works(tmp_path: Path, name: str) -> None:
    store = FileStore(tmp_path / name)
    save(store.slot("acct_1"), login(), None)
    store.select("acct_1")
    assert FileStore(tmp_path / name).slot(store.current() or "").load() == login()


# F34
def test_nothing_is_created_outside_the_home(tmp_path: Path) -> None:
    for name in ("person", "scratch", "here", "state", "home"):
        (tmp_path / name).mkdir()
    code = """
store = FileStore()
slot = store.slot("acct_1")
save(slot, login(1), None); save(slot, login(2), login(1).fingerprint); save(slot, login(3), None)
store.select("acct_1"); store.current(); store.select(None)
slot.path.write_bytes(b"junk"); save(slot, login(4), None, replace_corrupt=True)
delete(slot, login(4).fingerprint); save(slot, login(5), None); discard(slot)
"""
    env = {"HOME": "person", "TMPDIR": "scratch", "XDG_STATE_HOME": "state", "CODEX_OAUTH_HOME": "home"}
    done = child(code, cwd=tmp_path / "here", env={name: str(tmp_path / path) for name, path in env.items()})
    assert (done.returncode, done.stderr) == (0, "")
    assert set(tree(tmp_path)) == {"person", "scratch", "here", "state", "home", "home/logins"}


def test_asking_creates_nothing(tmp_path: Path, store: FileStore) -> None:
    slot = store.slot("acct_1")
    slot.load()
    store.select(None)
    assert (store.names(), store.current()) == ((), None)
    assert list(tmp_path.iterdir()) == []


@given(st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True))
def test_the_name_of_a_file_tells_its_account(account_id: str) -> None:
    assert key_in(login_name(account_id)) == account_id


@given(st.text() | st.from_regex(r"[a-z./\n]{0,6}\.json[a-z.\n]{0,4}", fullmatch=True))
def test_only_the_name_of_a_login_tells_an_account(name: str) -> None:
    found = key_in(name)
    assert found is None or login_name(found) == name


@given(st.text(max_size=50) | st.text("\x1b\r\n\u202e\u2028\udcff\x9b", max_size=50))
def test_a_shown_path_prints_and_encodes(path: str) -> None:
    assert shown(path).isprintable()
    shown(path).encode("utf-8")


def test_a_shown_path_has_an_end() -> None:
    assert len(shown("/" + "x" * 100_000)) < 1100


def test_importing_the_store_loads_nothing_heavy() -> None:
    code = """
import sys
import codex_oauth.stores.file_store
names = ("filelock", "platformdirs", "httpx", "ssl", "socket", "tempfile", "random", "secrets", "shutil", "subprocess")
print([name for name in names if name in sys.modules])
"""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "[]\n"
