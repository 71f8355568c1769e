"""What the processes share: the places of a store and the files of each, as `FileStore` keeps them, and who may
hold their locks.

Rules of this file: every method is one step of a file system (a rename, a write that was synced, a lock call),
so a crash can fall between any two of them and never within one; it judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from codex_oauth_core import Record

__all__ = ["Copy", "Disk", "Home", "Medium"]


@attrs.define(eq=False)
class Copy:
    """A file beside the login. `record` None: space that was reserved and not yet filled. `rescued`: it has
    the name that says that it is complete, and is meant for whoever takes the lock next.
    """

    record: Record | None
    rescued: bool = False


@attrs.define(eq=False)
class Medium:
    """What all places are on. `full`: no new file can be written; what was reserved is there. `sticky`: no file
    can be removed, as where a virus scanner holds it open. `broken`: nothing can be written or renamed.
    """

    full: bool = False
    sticky: bool = False
    broken: bool = False


@attrs.define(eq=False)
class Disk:
    """One place: the files of the login that is kept under the name `name`. `unreadable`: the login's file cannot
    be read, as where a backup has linked it. `hidden`: the file was taken away, and may come back.
    """

    name: str
    medium: Medium
    changed: Callable[[int, Record | None, Record | None], None]
    """Is told of every change of the login: who, what was there, what is there."""
    main: Record | None = None
    copies: dict[int, Copy] = attrs.field(factory=dict[int, Copy])
    unreadable: bool = False
    hidden: Record | None = None
    lock_file: int = 0
    """The inode of the lock's file; a new number each time that somebody removes it."""
    holders: dict[int, int] = attrs.field(factory=dict[int, int])
    """Which process holds the kernel's lock on which inode."""
    _next: int = 0

    def write(self, record: Record | None) -> int | None:
        """A new temporary file, synced; None if there is no space."""
        if self.medium.full or self.medium.broken:
            return None
        self._next += 1
        self.copies[self._next] = Copy(record)
        return self._next

    def fill(self, name: int, record: Record) -> bool:
        """Write into reserved space; False if somebody has removed it, or it cannot be written."""
        copy = self.copies.get(name)
        if copy is None or self.medium.broken:
            return False
        copy.record = record
        return True

    def put_in_place(self, name: int, pid: int) -> bool:
        """Rename a copy to the login's name; False if somebody has removed it, or it cannot be renamed."""
        copy = None if self.medium.broken else self.copies.pop(name, None)
        if copy is None or copy.record is None:
            return False
        before, self.main = self.main, copy.record
        self.changed(pid, before, self.main)
        return True

    def set_aside(self, name: int) -> bool:
        """Rename a copy to a rescue; False if somebody has removed it, or it cannot be renamed. Whoever has listed
        it under its former name finds nothing there.
        """
        copy = None if self.medium.broken else self.copies.pop(name, None)
        if copy is None:
            return False
        self._next += 1
        self.copies[self._next] = attrs.evolve(copy, rescued=True)
        return True

    def remove(self, name: int | None) -> None:
        """Remove a copy, if it is there and can be removed."""
        if name is not None and not self.medium.sticky and not self.medium.broken:
            self.copies.pop(name, None)

    def remove_login(self, pid: int) -> None:
        """Remove the login itself."""
        before, self.main = self.main, None
        self.changed(pid, before, None)

    def take_away(self) -> None:
        """Somebody moves the login's file away: a manager of configuration files, say."""
        if self.main is not None:
            self.hidden, self.main = self.main, None

    def bring_back(self) -> None:
        """And puts it back, unless there is a new one."""
        if self.main is None and self.hidden is not None:
            self.main = self.hidden
        self.hidden = None

    def lock(self, pid: int) -> int | None:
        """Lock the lock's file; None if somebody has it."""
        if self.lock_file in self.holders:
            return None
        self.holders[self.lock_file] = pid
        return self.lock_file

    def unlock(self, inode: int) -> None:
        """Give a lock back."""
        self.holders.pop(inode, None)

    def remove_lock_file(self) -> None:
        """What a third party may do: whoever opens the lock's file next gets another one."""
        self.lock_file += 1

    def died(self, pid: int) -> None:
        """The kernel frees all locks of a process that ended. Its files stay."""
        for inode in [inode for inode, holder in self.holders.items() if holder == pid]:
            del self.holders[inode]


@attrs.define(eq=False)
class Home:
    """A store: its places by their names, and the pointer to the one in use."""

    changed: Callable[[int, Disk, Record | None, Record | None], None]
    """Is told of every change of a login: who, where, what was there, what is there."""
    medium: Medium = attrs.field(factory=Medium)
    selected: str | None = None
    places: dict[str, Disk] = attrs.field(factory=dict[str, Disk])

    def place(self, name: str) -> Disk:
        """The place with that name, whether there is a login or not."""
        if name not in self.places:
            self.places[name] = Disk(name, self.medium, partial(self._changed, name))
        return self.places[name]

    def _changed(self, name: str, pid: int, old: Record | None, new: Record | None) -> None:
        self.changed(pid, self.places[name], old, new)

    def records(self) -> list[Record]:
        """Every login that is stored, or was taken away for a while."""
        found = [each for disk in self.places.values() for each in (disk.main, disk.hidden)]
        return [record for record in found if record is not None]

    def died(self, pid: int) -> None:
        """The kernel frees all locks of a process that ended. Its files stay."""
        for disk in self.places.values():
            disk.died(pid)
