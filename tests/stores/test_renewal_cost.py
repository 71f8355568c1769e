"""What one renewal costs the file system: every look at a file has a reason, and no look is taken twice."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import FileStore
from codex_oauth.authority import Approve, Authority, Policy
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth.testing.checking import locked
from codex_oauth.worlds.storing import StoringWorld
from codex_oauth.worlds.world import run
from codex_oauth_core import Credential, DeviceFlow, Record, Renewal, Renewed

LOOKS = 4
"""Before the lock, under it, when the intent is marked, and when the answer is stored."""


def test_a_renewal_reads_the_login_four_times_and_waits_for_the_disk_five_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(policy=Policy(approve=Approve.AUTO))
    credential = run(DeviceFlow(), FakeWorld(answered_by(authority), wall=time.time() - 863_000))
    assert isinstance(credential, Credential)
    store, key = FileStore(tmp_path / "home"), credential.key
    with locked(store.slot(key)) as held:
        held.save(Record(credential), None)
    counts = Counter[str]()
    really_open, really_sync = os.open, os.fsync

    def opens(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if str(path) == f"{key}.json" and flags & os.O_ACCMODE == os.O_RDONLY:
            counts["reads"] += 1
        return really_open(path, flags, *rest, **options)

    def syncs(fd: int) -> None:
        counts["syncs"] += 1
        really_sync(fd)

    monkeypatch.setattr(os, "open", opens)
    monkeypatch.setattr(os, "fsync", syncs)
    with StoringWorld(FakeWorld(answered_by(authority), wall=time.time()), store, key) as world:
        assert isinstance(run(Renewal(forced=True), world), Renewed)
    assert counts == {"reads": LOOKS, "syncs": 5}
