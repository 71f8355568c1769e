"""Made-up values that fit a JSON schema: arguments of a function that the stub calls, and structured text.

Rules of this file: pure; the smallest value with every required member; a schema that says nothing, or is
nested too deep, is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

__all__ = ["example_of"]

_DEEPEST: Final = 16
_OF_TYPE: Final[Mapping[str, object]] = {
    "string": "fake",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
}


def example_of(schema: object) -> Any:
    """A value that fits `schema`, a JSON schema as tools and structured output have it."""
    return _example(schema, _members(schema), _DEEPEST)


def _members(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _items(value: object) -> list[Any]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _example(schema: object, root: Mapping[str, Any], left: int) -> Any:
    one = _members(schema)
    if left == 0 or not one:
        return None
    for name in ("const", "default"):
        if name in one:
            return one[name]
    if choices := _items(one.get("enum")):
        return choices[0]
    if "$ref" in one:
        return _example(_referred(str(one["$ref"]), root), root, left - 1)
    for name in ("anyOf", "oneOf", "allOf"):
        if choices := _items(one.get(name)):
            return _example(choices[0], root, left - 1)
    return _of_type(one, root, left)


def _of_type(one: Mapping[str, Any], root: Mapping[str, Any], left: int) -> Any:
    given: object = one.get("type")
    kind = next(iter(_items(given)), given)
    if kind == "object" or (kind is None and "properties" in one):
        members = _members(one.get("properties"))
        return {
            name: _example(members.get(name), root, left - 1)
            for name in map(str, _items(one.get("required")))
        }
    if kind == "array":
        fewest = one.get("minItems", 0)
        count = fewest if isinstance(fewest, int) else 0
        return [_example(one.get("items"), root, left - 1) for _ in range(min(count, _DEEPEST))]
    if kind in ("integer", "number") and isinstance(low := one.get("minimum"), int | float):
        return low
    return _OF_TYPE.get(str(kind))


def _referred(reference: str, root: Mapping[str, Any]) -> object:
    found: object = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        found = _members(found).get(name.replace("~1", "/").replace("~0", "~"))
    return found
