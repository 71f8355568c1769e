"""A paste read from a terminal in the background, which is left as it was found."""

from __future__ import annotations

import os
import sys
import termios
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from codex_oauth import PasteSource
from codex_oauth.browser.paste import EXPLANATIONS, WARNING
from codex_oauth.browser.terminal import TerminalInput
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core.callback import Reason
from tests.browser.fakes import until
from tests.browser.redirects import CODE, QUERY, RULE, SHAPES, STATE, URL, WRONG
from tests.browser.terminals import Paste, Terminal, readers
from tests.transport.servers import BUSY


@pytest.fixture
def terminal() -> Generator[Terminal]:
    screen, fd = os.openpty()
    yield Terminal(screen, fd)
    os.close(screen)
    os.close(fd)


@pytest.fixture
def paste(terminal: Terminal) -> Generator[Paste]:
    made = Paste(terminal.fd)
    yield made
    made.source.stop()
    assert readers() == []


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_accepted_and_nothing_is_shown(terminal: Terminal, paste: Paste, shape: str) -> None:
    before = terminal.attributes()
    paste.start()
    terminal.type(SHAPES[shape])
    assert paste.code() == CODE
    assert terminal.shown() == ""
    assert terminal.attributes() == before
    assert paste.is_silent()


def test_a_wrong_paste_says_why_and_the_wait_goes_on(terminal: Terminal, paste: Paste) -> None:
    paste.start()
    terminal.type(f"{WRONG}\n")
    assert paste.reason() is Reason.WRONG_STATE
    terminal.type(f"{CODE}\n")
    assert paste.reason() is Reason.NO_STATE
    terminal.type(f"{URL}\n")
    assert paste.code() == CODE
    assert "canary" not in terminal.shown()
    assert paste.is_silent()


@pytest.mark.parametrize("half", [f"state={STATE}", f"code=&state={STATE}", URL.replace(f"code={CODE}&", "")])
def test_half_an_address_says_so_and_the_wait_goes_on(terminal: Terminal, paste: Paste, half: str) -> None:
    paste.start()
    terminal.type(f"{half}\n")
    assert paste.reason() is Reason.NO_CODE
    terminal.type(f"{URL}\n")
    assert paste.code() == CODE
    assert paste.is_silent()


def test_an_enter_is_no_wrong_paste(terminal: Terminal, paste: Paste) -> None:
    paste.start()
    terminal.type("\n")
    until(terminal.holds_nothing)
    time.sleep(0.4)
    assert paste.is_silent()
    terminal.type(f"{URL}\n")
    assert paste.code() == CODE


def test_it_is_accepted_once_and_what_follows_belongs_to_the_host(terminal: Terminal, paste: Paste) -> None:
    paste.start()
    terminal.type(f"{URL}\n")
    assert paste.code() == CODE
    terminal.type(f"{URL}\nthe host's line\n")
    assert terminal.next_line() == f"{URL}\n"
    assert terminal.next_line() == "the host's line\n"
    assert paste.is_silent()


def test_stopping_in_the_middle_leaves_the_next_line_to_the_host(terminal: Terminal, paste: Paste) -> None:
    before = terminal.attributes()
    paste.start()
    terminal.type("http://localhost:14")
    until(terminal.holds_nothing)
    begun = time.monotonic()
    paste.source.stop()
    assert time.monotonic() - begun < BUSY
    assert terminal.attributes() == before
    terminal.type("the host's line\n")
    assert terminal.next_line() == "the host's line\n"
    assert paste.is_silent()


def test_stopping_while_nothing_comes_is_immediate(terminal: Terminal, paste: Paste) -> None:
    begun = time.monotonic()
    for _ in range(20):
        paste.start()
        paste.source.stop()
    assert time.monotonic() - begun < BUSY
    terminal.type("the host's line\n")
    assert terminal.next_line() == "the host's line\n"


def test_a_complete_paste_that_was_not_judged_yet_is_dropped_when_stopped(
    terminal: Terminal, paste: Paste
) -> None:
    paste.start()
    terminal.type(f"{URL}\n")
    until(terminal.holds_nothing)
    paste.source.stop()
    time.sleep(0.4)
    assert paste.is_silent()


def test_echo_is_off_only_while_it_reads(terminal: Terminal, paste: Paste) -> None:
    terminal.type("a\n")
    assert terminal.shown() == "a\r\n"
    assert terminal.next_line() == "a\n"
    paste.start()
    terminal.type("b\n")
    until(terminal.holds_nothing)
    assert terminal.shown() == ""
    paste.source.stop()
    terminal.type("c\n")
    assert terminal.shown() == "c\r\n"


