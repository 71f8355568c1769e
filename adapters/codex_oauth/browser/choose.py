"""Which flow suits the place a program runs in, and which programs can show a page there.

Rules of this file: `choose_flow` is a function of its arguments, and each sign is a row of a table with the
reason that people read; a device code works everywhere, so the first sign against a browser decides. A
program is an argument list, never a line for a shell; nothing here that is known to draw in the terminal,
or to read its argument as code, is ever named. `BROWSER` is read as Python's `webbrowser` reads it. Nothing
is started here.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import attrs

from codex_oauth.loading import loading

__all__ = [
    "GRAPHICAL",
    "DefaultHandler",
    "FlowChoice",
    "Opener",
    "Program",
    "choose_flow",
    "choose_here",
    "has_display",
    "is_elevated",
    "openers",
    "reaches_windows",
    "runs_setuid",
]


_OUTSIDE_X11: Final = ("darwin", "win32")
"""Platforms that have a desktop without saying so in the environment."""

_SUDO: Final = ("SUDO_UID", "SUDO_USER", "DOAS_USER", "PKEXEC_UID")

_REMOTE: Final[tuple[tuple[str, str], ...]] = (
    ("SSH_CONNECTION", "this is an SSH session"),
    ("SSH_CLIENT", "this is an SSH session"),
    ("SSH_TTY", "this is an SSH session"),
    ("CODESPACES", "this is a GitHub codespace"),
    ("GITPOD_WORKSPACE_ID", "this is a Gitpod workspace"),
    ("REMOTE_CONTAINERS", "this is a development container"),
    ("DEVPOD", "this is a development container"),
    ("CODER_WORKSPACE_NAME", "this is a remote workspace"),
    ("CLOUD_SHELL", "this is a cloud shell"),
    ("GOOGLE_CLOUD_SHELL", "this is a cloud shell"),
    ("ACC_CLOUD", "this is a cloud shell"),
    ("REPL_ID", "this is a remote workspace"),
    ("COLAB_RELEASE_TAG", "this is a remote notebook"),
    ("KAGGLE_KERNEL_RUN_TYPE", "this is a remote notebook"),
    ("JUPYTERHUB_USER", "this is a remote notebook"),
    ("KUBERNETES_SERVICE_HOST", "this is a container"),
)
"""Variables whose presence says that the person's browser is on another machine."""

_REMOTE_VALUES: Final[Mapping[tuple[str, str], str]] = {
    ("AWS_EXECUTION_ENV", "CloudShell"): "this is a cloud shell",
    ("container", "docker"): "this is a container",
    ("container", "oci"): "this is a container",
    ("container", "podman"): "this is a container",
    ("container", "systemd-nspawn"): "this is a container",
}

_CONTAINER_MARKERS: Final = ("/.dockerenv", "/run/.containerenv")

_INTEROP: Final = ("/proc/sys/fs/binfmt_misc/WSLInterop", "/proc/sys/fs/binfmt_misc/WSLInterop-late")
"""Present where Linux runs under Windows (WSL) and may start Windows programs."""


@attrs.frozen
class FlowChoice:
    """A flow, and a clause that says why: "Signing in with a device code: {reason}."."""

    flow: Literal["browser", "device"]
    reason: str


def choose_flow(
    environ: Mapping[str, str],
    *,
    platform: str,
    exists: Callable[[str], bool],
    browser_found: Callable[[], bool],
    setuid: bool = False,
) -> FlowChoice:
    """Choose by the environment, `sys.platform`, which files exist, and whether a graphical browser is there.

    `browser_found` is asked last. `setuid`: the process has another identity than whoever started it.
    """
    against = next(_signs(environ, platform, exists, setuid), None)
    if against is None and not browser_found():
        against = "no graphical browser was found"
    return (
        FlowChoice("browser", "one can be opened here") if against is None else FlowChoice("device", against)
    )


def choose_here() -> FlowChoice:
    """Choose the kind of sign-in for this process on this machine."""
    return choose_flow(
        os.environ,
        platform=sys.platform,
        exists=os.path.exists,
        browser_found=lambda: next(openers(os.environ, sys.platform), None) is not None,
        setuid=runs_setuid(),
    )


def is_elevated(environ: Mapping[str, str], *, setuid: bool) -> bool:
    """Whether the process acts for somebody else: a browser started here would run with their rights."""
    return setuid or any(environ.get(name) for name in _SUDO)


def runs_setuid() -> bool:
    """Whether this process has another effective user or group than its real one."""
    if sys.platform == "win32":
        return False
    return os.getuid() != os.geteuid() or os.getgid() != os.getegid()


def has_display(environ: Mapping[str, str], platform: str) -> bool:
    """Whether windows can appear here: always on macOS and Windows, else by X11 or Wayland."""
    return platform in _OUTSIDE_X11 or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def reaches_windows(platform: str, exists: Callable[[str], bool]) -> bool:
    """Whether this is Linux under Windows (WSL) that may start Windows programs."""
    return platform == "linux" and any(exists(path) for path in _INTEROP)


def _signs(
    environ: Mapping[str, str], platform: str, exists: Callable[[str], bool], setuid: bool
) -> Iterator[str]:
    """The reasons against a browser, the most telling first."""
    if is_elevated(environ, setuid=setuid):
        yield "no browser is started under sudo"
    yield from (reason for name, reason in _REMOTE if environ.get(name))
    yield from (reason for (name, value), reason in _REMOTE_VALUES.items() if environ.get(name) == value)
    if any(exists(marker) for marker in _CONTAINER_MARKERS):
        yield "this is a container"
    if not has_display(environ, platform) and not reaches_windows(platform, exists):
        yield "there is no display"


# -- programs that show a page -------------------------------------------------------------------------


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
