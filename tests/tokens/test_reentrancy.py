"""A token source that is asked while it is being asked: by signal handlers, by forked children, at the exit.

Rules of this file: what may hang is tried in a process of its own, which a watchdog ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from codex_oauth import MemoryStore
from codex_oauth.stores.memory_store import MemorySlot
from codex_oauth.tokens.flight import Job
from codex_oauth_core import ErrorKind, Record, SignInError
from tests.tokens.rig import LIFETIME, PATIENCE, Rig, eventually, rig

ROOT = str(Path(__file__).parent.parent.parent)
needs_signals = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no SIGALRM")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
STARTS_A_THREAD = "_start_joinable_thread" if sys.version_info >= (3, 13) else "_start_new_thread"
START = f"""
import faulthandler, os, signal, sys, threading, time
sys.path.insert(0, {ROOT!r})
faulthandler.dump_traceback_later(40, exit=True)
"""


def said(code: str) -> tuple[str, str]:
    """What a process of its own prints, on both streams."""
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.strip()


# -- signal handlers -----------------------------------------------------------------------------------

INTERRUPTED = """
from tests.tokens.rig import rig
import codex_oauth.tokens.memory as memory
made = rig()
source = made.source()
if {known}:
    source.token()
made.make_due(-1)
got, armed = [], [True]
def interrupt(*_):
    if threading.current_thread() is threading.main_thread() and armed.pop() if armed else False:
        signal.raise_signal(signal.SIGALRM)
def before(owner, name):
    plain = getattr(owner, name)
    def wrapped(*args, **options):
        interrupt()
        return plain(*args, **options)
    setattr(owner, name, wrapped)
signal.signal(signal.SIGALRM, lambda *_: got.append(source.token()))
{where}
got.append(source.token())
print(len(got), set(got) == {{made.stored_token}}, made.refreshes)
"""


@needs_signals
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "where",
    [
        "before(memory.Memory, 'step')",
        "before(memory.Memory, 'begin')",
        "before(type(source), '_prepared')",
        "before(type(source), '_settle')",
        "from codex_oauth.tokens.flight import Job; before(Job, 'start'); before(Job, 'wait')",
        "before(threading.Thread, 'start')",
        f"before(threading, '{STARTS_A_THREAD}')",
    ],
)
def test_a_signal_handler_may_ask_wherever_the_asking_was_interrupted(where: str, known: bool) -> None:
    out, _ = said(INTERRUPTED.format(where=where, known=known))
    assert out == "2 True 1"


@needs_signals
def test_a_handler_that_interrupts_the_look_whether_all_is_loaded_waits_for_nobody_s_lock() -> None:
    known = INTERRUPTED.replace(
        "made.make_due(-1)\n", "made.make_due(-1)\nsource.token()\nmade.make_due(-1)\n"
    )
    where = "import codex_oauth.tokens.token_source as t; before(t, 'import_module')"
    out, _ = said(known.format(where=where, known=True))
    assert out == "2 True 2"


@needs_signals
def test_a_storm_of_signals_whose_handler_asks_ends() -> None:
    code = """
import random
from tests.tokens.rig import rig
made = rig()
source = made.source()
def ask(*_):
    source.token()
made.make_due(-1)
source.token()  # loads what a renewal needs: a handler that interrupts an import finds half a module
signal.signal(signal.SIGALRM, ask)
for _ in range(300):
    made.make_due(-1)
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 6e-4))
    source.token()
signal.setitimer(signal.ITIMER_REAL, 0)
print(made.refreshes)
"""
    out, _ = said(code)
    assert int(out) == 301


def test_an_interrupt_before_the_start_leaves_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rig()
    source = made.source()
    made.make_due(-1)

    def interrupted(flight: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Job, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            source.token()
    begun = time.monotonic()
    assert source.token() == made.stored_token
    assert time.monotonic() - begun < PATIENCE / 2  # nobody waited for a flight that was never begun
    assert made.refreshes == 1


def test_a_renewal_ends_while_somebody_holds_the_lock_of_the_source() -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.make_due(LIFETIME * 0.09)
    made.gate.clear()
    assert source.token() == old
    flight = source._flight
    assert flight is not None
    with source._lock:
        made.gate.set()
        flight.wait()
    eventually(lambda: source.token() == made.stored_token != old)
    assert made.refreshes == 1


# -- forks ---------------------------------------------------------------------------------------------


@needs_fork
def test_f7_the_thread_of_a_renewal_loads_no_module() -> None:
    """A child forked meanwhile would inherit the lock of a module that is half loaded, and wait for ever."""
    code = """
