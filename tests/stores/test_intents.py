"""Whose intent keeps others out: a live process's, and anybody's who cannot be looked at, for its life."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.stores import locks
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.locks import INTENT_LIFE, is_alive, our_intent
from codex_oauth_core.record import Intent, write_record
from tests.stores.logins import locked, login, names, renewed


@pytest.fixture
def process() -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def intend(slot: FileSlot, pid: int, *, age: float = 0.0, host: str | None = None, owner: str = "") -> None:
    intent = Intent(pid, host or our_intent().host, time.time() - age, owner)
    slot.path.write_bytes(write_record(login(1, intent=intent)))


def is_busy(slot: FileSlot) -> bool:
    held = slot.lock()
    if held is not None:
        held.release()
    return held is None


@pytest.mark.parametrize("age", [0.0, 15.0, -15.0, INTENT_LIFE - 5, 5 - INTENT_LIFE])
def test_f9_a_live_processs_young_intent_is_busy(
    slot: FileSlot, process: subprocess.Popen[bytes], age: float
) -> None:
    intend(slot, process.pid, age=age)
    assert is_busy(slot)


@pytest.mark.parametrize("age", [INTENT_LIFE + 1, 3600.0, -INTENT_LIFE - 1, -3600.0])
def test_an_intent_ends_after_its_life_and_with_a_clock_that_was_set_back(
    slot: FileSlot, process: subprocess.Popen[bytes], age: float
) -> None:
    intend(slot, process.pid, age=age)
    assert not is_busy(slot)


# F8
def test_a_stopped_process_is_alive(slot: FileSlot, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGSTOP)
    intend(slot, process.pid)
    assert is_busy(slot)


# F9
def test_a_dead_processs_intent_is_none(slot: FileSlot, process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    intend(slot, process.pid)
    assert not is_busy(slot)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="zombies are seen in /proc only")
def test_a_zombie_is_dead(slot: FileSlot) -> None:
    if (pid := os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", ""], {})) > 0:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        try:
            intend(slot, pid)
            assert not is_busy(slot)
        finally:
            os.waitpid(pid, 0)


@pytest.mark.parametrize("pid", [0, 1, None, 2**31 - 1])
def test_r0_a_process_of_another_host_cannot_be_asked_and_may_act_for_its_intents_life(
    slot: FileSlot, pid: int | None
) -> None:
    intend(slot, os.getpid() if pid is None else pid, host="elsewhere.example", age=INTENT_LIFE - 5)
    assert is_busy(slot)
    intend(slot, os.getpid() if pid is None else pid, host="elsewhere.example", age=INTENT_LIFE)
    assert not is_busy(slot)


def test_r0_one_with_our_number_that_we_did_not_mark_is_somebody_elses(slot: FileSlot) -> None:
    """In a container of its own, say, or before this one was started again."""
    intend(slot, os.getpid(), owner="0123456789abcdef-0123456789abcdef")
    assert is_busy(slot)
    intend(slot, os.getpid(), owner=our_intent().owner)
    assert not is_busy(slot)


def test_r0_a_forked_child_is_not_its_parent() -> None:
    ours = our_intent().owner.partition("-")[0]
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, our_intent().owner.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert not os.read(read, 100).decode().startswith(ours)
    assert our_intent().owner.startswith(ours)


@pytest.mark.parametrize("pid", [0, 2**31 - 1, 2**40, 10**14])
def test_a_number_that_no_process_has_is_dead(slot: FileSlot, pid: int) -> None:
    intend(slot, pid)
    assert not is_busy(slot)


def test_an_intent_of_ours_without_a_lock_is_stale(slot: FileSlot) -> None:
    intend(slot, os.getpid())
    assert not is_busy(slot)


def test_an_intent_of_another_login_of_ours_does_not_count(slot: FileSlot) -> None:
    intend(slot, os.getpid())
    with locked(FileStore(slot.home).slot("acct_2")):
        assert not is_busy(slot)


def test_a_process_that_we_may_not_signal_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(_: int, __: int) -> None:
        raise PermissionError(1, "prose")

    monkeypatch.setattr(os, "kill", kill)
    assert is_alive(1)


def test_a_name_with_brackets_and_spaces_does_not_hide_a_state(tmp_path: Path) -> None:
    program = tmp_path / "a) Z (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as process:
        assert is_alive(process.pid)
        process.kill()


def test_who_finds_a_pending_intent_touches_nothing(slot: FileSlot, process: subprocess.Popen[bytes]) -> None:
    intend(slot, process.pid)
    stray = slot.path.with_name("acct_1.json.0123456789abcdef.tmp")
    stray.write_bytes(write_record(renewed(login(1), 2)))
    stray.chmod(0o600)
    before = names(slot.path.parent)
    assert is_busy(slot)
    assert names(slot.path.parent) == before
    process.kill()
    process.wait()
    with locked(slot) as held:
        assert held.load() == renewed(login(1), 2)


def test_a_host_always_has_a_name_that_can_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    for name in ("", "a\nb", "\x1b[31m"):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        intent = our_intent()
        assert intent.host
        assert intent.host.isprintable()
    assert abs(our_intent().at - time.time()) < 5
    assert locks.INTENT_LIFE == 105
