"""The schemas of `docs/schemas` as a program uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # it has no types
from referencing import Registry, Resource

from tests.cli.commands import Done

__all__ = ["FOLDER", "NAMES", "load", "valid", "validate"]

FOLDER: Final = Path(__file__).parents[2] / "docs" / "schemas"
NAMES: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def load(name: str) -> dict[str, Any]:
    """One schema."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


_EMPTY: Final[Registry[Any]] = Registry()
_REGISTRY: Final = _EMPTY.with_resources(
    [(f"{name}.json", Resource.from_contents(load(name))) for name in NAMES]
)


def validate(name: str, document: object) -> None:
    """Fail unless the document is what the schema describes."""
    schema = {"$ref": f"{name}.json"}
    validator: Any = Draft202012Validator(schema, registry=_REGISTRY, format_checker=FormatChecker())
    validator.validate(document)


def valid(name: str, done: Done) -> list[dict[str, Any]]:
    """The documents of a command that was run, each of them checked; there is at least one."""
    documents = done.documents
    assert documents, done.err
    for document in documents:
        validate(name, document)
    return documents
