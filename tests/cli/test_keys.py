"""While a sign-in waits, Enter opens the page and `c` copies the code; the terminal is as it was afterwards."""

from __future__ import annotations

import os
import pty
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth.authority import Authority, serve
from codex_oauth.browser.choose import FlowChoice
from codex_oauth.browser.open_browser import NotOpened, Opened
from codex_oauth.browser.paste import open_typing
from codex_oauth.cli.guide import Guide
from codex_oauth.cli.keys import COPY, OPEN, PressedKeys
from codex_oauth.cli.parser import parsed
from codex_oauth.cli.views.live_view import LiveView
from codex_oauth_core import CODEX, BrowserPrompt, DevicePrompt, Secret
from tests.cli.fake_terminal import Window, on_stderr
from tests.cli.person import Person
from tests.cli.test_stopping import AUTO

PROMPT = DevicePrompt(
    "https://auth.openai.com/codex/device", "ABCD-12345", time.time() + 86_400, "https://auth.openai.com"
)
PAGE = BrowserPrompt(
    Secret(f"https://auth.openai.com/oauth/authorize?state={'x' * 200}"), time.time() + 86_400, CODEX.issuer
)


def until(what: Callable[[], bool]) -> None:
    for _ in range(1000):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


# -- the keyboard ------------------------------------------------------------------------------------------


@attrs.frozen
class Keyboard:
    """A terminal that `PressedKeys` reads."""

    ours: int
    theirs: int

    def types(self, data: bytes) -> None:
        os.write(self.ours, data)

    def modes(self) -> list[Any]:
        return termios.tcgetattr(self.theirs)[:4]


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyboard]:
    ours, theirs = pty.openpty()
    monkeypatch.setattr("codex_oauth.cli.keys.open_typing", lambda: open_typing(theirs))
    yield Keyboard(ours, theirs)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(("typed", "key"), [(b"\r", OPEN), (b"\n", OPEN), (b"c", COPY), (b"C", COPY)])
def test_a_key_does_what_is_said_of_it(keyboard: Keyboard, typed: bytes, key: str) -> None:
    done: list[str] = []
    keys = PressedKeys({OPEN: lambda: done.append(OPEN), COPY: lambda: done.append(COPY)})
    keys.start()
    keyboard.types(typed)
    until(lambda: bool(done))
    keys.stop()
    assert done == [key]


