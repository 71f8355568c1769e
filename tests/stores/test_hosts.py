"""The hosts of the checks of shared stores: each does one step when told, and is what its guise says."""

from __future__ import annotations

import json
import os
import platform
import socket
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.stores.store import Store
from codex_oauth.testing.checking import ACCOUNT, put, sample
from codex_oauth.testing.fake_world import Reply
from codex_oauth.testing.hosts import AS_IT_IS, CAN_STOP, Guise, Host, RenewalStep, opened
from codex_oauth_core.effects import Request

LOG: list[str] = []
HOSTS: list[Host] = []


def telling(home: Path) -> Store:
    """A store whose opening tells what its host takes itself for."""
    told = [os.getpid(), socket.gethostname(), platform.node(), time.time(), time.time_ns() / 1e9]
    (home / "told").write_text(json.dumps(told), encoding="utf-8")
    return FileStore(home)


def no_server(request: Request) -> Reply:
    raise AssertionError("nothing is to be sent")


def host(home: Path, guise: Guise | None = None) -> Host:
    made = Host(partial(telling, home), ACCOUNT, no_server, LOG.append, guise)
    HOSTS.append(made)
    return made


@pytest.fixture(autouse=True)
def _left() -> Generator[None]:
    """However a test ends, no host outlives it."""
    yield
    while HOSTS:
        HOSTS.pop().close()


def state_of(host: Host) -> str:
    """As `proc_pid_stat(5)` has it."""
    line = Path(f"/proc/{host.pid}/stat").read_text(encoding="ascii")
    return line.rpartition(")")[2].split()[0]


def test_a_process_sees_its_guise_before_it_opens_the_store(tmp_path: Path) -> None:
    began = time.time()
    host(tmp_path, Guise(name="other", pid=1, clock=3600.0))
    pid, name, node, wall, wall_ns = json.loads((tmp_path / "told").read_text(encoding="utf-8"))
    assert (pid, name, node) == (1, "other", "other")
    assert 3600.0 <= wall - began < 3660.0
    assert 3600.0 <= wall_ns - began < 3660.0


def test_a_thread_and_a_process_as_it_is_are_what_they_are(tmp_path: Path) -> None:
    for guise in (None, AS_IT_IS):
        host(tmp_path, guise)
        pid, name, _, wall, _ = json.loads((tmp_path / "told").read_text(encoding="utf-8"))
        assert (pid == os.getpid()) is (guise is None)
        assert name == socket.gethostname()
        assert abs(wall - time.time()) < 60
    assert os.getpid() == int(Path("/proc/self").resolve().name)


@pytest.mark.skipif(not CAN_STOP, reason="no process can be stopped on this system")
def test_a_stopped_host_does_nothing_until_it_wakes(tmp_path: Path) -> None:
    other = host(tmp_path, AS_IT_IS)
    other.stop()
    assert state_of(other) == "T"
    other.wake()
    deadline = time.monotonic() + 30
    while state_of(other) == "T" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert state_of(other) != "T"
    other.kill()
    assert other.step is RenewalStep.ENDED
    assert not Path(f"/proc/{other.pid}").exists()


def test_a_login_that_nobody_has_ends_it_at_once(tmp_path: Path) -> None:
    other = host(tmp_path)
    assert other.end is not None
    assert (other.end.how, other.end.served, other.end.login_over) == ("login_required", False, True)


def test_what_the_store_raises_is_an_end(tmp_path: Path) -> None:
    def broken() -> Store:
        raise OSError(tmp_path)

    other = Host(broken, ACCOUNT, no_server, LOG.append)
    assert other.end is not None
    assert (other.end.how, other.end.raised) == ("OSError was raised", True)
    other.close()


def test_a_store_that_can_be_closed_is_closed() -> None:
    closed = list[bool]()

    class Closing(FileStore):
        def close(self) -> None:
            closed.append(True)

    with opened(lambda: Closing("/nowhere")):
        assert not closed
    assert closed == [True]
    with opened(lambda: FileStore("/nowhere")):
        pass


def test_a_host_that_is_left_gives_the_lock_back(tmp_path: Path) -> None:
    slot = put(FileStore(tmp_path), sample(1))
    other = host(tmp_path)
    other.close()
    deadline = time.monotonic() + 30
    while (held := slot.lock()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert held is not None
    held.release()
