"""The three speeds of the tests (ADR 0024): what the lists name exists, and what is left to the night is covered by day."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.house.tree import ROOT
from tests.speeds import NIGHTLY, QUICK, is_named

DAILY = sorted(set(NIGHTLY.values()))


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("name", sorted({*QUICK, *NIGHTLY, *DAILY}))
def test_a_named_test_exists(name: str) -> None:
    file, _, test = name.partition("::")
    assert (ROOT / file).is_file()
    assert not test or test.partition("[")[0] in functions(file)


def test_each_name_stands_once() -> None:
    assert len(set(QUICK)) == len(QUICK)
    lines = (ROOT / "tests" / "nightly.txt").read_text(encoding="utf-8").splitlines()
    assert len(NIGHTLY) == len(lines)


@pytest.mark.parametrize("name", QUICK)
def test_what_is_quick_is_not_left_to_the_night(name: str) -> None:
    assert not [nightly for nightly in NIGHTLY if is_named(nightly, name)]


@pytest.mark.parametrize("name", DAILY)
def test_the_cheaper_test_is_run_by_day(name: str) -> None:
    """Or a part of its cases is."""
    assert name
    assert not [nightly for nightly in NIGHTLY if is_named(nightly, name)]


@pytest.mark.parametrize(
    ("name", "test", "expected"),
    [
        ("t.py", "t.py::test_a", True),
        ("t.py::test_a", "t.py::test_a", True),
        ("t.py::test_a", "t.py::test_a[x]", True),
        ("t.py::test_a", "t.py::test_ab", False),
        ("t.py::test_a[x]", "t.py::test_a[x]", True),
        ("t.py::test_a[x]", "t.py::test_a[x-y]", False),
        ("t.py::test_a[*-zsh]", "t.py::test_a[codex-oauth lo-zsh]", True),
        ("t.py::test_a[*-zsh]", "t.py::test_a[codex-oauth lo-fish]", False),
        ("t.py::test_a[make-*]", "t.py::test_a[make-a_check]", True),
    ],
)
def test_what_a_name_means(name: str, test: str, expected: bool) -> None:
    assert is_named(name, test) is expected


def test_the_marker_is_put_where_the_list_says(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        named = any(is_named(name, item.nodeid) for name in NIGHTLY)
        assert named == (item.get_closest_marker("nightly") is not None), item.nodeid


def test_each_speed_runs_what_it_should() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = dict(re.findall(r"^(\w+):[^\n]*\n((?:\t[^\n]*\n)+)", makefile, re.MULTILINE))
    assert "-m 'not nightly'" in recipes["test"]
    assert "-m nightly" in recipes["nightly"]
    assert "@tests/quick.txt" in recipes["quick"]
