"""What is particular about logins in memory: forks, and what they are not."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import attrs
import pytest

from codex_oauth import MemoryStore
from codex_oauth.stores.store import SaveFailed
from codex_oauth_core import SignInError
from tests.stores.logins import child, login

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def test_two_stores_share_nothing() -> None:
    first, second = MemoryStore(), MemoryStore()
    held = first.slot("acct_1").lock()
    assert held is not None
    held.save(login(1), None)
    first.select("acct_1")
    assert (second.names(), second.current(), second.slot("acct_1").load()) == ((), None, None)
    assert second.slot("acct_1").lock() is not None


def test_what_no_other_store_could_keep_is_refused() -> None:
    slot = MemoryStore().slot("acct_1")
    unreadable = attrs.evolve(login(1), generation=-1)
    with slot.lock() or pytest.fail("busy") as held, pytest.raises(SaveFailed) as failed:
        held.save(unreadable, None)
    assert (failed.value.error.details["reason"], failed.value.rescued) == ("not_storable", False)
    assert failed.value.error.next_actions == ("Update codex-oauth.",)
    with pytest.raises(SignInError):
        slot.rescue(unreadable)
    assert slot.load() is None


def test_a_reservation_that_is_not_used_keeps_the_mark_of_a_crash_before_it() -> None:
    """F2: the intent of a process that died says what may have happened to the refresh token."""
    slot = MemoryStore().slot("acct_1")
    with slot.lock() or pytest.fail("busy") as held:
        held.save(login(1), None)
        held.reserve(login(1))
        marked = held.load()
        assert marked is not None
        assert marked.intent is not None
        crashed = attrs.evolve(marked, intent=attrs.evolve(marked.intent, at=marked.intent.at - 3600))
        held.save(crashed, login(1).fingerprint)
    with slot.lock() or pytest.fail("busy") as held:
        held.reserve(crashed)
    assert slot.load() == crashed


def test_a_store_that_nobody_uses_is_freed() -> None:
    import weakref

    store = MemoryStore()
    gone = weakref.ref(store)
    del store
    assert gone() is None


def test_no_frame_of_a_failure_shows_a_token() -> None:
    slot = MemoryStore().slot("acct_1")
    with pytest.raises(SignInError) as failed:
        slot.rescue(attrs.evolve(login(1), generation=-1))
    assert "canary" not in f"{failed.value!r} {failed.value.to_dict()}"


# -- forks (R12, F7) -----------------------------------------------------------------------------------

_FORK = """
import threading
from codex_oauth.stores.memory_store import MemoryStore
from codex_oauth.stores.store import SaveFailed

def in_child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

store = MemoryStore()
slot = store.slot("acct_1")
with slot.lock() as held:
    held.save(login(1), None)
"""


def _passes(code: str) -> None:
    done = child(_FORK + code)
    assert (done.returncode, done.stderr) == (0, "")


@forks
def test_a_child_starts_with_what_was_stored_and_no_lock_held() -> None:
    _passes("""
def work():
    assert slot.load() == login(1) and store.names() == ("acct_1",)
    with slot.lock() as mine:
        mine.save(login(2), login(1).fingerprint)
    assert slot.load() == login(2)

with slot.lock() as held:
    in_child(work)
    assert slot.lock() is None
    assert held.load() == login(1)
""")


@forks
def test_a_lock_that_a_child_inherits_holds_nothing() -> None:
    _passes("""
def work():
    try:
        held.save(login(2), login(1).fingerprint)
    except SaveFailed as failed:
        assert failed.error.details["reason"] == "lock_lost"
    else:
        raise AssertionError("saved")
    with slot.lock():
        held.release()
        assert slot.lock() is None

with slot.lock() as held:
    in_child(work)
""")


@forks
def test_a_child_leaves_a_renewal_that_its_parent_has_announced_alone() -> None:
    _passes("""
def work():
    held.release()
    assert slot.lock() is None
    assert slot.load().intent.pid == os.getppid()

with slot.lock() as held:
    held.reserve(login(1))
    in_child(work)
assert slot.load() == login(1)
slot.lock().release()
""")


@forks
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="forking with threads is a warning there")
def test_a_child_that_was_forked_while_a_thread_worked_with_the_store_can_go_on() -> None:
    _passes("""
def busy():
    while not over.is_set():
        with slot.lock() as mine:
            stored = mine.load()
            mine.save(login(2 if stored == login(1) else 1), stored.fingerprint)

def work():
    with slot.lock() as mine:
        assert mine.load() in (login(1), login(2))

over = threading.Event()
thread = threading.Thread(target=busy)
thread.start()
for _ in range(50):
    in_child(work)
over.set()
thread.join()
""")


# R9
def test_threads_that_read_wait_for_nobody() -> None:
    store = MemoryStore()
    slot = store.slot("acct_1")
    seen: list[object] = []
    reads: list[Callable[[], object]] = [slot.load, store.accounts, store.current, slot.lock]

    def look(read: Callable[[], object]) -> None:
        seen.append(read())

    with slot.lock() or pytest.fail("busy") as held:
        held.save(login(1), None)
        threads = [threading.Thread(target=look, args=(read,)) for read in reads]
        for thread in threads:
            thread.start()
            thread.join(10)
    assert seen == [login(1), ("acct_1",), None, None]
