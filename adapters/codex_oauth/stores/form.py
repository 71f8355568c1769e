"""How a login looks in its file: the record as JSON, sealed where the store has a seal.

Rules of this file: nothing is written that could not be read again; a content that is no login of this
account is a SignInError, as a value; no frame of a failure shows a token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs

from codex_oauth.stores.failures import advised, failure, shown
from codex_oauth.stores.seal import SEALED, Seal, SealBroken
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import LONGEST_RECORD, Record, read_record, write_record
from codex_oauth_core.secret import Secret, without_traceback

__all__ = ["NEVER_PUT_ASIDE", "Form", "may_be_put_aside"]

NEVER_PUT_ASIDE: Final = ("schema_too_new", "other_account")
"""Reasons for which not even a new sign-in replaces what is stored."""

_SEALED_GROWTH: Final = 2  # a sealed content may be so many times longer: text for bytes is 4/3


@attrs.frozen
class Form:
    """The form of one account's login. `path` is its file, for messages."""

    account_id: str
    path: Path
    seal: Seal | None = attrs.field(default=None, repr=False)

    @property
    def longest(self) -> int:
        """Bytes that a file has at most."""
        return LONGEST_RECORD if self.seal is None else LONGEST_RECORD * _SEALED_GROWTH

    def check(self, record: Record) -> None:
        """Raises ValueError for a record of another account."""
        if record.credential.account_id != self.account_id:
            raise ValueError("the record is another account's")

    def write(self, record: Record) -> Secret[bytes]:
        """The content of the file.

        Raises SignInError of kind `auth_write_failed` (`not_storable`, or why it could not be sealed).
        """
        content = without_traceback(lambda: Secret(write_record(record)))
        if without_traceback(lambda: read_record(content.reveal())) != record:
            raise failure(ErrorKind.AUTH_WRITE_FAILED, "not_storable", self.path)
        sealed = self._sealed(content)
        if len(sealed.reveal()) > self.longest:
            raise failure(ErrorKind.AUTH_WRITE_FAILED, "not_storable", self.path)
        return sealed

    def _sealed(self, content: Secret[bytes]) -> Secret[bytes]:
        seal = self.seal
        if seal is None:
            return content
        try:
            return without_traceback(lambda: seal.seal(content))
        except SealBroken as broken:
            raise failure(ErrorKind.AUTH_WRITE_FAILED, broken.reason, self.path) from None

    def read(self, content: Secret[bytes]) -> Record | SignInError:
        """The record in a file of at most `longest` bytes, and one more."""
        opened = self._unsealed(content)
        if isinstance(opened, SignInError):
            return opened
        found = without_traceback(lambda: read_record(opened.reveal()))
        if isinstance(found, SignInError):
            return advised(attrs.evolve(found, details={**found.details, "path": shown(self.path)}))
        if found.credential.account_id != self.account_id:  # say, a file system that ignores case
            return failure(ErrorKind.CORRUPT_AUTH, "other_account", self.path)
        return found

    def _unsealed(self, content: Secret[bytes]) -> Secret[bytes] | SignInError:
        seal = self.seal
        if seal is None:
            if content.reveal().startswith(SEALED):  # it may be good: it is never put aside
                return failure(ErrorKind.AUTH_READ_FAILED, "sealed", self.path)
            return content
        if len(content.reveal()) > self.longest:
            return failure(ErrorKind.CORRUPT_AUTH, "too_big", self.path)
        try:
            return without_traceback(lambda: seal.unseal(content))
        except SealBroken as broken:
            kind = ErrorKind.CORRUPT_AUTH if broken.reason == "sealed_wrong" else ErrorKind.AUTH_READ_FAILED
            return failure(kind, broken.reason, self.path)


def may_be_put_aside(found: SignInError) -> bool:
    """Whether a new sign-in may take the place of what could not be read."""
    return found.kind is ErrorKind.CORRUPT_AUTH and found.details["reason"] not in NEVER_PUT_ASIDE
