"""Programs of the pages import from the roots: `codex_oauth`, and its kits for tests, for a server, for a fleet.

Rules of this file: every Python block of every page, and every example beside the pages; an exception is one row, with
its reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from tests.house.tree import ROOT, own_files

ROOTS: Final = ("codex_oauth", "codex_oauth.authority", "codex_oauth.fleet", "codex_oauth.testing")

EXCEPTIONS: Final[Mapping[tuple[str, str], str]] = {}
"""A page and a module that it imports all the same, and why."""

_BLOCK: Final = re.compile(r"^( *)```py(?:thon)?\b[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

PAGES: Final = sorted(
    path
    for path in own_files()
    if path.suffix == ".md" or (path.suffix == ".py" and "docs/examples" in path.as_posix())
)


def programs(path: Path) -> Iterator[str]:
    """The Python of a page, or of an example."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield text
    else:
        yield from (dedent(block) for _, block in _BLOCK.findall(text))


def imported(code: str) -> Iterator[tuple[str, str | None]]:
    """Each module of ours that a program imports, with the name that it takes from there."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if (
                module.partition("_core")[0].partition(".")[0] == "codex_oauth"
            ):
                yield from ((module, each.name) for each in names)
            case ast.Import(names=names):
                yield from ((each.name, None) for each in names if each.name.startswith("codex_oauth"))
            case _:
                pass


def foreign(path: Path) -> set[str]:
    """The modules of ours that a page imports, and should not."""
    name = str(path.relative_to(ROOT))
    modules = {module for code in programs(path) for module, _ in imported(code)}
    return {module for module in modules if module not in ROOTS and (name, module) not in EXCEPTIONS}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_imports_from_the_roots(path: Path) -> None:
    assert foreign(path) == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_imports_is_public(path: Path) -> None:
    for code in programs(path):
        for module, name in imported(code):
            assert name is None or hasattr(import_module(module), name)


def test_every_exception_is_needed() -> None:
    for name, module in EXCEPTIONS:
        assert module in {found for code in programs(ROOT / name) for found, _ in imported(code)}


def test_an_inner_path_would_be_seen(tmp_path: Path) -> None:
    code = "import httpx\nfrom codex_oauth import login\nfrom codex_oauth.worlds.world import run\nimport codex_oauth_core\n"
    assert {module for module, _ in imported(code)} == {
        "codex_oauth",
        "codex_oauth.worlds.world",
        "codex_oauth_core",
    }
    page = tmp_path / "page.md"
    page.write_text(
        f"# Page\n\n```python\n{code}```\n\n- in a list:\n\n  ```python\n  from codex_oauth.clock import now\n  ```\n"
    )
    assert [module for each in programs(page) for module, _ in imported(each)][-1] == "codex_oauth.clock"


def test_there_is_something_to_look_at() -> None:
    assert sum(bool(list(programs(path))) for path in PAGES) >= 12
