"""Where things stand (ADR 0005), and what no file may say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT, own_files, python_files, top_level

TOP_LEVEL = {
    ".ci",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "adapters",
    "core",
    "docs",
    "mkdocs.yml",
    "pyproject.toml",
    "requirements.lock",
    "tests",
}
LONGEST_FILE = 450
PYTHON = python_files("core", "adapters", "tests", "docs")

_MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:(?:work|root|Users)/[\w.]|home/(?!(?:u|me|user)\b)\w)")
"""A path of somebody's machine; `u`, `me` and `user` live in examples."""

_REGISTRY = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|npmmirror\.com)\b")
_INDEX_OPTION = re.compile(r"^\s*--(?:extra-)?(?:index-url|find-links|trusted-host)", re.MULTILINE)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _texts() -> Iterator[tuple[str, str]]:
    """Each file's name and text; this file, which must name what it forbids, is left out."""
    for path in own_files():
        if path != Path(__file__):
            yield _name(path), path.read_text(encoding="utf-8", errors="replace")


def test_the_top_level_holds_only_what_adr_0005_allows() -> None:
    assert top_level() == TOP_LEVEL


def test_adr_0005_names_everything_at_the_top_level() -> None:
    (adr,) = (ROOT / "docs" / "adr").glob("0005-*.md")
    text = adr.read_text(encoding="utf-8")
    assert {name for name in TOP_LEVEL if f"`{name}" not in text} == set()


@pytest.mark.parametrize("folder", ["core", "adapters"])
def test_each_folder_holds_one_package_with_a_type_marker(folder: str) -> None:
    (package,) = (path for path in (ROOT / folder).iterdir() if path.name != "__pycache__")
    assert package.name == {"core": "codex_oauth_core", "adapters": "codex_oauth"}[folder]
    assert (package / "__init__.py").is_file()
    assert (package / "py.typed").is_file()


def test_no_file_is_longer_than_450_lines() -> None:
    long = {_name(path) for path in PYTHON if len(path.read_text().splitlines()) > LONGEST_FILE}
    assert long == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = {_name(path) for path in PYTHON if not ast.get_docstring(ast.parse(path.read_text()))}
    assert silent <= {"core/codex_oauth_core/_version.py"}  # one line that says it


def test_no_python_file_imports_through_a_folder() -> None:
    """Through `core` or `adapters` every class would exist twice."""
    roots = {(_name(path), module.partition(".")[0]) for path in PYTHON for module in _imported(path)}
    assert {found for found in roots if found[1] in ("core", "adapters")} == set()


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("pattern", [_MACHINE_PATH, _REGISTRY], ids=["machine paths", "registries"])
def test_no_file_names_a_machine(pattern: re.Pattern[str]) -> None:
    assert {name: found[0] for name, text in _texts() if (found := pattern.search(text))} == {}


LOCKS = sorted(path for path in own_files() if path.suffix == ".lock")


@pytest.mark.parametrize("path", LOCKS, ids=_name)
def test_a_lock_has_a_hash_for_everything_and_no_index(path: Path) -> None:
    lock = path.read_text(encoding="utf-8")
    assert not _INDEX_OPTION.search(lock)
    pins = re.findall(r"^[a-z0-9][\w.\[\]-]*==.*(?:\n {4}--hash=.*)*", lock, re.MULTILINE)
    assert len(pins) > (20 if path.name == "requirements.lock" else 0)
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize("line", ["see /home/someone/x", "(/root/.bashrc)", "cd /" + "work/x", "'/Users/x'"])
def test_the_path_rule_sees_what_it_forbids(line: str) -> None:
    assert _MACHINE_PATH.search(line)