def test_a_key_that_fails_says_nothing_and_the_next_one_is_heard(
    keyboard: Keyboard, capfd: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []

    def fail() -> None:
        done.append(OPEN)
        raise RuntimeError("a browser that is set up wrongly")

    keys = PressedKeys({OPEN: fail, COPY: lambda: done.append(COPY)})
    keys.start()
    for number, typed in enumerate((b"\r", b"c")):
        keyboard.types(typed)
        until(lambda number=number: len(done) > number)  # type: ignore[misc]
    keys.stop()
    assert done == [OPEN, COPY]
    assert capfd.readouterr().err == ""


def test_a_paste_an_arrow_and_other_keys_do_nothing(keyboard: Keyboard) -> None:
    done: list[str] = []
    keys = PressedKeys({COPY: lambda: done.append(COPY)})
    keys.start()
    for typed in (b"cc", b"\x1b[A", b"x", b"\r", b"\xc3"):
        keyboard.types(typed)
        time.sleep(0.05)
    keyboard.types(b"c")
    until(lambda: bool(done))
    keys.stop()
    assert done == [COPY]


def test_the_terminal_is_as_it_was_and_its_next_line_is_another_programs(keyboard: Keyboard) -> None:
    before = keyboard.modes()
    keys = PressedKeys({})
    keys.start()
    assert keyboard.modes() != before  # no echo
    keys.start()
    keys.stop()
    keys.stop()
    assert keyboard.modes() == before
    keyboard.types(b"line\n")
    assert os.read(keyboard.theirs, 100) == b"line\n"


def test_without_a_terminal_or_a_thread_nothing_happens(
    keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keyboard.modes()

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        PressedKeys({}).start()
    assert keyboard.modes() == before
    monkeypatch.setattr("codex_oauth.cli.keys.open_typing", lambda: None)
    keys = PressedKeys({})
    keys.start()
    keys.stop()


# -- what they do --------------------------------------------------------------------------------------------


@attrs.frozen
class Desk:
    """A sign-in at a desktop: what was opened, and what was shown."""

    guide: Guide
    window: Window
    opened: list[str]
    keyboard: Keyboard

    def shows(self, text: str) -> bool:
        return text in self.window.text


def at_desk(keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch, *options: str, here: bool = True) -> Desk:
    """A sign-in with these options. `here`: a page can be opened."""
    window = on_stderr(monkeypatch)
    plain = "--accessible" in options
    opened: list[str] = []

    def open_url(url: Secret[str], *, origin: str) -> Opened | NotOpened:
        opened.append(url.reveal())
        return Opened("browser") if len(opened) < 3 else NotOpened("the browser could not be started")

    flow = FlowChoice("browser" if here else "device", "it is a test")
    monkeypatch.setattr("codex_oauth.cli.keys.can_be_pressed", lambda: True)
    shown = attrs.evolve(window, redraws=not plain)

    def terminal_here(_: object) -> Window:
        return shown

    monkeypatch.setattr("codex_oauth.cli.guide.terminal_here", terminal_here)
    monkeypatch.setattr("codex_oauth.browser.choose.choose_here", lambda: flow)
    monkeypatch.setattr("codex_oauth.browser.open_browser.open_url", open_url)
    args = parsed(["login", *options])
    assert args is not None
    return Desk(Guide(LiveView(window), args, CODEX), window, opened, keyboard)


def test_enter_opens_the_page_and_c_copies_the_code(
    keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = at_desk(keyboard, monkeypatch)
    desk.guide.prompt(PROMPT)
    assert desk.shows("Enter opens the page here, c copies the code.")
    desk.keyboard.types(b"\r")
    until(lambda: desk.opened == [PROMPT.verification_uri])
    desk.keyboard.types(b"c")
    until(lambda: desk.shows("Asked your terminal to copy the code") or desk.shows("Copied the code"))
    desk.guide.close()


def test_of_a_page_in_the_browser_enter_opens_it_again(
    keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = at_desk(keyboard, monkeypatch)
    desk.guide.prompt(PAGE)
    assert desk.shows("Enter opens the page again, c copies the address.")
    for count in (1, 2, 3):
        desk.keyboard.types(b"\n")
        until(lambda count=count: len(desk.opened) == count)  # type: ignore[misc]
    until(lambda: desk.shows("The browser was not opened: the browser could not be started."))
    assert desk.opened == [PAGE.authorize_url.reveal()] * 3
    desk.guide.close()


def test_where_no_page_can_be_opened_only_the_copy_is_offered(
    keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = at_desk(keyboard, monkeypatch, here=False)
    desk.guide.prompt(PROMPT)
    assert desk.shows("c copies the code.")
    assert not desk.shows("Enter")
    desk.guide.close()


def test_a_page_that_is_not_at_its_issuer_is_not_opened(
    keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = at_desk(keyboard, monkeypatch)
    desk.guide.prompt(attrs.evolve(PROMPT, verification_uri="https://elsewhere.example/device"))
    assert not desk.shows("Enter opens")
    desk.guide.close()


@pytest.mark.parametrize("option", ["--json", "--quiet", "--accessible"])
def test_who_wants_no_keys_is_offered_none(
    keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    before = keyboard.modes()
    desk = at_desk(keyboard, monkeypatch, option)
    desk.guide.prompt(PROMPT)
    assert not desk.shows("copies")
    assert keyboard.modes() == before
    desk.guide.close()


def test_who_pastes_has_the_keyboard_alone(keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keyboard.modes()
    desk = at_desk(keyboard, monkeypatch, "--paste")
    desk.guide.prompt(PAGE)
    assert desk.shows("Or paste the address of the last page here, and press Enter.")
    assert not desk.shows("copies")
    assert keyboard.modes() == before
    desk.guide.close()


# -- at a terminal ---------------------------------------------------------------------------------------------


def test_at_a_terminal_c_copies_the_code_and_the_modes_are_as_they_were(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "xclip"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\ncat > "{tmp_path}/copied"\n')
    tool.chmod(0o755)
    path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    with serve(Authority(policy=attrs.evolve(AUTO, approve_after=600.0))) as server:
        person = Person(tmp_path, server, "--device", PATH=path, DISPLAY=":0")
        code = person.sees(r"([A-Z0-9]{4}-[A-Z0-9]{4})")
        person.sees("Waiting for your approval")
        os.write(person._child.child_fd, b"c")
        person.sees("Copied the code to the clipboard with xclip")
        exit_code, seconds = person.stops()
    assert (tmp_path / "copied").read_text() == code
    assert exit_code == 130
    assert person.text.rstrip().endswith("Cancelled.")
    assert person.modes_after == person.modes
    assert "Traceback" not in person.text
    assert seconds < 30
