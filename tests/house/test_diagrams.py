"""The drawings show their tables, whole, and are up to date."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest
from docs.diagrams import draw

_ARROW = re.compile(r"(\w+) --> (\w+): ([\w |]+?)(?: \(from ([\w, ]+)\))?")

each_chart = pytest.mark.parametrize("drawn", draw.CHARTS, ids=lambda drawn: drawn.name)


def _rows_in(text: str, live: set[str]) -> list[tuple[str, str, str]]:
    """The moves that a drawing tells, read with nothing but the rules stated in its comments."""
    rows: list[tuple[str, str, str]] = []
    for match in filter(None, (_ARROW.fullmatch(line.strip()) for line in text.splitlines())):
        start, end, triggers, only = match.groups()
        sources = only.split(", ") if only else live if start == draw.BOX else [start]
        rows += [(trigger, source, end) for trigger in triggers.split(" | ") for source in sources]
    return rows


def _box(text: str) -> set[str]:
    inside = text.partition(f"state {draw.BOX} {{")[2].partition("}")[0]
    return set(re.findall(r"\w+", re.sub(r":.*", "", inside)))


@each_chart
def test_every_drawing_is_up_to_date(drawn: draw.Chart) -> None:
    assert draw.differences(drawn) == []


@each_chart
def test_the_table_can_be_read_back_from_the_drawing(drawn: draw.Chart) -> None:
    text = drawn.path.read_text(encoding="utf-8")
    table = [(trigger.value, source.value, dest.value) for trigger, source, dest in drawn.rows]
    assert sorted(_rows_in(text, _box(text))) == sorted(table)


@each_chart
def test_the_box_holds_the_live_states(drawn: draw.Chart) -> None:
    assert _box(draw.draw(drawn)) == {state.value for state in drawn.live}


@each_chart
def test_a_drawing_begins_at_the_first_state_and_ends_at_each_final_one(drawn: draw.Chart) -> None:
    lines = [line.strip() for line in draw.draw(drawn).splitlines()]
    assert f"[*] --> {drawn.initial.value}" in lines
    assert {line for line in lines if line.endswith("--> [*]")} == {
        f"{state.value} --> [*]" for state in drawn.final
    }


def test_every_table_has_a_drawing() -> None:
    folder = Path(draw.__file__).parents[2] / "core" / "codex_oauth_core" / "flows"
    with_a_table = [path for path in folder.glob("*.py") if "\nMACHINE: Final = " in path.read_text()]
    tables = {path.stem.removesuffix("_table") for path in with_a_table}
    assert tables == {drawn.name for drawn in draw.CHARTS}
    assert {path.name for path in draw.HERE.glob("*.mmd")} == {f"{name}.mmd" for name in tables}


def test_check_shows_what_differs_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(draw, "HERE", tmp_path)
    monkeypatch.setattr(draw, "CHARTS", (attrs.evolve(draw.CHARTS[0], rows=draw.CHARTS[0].rows[:-1]),))
    assert draw.main([]) == 0
    assert draw.main(["--check"]) == 0
    before = draw.CHARTS[0].path.read_bytes()
    monkeypatch.undo()
    monkeypatch.setattr(draw, "HERE", tmp_path)
    capsys.readouterr()
    assert draw.main(["--check"]) == 1
    assert "+    live --> failed: fail\n" in capsys.readouterr().out
    assert draw.CHARTS[0].path.read_bytes() == before