def test_signals_from_the_keyboard_stay_on(terminal: Terminal, paste: Paste) -> None:
    paste.start()
    assert terminal.attributes()[3] & termios.ISIG


def test_what_was_typed_before_is_not_lost(terminal: Terminal, paste: Paste) -> None:
    terminal.type(f"{URL}\n")
    paste.start()
    assert paste.code() == CODE


def test_it_can_be_started_again(terminal: Terminal, paste: Paste) -> None:
    paste.start()
    paste.start()
    assert len(readers()) == 1
    paste.source.stop()
    paste.source.stop()
    paste.start()
    terminal.type(f"{URL}\n")
    assert paste.code() == CODE


def test_it_may_be_stopped_from_what_it_calls(terminal: Terminal) -> None:
    before = terminal.attributes()

    def stop(reason: Reason) -> None:
        source.stop()

    source = PasteSource(stop, fd=terminal.fd)
    source.start(RULE, lambda accepted: None)
    terminal.type(f"{WRONG}\n")
    until(lambda: readers() == [])
    assert terminal.attributes() == before


def test_ctrl_d_ends_the_source_and_nothing_else(terminal: Terminal, paste: Paste) -> None:
    before = terminal.attributes()
    paste.start()
    terminal.type("\x04")
    until(lambda: readers() == [])
    assert terminal.attributes() == before
    assert paste.is_silent()


def test_a_terminal_that_hangs_up_ends_the_source() -> None:
    screen, fd = os.openpty()
    paste = Paste(fd).start()
    os.close(screen)
    until(lambda: readers() == [])
    paste.source.stop()
    os.close(fd)
    assert paste.is_silent()


def test_a_terminal_that_was_emptied_between_look_and_read_is_not_at_its_end(terminal: Terminal) -> None:
    """Ctrl-C empties it; a read must neither block then, nor be taken for the end at once."""
    typing = TerminalInput(terminal.fd)
    assert typing._read_now() == b""
    terminal.type("x")
    assert typing.read(20) == b"x"
    assert [typing._read_now() for _ in range(3)] == [b"", b"", None]
    typing.close()


def test_a_terminal_of_another_job_is_not_touched(
    terminal: Terminal, paste: Paste, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_another(fd: int) -> int:
        return os.getpgrp() + 1

    before = terminal.attributes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "tcgetpgrp", of_another)
        paste.start()
        assert terminal.attributes() == before
        terminal.type(f"{URL}\n")
        time.sleep(0.2)
        assert not terminal.holds_nothing()
    assert paste.code() == CODE  # back in the foreground
    assert terminal.attributes() == before


def test_a_shell_that_turned_echo_on_again_does_not_show_the_next_paste(
    terminal: Terminal, paste: Paste
) -> None:
    before = terminal.attributes()
    paste.start()
    termios.tcsetattr(terminal.fd, termios.TCSANOW, before)
    until(lambda: not terminal.attributes()[3] & termios.ECHO)
    terminal.type(f"{URL}\n")
    assert paste.code() == CODE
    assert terminal.attributes() == before


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_pipe_is_read_to_its_end(end: str) -> None:
    out, into = os.pipe()
    paste = Paste(out).start()
    os.write(into, (QUERY + end).encode())
    os.close(into)
    assert paste.code() == CODE
    paste.source.stop()
    os.close(out)


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "redirect").write_text(URL, encoding="utf-8")
    with (tmp_path / "redirect").open("rb") as file:
        paste = Paste(file.fileno()).start()
        assert paste.code() == CODE
        paste.source.stop()


def test_input_that_is_empty_ends_the_source(tmp_path: Path) -> None:
    with Path(os.devnull).open("rb") as file:
        paste = Paste(file.fileno()).start()
        until(lambda: readers() == [])
        paste.source.stop()
    assert paste.is_silent()


def test_without_an_input_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    paste = Paste(None).start()
    assert readers() == []
    paste.source.stop()


def test_a_closed_input_is_no_input() -> None:
    out, into = os.pipe()
    os.close(out)
    os.close(into)
    Paste(out).start()
    assert readers() == []


def test_a_process_without_threads_left_leaves_the_terminal_as_it_was(
    terminal: Terminal, paste: Paste, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = terminal.attributes()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        paste.start()
    assert terminal.attributes() == before


def test_every_reason_has_a_sentence() -> None:
    assert set(EXPLANATIONS) == set(Reason)
    assert all(text.endswith(".") and text.isascii() for text in [*EXPLANATIONS.values(), WARNING])


def test_it_is_a_callback_source(paste: Paste) -> None:
    source: CallbackSource = paste.source
    assert source is paste.source
