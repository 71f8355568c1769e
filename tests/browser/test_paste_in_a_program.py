"""A paste beside a program that has the terminal for itself before and afterwards."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.browser.fakes import until
from tests.browser.redirects import CODE, STATE, URL, WRONG

HOST = Path(__file__).with_name("host.py")


@contextmanager
def spawned(command: str, *arguments: str) -> Generator[pexpect.spawn[str]]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "dumb"}
    child: pexpect.spawn[str] = pexpect.spawn(
        command, list(arguments), env=environ, encoding="utf-8", timeout=120
    )
    try:
        yield child
    finally:
        child.close(force=True)


def program(ending: str) -> AbstractContextManager[pexpect.spawn[str]]:
    return spawned(sys.executable, str(HOST), ending)


def echoes(child: pexpect.spawn[str]) -> bool:
    """Whether the terminal is as a shell leaves it: echo and line editing on."""
    flags = termios.tcgetattr(child.child_fd)[3]
    return all(flags & flag for flag in (termios.ECHO, termios.ICANON, termios.ISIG))


def test_wrong_then_right_then_a_line_of_its_own() -> None:
    with program("goes-on") as child:
        child.expect("paste:")
        assert not echoes(child)
        child.send(f"{WRONG}\n")
        child.expect("That belongs to another sign-in")
        child.send(f"{URL}\n")
        child.expect("signed in")
        assert echoes(child)
        child.expect("> ")
        child.send("hello\n")
        child.expect("got 'hello'")
        seen = child.before or ""
    assert CODE not in seen
    assert STATE not in seen


def test_nothing_that_is_pasted_appears_on_the_screen() -> None:
    with program("goes-on") as child:
        child.expect("paste:")
        child.send(f"{URL}\n")
        child.expect("signed in")
        assert (child.before or "").strip() == ""


def test_ctrl_c_in_the_middle_of_a_paste_leaves_the_terminal_and_the_next_line() -> None:
    with program("goes-on") as child:
        child.expect("paste:")
        child.send(URL[:40])
        child.sendintr()
        child.expect("interrupted")
        child.expect("> ")
        assert echoes(child)
        child.send("hello\n")
        child.expect("got 'hello'")


@pytest.mark.parametrize("ending", ["crashes", "exits"])
def test_a_program_that_forgets_the_source_ends_and_leaves_the_terminal(ending: str) -> None:
    with program(ending) as child:
        child.expect("paste:")
        child.expect(pexpect.EOF)
        assert echoes(child)


def test_job_control_neither_stops_the_program_nor_shows_the_paste() -> None:
    with spawned("/bin/bash", "--norc", "--noprofile", "--noediting", "-i") as child:
        child.sendline(f"{sys.executable} {HOST} goes-on &")
        child.expect("paste:")
        assert echoes(child)  # the shell's terminal, still
        child.sendline("jobs")
        child.expect("Running")
        child.sendline("fg")
        until(lambda: not echoes(child))
        child.send("\x1a")  # Ctrl-Z
        child.expect("Stopped")
        child.sendline("fg")
        until(lambda: not echoes(child))
        child.send(f"{URL}\n")
        child.expect("signed in")
        assert CODE not in (child.before or "")
        assert echoes(child)
