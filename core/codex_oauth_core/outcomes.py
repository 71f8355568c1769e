"""How flows end, and how those about a stored login do where they do not fail.

Rules of this file: frozen data. A failure is a `SignInError`; a failure that leaves a usable access token
is `NotRenewed` with that error.
"""

from __future__ import annotations

from enum import StrEnum, unique

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import SignInError
from codex_oauth_core.record import Record

__all__ = [
    "Adopted",
    "Deposited",
    "Kept",
    "KeptBecause",
    "LoginStored",
    "NotRenewed",
    "NotRenewedReason",
    "Outcome",
    "Renewed",
    "Revoked",
    "SignedIn",
]


@attrs.frozen
class Renewed:
    """The login was renewed, and is stored as `record`.

    `unsaved`: why the login could not be stored; None if it was stored. Use an unsaved login from memory, and
    tell the person.
    """

    record: Record
    unsaved: SignInError | None = None


@attrs.frozen
class Adopted:
    """Another process has stored a newer login in the meantime: use `record`. No request was sent."""

    record: Record


@unique
class NotRenewedReason(StrEnum):
    """Why an access token was not renewed, although it is usable."""

    CURRENT = "current"
    """Nothing is due."""
    BUSY = "busy"
    """Another process is renewing it."""
    UNCERTAIN = "uncertain"
    """The answer to an earlier renewal was lost: the next may end the login, so it waits until it must be."""
    SPACED = "spaced"
    """It was renewed, or tried, less than a minute ago."""
    FAILED = "failed"
    """The renewal failed: `NotRenewed.error` says how."""


@attrs.frozen
class NotRenewed:
    """The login was left as it is, and the access token of `record` is usable. `why` says why nothing was
    renewed. Tell the person of an `error`; the next renewal tries again.
    """

    record: Record
    why: NotRenewedReason
    error: SignInError | None = None


@attrs.frozen
class LoginStored:
    """The new login is stored as `record`. It replaces `replaced`.

    `rescued`: another process held the login's lock for too long. The new login is kept beside the old one,
    and the next holder of the lock puts it in place.
    """

    record: Record
    replaced: Record | None = None
    rescued: bool = False


@attrs.frozen
class Revoked:
    """The login is deleted here. `confirmed`: whether the server confirmed that it ended the login too (RFC
    7009 §2.2); None if no server was asked.
    """

    confirmed: bool | None


@attrs.frozen
class SignedIn:
    """A sign-in is stored as `record`, in place of `replaced`, and is the login in use.

    `rescued`: as in `LoginStored`. `replaced_revoked`: whether the server confirmed that it ended the login
    that was replaced; None if that was not asked for, or if no login was replaced.
    """

    record: Record
    replaced: Record | None = None
    rescued: bool = False
    replaced_revoked: bool | None = None


Outcome = Credential | Renewed | Adopted | NotRenewed | LoginStored | Revoked | SignedIn | SignInError
"""What a flow ends with: `Finished.outcome`."""

Deposited = LoginStored
Kept = NotRenewed
KeptBecause = NotRenewedReason
"""The former names of `LoginStored`, `NotRenewed` and `NotRenewedReason`, for one release."""
