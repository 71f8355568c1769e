"""The screens of a sign-in, as pyte shows them, against the ones in `screens/`: U7, U23, U24, U25.

To write them anew after a change that is wanted: `CODEX_OAUTH_WRITE_SCREENS=1 pytest tests/cli/test_screens.py`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.emulator import screen_of
from tests.cli.fake_terminal import Window, on_stderr
from tests.cli.scenes import NOW, SCENES, Scene

HERE = Path(__file__).parent / "screens"
REWRITE = "CODEX_OAUTH_WRITE_SCREENS"
ORDER = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;]*[A-Za-z]")


def acted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Window:
    """The window in which the scene was played."""
    window = on_stderr(monkeypatch, scene.columns, **scene.can)
    monkeypatch.setattr("sys.stdout", window.stream)
    monkeypatch.setattr("time.time", lambda: NOW)
    for name in ("SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in scene.environ.items():
        monkeypatch.setenv(name, value)
    scene.play(scene.view(window))
    return window


def screen(window: Window) -> list[str]:
    return screen_of(window.text.replace("\r\n", "\n").replace("\n", "\r\n"), window.columns())


@pytest.mark.parametrize("name", SCENES)
def test_the_screen_is_the_one_that_was_looked_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    text = "\n".join(screen(acted(SCENES[name], monkeypatch))) + "\n"
    kept = HERE / f"{name}.txt"
    if os.environ.get(REWRITE):
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")


def test_no_screen_is_kept_that_nothing_shows() -> None:
    assert {path.stem for path in HERE.iterdir()} == set(SCENES)


@pytest.mark.parametrize("name", [name for name in SCENES if not name.startswith("browser")])
def test_u7_the_page_and_the_code_are_each_alone_on_a_line(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    written = ORDER.sub("", acted(SCENES[name], monkeypatch).text)
    lines = [line.strip() for line in written.splitlines()]
    assert lines.count("https://auth.openai.com/codex/device") == 1
    assert lines.count("WDJB-MJHT") == 1


@pytest.mark.parametrize("name", [name for name in SCENES if name.startswith(("lines", "accessible"))])
def test_u24_lines_hold_no_order_and_no_return(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert not {"\x1b", "\r"} & set(acted(SCENES[name], monkeypatch).text)


@pytest.mark.parametrize("name", [name for name in SCENES if "20-columns" in name])
def test_u23_at_twenty_columns_words_stay_whole(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shown = " ".join(" ".join(screen(acted(SCENES[name], monkeypatch))).split())
    if "accessible" not in name:  # there the terminal folds, and a reader sees whole lines
        assert "Only go on if you started this sign-in yourself just now." in shown
        assert "Waiting for your approval." in shown or "Trying again" in shown
