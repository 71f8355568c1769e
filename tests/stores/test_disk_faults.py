"""Disks that are full, read-only or mounted in odd places: real ones, in a mount namespace of a child."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stores.logins import child

UNSHARE = ("unshare", "--mount", "--map-root-user")


@functools.cache
def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        [*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


pytestmark = pytest.mark.skipif(not can_mount(), reason="this machine does not let us mount in a namespace")

PRELUDE = """
import subprocess
def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)
def attempt(action):
    try:
        print(action())
    except SignInError as error:
        print(*describe(error), error.details["errno"])
here = Path.cwd() / "disk"
here.mkdir(mode=0o700)
store = FileStore(here)
slot = store.slot("acct_1")
"""


def lines(code: str, place: Path) -> list[str]:
    done = child(PRELUDE + code, before=UNSHARE, cwd=place)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_full_disk_leaves_the_login_intact(tmp_path: Path) -> None:
    code = """
mount("-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(here))
save(slot, login(1), None)
store.select("acct_1")
before = tree(here)
fill = os.open(here / "fill", os.O_CREAT | os.O_WRONLY)
try:
    while True: os.write(fill, bytes(512))
except OSError: os.close(fill)
attempt(lambda: save(slot, login(2), login(1).fingerprint))
attempt(lambda: store.select("acct_1"))
attempt(store.prepare)
(here / "fill").unlink()
attempt(store.prepare)
print(slot.load() == login(1), store.current(), tree(here) == before)
attempt(lambda: save(slot, login(2), login(1).fingerprint))
"""
    assert lines(code, tmp_path) == [
        "auth_write_failed disk_full ENOSPC",
        "auth_write_failed disk_full ENOSPC",
        "auth_write_failed disk_full ENOSPC",
        "None",
        "True acct_1 True",
        "Saved()",
    ]


def test_a_disk_without_room_for_names_leaves_the_login_intact(tmp_path: Path) -> None:
    code = """
mount("-t", "tmpfs", "-o", "nr_inodes=4,mode=0700", "none", str(here))
save(slot, login(1), None)
attempt(lambda: save(slot, login(2), login(1).fingerprint))
print(slot.load() == login(1), list(tree(here)))
"""
    assert lines(code, tmp_path) == [
        "auth_write_failed disk_full ENOSPC",
        "True ['logins', 'logins/acct_1.json']",
    ]


# F11
def test_a_limit_on_the_size_of_files_leaves_the_login_intact(tmp_path: Path) -> None:
    code = """
import resource
save(slot, login(1), None)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    save(slot, login(2), login(1).fingerprint)
except SignInError as error:
    told = (describe(error), error.details["errno"], slot.load() == login(1), list(tree(here)))
os.write(1, repr(told).encode()[:90])  # the limit holds for a redirected stdout too
"""
    done = lines(code, tmp_path)
    assert "disk_full" in done[0]
    assert "'EFBIG', True" in done[0]


def test_a_read_only_disk_can_be_read(tmp_path: Path) -> None:
    code = """
mount("-t", "tmpfs", "-o", "mode=0700", "none", str(here))
save(slot, login(1), None)
store.select("acct_1")
mount("-o", "remount,bind,ro", str(here))
attempt(lambda: save(slot, login(2), login(1).fingerprint))
attempt(lambda: store.select("acct_1"))
attempt(lambda: store.select(None))
attempt(lambda: delete(slot, login(1).fingerprint))
attempt(lambda: discard(slot))
print(slot.load() == login(1), store.current())
attempt(lambda: save(FileStore(here / "below").slot("acct_1"), login(1), None))
"""
    assert lines(code, tmp_path) == ["auth_write_failed read_only EROFS"] * 5 + [
        "True acct_1",
        "auth_write_failed read_only EROFS",
    ]


# L4
def test_a_single_mounted_file_is_explained(tmp_path: Path) -> None:
    code = """
save(slot, login(1), None)
outside = here.parent / "outside.json"
outside.write_bytes(slot.path.read_bytes())
outside.chmod(0o600)
mount("--bind", str(outside), str(slot.path))
attempt(lambda: save(slot, login(2), login(1).fingerprint))
try:
    save(slot, login(2), login(1).fingerprint)
except SignInError as error:
    print(error.next_actions[0])
print(slot.load() == login(2), {name.rpartition(".")[2] for name in tree(here)} - {"logins", "json"})
"""
    assert lines(code, tmp_path) == [
        "auth_write_failed busy_mount EBUSY",
        "Mount the directory, not the single file.",
        "True {'rescue'}",
    ]


RESERVE = """
fingerprint = login(1).fingerprint
new = renewed(login(1), 2)
def fill():
    fd = os.open(here / "fill", os.O_CREAT | os.O_WRONLY)
    try:
        while True: os.write(fd, bytes(512))
    except OSError: os.close(fd)
"""


def test_f11_a_full_disk_is_known_before_anything_is_spent(tmp_path: Path) -> None:
    code = (
        RESERVE
        + """
mount("-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(here))
save(slot, login(1), None)
before = tree(here)
fill()
held = locked(slot)
attempt(lambda: held.reserve(login(1)))
held.release()
(here / "fill").unlink()
print(slot.load() == login(1), tree(here) == before)
"""
    )
    assert lines(code, tmp_path) == ["auth_write_failed disk_full ENOSPC", "True True"]


def test_f12_a_disk_that_fills_up_after_the_reservation_costs_nothing(tmp_path: Path) -> None:
    code = (
        RESERVE
        + """
mount("-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(here))
save(slot, login(1), None)
with locked(slot) as held:
    held.reserve(login(1))
    fill()
    print(held.save(new, fingerprint))
print(slot.load() == new)
"""
    )
    assert lines(code, tmp_path) == ["Saved()", "True"]


def test_f12_a_disk_that_fills_up_does_not_keep_an_intent(tmp_path: Path) -> None:
    code = (
        RESERVE
        + """
mount("-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(here))
save(slot, login(1), None)
with locked(slot) as held:
    held.reserve(login(1))
    fill()
print(slot.load() == login(1))
"""
    )
    assert lines(code, tmp_path) == ["True"]


def test_f13_a_read_only_disk_is_known_before_anything_is_spent(tmp_path: Path) -> None:
    code = (
        RESERVE
        + """
mount("-t", "tmpfs", "-o", "mode=0700", "none", str(here))
save(slot, login(1), None)
mount("-o", "remount,bind,ro", str(here))
attempt(lambda: slot.lock())
attempt(lambda: slot.rescue(login(5)))
print(slot.load() == login(1))
"""
    )
    assert lines(code, tmp_path) == ["auth_write_failed read_only EROFS"] * 2 + ["True"]


def test_f11_a_disk_without_room_for_names_is_known_before_anything_is_spent(tmp_path: Path) -> None:
    code = (
        RESERVE
        + """
mount("-t", "tmpfs", "-o", "nr_inodes=5,mode=0700", "none", str(here))
save(slot, login(1), None)
held = locked(slot)
attempt(lambda: held.reserve(login(1)))
held.release()
print(slot.load() == login(1), list(tree(here)))
"""
    )
    assert lines(code, tmp_path) == [
        "auth_write_failed disk_full ENOSPC",
        "True ['logins', 'logins/acct_1.json']",
    ]


# L4
def test_a_single_mounted_file_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    code = (
        RESERVE
        + """
save(slot, login(1), None)
outside = here.parent / "outside.json"
outside.write_bytes(slot.path.read_bytes())
outside.chmod(0o600)
mount("--bind", str(outside), str(slot.path))
held = locked(slot)
attempt(lambda: held.reserve(login(1)))
held.release()
print(slot.load() == login(1), list(tree(here)))
"""
    )
    assert lines(code, tmp_path) == [
        "auth_write_failed busy_mount EBUSY",
        "True ['logins', 'logins/acct_1.json']",
    ]
