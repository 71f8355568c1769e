"""Who may read and write: modes and owners, whatever the umask is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.store import Saved, StoreWarning
from codex_oauth_core import ErrorKind, SignInError
from codex_oauth_core.record import write_record
from tests.stores.logins import as_root, child, delete, describe, given_away, login, save, tree

READ, WRITE = ErrorKind.AUTH_READ_FAILED, ErrorKind.AUTH_WRITE_FAILED


# L2
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o666, 0o777, 0o604, 0o620])
def test_a_file_of_ours_that_is_too_open_is_made_private_with_one_warning(slot: FileSlot, mode: int) -> None:
    slot.path.chmod(mode)
    with pytest.warns(StoreWarning, match=r"acct_1\.json was open to other users") as warned:
        loaded = [slot.load() for _ in range(2)]
    assert loaded == [login(1)] * 2
    assert len(warned) == 1
    assert "canary" not in str(warned[0].message)
    assert tree(slot.home)["logins/acct_1.json"] == 0o600


def test_a_file_that_cannot_be_made_private_is_not_read(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(1, "prose")

    slot.path.chmod(0o644)
    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(SignInError) as caught:
        slot.load()
    assert describe(caught.value) == (READ, "too_open")


# L2
@pytest.mark.parametrize("where", ["home", "logins"])
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777, 0o1777, 0o720])
def test_nothing_is_written_where_others_may_write(slot: FileSlot, where: str, mode: int) -> None:
    loose = slot.home if where == "home" else slot.path.parent
    loose.chmod(mode)
    with pytest.raises(SignInError) as caught:
        save(slot, login(2), login(1).fingerprint)
    assert describe(caught.value) == (WRITE, "too_open")
    assert caught.value.details["path"] == str(loose)
    with pytest.raises(SignInError) as caught:
        delete(slot, login(1).fingerprint)
    assert describe(caught.value) == (WRITE, "too_open")
    assert slot.load() == login(1)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o711, 0o2755])
def test_directories_that_others_may_look_into_are_closed(
    store: FileStore, slot: FileSlot, mode: int
) -> None:
    for path in (store.home, store.home / "logins"):
        path.chmod(mode)
    save(slot, login(2), login(1).fingerprint)
    store.select("acct_1")
    assert store.home.stat().st_mode & 0o777 == 0o700
    assert tree(store.home) == {"current": 0o600, "logins": 0o700, "logins/acct_1.json": 0o600}


def test_a_home_that_serves_more_than_logins_keeps_its_mode(store: FileStore) -> None:
    store.home.mkdir()
    store.home.chmod(0o755)
    (store.home / "public_html").mkdir()
    save(store.slot("acct_1"), login(1), None)
    assert store.home.stat().st_mode & 0o777 == 0o755
    assert tree(store.home)["logins"] == 0o700


# L2
@as_root
@pytest.mark.parametrize("where", ["home", "logins"])
def test_nothing_is_written_into_a_directory_of_another_user(slot: FileSlot, where: str) -> None:
    foreign = slot.home if where == "home" else slot.path.parent
    given_away(foreign)
    with pytest.raises(SignInError) as caught:
        save(slot, login(2), login(1).fingerprint)
    assert describe(caught.value) == (WRITE, "wrong_owner")
    assert slot.load() == login(1)


@as_root
def test_no_home_is_created_in_the_directory_of_another_user(tmp_path: Path) -> None:
    given_away(tmp_path)
    with pytest.raises(SignInError) as caught:
        save(FileStore(tmp_path / "state" / "home").slot("acct_1"), login(1), None)
    assert describe(caught.value) == (WRITE, "wrong_owner")
    assert list(tmp_path.iterdir()) == []


SAVE = """
store = FileStore({home!r})
save(store.slot("acct_1"), login(1), None)
save(store.slot("acct_1"), login(2), login(1).fingerprint)
store.select("acct_1")
assert store.slot("acct_1").load() == login(2)
print(tree(Path({home!r}).parent.parent))
print(oct(os.umask(0)))
"""


# L7
@pytest.mark.parametrize("umask", [0o000, 0o777, 0o022, 0o277])
def test_the_umask_decides_nothing_and_stays(plain_user: tuple[Path, int | None], umask: int) -> None:
    place, uid = plain_user
    done = child(SAVE.format(home=str(place / "a" / "b" / "home")), uid=uid, umask=umask, cwd=place)
    assert done.stderr == ""
    modes, kept = done.stdout.splitlines()
    private = {"b": 0o700, "b/home": 0o700, "b/home/logins": 0o700}
    files = {"b/home/current": 0o600, "b/home/logins/acct_1.json": 0o600}
    assert modes == str(dict(sorted({**private, **files}.items())))
    assert int(kept, 8) == umask


# F13
@pytest.mark.parametrize("closed", ["home", "home/logins"])
def test_a_directory_without_the_right_to_write_fails_with_the_login_intact(
    plain_user: tuple[Path, int | None], closed: str
) -> None:
    place, uid = plain_user
    code = f"""
store = FileStore({str(place / "home")!r})
slot = store.slot("acct_1")
save(slot, login(1), None)
Path({str(place / closed)!r}).chmod(0o500)
before = tree(Path({str(place)!r}))
for change in (
    lambda: store.select("acct_1") if {closed!r} == "home" else save(slot, login(2), login(1).fingerprint),
    lambda: delete(slot, login(1).fingerprint) if {closed!r} != "home" else store.select("acct_1"),
):
    try:
        change()
    except SignInError as error:
        print(*describe(error), error.details["errno"])
assert tree(Path({str(place)!r})) == before
assert slot.load() == login(1)
"""
    done = child(code, uid=uid, cwd=place)
    assert done.stderr == ""
    assert done.stdout == "auth_write_failed denied EACCES\n" * 2


def test_a_file_without_the_right_to_read_is_denied(plain_user: tuple[Path, int | None]) -> None:
    place, uid = plain_user
    (place / "home" / "logins").mkdir(parents=True)
    path = place / "home" / "logins" / "acct_1.json"
    path.write_bytes(write_record(login(1)))
    path.chmod(0o000)
    for each in (place / "home", place / "home" / "logins", path):
        os.chown(each, uid if uid is not None else -1, -1)
    code = f"""
try:
    FileStore({str(place / "home")!r}).slot("acct_1").load()
except SignInError as error:
    print(*describe(error), error.details["errno"])
"""
    done = child(code, uid=uid, cwd=place)
    assert (done.stdout, done.stderr) == ("auth_read_failed denied EACCES\n", "")


def test_a_parent_that_can_be_written_and_not_read_is_good_enough(
    plain_user: tuple[Path, int | None],
) -> None:
    place, uid = plain_user
    code = f"""
Path({str(place)!r}).chmod(0o300)
print(save(FileStore({str(place / "home")!r}).slot("acct_1"), login(1), None))
"""
    done = child(code, uid=uid, cwd=Path("/"))
    assert (done.stdout, done.stderr) == (f"{Saved()}\n", "")
