"""Which programs are tried, in which order, and which never are."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth.browser.choose import DefaultHandler, Program, openers
from tests.browser.fakes import Programs

URL = "https://auth.openai.com/oauth/authorize?a=b&c=d"
TEXT_BROWSERS = ["w3m", "lynx", "links", "links2", "elinks", "browsh", "www-browser", "sensible-browser"]


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def commands(programs: Programs, platform: str = "linux", wsl: bool = False, **more: str) -> list[list[str]]:
    """The argument lists in order, with bare program names."""
    found = openers(programs.environ(**more), platform, lambda path: wsl)
    lists = [opener.command(URL) for opener in found if isinstance(opener, Program)]
    assert all(Path(command[0]).is_absolute() for command in lists)
    return [[Path(command[0]).name, *command[1:]] for command in lists]


def test_the_desktops_own_choice_comes_before_any_browser(programs: Programs) -> None:
    for name in ("chromium", "firefox", "gio", "xdg-open", "exo-open"):
        programs.add(name)
    assert commands(programs) == [
        ["xdg-open", URL],
        ["gio", "open", URL],
        ["exo-open", "--launch", "WebBrowser", URL],
        ["firefox", URL],
        ["chromium", URL],
    ]


def test_without_a_display_nothing_is_tried_but_browser(programs: Programs) -> None:
    programs.add("xdg-open")
    programs.add("forwarder")
    assert commands(programs, DISPLAY="") == []
    assert commands(programs, DISPLAY="", BROWSER="forwarder") == [["forwarder", URL]]


def test_from_wsl_windows_own_way_comes_first_and_no_shell(programs: Programs) -> None:
    for name in ("wslview", "rundll32.exe", "xdg-open", "powershell.exe", "cmd.exe"):
        programs.add(name)
    assert commands(programs, wsl=True) == [
        ["wslview", URL],
        ["rundll32.exe", "url.dll,FileProtocolHandler", URL],
        ["xdg-open", URL],
    ]
    assert len(commands(programs, wsl=True, DISPLAY="")) == 2


def test_windows_asks_its_registered_handler(programs: Programs) -> None:
    programs.add("xdg-open")
    assert list(openers(programs.environ(), "win32")) == [DefaultHandler()]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("first", [["first", URL]]),
        ("first:second", [["first", URL], ["second", URL]]),
        ("::second:", [["second", URL]]),
        ("missing:second", [["second", URL]]),
        ("first --new %s", [["first", "--new", URL]]),
        ("first --url=%s", [["first", f"--url={URL}"]]),
        ("first '--a b' %s &", [["first", "--a b", URL]]),
        ("first %s &:second", [["first", URL], ["second", URL]]),
        ("first --no-placeholder", []),
        ("first 'open %s", []),
        ("none", []),
        ("", []),
    ],
)
def test_browser_is_read_as_the_standard_library_reads_it(
    programs: Programs, value: str, expected: list[list[str]]
) -> None:
    programs.add("first")
    programs.add("second")
    assert commands(programs, DISPLAY="", BROWSER=value) == expected


@pytest.mark.parametrize("name", TEXT_BROWSERS)
@pytest.mark.parametrize("form", ["{}", "{} %s", "{} -g %s &", "wrapper {} %s", "/usr/bin/{}"])
def test_a_text_browser_is_never_named(programs: Programs, name: str, form: str) -> None:
    programs.add(name)
    programs.add("wrapper")
    assert commands(programs, BROWSER=form.format(name)) == []
    assert commands(programs, BROWSER=form.format(programs.bin / name)) == []


def test_a_text_browser_behind_another_name_is_seen(programs: Programs) -> None:
    (programs.bin / "x-www-browser").symlink_to(programs.add("w3m"))
    assert commands(programs) == []


@pytest.mark.parametrize(
    "value",
    [
        "sh %s",
        "bash -c %s",
        "wrapper sh -c %s",
        "wrapper -e 'firefox %s'",
        "wrapper '%s &'",
        "powershell.exe %s",
    ],
)
def test_nothing_that_would_read_the_url_as_code_is_named(programs: Programs, value: str) -> None:
    for name in ("sh", "bash", "wrapper", "powershell.exe"):
        programs.add(name)
    assert commands(programs, BROWSER=value) == []


@pytest.mark.parametrize("name", ["browser.bat", "browser.CMD"])
def test_no_batch_file_is_named(programs: Programs, name: str) -> None:
    programs.add(name)
    assert commands(programs, BROWSER=name) == []


def test_nothing_is_taken_from_the_working_directory(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("firefox")
    monkeypatch.chdir(programs.bin)
    assert commands(programs, PATH=".:") == []
    assert commands(programs, PATH="/nowhere", BROWSER="./firefox") == []
    assert commands(programs) == [["firefox", URL]]
