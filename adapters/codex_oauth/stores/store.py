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
    """A store found something unsafe, and put it right."""


class Slot(Protocol):
    """The place of one login. It keeps no state of its own: any number may exist, in any thread."""

    @property
    def key(self) -> str:
        """The name under which the login is kept."""
        ...

    def load(self) -> Record | None:
        """The stored record, or what was rescued beside it and will take its place: a sign-in, or a renewal
        of what is stored. Takes no lock, changes nothing, and never sees half a record.

        Raises SignInError: `corrupt_auth` (with `details.reason` as `read_record` gives it, or
        `other_account`: it is not of this name), `auth_read_failed`.
        """
        ...

    def lock(self) -> LockedLogin | None:
        """The lock of this login, among all processes; None if somebody else has it, or has left an
        intent that is younger than 105 s (`INTENT_LIFE`) and may still be acted on. Never blocks. Whoever
        has an owner (`Intent.owner`) of its own is somebody else: another thread, an earlier hold. Only a
        store whose locks end with their process may look whether that process lives.

        What earlier holders left behind is dealt with now: see `codex_oauth_core.leftovers`.
        Raises SignInError: `auth_write_failed` (`details.reason`: `no_locks` where the file system has none).
        """
        ...

    def rescue(self, record: Record) -> None:
        """Keep a record beside the login, durably and without the lock: see `Rescue`.

        Raises SignInError: `auth_write_failed`; ValueError for a record that is not of this name.
        """
        ...


class LockedLogin(Protocol):
    """One login's lock, held. `release()` or the end of a `with` block gives it back; it belongs to one
    thread at a time, and to the process that took it: in a forked child it is released, and holds nothing.
    """

    def load(self) -> Record | None:
        """What is stored. Before this holder has changed it, that is what was found when the lock was taken,
        by the same look by which the leftovers were dealt with: a second look could see what the first did
        not. What was rescued since then is for the next holder.

        Raises SignInError, as `Slot.load`. Where the leftovers could not be dealt with, nothing is reserved.
        """
        ...

    def reserve(self, record: Record) -> None:
        """See `Reserve`: space for `record` and a successor, and the intent in the stored record, durably;
        then a last look whether the lock is still the lock.

        Raises SignInError: `corrupt_auth`, `auth_write_failed` (`details.reason`: `lock_lost`; `changed` if
        something else than `record` is stored).
        """
        ...

    def sending(self) -> bool:
        """Whether a request that was reserved for may go out now: asked right before it does. No after 5 s
        (`SEND_BY`) from when the reservation was asked for, if the lock is lost, and without a reservation.
        A store that hosts share asks itself, by its own clock, in one statement: still this hold, this intent
        and what it was marked for. Never raises: who cannot tell says no.
        """
        ...

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        """See `Save`. To save again what is stored is `Saved`. A renewal is a `Conflict` only with a login
        that can be read and is another, or where somebody has signed out: if what is stored cannot be read or
        is not there, it is kept beside, and a torn file is replaced.

        Raises `SaveFailed`, with what was stored still stored; ValueError for a record that is not of this
        name.
        """
        ...

    def delete(self, expected: str | None, *, even_corrupt: bool = False) -> Deleted | Conflict:
        """See `Delete`. A sign-in that was rescued since the lock was taken is a `Conflict`: nobody has asked
        to end that one. Raises SignInError: `corrupt_auth`, `auth_write_failed`.
        """
        ...

    def release(self) -> None:
        """See `Release`. Twice is once. Never raises: what cannot be put right is left to the next holder."""
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
    """A record could not be stored in its place. `rescued`: it was kept beside, for the next holder."""

    def __init__(self, error: SignInError, *, rescued: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.rescued = rescued


class Store(Protocol):
    """A set of logins, each under its key (`Credential.key`), and a pointer to the one in use.

    A login may be kept under any of its names (`Identity.names`): under its account id, say, if an earlier
    release stored it. A place takes only records that have its name.
    """

    def names(self) -> tuple[str, ...]:
        """The names under which a login is kept, readable or not, or a rescued sign-in; in order.

        Raises SignInError: `auth_read_failed`.
        """
        ...

    def current(self) -> str | None:
        """The name of the login in use. None if none was selected, or if it is gone. While a sign-in moves it
        from a former name to its key, the answer is one of the two, and never None.

        Raises SignInError: `auth_read_failed`.
        """
        ...

    def select(self, key: str | None) -> None:
        """Put a login in use; None puts none in use.

        Raises SignInError: `auth_write_failed`; ValueError for what is no key.
        """
        ...

    def prepare(self) -> None:
        """Make sure that a login can be stored, before anybody is asked to sign in.

        Raises SignInError: `auth_write_failed`.
        """
        ...

    def slot(self, key: str) -> Slot:
        """The place of a login, whether there is one or not. Raises ValueError for what is no key: letters,
        digits, `_` and `-`, at most 128.
        """
        ...


class KeepsRegistrations(Store, Protocol):
    """A store that also keeps registrations, and knows what this machine is called: what a sign-in needs
    whose server issues client ids.
    """

    def registrations(self) -> tuple[Registration, ...]:
        """All registrations, the oldest first. A registration stays when its login is deleted.

        Raises SignInError: `corrupt_auth`, `auth_read_failed`.
        """
        ...

    def register(self, registration: Registration) -> None:
        """Keep a registration, durably, in place of one with the same client id. See `Register`.

        Raises SignInError: `auth_write_failed`; ValueError for a client id that is none.
        """
        ...

    def host_id(self) -> str:
        """What this machine is called at authorization servers: made at the first call, and the same for
        every process that uses the store from then on, whoever signs in or out.

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
