"""How values look that stand in signatures as defaults: `help()` shows their repr.

Rules of this file: short, and true: who changed a field of a constant has another value than the constant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from attrs import AttrsInstance

__all__ = ["Named", "changed_fields"]

P = ParamSpec("P")
R = TypeVar("R")


class Named(Generic[P, R]):
    """A decorator: the function, and its repr is its name. It is pickled and copied as functions are."""

    __slots__ = ("__dict__", "_function")

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function
        self.__module__ = function.__module__
        self.__qualname__ = self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return self.__name__

    def __reduce__(self) -> str:
        return self.__name__


def changed_fields(value: AttrsInstance) -> str:
    """The repr of an attrs instance with the fields alone that are not their defaults."""
    import attrs  # the clock needs `Named` alone, and is loaded where every millisecond counts

    changed = (
        f"{field.name}={getattr(value, field.name)!r}"
        for field in attrs.fields(type(value))
        if getattr(value, field.name) != field.default
    )
    return f"{type(value).__name__}({', '.join(changed)})"
