"""JSON objects of our own and of other programs' files, read strictly (RFC 8259): in one way, or not at all.

Rules of this file: what two readers could understand differently is refused: a name twice, NaN, an
infinity, a number beyond a float. What does not fit is named by a word, never by a value; the text that was
read is in no frame of the error. Nothing heavier than `json` is loaded, because commands that only print a
token start with this.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Final, NoReturn, TypeGuard

__all__ = ["DEEPEST", "NotStrictJsonError", "is_list", "is_object", "read_object", "read_value"]

DEEPEST: Final = 32
"""Levels of an object that are read at most: whoever writes it again recurses."""


class NotStrictJsonError(ValueError):
    """What was read does not fit. `reason`: `too_big`, `not_utf8`, `not_json`, `ambiguous` (a name twice, or
    a number that is not finite), `too_deep` or `not_an_object`. `line`: where it ends to be JSON, from 1.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def read_object(data: bytes | str, longest: int, deepest: int = DEEPEST) -> dict[str, Any]:
    """The JSON object in `data`, which has at most `longest` bytes, or characters. Raises NotStrictJsonError.

    `deepest`: levels of it that are read at most.
    """
    fault, document = _read(data, longest, None)
    if fault is None and not is_object(document):
        fault = NotStrictJsonError("not_an_object")
    elif fault is None and not _is_shallow(document, deepest):
        fault = NotStrictJsonError("too_deep")
    if fault is not None:
        del data, document
        raise fault
    found: dict[str, Any] = document
    return found


def read_value(data: bytes | str, longest: int, *, parse_int: Callable[[str], Any] | None = None) -> object:
    """The JSON value in `data`, as deep as it is. Raises NotStrictJsonError.

    `parse_int`: what becomes of a whole number's digits; without it one of 5000 digits is `ambiguous`.
    """
    fault, value = _read(data, longest, parse_int)
    if fault is not None:
        del data, value
        raise fault
    return value


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a JSON value is a list."""
    return isinstance(value, list)


def _read(
    data: bytes | str, longest: int, parse_int: Callable[[str], Any] | None
) -> tuple[NotStrictJsonError | None, Any]:
    """What is wrong, or the value. The parser's errors hold the text: none leaves here."""
    if len(data) > longest:
        return NotStrictJsonError("too_big"), None
    try:
        value = json.loads(
            data if isinstance(data, str) else data.decode("utf-8"),
            object_pairs_hook=_members,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=parse_int,
        )
    except UnicodeDecodeError:
        return NotStrictJsonError("not_utf8"), None
    except json.JSONDecodeError as error:
        return NotStrictJsonError("not_json", error.lineno), None
    except ValueError:  # of ours; or a number of too many digits
        return NotStrictJsonError("ambiguous"), None
    except RecursionError:
        return NotStrictJsonError("too_deep"), None
    return None, value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if abs(number) == float("inf"):
        raise ValueError("infinity")
    return number


def _is_shallow(document: dict[str, Any], deepest: int) -> bool:
    level: list[dict[str, Any] | list[Any]] = [document]
    for _ in range(deepest):
        if not level:
            return True
        level = [value for outer in level for value in _values(outer) if _is_container(value)]
    return not level


def _values(container: dict[str, Any] | list[Any]) -> Iterable[object]:
    return container.values() if isinstance(container, dict) else container


def _is_container(value: object) -> TypeGuard[dict[str, Any] | list[Any]]:
    return isinstance(value, dict | list)
