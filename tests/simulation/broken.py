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
from codex_oauth_core.effects import Effect
from codex_oauth_core.facts import Refused, TryAgain
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.renewal_table import State, Trigger
from codex_oauth_core.flows.revocation import Revocation
from codex_oauth_core.record import Record
from codex_oauth_core.storage import Delete, Load, Release, Reserve, Reserved, StorageAnswer
from tests.simulation import slot
from tests.simulation.slot import Slot

__all__ = ["BROKEN", "broken"]

_read: Final = Renewal._read
_refused: Final = Renewal._refused
_unanswered: Final = Renewal._unanswered


def _no_second_look(flow: Renewal, answer: StorageAnswer) -> Effect:
    """The record that was read before the lock was had is renewed."""
    if flow.state is State.REREADING and flow._record is not None:
        flow._move(Trigger.STALE)
        return Reserve(flow._take_over(flow._record))
    return _read(flow, answer)


def _no_reserve(flow: Renewal, answer: StorageAnswer) -> Effect:
    """The refresh token is sent before its successor has a place."""
    effect = _read(flow, answer)
    return flow._reserved(Reserved()) if isinstance(effect, Reserve) else effect


def _sends_again(flow: Renewal, failure: TryAgain) -> Effect:
    """A lost answer is taken for a request that was never sent."""
    return _unanswered(flow, attrs.evolve(failure, maybe_answered=False))


def _deletes(flow: Renewal, fact: Refused) -> Effect:
    """The login that the server does not know any more is deleted, instead of marked."""
    effect = _refused(flow, fact)
    return effect if isinstance(effect, Release) else Delete(flow._held_record().fingerprint)


def _without_lock(flow: Revocation, answer: StorageAnswer) -> Effect:
    """A logout that does not wait for its lock."""
    flow._move(Trigger.LOCKED)
    return Load()


def _always(_slot: Slot, expected: str | None) -> bool:
    """No compare-and-set."""
    return True


def _any_stray(
    stored: Record | None, rescued: Iterable[Record] = (), strays: Iterable[Record] = ()
) -> Record | None:
    """Whatever lies around is adopted."""
    return next(iter([*rescued, *strays]), None)


_Patch = tuple[object, str, Any]

_NO_PAUSES: Final = dict.fromkeys(memory._PAUSES, 0.0)

BROKEN: Final[Mapping[str, tuple[_Patch, ...]]] = {
    "no second look under the lock": ((Renewal, "_read", _no_second_look),),
    "sent before it is reserved": ((Renewal, "_read", _no_reserve),),
    "sent again after a lost answer": ((Renewal, "_unanswered", _sends_again),),
    "no compare-and-set": ((Slot, "matches", _always),),
    "every stray is adopted": ((slot, "best_leftover", _any_stray),),
    "deleted instead of marked": ((Renewal, "_refused", _deletes),),
    "logout without the lock": ((Revocation, "_locked", _without_lock),),
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
