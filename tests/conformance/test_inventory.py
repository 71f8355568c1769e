"""Each sentence of the contract of docs/porting.md has its checks, and each check its sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import attrgetter

import pytest

from codex_oauth.testing import LISTENING_CHECKS, SCENARIOS, TASK_CHECKS, WORLD_CHECKS
from tests.conformance.inventory import CONTRACT
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "porting.md").read_text(encoding="utf-8")
CHECKS: set[str] = {*map(attrgetter("__name__"), (*WORLD_CHECKS, *LISTENING_CHECKS, *TASK_CHECKS))}
OF_SCENARIOS = {scenario.name.replace(" ", "_") for scenario in SCENARIOS}


def sentences(heading: str) -> Iterator[str]:
    """The rows and sentences of a section."""
    section = re.split(r"^## ", PAGE.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    for block in re.split(r"\n\n|\n(?=\| |- )", section.strip()):
        text = " ".join(block.split())
        if text.startswith("|"):
            yield text
        else:
            yield from re.split(r"(?<=[.:])\s+(?=[A-Z`*])", text.removeprefix("- "))


@pytest.mark.parametrize("heading", CONTRACT)
def test_each_sentence_has_its_checks(heading: str) -> None:
    rows = CONTRACT[heading]
    found = list(sentences(heading))
    assert found
    assert [text for text in found if sum(text.startswith(row) for row in rows) != 1] == []
    assert [row for row in rows if sum(text.startswith(row) for text in found) != 1] == []


def test_each_check_that_is_named_exists() -> None:
    named = {
        name
        for rows in CONTRACT.values()
        for checks in rows.values()
        if isinstance(checks, tuple)
        for name in checks
    }
    assert named - CHECKS == set()
    assert CHECKS - named - OF_SCENARIOS == set()


def test_a_sentence_without_a_check_says_why() -> None:
    reasons = [checks for rows in CONTRACT.values() for checks in rows.values() if isinstance(checks, str)]
    assert all(len(reason) > 5 for reason in reasons)
    assert len(reasons) < sum(len(rows) for rows in CONTRACT.values()) / 2


def test_what_is_not_checked_is_in_the_page() -> None:
    listed = PAGE.partition("### What is not checked\n")[2]
    for subject in ("codex_oauth.clock.now", "one by one", "KeyboardInterrupt", "HTTP/2"):
        assert subject in listed
