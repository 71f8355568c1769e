"""The screens of a sign-in, as pyte shows them, against the ones in `screens/`: U7, U23, U24, U25.

To write them anew after a change that is wanted: `CODEX_OAUTH_WRITE_SCREENS=1 pytest tests/cli/test_screens.py`.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from codex_oauth.browser.choose import FlowChoice
from tests.cli.emulator import screen_of
from tests.cli.fake_terminal import Window, on_stderr
from tests.cli.scenes import NOW, SCENES, Scene

HERE = Path(__file__).parent / "screens"
REWRITE = "CODEX_OAUTH_WRITE_SCREENS"
ORDER = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;]*[A-Za-z]")


def acted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Window:
    """The window in which the scene was played."""
    window = on_stderr(monkeypatch, scene.columns, scene.rows, **scene.can)
    if scene.desktop:
        at_a_desktop(monkeypatch)
    monkeypatch.setattr("sys.stdout", window.stream)
    monkeypatch.setattr("time.time", lambda: NOW)
    monkeypatch.setenv("CODEX_OAUTH_HOME", "/nobody/is/signed/in")
    for name in ("SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in scene.environ.items():
        monkeypatch.setenv(name, value)
    scene.play(scene.view(window))
    return window


def at_a_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is at the keyboard, and pages can be opened."""
    monkeypatch.setattr("codex_oauth.cli.keys.can_be_pressed", lambda: True)
    monkeypatch.setattr("codex_oauth.cli.keys.open_typing", lambda: None)

    def terminal_here(_: object) -> Window:
        return Window(stream=sys.stderr, redraws=True)

    monkeypatch.setattr("codex_oauth.cli.guide.terminal_here", terminal_here)
    monkeypatch.setattr(
        "codex_oauth.browser.choose.choose_here", lambda: FlowChoice("browser", "it is a test")
    )


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
        assert "Only go on if you started this sign-in yourself." in shown
        assert "Waiting for your approval." in shown or "Trying again" in shown


@pytest.mark.parametrize("rows", [24, 40])
def test_a_qr_code_stands_below_the_page_and_all_of_it_is_in_sight(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    shown = screen(acted(SCENES["device-qr" if rows == 40 else f"device-qr-{rows}-rows"], monkeypatch))
    assert len(shown) <= rows
    assert shown[0] == "Sign in with ChatGPT (Codex)"
    page = shown.index("    https://auth.openai.com/codex/device")
    assert set(shown[page + 1].strip()) == {"█"}
    assert shown.index("    WDJB-MJHT") > page + 16


def test_where_not_all_of_it_would_be_in_sight_there_is_no_qr_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "█" not in "".join(screen(acted(SCENES["device-qr-23-rows"], monkeypatch)))


def test_who_waits_is_told_which_host_failed_and_when_the_next_try_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = screen(acted(SCENES["device-reconnecting"], monkeypatch))
    assert shown[-1] == "● 12:34  auth.openai.com refused the connection; next try in 4 s"


def test_a_page_that_did_not_open_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SCENES["browser-not-opened"].prompt.authorize_url.reveal()  # type: ignore[union-attr]
    opened = "".join(screen(acted(SCENES["browser-desktop"], monkeypatch)))
    assert whole not in opened
    assert "https://auth.openai.com/oauth/authorize?..." in opened
    written = acted(SCENES["browser-not-opened"], monkeypatch)
    assert whole in "".join(screen(written))
    assert whole in acted(SCENES["browser-desktop"], monkeypatch).text  # as a link


def test_what_can_be_pressed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Enter opens the page here, c copies the code." in screen(
        acted(SCENES["device-desktop"], monkeypatch)
    )
    assert "Enter opens the page again, c copies the address." in screen(
        acted(SCENES["browser-desktop"], monkeypatch)
    )
