"""The pages say of the model stub, and of the file of faults, what there is, and all of it."""

from __future__ import annotations

import json
import re
from typing import Final

import attrs
import pytest

from codex_oauth.authority import Fault, HeaderRules, Misfortune, ModelFault, ModelPolicy, read_faults
from codex_oauth.authority.faults import ENDPOINTS
from codex_oauth.authority.models.misfortunes import MODEL_ENDPOINTS, TELLING, WHERE
from tests.house.tree import ROOT

PAGE: Final = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def rows(after: str) -> list[list[str]]:
    """The cells of the first table after a text, without its two first lines."""
    table = PAGE[PAGE.index(after) :].partition("|---")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:]]


def named(cell: str) -> list[str]:
    return re.findall(r"`([a-z_]+)", cell)


def test_every_misfortune_is_there_with_its_places() -> None:
    wanted = [
        [
            f"`{name}`",
            TELLING[name],
            ", ".join(f"`{place}`" for place in MODEL_ENDPOINTS if name in WHERE[place]),
        ]
        for name in Misfortune
    ]
    assert [[cell.rstrip(" |") for cell in row] for row in rows("| `answer` | what happens")] == wanted


def test_every_switch_is_there() -> None:
    cells = [row[0] for row in rows("| switch of `ModelPolicy`")]
    assert {name for cell in cells for name in named(cell)} == set(attrs.fields_dict(ModelPolicy))
    assert {text for cell in cells for text in re.findall(r'headers="(\w+)"', cell)} == {*HeaderRules}


@pytest.mark.parametrize(
    ("after", "kind", "more"),
    [
        ("A row without `answer` is a `Fault`:", Fault, {"body_base64"}),
        ("A row with `answer` is a `ModelFault`", ModelFault, set[str]()),
    ],
)
def test_every_field_of_the_file_is_there(after: str, kind: type, more: set[str]) -> None:
    assert {row[0].strip("`") for row in rows(after)} == {*attrs.fields_dict(kind), *more}


def test_every_endpoint_is_there() -> None:
    (cell,) = (row[1] for row in rows("A row without `answer`") if row[0] == "`endpoint`")
    assert set(named(cell)) == ENDPOINTS
    (cell,) = (row[1] for row in rows("A row with `answer`") if row[0] == "`endpoint`")
    assert set(named(cell)) == set(MODEL_ENDPOINTS)


def test_the_example_of_a_file_can_be_read() -> None:
    (text,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(read_faults(text)) == len(json.loads(text)["faults"]) == 4
