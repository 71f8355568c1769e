"""Write the `.pyi` beside each package whose names load on first use, from the table in its `__init__.py`.

Rules of this file: the table is read and not run; a stub says where each name lives, and nothing else, so
that an editor goes from the name to its source. `--check` writes nothing, prints what differs, and exits with
1 if anything does.

    python -m docs.stubs.write [--check]
"""

from __future__ import annotations

import argparse
import ast
import difflib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

PACKAGES: Final = (
    "core/codex_oauth_core",
    "adapters/codex_oauth",
    "adapters/codex_oauth/authority",
    "adapters/codex_oauth/fleet",
    "adapters/codex_oauth/testing",
)
"""Every package with such a table."""

_HEAD: Final = """\
# Where each name of this package lives: for editors and type checkers, which run nothing.
# Written by `make fmt` from the table in __init__.py; change that one.

"""


Table = Mapping[str, tuple[str, ...]]
"""The names by the module that each lives in."""


def tables(source: str) -> tuple[Table, Table]:
    """The tables that `lazy_names()` is called with: the names, and those that need an extra.

    Raises ValueError for a source without such a call.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="lazy_names"), args=[_, homes, *extras]):
                return ast.literal_eval(homes), ast.literal_eval(extras[0]) if extras else {}
            case _:
                pass
    raise ValueError("no call of lazy_names() with a table")


def stub(source: str) -> str:
    """The text of the `.pyi` beside an `__init__.py` with this source."""
    usual, extras = tables(source)
    names = sorted(
        ((home, name) for each in (usual, extras) for home, theirs in each.items() for name in theirs),
        key=lambda each: (each[0], _rank(each[1])[0], each[1].lower()),
    )
    imports = (f"from {home} import {name} as {name}\n" for home, name in names)
    listed = (
        f'    "{name}",\n' for name in sorted((n for names in usual.values() for n in names), key=_rank)
    )
    return "".join((_HEAD, *imports, "\n__all__ = [\n", *listed, "]\n"))


def _rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as ruff wants them."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name


def stubs(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every stub: where it stands, and what must be in it."""
    for package in PACKAGES:
        source = (root / package / "__init__.py").read_text(encoding="utf-8")
        yield root / package / "__init__.pyi", stub(source)


def differences(path: Path, new: str) -> list[str]:
    """A unified diff from the file to what must be in it; empty if they are equal."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    name = str(path.relative_to(ROOT))
    return list(
        difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), name, f"{name} (table)"
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Write, or check; the exit code."""
    parser = argparse.ArgumentParser(description="Write the .pyi beside each package that loads lazily.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file differs")
    if parser.parse_args(arguments).check:
        changes = [line for path, new in stubs() for line in differences(path, new)]
        sys.stdout.writelines(changes)
        return 1 if changes else 0
    for path, new in stubs():
        path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
