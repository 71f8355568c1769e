"""A value that must not be shown: tokens, codes, verifiers, state, device ids.

Rules of this file: no text form of a `Secret` says anything about its value, and `reveal()` is the
only way to it, so that a search for `reveal` lists every place to review.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final, Generic, NoReturn, TypeVar, cast

__all__ = ["Secret", "leaks", "without_traceback"]

T = TypeVar("T", str, bytes)
R = TypeVar("R")

_TELLING: Final = 8
_HIDDEN: Final = "Secret('***')"


class Secret(Generic[T]):
    """A secret string or byte string.

    Its `repr`, `str` and `format` are constant, it compares in constant time and only with another
    `Secret`, and it refuses hashing and pickling.
    """

    __slots__ = ("__value",)

    def __init__(self, value: T) -> None:
        self.__value: T = value

    def reveal(self) -> T:
        """The value itself. Call it only where the value is sent, compared or stored."""
        return self.__value

    def fingerprint(self) -> str:
        """SHA-256 of the value in hexadecimal. It tells two secrets apart without showing them."""
        return hashlib.sha256(_as_bytes(self.__value)).hexdigest()

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = self.__value, cast("Secret[str] | Secret[bytes]", other).reveal()
        return type(mine) is type(theirs) and hmac.compare_digest(_as_bytes(mine), _as_bytes(theirs))

    __hash__ = None  # type: ignore[assignment]  # a hash would tell equal secrets apart in a dump

    def __copy__(self) -> Secret[T]:
        return self

    def __deepcopy__(self, memo: object) -> Secret[T]:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; store reveal() deliberately instead")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__getstate__()


def leaks(text: str, secret: Secret[str]) -> bool:
    """Whether a piece of `secret` that tells something, eight letters or all of it, is in `text`."""
    said, hidden = text.lower(), secret.reveal().lower()
    if len(hidden) < _TELLING:
        return hidden != "" and hidden in said
    return any(said[i : i + _TELLING] in hidden for i in range(len(said) - _TELLING + 1))


def without_traceback(work: Callable[[], R]) -> R:
    """Return what `work` returns. If it fails, no traceback shows its frames and their variables."""
    try:
        return work()
    except BaseException as error:  # noqa: BLE001  # raised again
        raise error.with_traceback(None) from None


unseen: Final = without_traceback
"""The former name of `without_traceback`, for one release."""


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
