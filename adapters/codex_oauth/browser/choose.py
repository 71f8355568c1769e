"""Which flow suits the place a program runs in: the browser, or a device code.

Rules of this file: `choose_flow` is a function of its arguments, and each sign is a row of a table with the
reason that people read; a device code works everywhere, so the first sign against a browser decides.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import attrs

from codex_oauth.loading import loading

__all__ = [
    "Choice",
    "choose_flow",
    "choose_here",
    "has_display",
    "is_elevated",
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
class Choice:
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
) -> Choice:
    """Choose by the environment, `sys.platform`, which files exist, and whether a graphical browser is there.

    `browser_found` is asked last. `setuid`: the process has another identity than whoever started it.
    """
    against = next(_signs(environ, platform, exists, setuid), None)
    if against is None and not browser_found():
        against = "no graphical browser was found"
    return Choice("browser", "a browser can be opened here") if against is None else Choice("device", against)


def choose_here() -> Choice:
    """Choose for this process, on this machine."""
    with loading("codex_oauth.browser.programs"):
        from codex_oauth.browser.programs import openers

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
