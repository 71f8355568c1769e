"""How the modules hang together: no circle, and no two names alike (ADR 0025).

Rules of this file: what is found is read from the source, imports within functions too; an exception is one row, with
its reason.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

import pytest

from tests.house.tree import ROOT, python_files

PACKAGES: Final = {"codex_oauth_core": ROOT / "core", "codex_oauth": ROOT / "adapters"}

ONE_OF_EACH: Final[Mapping[str, str]] = {
    "State": "each machine has its own",
    "Trigger": "each machine has its own",
    "TABLE": "each machine has its own",
    "MACHINE": "each machine has its own",
    "FINAL": "each machine has its own",
    "LIVE": "each machine has its own",
    "check": "each check of the doctor is one module with this one function",
    "main": "each program has one",
    "LAYOUT": "each sign-in says what its checkpoint holds",
    "TYPE_CHECKING": "typing is not loaded where it would cost start-up time",
}
"""Public names that stand in several modules on purpose."""


def modules() -> dict[str, Path]:
    """Every module of both packages, by its dotted name."""
    found: dict[str, Path] = {}
    for path in python_files("core", "adapters"):
        parts = path.relative_to(ROOT).with_suffix("").parts[1:]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES: Final = modules()


def imports(name: str) -> AbstractSet[str]:
    """The modules of ours that a module imports, at whatever depth, for type checkers too; not the public names of
    a package root, which load on first use.
    """
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    return {each for each in _imports(tree) if each in MODULES and each != name and each not in PACKAGES}


def _imports(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ImportFrom) and child.module:
            submodules = [f"{child.module}.{alias.name}" for alias in child.names]
            yield from (each for each in submodules if each in MODULES)
            if not all(each in MODULES for each in submodules):
                yield child.module
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        yield from _imports(child)


def circles(graph: Mapping[str, AbstractSet[str]]) -> list[list[str]]:
    """The sets of modules that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            component = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(component) > 1:
                found.append(sorted(component))

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def test_no_module_imports_itself_by_a_circle() -> None:
    assert circles({name: imports(name) for name in MODULES}) == []


def test_a_circle_would_be_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": {"c"}, "d": {"b", "c"}}) == []


def public_names(path: Path) -> Iterator[str]:
    """The public names that a module defines at its top level."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (each.id for each in targets if isinstance(each, ast.Name))
            case _:
                pass


def _is_told_apart(name: str) -> bool:
    """Not private, and no type variable (`T`, `T_co`)."""
    return not (name.startswith("_") or len(name.partition("_")[0]) == 1 or name in ONE_OF_EACH)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_public_names_of_a_package_are_alike(package: str) -> None:
    where: defaultdict[str, list[str]] = defaultdict(list)
    for module, path in MODULES.items():
        if module.partition(".")[0] == package:
            for name in filter(_is_told_apart, {*public_names(path)}):
                where[name].append(module)
    assert {name: found for name, found in where.items() if not _is_one_of_each_dialect(found)} == {}


DIALECTS: Final = ("codex", "chatgpt")


def _is_one_of_each_dialect(modules: list[str]) -> bool:
    """Whether a name stands once; or once in each dialect, which are written alike."""
    parts = [module.split(".")[1] for module in modules]
    return len(modules) == 1 or (len({*parts}) == len(parts) and {*parts} <= {*DIALECTS})


def test_every_exception_is_needed() -> None:
    names = [name for path in MODULES.values() for name in {*public_names(path)}]
    assert [name for name in ONE_OF_EACH if names.count(name) < 2] == []
