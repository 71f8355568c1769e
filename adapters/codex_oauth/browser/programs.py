"""Which programs can show a page here, in the order in which they are tried.

Rules of this file: a program is an argument list, never a line for a shell; nothing here that is known to
draw in the terminal, or to read its argument as code, is ever named. `BROWSER` is read as Python's
`webbrowser` reads it. Nothing is started here.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.browser.choose import has_display, reaches_windows
from codex_oauth.loading import loading

__all__ = ["GRAPHICAL", "DefaultHandler", "Opener", "Program", "openers"]

GRAPHICAL: Final = (
    "x-www-browser",
    "firefox",
    "firefox-esr",
    "google-chrome",
    "google-chrome-stable",
    "chromium",
    "chromium-browser",
    "microsoft-edge",
    "brave-browser",
    "vivaldi",
    "opera",
    "epiphany",
    "falkon",
    "konqueror",
)
"""Browsers with windows of their own, by program name."""

_DESKTOP: Final = (
    ("xdg-open", "%s"),
    ("gio", "open", "%s"),
    ("kde-open", "%s"),
    ("exo-open", "--launch", "WebBrowser", "%s"),
    *((name, "%s") for name in GRAPHICAL),
)
"""What opens a page on a desktop of X11 or Wayland: the person's own choice first, then any browser."""

_WINDOWS_FROM_LINUX: Final = (
    ("wslview", "%s"),
    ("rundll32.exe", "url.dll,FileProtocolHandler", "%s"),
    ("/mnt/c/Windows/System32/rundll32.exe", "url.dll,FileProtocolHandler", "%s"),
)
_MACOS: Final = (("/usr/bin/open", "%s"),)

_IN_THE_TERMINAL: Final = frozenset(
    {
        "browsh",
        "carbonyl",
        "cha",
        "edbrowse",
        "elinks",
        "felinks",
        "links",
        "links2",
        "lynx",
        "netrik",
        "retawq",
        "sensible-browser",  # ends in www-browser where nothing else is found
        "surfraw",
        "w3m",
        "www-browser",
    }
)

_READS_CODE: Final = frozenset(
    {"ash", "bash", "busybox", "cmd", "csh", "dash", "fish", "ksh", "mksh", "powershell", "pwsh", "sh"}
    | {"tcsh", "wscript", "xonsh", "zsh"}
)
"""Shells: to them `&` in a URL is more than a character. So are Windows' batch files."""

_BATCH: Final = (".bat", ".cmd")


@attrs.frozen
class Program:
    """A program to start. `%s` in its arguments stands for the URL; `argv[0]` is an absolute path."""

    argv: tuple[str, ...]

    def command(self, url: str) -> list[str]:
        """The argument list that opens `url`."""
        return [self.argv[0], *(argument.replace("%s", url) for argument in self.argv[1:])]


@attrs.frozen
class DefaultHandler:
    """What Windows has registered for the URL's scheme; no program is named."""


Opener = Program | DefaultHandler


def openers(
    environ: Mapping[str, str], platform: str, exists: Callable[[str], bool] = os.path.exists
) -> Iterator[Opener]:
    """What can open a page in a window here, best first; `environ` gives BROWSER, PATH and the display."""
    for template in (*_chosen(environ, platform), *_usual(environ, platform, exists)):
        path = _which(template[0], environ)
        if path is not None and not _is_unfit((path, os.path.realpath(path), *template)):
            yield Program((path, *template[1:]))
    if platform == "win32":
        yield DefaultHandler()


def _usual(
    environ: Mapping[str, str], platform: str, exists: Callable[[str], bool]
) -> Iterator[tuple[str, ...]]:
    if platform == "darwin":
        yield from _MACOS
    if reaches_windows(platform, exists):
        yield from _WINDOWS_FROM_LINUX
    if platform not in ("darwin", "win32") and has_display(environ, platform):
        yield from _DESKTOP


def _chosen(environ: Mapping[str, str], platform: str) -> Iterator[tuple[str, ...]]:
    """What BROWSER names: programs, or command lines with `%s`; several are separated as in PATH."""
    for entry in environ.get("BROWSER", "").split(";" if platform == "win32" else ":"):
        if "%s" not in entry:
            yield (entry, "%s")
            continue
        try:
            words = shlex.split(entry)
        except ValueError:  # an open quote
            continue
        yield tuple(words[:-1] if words[-1] == "&" else words)  # we never wait for a browser anyway


def _which(name: str, environ: Mapping[str, str]) -> str | None:
    """The absolute path of a program; none from the working directory, whatever PATH says."""
    with loading("shutil"):
        import shutil

    found = shutil.which(name, path=environ.get("PATH", os.defpath)) if name else None
    return found if found is not None and Path(found).is_absolute() else None


def _is_unfit(words: tuple[str, ...]) -> bool:
    """Whether a command draws in the terminal, or hands the URL to something that reads it as code."""
    names = {_name(word) for word in words}
    quoted_code = any("%s" in word and len(word.split()) > 1 for word in words)
    return (
        quoted_code
        or words[0].lower().endswith(_BATCH)
        or not names.isdisjoint(_IN_THE_TERMINAL | _READS_CODE)
    )


def _name(word: str) -> str:
    return posixpath.basename(ntpath.basename(word)).lower().removesuffix(".exe")
