"""Token sources for many users: one a name, a bounded number, and nothing lost with one that is dropped."""

from __future__ import annotations

import gc
import os
import signal
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

import codex_oauth
from codex_oauth import MemoryStore, Store, TokenSource, TokenSources
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.sealing import Keys, new_key
from codex_oauth.stores.memory_store import MemoryHeld
from codex_oauth.stores.store import SaveFailed
from codex_oauth_core import ErrorKind, SignInError
from tests.tokens.rig import PATIENCE, Rig, eventually, renewals, rig

DEAD = -1.0
MOST_BYTES = 2_500


def sources_of(made: Rig, most: int = 2, **options: Any) -> TokenSources:
    """Sources whose user `alice` is the one who is signed in, and all others are not."""

    def store_of(name: str) -> Store:
        return made.store if name == "alice" else MemoryStore()

    usual: dict[str, Any] = {
        "make_world": lambda: made.world,
        "now": made.world.now,
        "jitter": 0.5,
        "on_note": made.notes.append,
    }
    return TokenSources(store_of, most=most, **{**usual, **options})


def test_a_name_has_one_source_and_each_name_its_own() -> None:
    sources = sources_of(rig(), most=10)
    assert sources.of("alice") is sources.of("alice")
    assert sources.of("alice") is not sources.of("bob")
    assert isinstance(sources.of("alice"), TokenSource)
    assert len(sources) == 2


def test_it_is_a_name_of_the_package() -> None:
    assert codex_oauth.TokenSources is TokenSources


def test_the_options_are_those_of_every_source() -> None:
    made = rig()
    sources = sources_of(made, hosts=("only.example",))
    assert sources.of("alice").headers("https://only.example/")
    with pytest.raises(ValueError, match="No token is sent"):
        sources.of("alice").headers("https://chatgpt.com/")


def test_all_who_ask_at_once_get_the_same() -> None:
    made, asked = rig(), 32
    start = threading.Barrier(asked)
    calls = list[str]()

    def store_of(name: str) -> Store:
        calls.append(name)
        return made.store

    sources = TokenSources(store_of)

    def ask(_: int) -> TokenSource:
        start.wait(PATIENCE)
        return sources.of("alice")

    with ThreadPoolExecutor(asked) as pool:
        found = list(pool.map(ask, range(asked)))
    assert len({id(source) for source in found}) == 1
    assert calls == ["alice"]


def test_the_least_recently_used_is_dropped() -> None:
    sources = sources_of(rig(), most=2)
    numbers = {name: id(sources.of(name)) for name in ("a", "b")}
    kept = sources.of("a")
    sources.of("c")
    gc.collect()
    assert len(sources) == 2
    assert sources.of("a") is kept
    assert id(kept) == numbers["a"]
    assert set(sources._kept) == {"a", "c"}
    assert "b" not in sources._alive


def test_one_that_is_dropped_and_still_in_use_is_the_one_of_its_name() -> None:
    sources = sources_of(rig(), most=1)
    used = sources.of("alice")
    sources.of("b")
    assert set(sources._kept) == {"b"}
    assert sources.of("alice") is used


@pytest.mark.parametrize("most", [0, -1])
def test_at_least_one_is_kept(most: int) -> None:
    with pytest.raises(ValueError, match="most"):
        TokenSources(lambda _: MemoryStore(), most=most)


# -- what is under way -------------------------------------------------------------------------------


def break_saves(monkeypatch: pytest.MonkeyPatch, broken: Callable[[], bool]) -> None:
    save = MemoryHeld.save

    def maybe(held: MemoryHeld, *args: Any, **options: Any) -> Any:
        if broken():
            held._before = None  # as every save that fails: the intent stays
            raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="io_error"))
        return save(held, *args, **options)

    monkeypatch.setattr(MemoryHeld, "save", maybe)


def test_one_that_renews_is_not_dropped_and_what_it_renewed_is_stored() -> None:
    made = rig()
    made.make_due(DEAD)
    made.gate.clear()
    sources = sources_of(made, most=1)
    with ThreadPoolExecutor(1) as pool:
        token = pool.submit(lambda: sources.of("alice").token())
        eventually(lambda: made.sent)
        before = sources.of("alice")
        for name in "bcd":
            sources.of(name)
        assert sources.of("alice") is before
        made.gate.set()
        assert token.result(PATIENCE) == made.stored_token
    assert made.refreshes == 1


