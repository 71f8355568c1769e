"""The picture in README.md is the screen that the tests keep, and needs nothing beside it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from docs.pictures import write

TEXT = write.PICTURE.read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_is_up_to_date() -> None:
    assert write.picture() == TEXT, "run `make pictures`"
    assert write.main(["--check"]) == 0


def test_it_has_every_line_of_the_screen_in_its_place() -> None:
    drawn = ET.fromstring(TEXT)
    shown = [(float(text.attrib["x"]), text.text) for text in drawn.iter(f"{SVG}text")]
    lines = write.SCREEN.read_text(encoding="utf-8").splitlines()
    expected = [f"$ {write.COMMAND}", *filter(str.strip, lines)]
    assert [text for _, text in shown] == [line.strip() for line in expected]
    indented = {line.strip() for line in expected if line.startswith("    ")}
    assert indented == {text for x, text in shown if x > write.MARGIN + 3 * write.WIDE}
    assert "https://auth.openai.com/codex/device" in indented


def test_nothing_leaves_the_picture() -> None:
    drawn = ET.fromstring(TEXT)
    *_, width, height = map(float, drawn.attrib["viewBox"].split())
    for text in drawn.iter(f"{SVG}text"):
        assert float(text.attrib["x"]) + float(text.attrib["textLength"]) <= width - write.MARGIN / 2
        assert 0 < float(text.attrib["y"]) < height


def test_it_needs_no_other_file_and_can_be_read_aloud() -> None:
    assert not re.search(r"href|url\(|@import|<script|<image|<foreignObject", TEXT)
    drawn = ET.fromstring(TEXT)
    assert drawn.attrib["role"] == "img"
    assert drawn.findtext(f"{SVG}title")


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_text_has_a_contrast_of_at_least_four_and_a_half() -> None:
    colours = set(re.findall(r'<text [^>]*fill="(#[0-9a-f]{6})"', TEXT))
    assert len(colours) > 2
    for colour in colours:
        assert (luminance(colour) + 0.05) / (luminance(write.GROUND) + 0.05) >= 4.5, colour


def test_check_shows_another_screen_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "PICTURE", tmp_path / "p.svg")
    assert write.main(["--check"]) == 1
    assert not write.PICTURE.exists()
    assert write.main([]) == 0
    assert write.main(["--check"]) == 0
    write.PICTURE.write_text("<svg/>", encoding="utf-8")
    assert write.main(["--check"]) == 1
