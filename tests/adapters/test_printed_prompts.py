"""A sign-in that nobody shows prints by itself: on stderr, one plain line, and nothing on stdout."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from codex_oauth import BrowserPrompt, SignInError
from codex_oauth.authority import Authority, Policy
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth_core.effects import Prompt
from tests.adapters.front_doors import Door, each_door


def world() -> tuple[Authority, FakeWorld]:
    authority = Authority(policy=Policy(approve="auto"))
    return authority, FakeWorld(answered_by(authority))


@each_door
def test_a_device_code_is_printed(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Prompt] = []
    _, fake = world()
    door.login(on_prompt=seen.append, device=True, world=fake)
    _, fake = world()
    door.login(on_prompt=None, device=True, world=fake)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("To sign in, open https://auth.openai.com/codex/device and enter the code ")
    assert printed.err.endswith(" there. Never share this code.\n")
    assert printed.err.count("\n") == len(seen) == 1


@each_door
def test_the_notes_are_printed_beside_it(
    door: Door, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    door.login(on_prompt=None, world=world()[1])
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("Signing in with a device code: ")
    assert second.startswith("To sign in, open ")


@each_door
def test_notes_of_ones_own_are_not_printed(
    door: Door, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    notes: list[str] = []
    door.login(on_prompt=None, on_note=notes.append, world=world()[1])
    assert len(notes) == 1
    assert notes[0] not in capsys.readouterr().err


@each_door
def test_who_shows_prompts_has_nothing_printed(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    door.login(on_prompt=lambda _: None, device=True, world=world()[1])
    assert capsys.readouterr() == ("", "")


@each_door
def test_without_stderr_nobody_is_asked(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, fake = world()
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(ValueError, match="on_prompt: this program has no stderr"):
        door.login(on_prompt=None, device=True, world=fake)
    assert authority.requests == []


class _Broken(io.StringIO):
    """A pipe whose reader is gone."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("closed", [True, False])
@each_door
def test_a_stderr_that_breaks_ends_no_sign_in(
    door: Door, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream: io.StringIO = io.StringIO() if closed else _Broken()
    if closed:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    assert door.login(on_prompt=None, device=True, world=world()[1]).access_token.reveal()


@each_door
def test_the_page_of_a_browser_sign_in_is_printed_whole(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody comes back from the page: the time of the sign-in is over at last."""
    seen: list[Prompt] = []
    options: dict[str, Any] = {"device": False, "open_browser": False, "ports": (0,)}
    with pytest.raises(SignInError, match=r"^timeout: "):
        door.login(on_prompt=seen.append, world=world()[1], **options)
    with pytest.raises(SignInError, match=r"^timeout: "):
        door.login(on_prompt=None, world=world()[1], **options)
    assert isinstance(seen[0], BrowserPrompt)
    line = capsys.readouterr().err
    assert line.startswith(
        "To sign in, open this page in a browser on this machine: https://auth.openai.com/oauth/authorize?"
    )
    assert "state=" in line
