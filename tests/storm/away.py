"""The login cannot be read, or is away, while a process renews it: at each point, in each way. F11, F12, R11.

Rules of this file: the login is spoiled while the process stands still, and well again before the process goes
on, or after the process has ended; nothing that the server answered is lost, and nothing is sent twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from codex_oauth_core import RenewalPolicy
from tests.storm import work
from tests.storm.holds import LOCK_LIMIT, Hold, holding, spread
from tests.storm.kills import points_of
from tests.storm.logins import Ground, authority
from tests.storm.nursery import Nursery
from tests.storm.tally import Row, Tally
from tests.storm.work import Ended, Job

__all__ = ["WAYS", "disk_away", "spoiled"]

_SHORT: Final = RenewalPolicy(lock_limit=LOCK_LIMIT, expired_lock_limit=LOCK_LIMIT)
_BACK_AFTER: Final = 0.3

Undo = Callable[[], object]
Way = Callable[[Path], Undo]


def _beside(file: Path, name: str) -> Path:
    return file.parent.parent / f"{name}-{file.name}"


def _hard_linked(file: Path) -> Undo:
    """A backup links it for a moment."""
    copy = _beside(file, "backup")
    os.link(file, copy)
    return copy.unlink


def _moved(file: Path) -> Undo:
    """Somebody moves it aside, and back if nothing has come there."""
    aside = _beside(file, "aside")
    file.rename(aside)
    return lambda: None if file.exists() else aside.rename(file)


def _replaced(put: Callable[[Path], object], remove: Callable[[Path], object] = Path.unlink) -> Way:
    """Something else stands in its place for a while, or until a login has come there."""

    def spoil(file: Path) -> Undo:
        back = _moved(file)
        put(file)
        number = file.lstat().st_ino

        def undo() -> None:
            with suppress(FileNotFoundError):  # it was put aside already, as what could not be read
                if file.lstat().st_ino == number:
                    remove(file)
            back()

        return undo

    return spoil


def _cut(left: int) -> Callable[[Path], object]:
    """Only its first bytes are there."""

    def put(file: Path) -> None:
        file.touch(mode=0o600)
        file.write_bytes(_beside(file, "aside").read_bytes()[:left])

    return put


def _of_a_later_release(file: Path) -> None:
    file.touch(mode=0o600)
    text = _beside(file, "aside").read_text()
    file.write_text(text.replace('"schema_version": 1', '"schema_version": 999'))


def _given_away(file: Path) -> Undo:
    """It belongs to another user for a moment. Only root can do that."""
    os.chown(file, 12345, 12345)

    def undo() -> None:
        if file.stat().st_uid == 12345:
            os.chown(file, os.geteuid(), os.getegid())

    return undo


WAYS: Final[Mapping[str, Way]] = {
    "hard link": _hard_linked,
    "moved away": _moved,
    "symlink to itself": _replaced(lambda file: file.symlink_to(file)),
    "pipe": _replaced(os.mkfifo),
    "directory": _replaced(Path.mkdir, Path.rmdir),
    "cut": _replaced(_cut(40)),
    "empty": _replaced(_cut(0)),
    "later release": _replaced(_of_a_later_release),
    **({"another owner": _given_away} if os.geteuid() == 0 else {}),
}
"""What can come over a login's file, and how it is undone."""


def _ask(nursery: Nursery, ground: Ground) -> Ended:
    """One more program wants a token, and does not wait for long."""
    child = nursery.fork(work.token, Job(ground.home, ground.key, policy=_SHORT))
    child.hear()
    child.tell()
    ended: Ended = child.result()
    return ended


@attrs.frozen
class _Round:
    hold: Hold
    spoil: Way
    where: str

    @property
    def ground(self) -> Ground:
        return self.hold.ground


def _rounds(
    nursery: Nursery, server_home: Path, rounds: int, ways: Mapping[str, Way], tally: Tally
) -> Iterator[_Round]:
    """So many rounds, over all points and all ways. Each is checked when it is over."""
    with authority() as server:
        names = points_of(nursery, Ground.of(server, server_home / "dry"))
        named = list(ways.items())
        for number, point in enumerate(spread(rounds, names)):
            name, spoil = named[number % len(named)]
            ground = Ground.of(server, server_home / f"{number}")
            hold = holding(nursery, ground, names, point, "hold")
            where = f"{name}, {hold.where}"
            yield _Round(hold, spoil, where)
            _check_kept(tally, nursery, ground, where)


def spoiled(nursery: Nursery, home: Path, rounds: int, ways: Mapping[str, Way] = WAYS) -> Row:
    """The login cannot be read for a moment, or until the process has ended; others ask for it meanwhile."""
    tally = Tally("the login cannot be read meanwhile", 3)
    beside = 0
    for number, it in enumerate(_rounds(nursery, home / "spoiled", rounds, ways, tally)):
        undo = it.spoil(it.ground.slot.path)
        _ask(nursery, it.ground)
        for_a_moment = number // len(ways) % 2 == 0
        if for_a_moment:
            undo()
        it.hold.child.tell()
        it.hold.child.result()
        if not for_a_moment:
            beside += bool(it.ground.leftovers())
            undo()
    tally.check(rounds < 2 * len(ways) or beside > 0, "nothing was kept beside")
    tally.notes = f"{', '.join(ways)}; kept beside {beside}"
    return tally.row


def disk_away(nursery: Nursery, home: Path, rounds: int) -> Row:
    """The directory of the logins is gone, and comes back while the process goes on: as a disk that fails."""
    tally = Tally("the disk is away for a moment", 2)
    for it in _rounds(nursery, home / "disk", rounds, {"the disk": _directory_moved}, tally):
        undo = it.spoil(it.ground.slot.path)
        it.hold.child.tell()
        time.sleep(_BACK_AFTER)
        undo()
        it.hold.child.result()
    return tally.row


def _directory_moved(file: Path) -> Undo:
    """The whole directory is moved aside, and back."""
    place, aside = file.parent, file.parent.parent / "unmounted"
    place.rename(aside)

    def undo() -> None:
        with suppress(OSError):  # somebody made a new one, which is empty but for a lock
            for path in place.iterdir():
                path.unlink()
            place.rmdir()
        aside.rename(place)

    return undo


def _check_kept(tally: Tally, nursery: Nursery, ground: Ground, where: str) -> None:
    """One token was spent, and what came of it is stored: at the latest when the next one has asked."""
    last = _ask(nursery, ground)
    lock = ground.slot.lock()  # who only reads takes nothing over
    assert lock is not None
    lock.release()
    tally.check_one_exchange(ground, where)
    stored = ground.stored
    good = stored is not None and stored.generation == 1 and stored.is_renewable and not stored.in_doubt
    tally.check(good and last.token == ground.new != ground.old, f"{where} then {last}")
    left = {name for name in ground.leftovers() if ".corrupt-" not in name}  # which is kept on purpose
    tally.check(left == set(), f"{where} {left} is left")
    tally.count(ground)
