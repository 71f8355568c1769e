"""Which rows of `docs/faults.md` a test names: in its name, its docstring, a comment right above it, or the
tables that its decorators name.

Rules of this file: tests are read and never imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

__all__ = ["named_in", "rows_in"]

_ROW = re.compile(r"(?<![a-z0-9])(?:([frtjlw])([1-9]\d?)|(r)(0|6a))(?![a-z0-9])", re.IGNORECASE)

Test = ast.FunctionDef | ast.AsyncFunctionDef


def rows_in(text: str) -> set[str]:
    """The rows that a text names, such as `F12` in `test_f12_a_full_disk`."""
    return {(letter or "r").upper() + (number or rule) for letter, number, _, rule in _ROW.findall(text)}


@lru_cache
def named_in(path: Path) -> dict[str, set[str]]:
    """The rows that each test function of a file names. OSError if there is no such file."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    tables = dict(_tables(tree, source))
    return {test.name: set(_rows(test, source, tables)) for test in _tests(tree)}


def _tests(tree: ast.Module) -> Iterator[Test]:
    for node in ast.walk(tree):
        if isinstance(node, Test) and node.name.startswith("test_"):
            yield node


def _tables(tree: ast.Module, source: str) -> Iterator[tuple[str, str]]:
    """The text of each assignment at the top of a module, by its name."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, ast.get_source_segment(source, node) or ""


def _rows(test: Test, source: str, tables: dict[str, str]) -> Iterator[str]:
    yield from rows_in(test.name)
    yield from rows_in(ast.get_docstring(test) or "")
    yield from rows_in(_comment_above(test, source))
    for decorator in test.decorator_list:
        yield from _rows_of_tables(ast.get_source_segment(source, decorator) or "", tables, set())


def _comment_above(test: Test, source: str) -> str:
    lines = source.splitlines()
    first = min([test.lineno, *(decorator.lineno for decorator in test.decorator_list)])
    above: list[str] = []
    for line in reversed(lines[: first - 1]):
        if not line.lstrip().startswith("#"):
            break
        above.append(line)
    return "\n".join(above)


def _rows_of_tables(text: str, tables: dict[str, str], seen: set[str]) -> Iterator[str]:
    yield from rows_in(text)
    for name in set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", text)) & set(tables) - seen:
        seen.add(name)
        yield from _rows_of_tables(tables[name], tables, seen)
