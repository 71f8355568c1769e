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

from codex_oauth.stores import find
from codex_oauth.tokens import memory, renewing
from codex_oauth.tokens.renewing import Landing, Renewer
from codex_oauth.worlds.storing import Storage
from codex_oauth_core import Credential, Effect, FinishSignIn, Provider, Record, Renewal, Started
from codex_oauth_core.facts import Refusal, TryAgain
from codex_oauth_core.flows import revoke_login
from codex_oauth_core.flows.finish_sign_in import State, Trigger
from codex_oauth_core.flows.pace import SavePace
from codex_oauth_core.identity import Identity
from codex_oauth_core.outcomes import Outcome
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Find,
    Locked,
    Release,
    Reserve,
    Save,
    Select,
    Selected,
    StorageAnswer,
)
from tests.simulation import slot
from tests.simulation.disk import Disk
from tests.simulation.driver import Driver
from tests.simulation.server import ACCOUNT
from tests.simulation.slot import Slot

__all__ = ["BROKEN", "WALKED", "broken"]

_has_the_lock: Final = Renewal._has_the_lock
_save_failed: Final = Slot._save_failed
_refused: Final = Renewal._refused
_on_request_failed: Final = Renewal._on_request_failed
_revoke: Final = FinishSignIn._revoke
_start: Final = FinishSignIn._start
_signed_in: Final = FinishSignIn._signed_in
_leg_over: Final = FinishSignIn._leg_over


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


def _its_own(flow: FinishSignIn, _credential: Credential, provider: Provider | None) -> Effect:
    """The new login is ended in place of the old one."""
    return _revoke(flow, flow.record.credential, provider)


def _looks_back_first(flow: FinishSignIn, _event: Started) -> Effect:
    """What an earlier release kept is removed first, and then the new login stored."""
    flow.state = State.LOOKING_BACK
    flow._names = flow.record.credential.identity.names[1:]
    return Find(flow._names)


def _stores_at_last(flow: FinishSignIn) -> Effect:
    if flow._deposited is not None:
        return _signed_in(flow)
    flow.state = State.IDLE
    return _start(flow, Started(flow._now, flow._wall))


def _not_selected(flow: FinishSignIn, outcome: Outcome) -> Effect:
    """The former login is removed before the new one is in use."""
    effect = _leg_over(flow, outcome)
    return flow._selected(Selected()) if isinstance(effect, Select) else effect


def _forgets_former(_flow: FinishSignIn, _answer: StorageAnswer) -> Effect:
    """Nobody looks for what an earlier release kept."""
    _flow._move(Trigger.SELECTED)
    return Find(())


def _always_superseded(_flow: FinishSignIn, _former: Record) -> bool:
    """Whatever is kept under the account id is removed."""
    return True


def _of_one_sign_in(_record: Record, _read: Record) -> bool:
    """What was put there since it was looked at is removed, too."""
    return True


def _under_account_id(_process: Driver, _record: Record) -> str:
    """A sign-in is stored as earlier releases did."""
    return ACCOUNT


def _beside_account_id(storage: Storage, record: Record) -> object:
    """A sign-in that cannot wait is kept beside what earlier releases stored."""
    return storage._store.slot(record.credential.account_id or "")


def _as_stored(credential: Credential, *_: object) -> Credential:
    """Nobody asks the tokens of an earlier release whose they are."""
    return credential


def _stays(_renewer: Renewer, _landing: Landing, _had: Record) -> bool:
    """Nobody looks whether the login was moved, or replaced, while it was renewed."""
    return False


def _anybody(_ours: Identity, _theirs: Identity) -> bool:
    """One person of a workspace is taken for another."""
    return True


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
    "the new login is ended with the old one": ((FinishSignIn, "_revoke", _its_own),),
    "a former login is removed before the new one is stored": (
        (FinishSignIn, "_start", _looks_back_first),
        (FinishSignIn, "_signed_in", _stores_at_last),
    ),
    "a former login is removed before the new one is in use": ((FinishSignIn, "_leg_over", _not_selected),),
    "nobody looks back": ((FinishSignIn, "_selected", _forgets_former),),
    "whatever has the former name is removed": ((FinishSignIn, "_is_superseded", _always_superseded),),
    "what has the former name by now is removed": ((revoke_login, "_is_of_one_sign_in", _of_one_sign_in),),
    "a login is removed though its tokens say that it is another's": (
        (revoke_login, "identified", _as_stored),
    ),
    "a sign-in is stored under the former name": ((Driver, "place_of_sign_in", _under_account_id),),
    "a sign-in is kept beside the former name": ((Storage, "_place_of", _beside_account_id),),
    "a source does not know whose login it had": (
        (renewing, "identified", _as_stored),
        (find, "identified", _as_stored),
    ),
    "a source does not look again": ((Renewer, "has_moved", _stays),),
    "one person is taken for another": ((Identity, "fits", _anybody), (Identity, "continues", _anybody)),
    "failures are not spaced": ((memory, "_FAILED_FOR", 0.0), (memory, "_PAUSES", _NO_PAUSES)),
}
"""Every mistake by its name."""

WALKED: Final = ("a login is removed though its tokens say that it is another's",)
"""Those that need a minute at one certain step: every interleaving has it, and hardly any seed."""


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