def test_r6a_what_is_only_in_memory_is_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rig()
    made.make_due(DEAD)
    is_broken, may_try = True, threading.Event()
    tries = 0

    def broken() -> bool:
        nonlocal tries
        tries += 1
        if tries > 11:  # its callers are answered, and it goes on
            assert may_try.wait(PATIENCE)
        return is_broken

    break_saves(monkeypatch, broken)
    sources = sources_of(made, most=1)
    token = sources.of("alice").token()
    number = id(sources.of("alice"))
    assert made.stored_token != token
    for each in range(20):
        sources.of(f"user {each}")
    gc.collect()
    assert id(sources.of("alice")) == number
    assert sources.of("alice").token() == token
    is_broken = False
    may_try.set()
    eventually(lambda: not renewals())
    assert made.stored_token == token
    assert made.refreshes == 1


def test_what_could_not_be_stored_outlives_its_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The renewal is over, and the successor is in memory alone."""
    made = rig()
    made.make_due(DEAD)
    sources = sources_of(made, most=1)
    source = sources.of("alice")
    assert source.is_idle
    source.token()
    eventually(partial(getattr, source, "is_idle"))  # and all that it learnt is remembered
    source._memory.unsaved = SignInError.of(ErrorKind.AUTH_WRITE_FAILED)
    number = id(source)
    del source
    for each in range(20):
        sources.of(f"user {each}")
    gc.collect()
    assert id(sources.of("alice")) == number
    assert len(sources) <= 3


# -- the end ------------------------------------------------------------------------------------------


def test_what_is_forgotten_is_read_anew() -> None:
    made = rig()
    sources = sources_of(made)
    before = sources.of("alice")
    assert before.token() == made.stored_token
    held = made.store.slot(made.stored.credential.key).lock()
    assert held is not None
    with held:
        held.delete(made.stored.fingerprint)
    made.store.select(None)
    sources.forget("alice")
    sources.forget("nobody")
    after = sources.of("alice")
    assert after is not before
    with pytest.raises(SignInError) as caught:
        after.token()
    assert caught.value.kind is ErrorKind.LOGIN_REQUIRED


def test_forgotten_it_begins_nothing_any_more() -> None:
    made = rig()
    sources = sources_of(made)
    before = sources.of("alice")
    sources.forget("alice")
    made.make_due(DEAD)
    with pytest.raises(SignInError) as caught:
        before.token()
    assert caught.value.kind is ErrorKind.CANCELLED
    assert made.refreshes == 0


def test_closing_stores_what_was_sent_and_begins_nothing() -> None:
    made = rig()
    made.make_due(DEAD)
    made.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        sources = sources_of(made)
        token = pool.submit(lambda: sources.of("alice").token())
        eventually(lambda: made.sent)
        closing = pool.submit(sources.close)
        made.gate.set()
        closing.result(PATIENCE)
        assert token.result(PATIENCE) == made.stored_token
    assert not renewals()
    assert sources.of("alice").token() == made.stored_token
    with pytest.raises(SignInError) as caught:
        sources.of("somebody new")
    assert caught.value.kind is ErrorKind.CANCELLED


def test_closing_ends_those_that_were_dropped_and_are_in_use() -> None:
    made = rig()
    with sources_of(made, most=1) as sources:
        used = sources.of("alice")
        sources.of("b")
    made.make_due(DEAD)
    with pytest.raises(SignInError) as caught:
        used.token()
    assert caught.value.kind is ErrorKind.CANCELLED


def test_all_are_stopped_before_one_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    sources = sources_of(rig())
    kept = [sources.of(name) for name in "ab"]

    def noted(name: str) -> Callable[[TokenSource], None]:
        call: Callable[[TokenSource], None] = getattr(TokenSource, name)

        def say(source: TokenSource) -> None:
            said.append(name)
            call(source)

        return say

    for name in ("stop", "close"):
        monkeypatch.setattr(TokenSource, name, noted(name))
    sources.close()
    assert said == ["stop"] * len(kept) + ["close"] * len(kept)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_that_is_forked_while_somebody_asks_does_not_hang() -> None:
    sources = sources_of(rig())

    def fork() -> int:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if sources.of("b") is sources.of("b") else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with sources._lock, ThreadPoolExecutor(1) as pool:
        assert pool.submit(fork).result() == 0


# -- what one costs ------------------------------------------------------------------------------------


def test_an_idle_one_takes_little() -> None:
    """What Python counts that it asked for, which is the same on every machine."""
    database, keys = Database("host=nowhere"), Keys(new_key())
    names = [f"user {number}" for number in range(1_000)]

    def made(names: list[str]) -> TokenSources:
        sources = TokenSources(lambda name: PostgresStore(database, keys=keys, owner=name))
        for name in names:
            sources.of(name)
        return sources

    made(names[:2])
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        sources = made(names)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(sources) == len(names)
    assert (after - before) / len(names) <= MOST_BYTES
