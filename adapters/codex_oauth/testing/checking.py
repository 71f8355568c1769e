"""What checks are made of: assertions that say what is wrong; and sample logins, for those of a store.

Rules of this file: an `AssertionError` whose text stands alone, whatever runs the check and with whatever
options; the tokens of a sample are recognisable, so that a check can see whether a text shows one.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Generator
from typing import Any, Final, NoReturn, TypeVar

import attrs

from codex_oauth.stores.store import LockedLogin, Slot, Store
from codex_oauth_core.credential import Credential
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret

__all__ = [
    "ACCOUNT",
    "TELLTALE",
    "case",
    "check_error",
    "collecting_what_is_new",
    "fail",
    "locked",
    "put",
    "refused",
    "renewed",
    "same",
    "sample",
    "settle",
    "true",
]

_E = TypeVar("_E", bound=BaseException)

ACCOUNT: Final = "acct_1"
TELLTALE: Final = "telltale"
"""In every token of a sample, and nowhere else."""


def sample(number: int = 1, account_id: str = ACCOUNT, **fields: Any) -> Record:
    """A login that was signed in; a higher `number` later."""
    credential = Credential(
        access_token=Secret(f"{TELLTALE}-access-{number}"),
        refresh_token=Secret(f"{TELLTALE}-refresh-{number}"),
        id_token=Secret(f"{TELLTALE}-id-{number}"),
        account_id=account_id,
        issuer="https://auth.example",
        client_id="app_1",
        obtained_at=f"2027-01-15T08:{number % 60:02}:07Z",
        expires_at=1_800_000_000_000,
    )
    return attrs.evolve(Record(credential), **fields)


def renewed(record: Record, number: int) -> Record:
    """What a renewal made of `record`."""
    token = record.credential.refresh_token
    parent = None if token is None else token.fingerprint()
    return sample(
        number, record.credential.account_id or ACCOUNT, generation=record.generation + 1, parent=parent
    )


def fail(what: str) -> NoReturn:
    """The check fails."""
    raise AssertionError(what)


def true(fact: object, what: str) -> None:
    """`what` says what must hold."""
    if not fact:
        fail(what)


def same(found: object, wanted: object, what: str) -> None:
    """`what` says what must be equal. No text shows a secret."""
    if found != wanted:
        fail(f"{what}: expected {wanted!r}, found {found!r}")


def check_error(check: object, error: Exception) -> AssertionError:
    """The error of a check that failed, with the check's name: what it said, or what was raised. Its cause is
    what a world raised, if it did.
    """
    found = AssertionError(f"{getattr(check, '__name__', check)}: {_said(error)}")
    found.__cause__ = _raised(error)
    return found


@contextlib.contextmanager
def case(name: str) -> Generator[None]:
    """One row of a check: what fails in the block is told with its name, and what is raised is a failure."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # raised again, with the row
        found = AssertionError(f"{name}: {_said(error)}")
        found.__cause__ = _raised(error)
        raise found from found.__cause__


def _said(error: Exception) -> str:
    said = str(error) if isinstance(error, AssertionError) else ""
    return said or f"{type(error).__name__} was raised"


def _raised(error: BaseException | None) -> BaseException | None:
    """What a world raised, if that lies behind a failed check."""
    while isinstance(error, AssertionError):
        error = error.__cause__
    return error


def refused(kind: type[_E], what: str, work: Callable[..., object], *arguments: object) -> _E:
    """The error that `work` must raise."""
    try:
        work(*arguments)
    except kind as error:
        return error
    except Exception as error:  # whatever a store or a world raises
        wrong = f"{what} must raise {kind.__name__}, and raised {type(error).__name__}"
        raise AssertionError(wrong) from error
    fail(f"{what} was not refused")


def locked(slot: Slot) -> LockedLogin:
    """The lock, which must be free."""
    held = slot.lock()
    if held is None:
        fail("lock() gave None although nobody has the lock")
    return held


def put(store: Store, record: Record, expected: str | None = None) -> Slot:
    """Save a record in its place, and say which place that is."""
    slot = store.slot(record.credential.account_id or record.credential.key)
    with locked(slot) as held:
        answer = held.save(record, expected)
    same(type(answer).__name__, "Saved", "the answer to a save")
    return slot


def settle(slot: Slot) -> Record | None:
    """What is stored after the lock was taken and given back, which puts rescued records in their place."""
    with locked(slot) as held:
        found = held.load()
    same(slot.load(), found, "what is loaded without the lock, after it was loaded with it")
    return found


@contextlib.contextmanager
def collecting_what_is_new() -> Generator[None]:
    """Within it `gc.collect()` looks at what was made since: a program with millions of objects pays once."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
