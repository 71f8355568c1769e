"""What a flow asks of a store, and what a store answers.

Rules of this file: effects and answers are frozen data; no storage effect blocks, so none is ever
cancelled; what another process may cause is an answer of its own (`LockBusy`, `Conflict`), and a storage
that fails is `StoreFailed`. `expected` is the `Record.fingerprint` that is believed to be stored, None for
nothing: a compare-and-set. `answers` of an effect are the types of answers that fit it.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from codex_oauth_core.errors import SignInError
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.registration import Registration

__all__ = [
    "Conflict",
    "Delete",
    "Deleted",
    "Find",
    "Found",
    "Load",
    "Loaded",
    "Lock",
    "LockBusy",
    "Locked",
    "Register",
    "Registered",
    "Release",
    "Released",
    "Rescue",
    "Rescued",
    "Reserve",
    "Reserved",
    "Save",
    "Saved",
    "Select",
    "Selected",
    "StorageAnswer",
    "StorageEffect",
    "StoreFailed",
]


@attrs.frozen
class Loaded:
    """What is stored: a record, or nothing."""

    record: Record | None


@attrs.frozen
class Locked:
    """The lock is ours until `Release`.

    `record` is what is stored, by the very look by which the leftovers of earlier holders were dealt with.
    `problem`: that look was in vain, and nobody knows what is stored.
    """

    record: Record | None = None
    problem: SignInError | None = None


@attrs.frozen
class LockBusy:
    """Somebody else has the lock, or is about to spend the refresh token. `intent`: who, if it is known."""

    intent: Intent | None = None


@attrs.frozen
class Reserved:
    """The space is there, and the intent is marked, both on the disk."""


@attrs.frozen
class Saved:
    """The record is stored, and survives a crash of the machine."""


@attrs.frozen
class Conflict:
    """The store holds something else than the caller expects: `record`, or nothing, because a sign-out
    deleted the login. Nothing was changed.
    """

    record: Record | None


@attrs.frozen
class Rescued:
    """The record will be found by whoever locks its login next."""


@attrs.frozen
class Deleted:
    """The store holds nothing of the login any more."""


@attrs.frozen
class Released:
    """The lock is free. Nothing that can fail is left to do."""


@attrs.frozen
class Selected:
    """The login is the one in use."""


@attrs.frozen
class Found:
    """Under `name` this `record` is kept. None of both: nothing is, under any of the names."""

    name: str | None = None
    record: Record | None = None


@attrs.frozen
class Registered:
    """The registration is kept, and survives a crash of the machine."""


@attrs.frozen
class StoreFailed:
    """The storage failed; what was stored is still stored.

    `error` is of kind `corrupt_auth`, `auth_read_failed` or `auth_write_failed`. `rescued`: the record to
    be saved was kept all the same, as by `Rescue`.
    """

    error: SignInError
    rescued: bool = False


StorageAnswer = (
    Loaded
    | Locked
    | LockBusy
    | Reserved
    | Saved
    | Conflict
    | Rescued
    | Deleted
    | Released
    | Selected
    | StoreFailed
    | Found
    | Registered
)

_Types = tuple[type[StorageAnswer], ...]


@attrs.frozen
class Load:
    """Read what is stored, without the lock: `Loaded`. A sign-in that was rescued takes its place."""

    answers: ClassVar[_Types] = (Loaded, StoreFailed)


@attrs.frozen
class Lock:
    """Take the lock of this login, at once or not at all: `Locked`, with what is stored, or `LockBusy`."""

    answers: ClassVar[_Types] = (Locked, LockBusy, StoreFailed)


@attrs.frozen
class Reserve:
    """Make sure that `record` and a successor of its size can be saved, and leave a durable mark (the
    record's `intent`) that its refresh token is about to be spent: `Reserved`. Needs the lock, and makes
    sure that it still is the lock. From here on the driver asks the store right before a request that is
    sent once whether it may still go out, and answers it as not sent if not.
    """

    answers: ClassVar[_Types] = (Reserved, StoreFailed)

    record: Record


@attrs.frozen
class Save:
    """Store `record` if `expected` is stored: `Saved` or `Conflict`. Needs the lock. To save again what was
    saved is `Saved` again.

    `replace_corrupt` is for a new sign-in only: what cannot be read is put aside, and the record stored
    whatever `expected` is. A login that a newer release wrote is never put aside.
    """

    answers: ClassVar[_Types] = (Saved, Conflict, StoreFailed)

    record: Record
    expected: str | None
    replace_corrupt: bool = False


@attrs.frozen
class Rescue:
    """Keep `record` beside the login, without a lock, for whoever locks that login next: `Rescued`. A sign-in
    is kept beside the login that its own key names.
    """

    answers: ClassVar[_Types] = (Rescued, StoreFailed)

    record: Record


@attrs.frozen
class Delete:
    """Remove the login and all that is left of it, if `expected` is stored: `Deleted` or `Conflict`.

    `even_corrupt`: also if what is stored cannot be read.
    """

    answers: ClassVar[_Types] = (Deleted, Conflict, StoreFailed)

    expected: str | None
    even_corrupt: bool = False


@attrs.frozen
class Release:
    """Give the lock back, with what was reserved and not used: `Released`.

    If no `Save` was tried since `Reserve`, nothing was spent, and the intent is taken back. After a `Save`
    that failed it stays: it is the only mark of what was spent.
    """

    answers: ClassVar[_Types] = (Released,)


@attrs.frozen
class Select:
    """Put this login in use: `Selected`. It needs no lock, and says nothing of what is stored."""

    answers: ClassVar[_Types] = (Selected, StoreFailed)


@attrs.frozen
class Find:
    """Look for the first of these names under which the store keeps a login: `Found`. If there is one, all
    effects that follow are about that login, and no longer about the one that the driver began with. Asked
    for without the lock.
    """

    answers: ClassVar[_Types] = (Found, StoreFailed)

    names: tuple[str, ...]


@attrs.frozen
class Register:
    """Keep `registration` under its client id before any request uses that id; the answer is `Registered`. It
    needs no lock, and it is safe to repeat. A store that keeps no registrations gives the same answer.
    """

    answers: ClassVar[_Types] = (Registered, StoreFailed)

    registration: Registration


StorageEffect = Load | Lock | Reserve | Save | Rescue | Delete | Release | Select | Find | Register
