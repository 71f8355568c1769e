"""The page about testing: every example is a test that passes, and its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from codex_oauth import testing
from codex_oauth.testing import plugin
from tests.house.tree import ROOT
from tests.testing_plugin.runs import ENTRY_POINT, passed, pytest_run

PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = [re.findall(r"^def (test_\w+)", block, re.MULTILINE)[0] for block in BLOCKS]


@pytest.mark.parametrize(("block", "name"), list(zip(BLOCKS, NAMES, strict=True)), ids=NAMES)
def test_the_example_passes(block: str, name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(block, encoding="utf-8")
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = pytest_run(tmp_path, f"{name}.py", "-p", ENTRY_POINT, environment=alone)
    assert passed(done) >= 1, done.stdout


def test_the_page_names_every_fixture() -> None:
    table = PAGE.partition("| fixture |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert named == {name for name in plugin.__all__ if name.startswith("codex_oauth_")}
    (former,) = re.findall(r"^The former names (.*?) give", PAGE, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(\w+)`", former)) == set(plugin.__all__) - named


def test_the_page_names_every_part_of_a_program_that_is_signed_in() -> None:
    parts = re.findall(r"^\| `codex_oauth_signed_in\.(\w+)`", PAGE, re.MULTILINE)
    assert parts == [field.name for field in attrs.fields(testing.SignedInProgram)]


def test_the_page_names_only_what_there_is() -> None:
    rows = PAGE.partition("| call |")[2]
    for name in re.findall(r"`(?:await )?(check_\w+|[A-Z_]{8,})", rows):
        assert name in testing.__all__


def test_examples_are_short() -> None:
    assert len(BLOCKS) >= 8
    first = BLOCKS[0].partition("def test")[2].strip().splitlines()
    assert len(first) <= 3
