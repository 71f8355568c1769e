"""What a store of logins can do, whatever keeps them.

Rules of this file: a protocol, and the values that answer it; what another process may cause is a value
(`Conflict`), a storage that fails is a `SignInError` of kind `corrupt_auth`, `auth_read_failed` or
`auth_write_failed`; a method's argument that no program should pass is a ValueError.
"""

from __future__ import annotations

from typing import Protocol

import attrs

from codex_oauth_core.record import Record

__all__ = ["Conflict", "Deleted", "Saved", "Slot", "Store", "StoreWarning"]


class StoreWarning(UserWarning):
    """A store found something unsafe, and put it right."""


@attrs.frozen
class Saved:
    """The record is stored, and survives a crash of the machine."""


@attrs.frozen
class Deleted:
    """Nothing of the login is stored any more."""


@attrs.frozen
class Conflict:
    """Something else is stored than the caller believes: `record`, or nothing. Nothing was changed."""

    record: Record | None


class Slot(Protocol):
    """The place of one login. It keeps no state of its own: any number may exist, in any thread.

    `expected` is the `Record.fingerprint` that the caller believes is stored, None for nothing: a
    compare-and-set. The lock and the reservation of space that a refresh needs join here as methods of
    their own, and change none of these.
    """

    @property
    def account_id(self) -> str:
        """The account whose login this is."""
        ...

    def load(self) -> Record | None:
        """The stored record, None if there is none. Takes no lock, and never sees half a record.

        Raises SignInError: `corrupt_auth` (with `details.reason` as `read_record` gives it, or
        `other_account`), `auth_read_failed`.
        """
        ...

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        """Store `record` if `expected` is stored.

        `replace_corrupt` is for a new sign-in only: a login that cannot be read is put aside, and the
        record stored whatever `expected` is. A login that a newer release wrote is never put aside.
        Raises SignInError: `corrupt_auth`, `auth_write_failed`; what was stored is then still stored.
        Raises ValueError for a record of another account.
        """
        ...

    def delete(self, expected: str | None) -> Deleted | Conflict:
        """Remove the login and all that is left of it, if `expected` is stored.

        Raises SignInError: `corrupt_auth`, `auth_write_failed`.
        """
        ...

    def discard(self) -> Deleted:
        """Remove the login and all that is left of it, whatever it is: what a person's sign-out does with
        a login that `delete` refuses. Raises SignInError: `auth_write_failed`.
        """
        ...


class Store(Protocol):
    """A set of logins, at most one for an account, and a pointer to the one in use."""

    def accounts(self) -> tuple[str, ...]:
        """The ids of the accounts that have a login, readable or not, in order.

        Raises SignInError: `auth_read_failed`.
        """
        ...

    def current(self) -> str | None:
        """The account in use. None if none was selected, or if its login is gone.

        Raises SignInError: `auth_read_failed`.
        """
        ...

    def select(self, account_id: str | None) -> None:
        """Put an account in use; None puts none in use.

        Raises SignInError: `auth_write_failed`; ValueError for what is no account id.
        """
        ...

    def prepare(self) -> None:
        """Make sure that a login can be stored, before anybody is asked to sign in.

        Raises SignInError: `auth_write_failed`.
        """
        ...

    def slot(self, account_id: str) -> Slot:
        """The place of an account's login, whether there is one or not. Raises ValueError for what is no
        account id: letters, digits, `_` and `-`, at most 128.
        """
        ...
