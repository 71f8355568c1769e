"""What a `login start` that was killed leaves behind, and who removes it."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from codex_oauth.authority import Approve, Authority, AuthorityServer, Policy, serve
from codex_oauth.cli.login_steps import PENDING_DIRECTORY, PendingRecord, PendingSignIns
from codex_oauth.stores.names import CUT_OFF
from tests.checkpoints.test_steps import home_of, start
from tests.cli.commands import run_command


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    """An authority that approves by itself."""
    with serve(Authority(policy=Policy(approve=Approve.AUTO, interval=1))) as server:
        yield server


def test_what_a_killed_start_left_is_removed_once_nobody_writes_it_any_more(tmp_path: Path) -> None:
    """It may hold the id that the server issued for the device."""
    pending = PendingSignIns(tmp_path / "home")
    pending.add(PendingRecord({}, 9e9))
    inside = tmp_path / "home" / PENDING_DIRECTORY
    (live,) = inside.iterdir()
    left = inside / f"00000000000000aa.json.{'0' * 15}f.tmp"
    mine = [inside / "notes.json.0123456789abcdef.tmp", inside / f"{left.name}.bak"]
    for path in (left, *mine):
        path.write_text("canary")
        os.utime(path, (1000.0, 1000.0))
    pending.sweep(1000.0 + CUT_OFF - 1)
    pending.sweep(1000.0 - CUT_OFF + 1)  # a clock that was set back
    assert left.exists()
    pending.sweep(1000.0 + CUT_OFF)
    assert set(inside.iterdir()) == {live, *mine}
    left.write_text("canary")
    os.utime(left, (9e8, 9e8))
    pending.sweep(1000.0)  # of a clock that was ahead
    assert set(inside.iterdir()) == {live, *mine}


@pytest.mark.parametrize("words", [("start", "--device"), ("finish", "0123456789abcdef")])
def test_every_step_removes_what_a_killed_start_left(
    tmp_path: Path, server: AuthorityServer, words: tuple[str, ...]
) -> None:
    start(tmp_path, server)
    left = home_of(tmp_path) / PENDING_DIRECTORY / "00000000000000aa.json.0123456789abcdef.tmp"
    left.write_text("canary")
    os.utime(left, (1000.0, 1000.0))
    issuer = ("--issuer", server.url) if words[0] == "start" else ()
    run_command(tmp_path, "login", *words, *issuer)
    assert not left.exists()
