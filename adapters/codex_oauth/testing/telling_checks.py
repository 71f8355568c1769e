"""Checks of a store: no text that comes from it shows a token.

Rules of this file: a text is whatever a person or a log may get to see: of a value, of an error, of a logger
at any level, of a warning, of standard output and standard error.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Final

from codex_oauth.stores.store import Saved, Store
from codex_oauth.testing.checking import TELLTALE, fail, locked, put, renewed, same, sample, true
from codex_oauth.testing.heard import heard_everywhere

__all__ = ["TELLING_CHECKS"]


def nothing_shows_a_secret(store: Store) -> None:
    slot = put(store, sample(1))
    with locked(slot) as held:
        _shows_nothing(store, slot, held, slot.load(), held.load(), held.save(sample(2), None))
        answer = held.save(sample(2), sample(1).fingerprint)
        same(answer, Saved(), "the answer to the last save")
        slot.rescue(sample(3))
        held.reserve(sample(2))
        _shows_nothing(answer, store, slot, held, held.delete(None))
    _shows_nothing(store, slot, held)


def _shows_nothing(*values: object) -> None:
    for value in values:
        shows = TELLTALE in f"{value!r} {value}"
        true(not shows, f"the text of a {type(value).__name__} must not show a token")


def no_error_shows_a_secret(store: Store) -> None:
    slot = put(store, sample(1))
    other = sample(2, "acct_2")
    with locked(slot) as held:
        _says_nothing("a save of another account's record", lambda: held.save(other, None))
        _says_nothing("a rescue of another account's record", lambda: slot.rescue(other))
        _says_nothing("a reservation for another account's record", lambda: held.reserve(other))
        _says_nothing("a reservation for what is not stored", lambda: held.reserve(sample(2)))
    _says_nothing("a save without the lock", lambda: held.save(sample(2), sample(1).fingerprint))
    _says_nothing("a reservation without the lock", lambda: held.reserve(sample(1)))
    _says_nothing("a deletion without the lock", lambda: held.delete(sample(1).fingerprint))


def nothing_that_is_logged_or_printed_shows_a_secret(store: Store) -> None:
    with heard_everywhere() as heard:
        store.prepare()
        slot = put(store, sample(1))
        store.select(slot.key)
        with locked(slot) as held:
            held.load()
            held.reserve(sample(1))
            held.sending()
            slot.lock()
            held.save(sample(3), sample(2).fingerprint)
            held.save(renewed(sample(1), 2), sample(1).fingerprint)
        slot.rescue(renewed(sample(2), 3))
        slot.rescue(sample(4))
        _stumble(slot.load, lambda: slot.rescue(sample(1, "acct_2")), lambda: held.save(sample(5), None))
        with locked(slot) as held:
            slot.rescue(sample(6))
            held.delete(sample(4).fingerprint)
        with locked(slot) as held:
            held.delete(sample(6).fingerprint)
        store.names()
        store.current()
        gc.collect()  # what is closed late may warn late
    for text in heard:
        if TELLTALE in text:
            fail(f"this came out, with a token: {text[:40].partition(TELLTALE)[0]}...")


def _stumble(*works: Callable[[], object]) -> None:
    for work in works:
        try:
            work()
        except Exception:  # noqa: BLE001, S112  # what it raises is the business of other checks
            continue


def _says_nothing(what: str, work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001  # whatever it is, it says no token
        for text in _texts(error, set()):
            true(TELLTALE not in text, f"the error of {what} must not show a token")


def _texts(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    """What an error says, and what those say that led to it."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield f"{error!s} {error!r} {error.args!r} {vars(error)!r}"
    yield from _texts(error.__cause__, seen)
    yield from _texts(error.__context__, seen)


TELLING_CHECKS: Final = (
    nothing_shows_a_secret,
    no_error_shows_a_secret,
    nothing_that_is_logged_or_printed_shows_a_secret,
)
