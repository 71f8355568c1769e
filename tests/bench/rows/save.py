"""P10: a login of 3 KB is saved, and stays after a power cut.

Rules of this file: everybody writes the same bytes into the same file system; the floor is what durability
needs and nothing else.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from codex_oauth import FileStore
from codex_oauth_core import Record, Secret
from codex_oauth_core.record import write_record
from tests.bench.contest import Contestant, contest, figures, turn
from tests.bench.logins import ACCOUNT, credential, keep
from tests.bench.ratios import Result, Target

UNIT = "bare sequence"


def bare(folder: Path, content: bytes) -> None:
    """Temporary file, fsync, replace, fsync of the directory."""
    fd = os.open(folder / "login.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
    (folder / "login.tmp").replace(folder / "login")
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def measure(rounds: int) -> Result:
    """The row."""
    with TemporaryDirectory() as home:
        store, first = FileStore(Path(home) / "home"), credential()
        keep(store, first)
        slot = store.slot(ACCOUNT)
        other = attrs.evolve(first, refresh_token=Secret("fake-refresh-token-" + "y" * 181))
        records = itertools.cycle((Record(other), Record(first)))
        content = write_record(Record(first))

        def save() -> float:
            held = slot.lock()
            assert held is not None
            with held:
                before = held.load()
                assert before is not None
                record = next(records)
                return turn(lambda: held.save(record, before.fingerprint), 1)

        def locked() -> None:
            held = slot.lock()
            assert held is not None
            with held:
                before = held.load()
                assert before is not None
                held.save(next(records), before.fingerprint)

        all_of = [
            Contestant(
                UNIT,
                "temp, write, fsync, replace, fsync(dir)",
                lambda: turn(lambda: bare(Path(home), content), 1),
            ),
            Contestant("codex-oauth", "FileLockedLogin.save(record, expected)", save, ours=True),
            Contestant(
                "with lock and load",
                "slot.lock(), load(), save(), release",
                lambda: turn(locked, 1),
                ours=True,
            ),
        ]
        times = contest(all_of, rounds, UNIT)
    targets = (Target("of the bare sequence", times.ratio("codex-oauth"), 1.4),)
    notes = (f"The document has {len(content)} bytes.",)
    return Result("P10", UNIT, figures(all_of, times), targets, notes=notes)
