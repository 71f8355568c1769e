"""U22: copying the code or the page's address: only on request, never a token, never fatal, never for long."""

from __future__ import annotations

import base64
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.authority import Approve, Authority, Policy, serve
from codex_oauth.cli import clipboard
from codex_oauth.cli.clipboard import copy, tools
from tests.browser.fakes import HANGS, Programs
from tests.cli.emulator import Emulator
from tests.cli.fake_terminal import on_stderr
from tests.cli.person import Person
from tests.transport.servers import BUSY

AUTO = Policy(approve=Approve.AUTO, interval=1, strict_pace=False)
CODE = "ABCD-12345"


@pytest.fixture
def programs(tmp_path: Path) -> Generator[Programs]:
    made = Programs(tmp_path)
    made.bin.mkdir()
    yield made
    made.end()


@pytest.mark.parametrize(
    ("environ", "platform", "names"),
    [
        ({}, "darwin", ["pbcopy"]),
        ({}, "win32", ["clip.exe"]),
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, "linux", ["wl-copy", "xclip", "xsel"]),
        ({"DISPLAY": ":0"}, "linux", ["xclip", "xsel"]),
        ({"DISPLAY": "localhost:10", "SSH_TTY": "/dev/pts/1"}, "linux", ["xclip", "xsel"]),
        ({"WAYLAND_DISPLAY": "w", "SSH_TTY": "/dev/pts/1"}, "linux", []),
        ({"SSH_CONNECTION": "1 2 3 4"}, "darwin", []),
        ({}, "linux", []),
    ],
)
def test_only_what_reaches_the_persons_own_clipboard(
    environ: dict[str, str], platform: str, names: list[str]
) -> None:
    assert [command[0] for command in tools(environ, platform, lambda path: False)] == names


def test_a_program_gets_it_on_standard_input_and_not_as_an_argument(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = programs.folder / "taken"
    programs.add("xclip", f"/bin/cat > {taken}")
    said = copy(CODE, "the code", on_stderr(monkeypatch), programs.environ(), "linux")
    assert said == "Copied the code to the clipboard with xclip."
    assert taken.read_text(encoding="utf-8") == CODE
    assert CODE not in programs.argv("xclip")


@pytest.mark.parametrize("behaviour", ["exit 1", HANGS, None], ids=["fails", "hangs", "missing"])
def test_without_a_program_that_works_in_time_the_terminal_is_asked(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, behaviour: str | None
) -> None:
    if behaviour is not None:
        programs.add("xclip", behaviour)
    monkeypatch.setattr(clipboard, "COPY_LIMIT", 0.5)
    window = on_stderr(monkeypatch)
    begun = time.monotonic()
    said = copy(CODE, "the code", window, programs.environ(), "linux")
    assert time.monotonic() - begun < BUSY
    assert said == "Asked your terminal to copy the code to its clipboard."
    emulator = Emulator(80)
    emulator.feed(window.text)
    assert emulator.orders == [f"52;c;{base64.b64encode(CODE.encode()).decode()}"]
    assert emulator.screen() == []


def test_the_limit_is_two_seconds() -> None:
    assert clipboard.COPY_LIMIT == 2.0


@pytest.mark.parametrize(("text", "escapes"), [(CODE, False), ("x" * 5000, True)])
def test_a_terminal_that_would_show_it_is_not_asked(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, text: str, escapes: bool
) -> None:
    window = on_stderr(monkeypatch, escapes=escapes)
    said = copy(text, "the code", window, programs.environ(), "linux")
    assert said == "Could not copy the code: no clipboard was found."
    assert window.text == ""


@pytest.mark.parametrize("asked", [True, False])
def test_a_sign_in_copies_the_code_only_on_request_and_never_a_token(
    tmp_path: Path, programs: Programs, asked: bool
) -> None:
    taken = programs.folder / "taken"
    programs.add("xclip", f"/bin/cat >> {taken}")
    with serve(Authority(policy=AUTO)) as server:
        flags = ["--copy"] if asked else []
        person = Person(tmp_path, server, "--device", *flags, PATH=str(programs.bin), DISPLAY=":0")
        assert person.leaves() == 0
    assert ("Copied the code to the clipboard with xclip." in person.text) is asked
    copied = taken.read_text(encoding="utf-8") if taken.exists() else ""
    assert bool(copied) is asked
    assert copied in [row.strip() for row in person.text.splitlines()] or not asked
    assert "52;" not in person.bytes
    assert len(FileStore(tmp_path / "logins-of-the-test").names()) == 1
