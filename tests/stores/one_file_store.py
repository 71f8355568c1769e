"""A right store that keeps everything in one JSON file: for broken ones to be made of.

Rules of this file: what a broken store changes is a method of its own; the example of docs/stores.md keeps rows, and
this one a document, so the two break in different ways.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import attrs

from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth.stores.toolkit import (
    SEND_BY,
    Intent,
    Record,
    best_leftover,
    check_key,
    draw_owner,
    instant,
    is_pending,
    our_intent,
    read_record,
    write_record,
)
from codex_oauth_core import ErrorKind, SignInError

__all__ = ["OneFileHeld", "OneFileSlot", "OneFileStore", "opened"]

Document = dict[str, Any]


def opened(written: str) -> Record:
    """The record that was written. Raises SignInError."""
    found = read_record(written.encode())
    if isinstance(found, SignInError):
        raise found
    return found


class OneFileStore:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "logins.json"

    def read(self) -> Document:
        found: Document = (
            json.loads(self.path.read_text()) if self.path.exists() else {"current": None, "places": {}}
        )
        return found

    def write(self, document: Document) -> None:
        beside = self.folder / f"{draw_owner()}.tmp"
        beside.write_text(json.dumps(document))
        beside.replace(self.path)

    @contextmanager
    def changing(self) -> Generator[Document]:
        """The document, which is written at the end, unless something was raised."""
        with self.one_at_a_time():
            document = self.read()
            yield document
            self.write(document)

    @contextmanager
    def one_at_a_time(self) -> Generator[None]:
        with (self.folder / "mutex").open("w") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            yield

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(key for key in self.read()["places"] if self.slot(key).load() is not None))

    def current(self) -> str | None:
        key: str | None = self.read()["current"]
        return key if key in self.names() else None

    def select(self, key: str | None) -> None:
        if key is not None:
            check_key(key)
        with self.changing() as document:
            document["current"] = key

    def prepare(self) -> None:
        with self.changing():
            """It can be written."""

    def slot(self, key: str) -> OneFileSlot:
        check_key(key)
        return OneFileSlot(self, key)


@attrs.frozen
class OneFileSlot:
    store: OneFileStore = attrs.field(repr=False)
    key: str

    def place(self, document: Document) -> Document:
        found: Document = document["places"].setdefault(self.key, {"record": None, "rescued": []})
        return found

    def stored(self, place: Document) -> Record | None:
        return None if place["record"] is None else opened(place["record"])

    def rescued(self, place: Document) -> list[Record]:
        return [opened(each) for each in place["rescued"]]

    def written(self, record: Record) -> str:
        if self.key not in record.credential.identity.names:
            raise ValueError("the record is another login's")
        return write_record(record).decode()

    def load(self) -> Record | None:
        place = self.place(self.store.read())
        stored = self.stored(place)
        return best_leftover(stored, self.rescued(place)) or stored

    def lock(self) -> OneFileHeld | None:
        lock = os.open(self.store.folder / f"{self.key}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        with self.store.changing() as document:
            place = self.place(document)
            stored = self.stored(place)
            if stored is not None and stored.intent is not None and is_pending(stored.intent):
                self.refused(lock)
                return None
            found = best_leftover(stored, self.rescued(place))
            if found is not None:
                place["record"] = self.written(found)
            if found is not None or stored is not None:
                place["rescued"] = []
        return OneFileHeld(self, lock, found or stored)

    def refused(self, lock: int) -> None:
        os.close(lock)

    def rescue(self, record: Record) -> None:
        written = self.written(record)
        with self.store.changing() as document:
            self.place(document)["rescued"].append(written)


class OneFileHeld:
    def __init__(self, slot: OneFileSlot, lock: int, found: Record | None) -> None:
        self.slot, self.store, self.lock = slot, slot.store, lock
        self.found, self.untouched = found, True
        self.owner = draw_owner()
        self.before: list[Intent | None] = []  # one, where an intent of ours is marked
        self.reserving_since: float | None = None

    def load(self) -> Record | None:
        return self.found if self.untouched else self.slot.stored(self.slot.place(self.store.read()))

    @contextmanager
    def changing(self) -> Generator[Document]:
        """Our place in the document."""
        if self.lock < 0:
            raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="lock_lost")
        with self.store.changing() as document:
            self.untouched = False
            yield self.slot.place(document)

    def reserve(self, record: Record) -> None:
        self.reserving_since, asked_at = None, instant()
        with self.changing() as place:
            stored = self.slot.stored(place)
            if stored is None or stored.fingerprint != record.fingerprint:
                raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="changed")
            place["record"] = self.slot.written(attrs.evolve(stored, intent=our_intent(self.owner)))
            self.before = self.before or [stored.intent]
        self.reserving_since = asked_at

    def sending(self) -> bool:
        since = self.reserving_since
        return self.lock >= 0 and since is not None and instant() - since <= SEND_BY

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        try:
            written = self.slot.written(record)
            with self.changing() as place:
                stored = self.slot.stored(place)
                if stored != record:
                    if (None if stored is None else stored.fingerprint) != expected:
                        return Conflict(stored)
                    place["record"] = written
        except SignInError as error:
            self.before = []
            raise SaveFailed(error) from error
        self.before = []
        return Saved()

    def delete(self, expected: str | None, *, even_corrupt: bool = False) -> Deleted | Conflict:
        with self.changing() as place:
            stored, newer = self.slot.stored(place), best_leftover(None, self.slot.rescued(place))
            if newer is not None or (None if stored is None else stored.fingerprint) != expected:
                return Conflict(newer or stored)
            place.update(record=None, rescued=[])
        self.before = []
        return Deleted()

    def release(self) -> None:
        if self.lock < 0:
            return
        if self.before:
            with self.changing() as place:
                self.take_back(place)
        self.give_back()

    def take_back(self, place: Document) -> None:
        stored = self.slot.stored(place)
        if stored is not None:
            place["record"] = self.slot.written(attrs.evolve(stored, intent=self.before[0]))

    def give_back(self) -> None:
        lock, self.lock = self.lock, -1
        os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None = None, *exc_info: object) -> None:
        if exc_type is not None:
            self.before = []
        self.release()
