"""U24: when there is colour, and what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth.authority import Approve, Authority, Policy, serve
from codex_oauth.cli.output import paint, wants_colour
from codex_oauth.cli.views.terminal import ViewOptions, terminal_of
from tests.cli.commands import run_command
from tests.cli.fake_terminal import Stream

AUTO = Policy(approve=Approve.AUTO, interval=1, strict_pace=False)


@pytest.mark.parametrize(
    ("environ", "choice", "tty", "wanted"),
    [
        ({}, "auto", True, True),
        ({}, "auto", False, False),
        ({}, "always", False, True),
        ({}, "never", True, False),
        ({"NO_COLOR": "1"}, "auto", True, False),
        ({"NO_COLOR": ""}, "auto", True, True),  # no-color.org: only if it is not empty
        ({"NO_COLOR": "1"}, "always", True, True),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, "auto", True, False),
        ({"CLICOLOR_FORCE": "1"}, "auto", False, True),
        ({"CLICOLOR_FORCE": "0"}, "auto", False, False),
        ({"CLICOLOR_FORCE": "1"}, "never", True, False),
        ({"CLICOLOR": "0"}, "auto", True, False),
        ({"TERM": "dumb"}, "auto", True, False),
        ({"TERM": "dumb", "CLICOLOR_FORCE": "1"}, "auto", True, False),
    ],
)
def test_what_was_asked_for_comes_before_the_environment(
    environ: dict[str, str], choice: str, tty: bool, wanted: bool
) -> None:
    assert wants_colour(Stream(tty=tty), environ, choice) is wanted


def test_no_stream_has_no_colour() -> None:
    assert not wants_colour(None, {})


def test_paint_ends_what_it_begins_and_paints_nothing_without_a_role() -> None:
    assert paint("x", "code", colour=True) == "\x1b[1;36mx\x1b[0m"
    assert paint("x", "code", colour=False) == "x"
    assert paint("x", "text", colour=True) == "x"
    assert paint("", "code", colour=True) == ""


@pytest.mark.parametrize(
    ("environ", "utf8"),
    [
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LANG": "de_DE.UTF-8@euro"}, True),
        ({"LANG": "C"}, False),
        ({}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_ALL": "en_US.UTF-8"}, True),
        ({"LANG": "en_US.ISO-8859-1", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),  # Python writes that itself, in the place of C
        ({"LC_CTYPE": "C.UTF-8"}, False),
    ],
)
def test_the_locale_decides_about_more_than_ascii(environ: dict[str, str], utf8: bool) -> None:
    assert terminal_of(Stream(), {"TERM": "xterm", **environ}, ViewOptions(), "linux").utf8 is utf8


def test_a_mac_may_name_only_the_characters() -> None:
    assert terminal_of(Stream(), {"TERM": "xterm", "LC_CTYPE": "UTF-8"}, ViewOptions(), "darwin").utf8


def test_windows_has_no_locale_in_the_environment() -> None:
    assert terminal_of(Stream(), {"WT_SESSION": "1"}, ViewOptions(), "win32").utf8
    assert not terminal_of(Stream(encoding="cp850"), {"WT_SESSION": "1"}, ViewOptions(), "win32").utf8


@pytest.mark.parametrize(
    ("arguments", "extra", "coloured"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        ((), {"CLICOLOR_FORCE": "1"}, True),
        (("--accessible",), {"CLICOLOR_FORCE": "1"}, False),
        (("--color", "never"), {"CLICOLOR_FORCE": "1"}, False),
    ],
)
def test_in_a_pipe_there_is_colour_only_on_request(
    tmp_path: Path, arguments: tuple[str, ...], extra: dict[str, str], coloured: bool
) -> None:
    with serve(Authority(policy=AUTO)) as server:
        done = run_command(tmp_path, "login", "--device", "--issuer", server.url, *arguments, **extra)
    assert done.code == 0
    assert ("\x1b[" in done.err) is coloured
    assert "\x1b" not in done.out
