"""Disks that are full or cannot be written: no refresh token is spent that could not be replaced. F11, F13.

Rules of this file: the disks are real ones, in a mount namespace of their own; what the authority received
is what counts; when the disk is well again, all is well.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from errno import EACCES, EFBIG, ENOSPC, EROFS
from pathlib import Path
from typing import Final

import attrs

from codex_oauth_core.record import write_record
from tests.storm import commands
from tests.storm.commands import Said, Stored
from tests.storm.logins import ADVISORY, EXPIRED, MANDATORY, Ground, authority, grant
from tests.storm.nursery import Nursery
from tests.storm.tally import Row, Tally
from tests.users import NOBODY, place_for_all

__all__ = ["CASES", "MOUNTED", "UNMOUNTED", "UNSHARE", "Case", "can_mount", "without_room"]

UNSHARE: Final = ("unshare", "--mount", "--map-root-user")
STORAGE: Final = 6


@functools.cache
def can_mount() -> bool:
    """Whether this machine lets us have disks of our own."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        [*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


@attrs.frozen
class Case:
    """One way in which a disk takes nothing. `uid` and `longest` are those of the command."""

    name: str
    options: str | None
    spoil: Callable[[Nursery, Path], object]
    repair: Callable[[Nursery, Path], object]
    errno: int
    """What the system says, which the command tells."""
    uid: int | None = None
    longest: int | None = None


def _fill(nursery: Nursery, place: Path) -> None:
    nursery.run(commands.fill, place)


def _fill_names(nursery: Nursery, place: Path) -> None:
    nursery.run(commands.fill_names, place)


def _empty(nursery: Nursery, place: Path) -> None:
    nursery.run(commands.empty, place)


def _remounted(options: str) -> Callable[[Nursery, Path], object]:
    return lambda nursery, place: nursery.run(commands.remount, place, options)


def _modes(mode: int) -> Callable[[Nursery, Path], object]:
    def change(nursery: Nursery, place: Path) -> None:
        for path in (place / "home" / "logins", place / "home"):
            path.chmod(mode)

    return change


def _nothing(nursery: Nursery, place: Path) -> None:
    """The limit is the command's own."""


CASES: Final = (
    Case("full (ENOSPC)", "size=64k", _fill, _empty, ENOSPC),
    Case("no room for names", "size=1m,nr_inodes=9", _fill_names, _empty, ENOSPC),
    Case("read-only mount (EROFS)", "size=64k", _remounted("ro"), _remounted("rw"), EROFS),
    Case("RLIMIT_FSIZE", None, _nothing, _nothing, EFBIG, longest=8192),
    Case("directory 0500, not root", None, _modes(0o500), _modes(0o700), EACCES, uid=NOBODY),
)

MOUNTED: Final = tuple(case for case in CASES if case.options is not None)
UNMOUNTED: Final = tuple(case for case in CASES if case.options is None)


def without_room(nursery: Nursery, cases: Sequence[Case] = CASES) -> Row:
    """`codex-oauth token` with nowhere to write. `nursery` may mount, if a case needs a mount."""
    tally = Tally("no room to write", 1)
    with authority() as server:
        for case in cases:
            for left in (EXPIRED, MANDATORY, ADVISORY):
                with tempfile.TemporaryDirectory(prefix="storm-", dir=place_for_all()) as name:
                    place = Path(name)
                    record = grant(server, left)
                    mark = Ground.mark_of(server)
                    ground = Ground(server, place / "home", record, mark)
                    _round(tally, nursery, ground, case, left)
                    if case.options is not None:
                        nursery.run(commands.unmount, place)
    tally.notes = ", ".join(case.name for case in cases)
    return tally.row


def _round(tally: Tally, nursery: Nursery, ground: Ground, case: Case, left: float) -> None:
    place, home = ground.home.parent, ground.home
    if case.options is not None:
        nursery.run(commands.mount, place, case.options)
    _give(place, case.uid)
    nursery.run(commands.store, home, write_record(ground.before), case.uid)
    before: Stored = nursery.run(commands.stored, home, ground.key, case.uid)
    case.spoil(nursery, place)
    said: Said = nursery.run(commands.command, home, case.uid, case.longest)
    where = f"{case.name}, {left:.0f} s left:"
    if left == EXPIRED:
        tally.check((said.code, said.out) == (STORAGE, ""), f"{where} {said}")
    else:
        tally.check((said.code, said.out) == (0, ground.old), f"{where} {said}")
    tally.check(os.strerror(case.errno) in said.err or left != EXPIRED, f"{where} said {said.err!r}")
    tally.check(ground.sent == 0, f"{where} {ground.sent} sent")
    case.repair(nursery, place)
    after: Stored = nursery.run(commands.stored, home, ground.key, case.uid)
    tally.check(after == before, f"{where} {before} became {after}")
    _check_well(tally, nursery, ground, case, left, where)


def _check_well(tally: Tally, nursery: Nursery, ground: Ground, case: Case, left: float, where: str) -> None:
    """With room again the login is renewed. In the advisory window the old token is printed, and good."""
    said: Said = nursery.run(commands.command, ground.home, case.uid, None)
    now: Stored = nursery.run(commands.stored, ground.home, ground.key, case.uid)
    tally.check(said.code == 0 and said.out in (now.token, ground.old), f"{where} then {said}")
    tally.check(said.out == now.token or left == ADVISORY, f"{where} then the old token")
    tally.check((now.generation, now.in_doubt, len(now.names)) == (1, False, 2), f"{where} then {now}")
    tally.check_one_exchange(ground, where)
    tally.rounds += 1
    tally.sent += ground.sent


def _give(place: Path, uid: int | None) -> None:
    if uid is not None:
        place.chmod(0o755)  # those who are not its owner come to the home through it
        (place / "home").mkdir(mode=0o700)
        os.chown(place / "home", uid, uid)