import builtins, importlib._bootstrap as bootstrap
from pathlib import Path
import tempfile
from codex_oauth import FileStore
from codex_oauth.authority import Authority, Fault, Policy, serve
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.codex import CODEX
from tests.tokens.rig import put, signed_in
from codex_oauth.testing import FakeWorld, answered_by
authority = Authority(policy=Policy(approve="auto", access_lifetime=1))
with serve(authority) as server:
    from codex_oauth.worlds.httpx_world import HttpxWorld
    from codex_oauth import DeviceFlow, run
    credential = run(DeviceFlow(provider=CODEX.at(server.url)), FakeWorld(answered_by(authority)))
    store = FileStore(Path(tempfile.mkdtemp()) / "logins")
    store.prepare()
    put(store, credential)
    import attrs
    for name in [name for name in sys.modules if name.partition(".")[0] in ("filelock", "httpx", "httpcore")]:
        del sys.modules[name]
    for name in ("codex_oauth.worlds.httpx_world", "codex_oauth.worlds.storing", "codex_oauth_core.flows.renewal"):
        sys.modules.pop(name, None)
    late = []
    class Watch:
        def find_spec(self, name, path=None, target=None):
            if threading.current_thread() is not threading.main_thread():
                late.append(name)
    sys.meta_path.insert(0, Watch())
    token = TokenSource(store).rejected(credential.access_token.reveal())
    print(token != credential.access_token.reveal(), [n for n in late if n.partition(".")[0] in ("codex_oauth", "codex_oauth_core", "httpx", "httpcore", "filelock", "encodings")])
"""
    out, _ = said(code)
    assert out == "True []"


# -- the exit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "def f():\n  inner = TokenSource(MemoryStore())\n  1 / 0\ntry: f()\nexcept ZeroDivisionError as error: kept = error",
    ],
)
def test_a_source_that_lives_until_the_exit_is_no_trouble_there(rest: str) -> None:
    code = "from codex_oauth import MemoryStore, TokenSource\nsource = TokenSource(MemoryStore())\n" + rest
    assert said(code) == ("", "")


# -- a store that cannot be read -----------------------------------------------------------------------

UNREAD = SignInError.of(ErrorKind.AUTH_READ_FAILED, reason="too_many_open_files")


@attrs.define
class _Unreadable:
    """A login that is unreadable after `good` looks."""

    slot: MemorySlot
    good: int

    def load(self) -> Record | None:
        self.good -= 1
        if self.good < 0:
            raise UNREAD
        return self.slot.load()

    def __getattr__(self, name: str) -> object:
        return getattr(self.slot, name)


def unreadable(made: Rig, monkeypatch: pytest.MonkeyPatch, good: int) -> None:
    found = _Unreadable(MemorySlot(made.store, made.stored.credential.key), good)

    def slot(store: MemoryStore, account_id: str) -> _Unreadable:
        return found

    monkeypatch.setattr(MemoryStore, "slot", slot)


@pytest.mark.parametrize("good", [0, 1])
def test_a_token_that_lives_outlives_a_store_that_cannot_be_read(
    good: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.make_due(200)
    unreadable(made, monkeypatch, good)
    assert source.token() == old
    assert made.refreshes == 0
    eventually(lambda: bool(made.notes))
    monkeypatch.undo()
    made.pass_time(90)
    assert source.token() == made.stored_token != old


@pytest.mark.parametrize("case", ["expired", "refused", "unknown"])
def test_a_store_that_cannot_be_read_is_told_where_no_token_is_good(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rig()
    source = made.source()
    old = made.stored_token if case == "unknown" else source.token()
    made.make_due(-1 if case == "expired" else 200)
    unreadable(made, monkeypatch, 0)
    with pytest.raises(SignInError) as raised:
        source.rejected(old) if case == "refused" else source.token()
    assert raised.value.kind is ErrorKind.AUTH_READ_FAILED
