"""What a store of logins can do, whatever keeps them.

Rules of this file: protocols only; what another process may cause is a value (`Conflict`, no lock), a
storage that fails is a `SignInError` of kind `corrupt_auth`, `auth_read_failed` or `auth_write_failed`; a
method's argument that no program should pass is a ValueError.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Protocol, Self, TypeGuard

from codex_oauth_core.errors import SignInError
from codex_oauth_core.record import Record
from codex_oauth_core.registration import Registration
from codex_oauth_core.storage import Conflict, Deleted, Saved

__all__ = [
    "Conflict",
    "Deleted",
    "Held",
    "KeepsRegistrations",
    "LockedLogin",
    "SaveFailed",
    "Saved",
    "Slot",
    "Store",
    "StoreWarning",
    "keeps_registrations",
    "prepare_store",
    "refuse_earlier_store",
]


class StoreWarning(UserWarning):
    """A store found something unsafe, and corrected it."""


class Slot(Protocol):
    """The place of one login in a store. It keeps no state of its own: make any number of them, in any
    thread.
    """

    @property
    def key(self) -> str:
        """The name under which the login is kept."""
        ...

    def load(self) -> Record | None:
        """The stored record, or the rescued record that will replace it: a sign-in, or a renewal of the
        stored record. It takes no lock, changes nothing, and never sees half a record.

        Raises SignInError: `corrupt_auth` (with `details.reason` as in `read_record`, or `other_account`: the
        record is of another name), `auth_read_failed`.
        """
        ...

    def lock(self) -> LockedLogin | None:
        """Take the lock of this login, which excludes all other processes. None if another holder has it, or
        has left an intent that is younger than 105 s (`INTENT_LIFE`) and may still act on it. Never blocks.
        Every hold has an owner of its own (`Intent.owner`): another thread and an earlier hold are other
        holders. A store may check that the holder's process lives only if its locks end with their process.

        It also handles what earlier holders left behind: see `codex_oauth_core.leftovers`. Raises
        SignInError: `auth_write_failed` (`details.reason`: `no_locks` if the file system has no locks).
        """
        ...

    def rescue(self, record: Record) -> None:
        """Keep a record beside the stored one, durably and without the lock: see `Rescue`.

        Raises SignInError: `auth_write_failed`; ValueError for a record of another name.
        """
        ...


class LockedLogin(Protocol):
    """The lock of one login, held. `release()` or the end of a `with` block releases it. It belongs to one
    thread at a time, and to the process that took it: in a forked child it is released, and holds nothing.
    """

    def load(self) -> Record | None:
        """The stored record. Until this holder changes it, this is the record found when the lock was taken,
        in the same read that handled the leftovers of earlier holders: a second read could see something
        else. A record that was rescued after that is for the next holder.

        Raises SignInError, as `Slot.load` does. If the leftovers could not be handled, nothing can be
        reserved.
        """
        ...

    def reserve(self, record: Record) -> None:
        """See `Reserve`. It durably reserves space for `record` and a successor, writes the intent into the
        stored record, and then checks that the lock is still held.

        Raises SignInError: `corrupt_auth`, `auth_write_failed` (`details.reason`: `lock_lost`; `changed` if
        the stored record is not `record`).
        """
        ...

    def sending(self) -> bool:
        """Whether the reserved request may go out now: call this right before it goes out. The answer is no
        after 5 s (`SEND_BY`) from the call of `reserve`, if the lock is lost, and without a reservation. A
        store that several hosts share asks its database by the database's own clock, in one statement: still
        this hold, this intent and this marked record. Never raises: if the store cannot tell, the answer is
        no.
        """
        ...

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        """See `Save`. Saving the stored record again is `Saved`. A renewal is a `Conflict` only if a
        readable, different login is stored, or if a sign-out deleted the login. If the stored record cannot
        be read or is missing, the renewal is kept beside, and a torn file is replaced.

        Raises `SaveFailed`, and the stored record stays; ValueError for a record of another name.
        """
        ...

    def delete(self, expected: str | None, *, even_corrupt: bool = False) -> Deleted | Conflict:
        """See `Delete`. If a sign-in was rescued after the lock was taken, the answer is `Conflict`: that
        sign-in must not be deleted. Raises SignInError: `corrupt_auth`, `auth_write_failed`.
        """
        ...

    def release(self) -> None:
        """See `Release`. A second call does nothing. Never raises: the next holder handles what could not be
        cleaned up.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Give the lock back; after an exception the intent stays, for nobody says what was sent."""
        ...


class SaveFailed(Exception):
    """The record could not be stored. `rescued`: it was kept beside the stored one, for the next holder."""

    def __init__(self, error: SignInError, *, rescued: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.rescued = rescued


class Store(Protocol):
    """A set of logins, each under its key (`Credential.key`), and a pointer to the current one.

    A login may be stored under any of its names (`Identity.names`), such as its account id if an earlier
    release stored it. A slot accepts only records that have its name.
    """

    def names(self) -> tuple[str, ...]:
        """The names of all stored logins, readable or not, and of all rescued sign-ins, in order.

        Raises SignInError: `auth_read_failed`.
        """
        ...

    def current(self) -> str | None:
        """The name of the current login. None if none was selected, or if it was deleted. While a sign-in
        moves it from a former name to its key, the answer is one of the two names, and never None.

        Raises SignInError: `auth_read_failed`.
        """
        ...

    def select(self, key: str | None) -> None:
        """Make a login the current one; None selects none.

        Raises SignInError: `auth_write_failed`; ValueError for an invalid key.
        """
        ...

    def prepare(self) -> None:
        """Check that a login can be stored. Call it before you ask a person to sign in.

        Raises SignInError: `auth_write_failed`.
        """
        ...

    def slot(self, key: str) -> Slot:
        """The slot of a login, whether a login is stored in it or not. Raises ValueError for an invalid key:
        a key has letters, digits, `_` and `-`, at most 128.
        """
        ...


class KeepsRegistrations(Store, Protocol):
    """A store that also keeps registrations, and this machine's name. A sign-in at a server that issues
    client ids needs one.
    """

    def registrations(self) -> tuple[Registration, ...]:
        """All registrations, the oldest first. Deleting a login does not delete its registration.

        Raises SignInError: `corrupt_auth`, `auth_read_failed`.
        """
        ...

    def register(self, registration: Registration) -> None:
        """Keep a registration durably, in place of one with the same client id. See `Register`.

        Raises SignInError: `auth_write_failed`; ValueError for an invalid client id.
        """
        ...

    def host_id(self) -> str:
        """The name of this machine for authorization servers. The first call makes it; from then on it is the
        same for every process that uses the store, after every sign-in and sign-out.

        Raises SignInError: `auth_read_failed`, `auth_write_failed`.
        """
        ...


def keeps_registrations(store: Store) -> TypeGuard[KeepsRegistrations]:
    """Whether a store keeps registrations, too: one of an earlier release does not."""
    return all(callable(getattr(store, name, None)) for name in ("registrations", "register", "host_id"))


def prepare_store(store: Store) -> None:
    """`store.prepare()`, before anybody is asked to sign in. Raises as that and `refuse_earlier_store` do."""
    refuse_earlier_store(store)
    store.prepare()


def refuse_earlier_store(store: Store) -> None:
    """Raise TypeError for a store that was written for an earlier release: it would refuse the login when
    that is granted.
    """
    if not hasattr(store, "names"):
        raise TypeError(_EARLIER.format(type(store).__name__))


_EARLIER: Final = (
    "{} is a store for an earlier release: accounts() is now names(), Slot.account_id is Slot.key, and a "
    "place takes every record that has its name among record.credential.identity.names; "
    "codex_oauth.testing.check_store checks it"
)


Held = LockedLogin
"""The former name of `LockedLogin`, for one release."""
