"""What a slot reads twice it parses once, and nobody can tell by what he gets."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import cast

import attrs
import pytest

from codex_oauth.stores import files, login_file
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.store import Held
from codex_oauth.testing.checking import renewed, sample
from codex_oauth_core import Record
from codex_oauth_core.record import read_record, write_record

KEY = sample(1).credential.key


class Reads:
    """How often bytes became a record."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, data: bytes) -> object:
        """`read_record`, counted."""
        self.number += 1
        return read_record(data)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    counted = Reads()
    monkeypatch.setattr(login_file, "read_record", counted)
    return counted


def locked(store: FileStore) -> Held:
    held = store.slot(KEY).lock()
    assert held is not None
    return held


def stored(home: Path, record: Record) -> FileStore:
    store = FileStore(home)
    with locked(store) as held:
        held.save(record, None)
    return store


def test_a_slot_that_has_read_something_is_pickled_as_one_that_has_not(tmp_path: Path) -> None:
    slot = stored(tmp_path, sample(1)).slot(KEY)
    assert slot.load() == sample(1)
    kept = pickle.dumps(slot)
    assert sample(1).credential.access_token.reveal().encode() not in kept
    assert pickle.loads(kept).load() == copy.deepcopy(slot).load() == sample(1)


def test_who_locks_marks_and_saves_a_login_reads_it_once(tmp_path: Path, reads: Reads) -> None:
    old, new = sample(1), renewed(sample(1), 2)
    store = stored(tmp_path, old)
    reads.number = 0
    with locked(store) as held:
        held.reserve(old)  # what is marked is read back
        held.save(new, old.fingerprint)  # and so is what is saved; the marked one was never read
    assert reads.number == 4  # without the memory it would be 5
    assert store.slot(KEY).load() == new


@pytest.mark.parametrize("size", [0, 3, 4, 5, 8, 9, 10, 11, 100])
@pytest.mark.parametrize("longest", [3, 8, 9])
def test_of_a_long_file_one_byte_more_than_the_longest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, longest: int
) -> None:
    monkeypatch.setattr(files, "_PIECE", 4)
    content = bytes(range(size))
    path = tmp_path / "file"
    path.write_bytes(content)
    path.chmod(0o600)
    directory = files.open_directory(tmp_path)
    assert directory is not None
    with directory:
        found = files.read_file(directory, "file", longest)
    assert found is not None
    assert found.reveal() == content[: longest + 1]


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    store = stored(tmp_path, sample(1))
    slot, path = store.slot(KEY), tmp_path / "logins" / f"{KEY}.json"
    assert slot.load() == sample(1)
    path.write_bytes(write_record(renewed(sample(1), 2)))
    assert slot.load() == renewed(sample(1), 2)
    path.write_bytes(write_record(sample(1)))
    assert slot.load() == sample(1)


@pytest.mark.parametrize("unknown", [{}, {"later": [1]}])
def test_what_is_loaded_twice_has_two_mappings(tmp_path: Path, unknown: dict[str, list[int]]) -> None:
    record = attrs.evolve(sample(1), unknown=unknown)
    slot = stored(tmp_path, record).slot(KEY)
    first = slot.load()
    assert first is not None
    cast("dict[str, object]", first.unknown)["more"] = 1
    assert slot.load() == record
