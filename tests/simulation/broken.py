"""Mistakes that would lose logins, each a small patch: the simulation must notice every one of them.

Rules of this file: a mistake is made in the real code, by replacing one method or constant of it, and undone
when the `with` block ends; it is one that somebody could make.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

import attrs

from codex_oauth.tokens import memory
from codex_oauth_core import Credential, Effect, FinishSignIn, Record, Renewal
from codex_oauth_core.facts import Refusal, TryAgain
from codex_oauth_core.flows.pace import SavePace
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Locked,
    Release,
    Reserve,
    Save,
    StorageAnswer,
)
from tests.simulation import slot
from tests.simulation.disk import Disk
from tests.simulation.slot import Slot

__all__ = ["BROKEN", "broken"]

_has_the_lock: Final = Renewal._has_the_lock
_save_failed: Final = Slot._save_failed
_refused: Final = Renewal._refused
_on_request_failed: Final = Renewal._on_request_failed


def _no_second_look(flow: Renewal, locked: Locked) -> Effect:
    """The record that was read before the lock was had is renewed."""
    return _has_the_lock(flow, attrs.evolve(locked, record=flow._record))


def _no_reserve(flow: Renewal, locked: Locked) -> Effect:
    """The refresh token is sent before its successor has a place."""
    effect = _has_the_lock(flow, locked)
    return flow._reserved() if isinstance(effect, Reserve) else effect


def _sends_again(flow: Renewal, failure: TryAgain) -> Effect:
    """A lost answer is taken for a request that was never sent."""
    return _on_request_failed(flow, attrs.evolve(failure, maybe_answered=False))


def _deletes(flow: Renewal, fact: Refusal) -> Effect:
    """The login that the server does not know any more is deleted, instead of marked."""
    effect = _refused(flow, fact)
    return effect if isinstance(effect, Release) else Delete(flow._held_record().fingerprint)


def _its_own(flow: FinishSignIn) -> Credential:
    """The new login is ended in place of the old one."""
    return flow.record.credential


def _takes_any_lock(lock: Disk, pid: int) -> int:
    """A lock that lets everybody in."""
    lock.holders[lock.lock_file] = pid
    return lock.lock_file


def _yes(_slot: Slot) -> bool:
    """Nobody looks whether the lock is still the lock, or whether a request may still go out."""
    return True


def _unreadable_is_a_conflict(slot: Slot, name: int, effect: Save) -> StorageAnswer:
    """What cannot be read is taken for another login, and the answer is dropped."""
    if not slot.disk.unreadable:
        return _save_failed(slot, name, effect)
    slot.disk.remove(name)
    return Conflict(slot.disk.main)


def _gives_up_saving(_pace: SavePace, at: float, *, late_too: bool) -> None:
    """A save is tried once, and the lock given back."""


def _always(_slot: Slot, expected: str | None) -> bool:
    """What is stored is not compared with what is believed to be stored."""
    return True


def _any_stray(
    stored: Record | None, rescued: Iterable[Record] = (), strays: Iterable[Record] = ()
) -> Record | None:
    """Whatever lies around is adopted."""
    return next(iter([*rescued, *strays]), None)


_Patch = tuple[object, str, Any]

_NO_PAUSES: Final = dict.fromkeys(memory._PAUSES, 0.0)

BROKEN: Final[Mapping[str, tuple[_Patch, ...]]] = {
    "no second look under the lock": ((Renewal, "_has_the_lock", _no_second_look),),
    "sent before it is reserved": ((Renewal, "_has_the_lock", _no_reserve), (Slot, "sending", _yes)),
    "sent again after a lost answer": ((Renewal, "_on_request_failed", _sends_again),),
    "saved over whatever is stored": ((Slot, "matches", _always), (Slot, "is_intact", _yes)),
    "a lost lock is not noticed": ((Slot, "is_intact", _yes),),
    "every stray is adopted": ((slot, "best_leftover", _any_stray),),
    "deleted instead of marked": ((Renewal, "_refused", _deletes),),
    "a lock for everybody": ((Disk, "lock", _takes_any_lock),),
    "the unreadable is a conflict": ((Slot, "_save_failed", _unreadable_is_a_conflict),),
    "what could not be saved is given away": ((SavePace, "next", _gives_up_saving),),
    "the new login is ended with the old one": ((FinishSignIn, "_to_end", _its_own),),
    "failures are not spaced": ((memory, "_FAILED_FOR", 0.0), (memory, "_PAUSES", _NO_PAUSES)),
}
"""Every mistake by its name."""


@contextmanager
def broken(name: str) -> Generator[None, None, None]:
    """Make a mistake for the time of a `with` block."""
    patches = [mock.patch.object(*patch) for patch in BROKEN[name]]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()
