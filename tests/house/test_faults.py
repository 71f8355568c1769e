"""`docs/faults.md` against the tests: every row has one, and every test that is linked names its row."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from tests.house.named_rows import named_in, rows_in
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "faults.md"
LISTS = {"R": 13, "F": 37, "T": 4, "J": 8, "W": 6, "L": 7}
"""How many rows each list has: rules, faults, tokens, claims of JWTs, people, login files."""
BETWEEN = {"R1": "R0", "R7": "R6a"}
"""Rows that stand before others, and came later."""

_LINK = re.compile(r"\[([^]]*)\]\(([^)]*)\) `(\w+)`")


@attrs.frozen
class Row:
    """A row of the page. A link is the shown path, the path, and the test's name."""

    name: str
    what: str
    done: str
    links: tuple[tuple[str, str, str], ...]
    rest: str
    """What is left of the last cell beside the links."""


def _row(line: str) -> Row:
    name, what, done, tests = (cell.strip() for cell in line.strip("|\n").split("|"))
    links = tuple((shown, path, test) for shown, path, test in _LINK.findall(tests))
    return Row(name, what, done, links, _LINK.sub("", tests).replace("<br>", "").strip())


LINES = PAGE.read_text(encoding="utf-8").splitlines()
ROWS = [_row(line) for line in LINES if re.match(r"\| [A-Z]\d+a? \|", line)]


def test_the_page_has_every_row_once_and_in_order() -> None:
    counted = [f"{letter}{number + 1}" for letter, most in LISTS.items() for number in range(most)]
    expected = [name for each in counted for name in (BETWEEN.get(each), each) if name]
    assert [row.name for row in ROWS] == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_says_what_happens_and_what_is_done_in_one_sentence_or_two(row: Row) -> None:
    assert row.what
    assert row.done.endswith(".")
    assert len(row.done) <= 280
    assert row.rest == ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_proved_by_tests_that_exist_and_name_it(row: Row) -> None:
    assert row.links
    assert len(set(row.links)) == len(row.links)
    for shown, path, test in row.links:
        assert path == f"../{shown}"
        found = named_in(PAGE.parent / path)
        assert test in found, f"{shown} has no {test}"
        assert row.name in found[test], f"{test} does not name {row.name}"


def test_every_row_that_a_test_of_the_faults_names_is_on_the_page() -> None:
    listed = {row.name for row in ROWS}
    named = {
        name
        for path in sorted((ROOT / "tests" / "faults").glob("test_*.py"))
        for names in named_in(path).values()
        for name in names
    }
    assert named <= listed


SOURCE = '''
"""Of F1."""

CASES = {"F2 a case": 1, **MORE}
MORE: dict[str, int] = {"J3 one more": 1}
OTHER = "F4"


def helper() -> None:
    """F5."""


# F6, R7
@mark(CASES)
def test_f8_a_name() -> None:
    """And T1; but not F100, AF9 or f10x."""
    print("F11", OTHER)


def test_without() -> None: ...
'''


def test_a_test_names_rows_in_its_name_its_docstring_a_comment_above_and_its_tables(tmp_path: Path) -> None:
    file = tmp_path / "test_one.py"
    file.write_text(SOURCE, encoding="utf-8")
    assert named_in(file) == {
        "test_f8_a_name": {"F2", "J3", "F6", "R7", "F8", "T1"},
        "test_without": set(),
    }


@pytest.mark.parametrize("text", ["F0", "F01", "F123", "xF1", "F1x", "1F1", "F 1", "S1", ""])
def test_what_is_no_row(text: str) -> None:
    assert rows_in(text) == set()
