"""What happens to a process during a renewal: it forks, it has no thread left, it ends."""

from __future__ import annotations

import gc
import os
import ssl
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.tokens import flight, forks
from codex_oauth.transport import tls
from codex_oauth_core import SignInError
from tests.tokens.rig import LIFETIME, PATIENCE, eventually, renewals, rig

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def forked(child: object) -> int:
    """Run `child` in a fork, with a limit; its exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the point
        pid = os.fork()
    if pid == 0:
        import faulthandler

        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        try:
            assert callable(child)
            os._exit(0 if child() else 3)
        finally:
            os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@needs_fork
def test_f7_a_child_forked_during_a_renewal_does_not_wait_for_the_parent_s_thread() -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.make_due(LIFETIME * 0.09)
    made.gate.clear()
    source.token()
    eventually(lambda: made.sent)

    def child() -> bool:
        made.gate.set()
        unhurt = source.token() == old
        eventually(lambda: renewals() == [])
        made.make_due(-1)
        try:  # a renewal of its own; it finds that the parent is about to spend the refresh token
            source.token()
        except SignInError as error:
            return unhurt and error.details["reason"] == "lock_busy"
        return False

    assert forked(child) == 0
    made.gate.set()
    eventually(lambda: source.token() != old)
    assert made.refreshes == 1


# R12
@needs_fork
def test_f7_a_child_forked_while_the_source_is_locked_is_not_locked_out() -> None:
    made = rig()
    source = made.source()
    token = source.token()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with source._lock:
            held.set()
            done.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(PATIENCE)
    try:
        made.pass_time(2)  # so that it has to be judged again
        assert forked(lambda: source.token() == token) == 0
    finally:
        done.set()
        holder.join()


@needs_fork
def test_a_child_does_not_renew_in_step_with_its_parent() -> None:
    made = rig()
    source, fixed = made.source(jitter=None), made.source(jitter=0.25)
    jitter = source._memory.jitter
    assert forked(lambda: source._memory.jitter != jitter and fixed._memory.jitter == 0.25) == 0
    assert source._memory.jitter == jitter


@needs_fork
def test_a_source_that_is_gone_costs_a_child_nothing() -> None:
    gc.collect()
    before = len(forks._OWNERS)
    source = rig().source()
    assert len(forks._OWNERS) == before + 1
    del source
    gc.collect()
    assert len(forks._OWNERS) == before


# -- threads -------------------------------------------------------------------------------------------


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)


@pytest.mark.parametrize("left", [LIFETIME * 0.09, 200, -1])
@pytest.mark.usefixtures("no_threads")
def test_f35_without_a_thread_the_caller_renews_the_login_himself(left: float) -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.make_due(left)
    assert source.token() == made.stored_token != old
    assert source.rejected(old) == made.stored_token
    assert made.refreshes == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.usefixtures("no_threads")
def test_f35_without_a_thread_a_task_renews_the_login_itself(backend: str) -> None:
    import anyio

    made = rig()
    source = made.source()
    made.make_due(-1)
    assert anyio.run(source.atoken, backend=backend) == made.stored_token
    assert made.refreshes == 1


@pytest.mark.usefixtures("no_threads")
def test_an_interrupt_in_a_renewal_of_one_s_own_blocks_nobody_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = rig()
    source = made.source()
    made.make_due(-1)
    perform = type(made.world).perform

    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(made.world), "perform", interrupted)
    with pytest.raises(KeyboardInterrupt):
        source.token()
    monkeypatch.setattr(type(made.world), "perform", perform)
    made.pass_time(61)
    try:
        assert source.token() == made.stored_token
    except SignInError as error:
        pytest.fail(f"it should have been renewed: {error!r}")


def _none_to_be_had(_: threading.Thread) -> None:
    pytest.fail("there are none")


def test_a_platform_without_threads_tries_none(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rig()
    source = made.source()
    made.make_due(-1)
    monkeypatch.setattr(flight, "_THREADS", False)
    monkeypatch.setattr(threading.Thread, "start", _none_to_be_had)
    assert source.token() == made.stored_token


# -- the end of the interpreter ------------------------------------------------------------------------

_PRELUDE = """
import sys, threading, time
from codex_oauth_core.errors import SignInError
from tests.tokens.rig import LIFETIME, eventually, renewals, rig
made = rig()
source = made.source()
old = source.token()

def when_main_is_over(call):
    def wait():
        threading.main_thread().join()
        call()
    threading.Thread(target=wait).start()

class Told:
    def hear(self, outcome):
        print("ended:", type(outcome).__name__, flush=True)
source._notes = Told()
"""


def ended(code: str) -> tuple[list[str], int]:
    """What a program prints that ends during a renewal, and its exit code."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PRELUDE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == ""
    return done.stdout.splitlines(), done.returncode


def test_f36_a_program_that_ends_during_a_renewal_lets_it_finish() -> None:
    lines, code = ended("""
        made.make_due(LIFETIME * 0.09)
        made.gate.clear()
        source.token()
        eventually(lambda: made.sent)
        when_main_is_over(made.gate.set)
        print("main is over", flush=True)
    """)
    assert (lines, code) == (["main is over", "ended: Renewed"], 0)


def test_f36_also_if_only_a_daemon_thread_wanted_it() -> None:
    lines, code = ended("""
        made.make_due(-1)
        made.gate.clear()
        threading.Thread(target=source.token, daemon=True).start()
        eventually(lambda: made.sent)
        when_main_is_over(made.gate.set)
        print("main is over", flush=True)
    """)
    assert (lines, code) == (["main is over", "ended: Renewed"], 0)


def test_f36_a_renewal_that_only_waits_does_not_hold_the_program_up() -> None:
    """Somebody else has the lock: the wait for it would take 20 s of a clock that is a hundred times slower."""
    lines, code = ended("""
        from codex_oauth.worlds.sync_world import SyncWorld
        import attrs
        made.make_due(-1)
        held = made.store.slot(made.store.current()).lock()
        at, wall, real = *made.world.now(), time.monotonic()
        clock = lambda: (at + (time.monotonic() - real) / 100, wall)
        waiting = threading.Event()
        world = lambda: SyncWorld(None, now=clock, on_wait=lambda _: waiting.set())
        source = made.source(make_world=world, now=clock)
        source._notes = Told()
        def ask():
            try:
                source.token()
            except SignInError:
                pass
        threading.Thread(target=ask, daemon=True).start()
        waiting.wait()
    """)
    assert (lines, code) == (["ended: SignInError"], 0)


def test_f36_the_end_of_a_program_that_keeps_a_source_is_quiet() -> None:
    code = "from codex_oauth import MemoryStore, TokenSource; source = TokenSource(MemoryStore())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_fork
def test_a_child_forked_while_certificates_are_loaded_can_load_them(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, forked_already, build = threading.Event(), threading.Event(), tls._built

    def slowly(*args: Any, **options: Any) -> ssl.SSLContext:
        inside.set()
        forked_already.wait(0.2)
        return build(*args, **options)

    monkeypatch.setattr(tls, "_built", slowly)
    other = threading.Thread(target=tls.tls_context)
    other.start()
    assert inside.wait(PATIENCE)
    monkeypatch.setattr(tls, "_built", build)
    assert forked(lambda: tls.tls_context() is not None) == 0
    forked_already.set()
    other.join()
