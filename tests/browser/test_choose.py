"""Which flow is chosen where, and the reason that people read."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from codex_oauth.browser import choose
from codex_oauth.browser.choose import FlowChoice, choose_flow, choose_here

X11 = {"DISPLAY": ":0"}
WAYLAND = {"WAYLAND_DISPLAY": "wayland-0"}
INTEROP = "/proc/sys/fs/binfmt_misc/WSLInterop"
BROWSER = FlowChoice("browser", "one can be opened here")
SSH = FlowChoice("device", "this is an SSH session")
CONTAINER = FlowChoice("device", "this is a container")
NOTEBOOK = FlowChoice("device", "this is a remote notebook")
CLOUD_SHELL = FlowChoice("device", "this is a cloud shell")
WORKSPACE = FlowChoice("device", "this is a remote workspace")
DEV_CONTAINER = FlowChoice("device", "this is a development container")
SUDO = FlowChoice("device", "no browser is started under sudo")
NO_DISPLAY = FlowChoice("device", "there is no display")
NO_BROWSER = FlowChoice("device", "no graphical browser was found")


def chosen(
    environ: Mapping[str, str], platform: str, *files: str, browser: bool = True, setuid: bool = False
) -> FlowChoice:
    return choose_flow(
        environ,
        platform=platform,
        exists=lambda path: path in files,
        browser_found=lambda: browser,
        setuid=setuid,
    )


@pytest.mark.parametrize(
    ("environ", "platform", "files", "expected"),
    [
        (X11, "linux", (), BROWSER),
        (WAYLAND, "linux", (), BROWSER),
        ({}, "darwin", (), BROWSER),
        ({}, "win32", (), BROWSER),
        ({}, "linux", (), NO_DISPLAY),
        ({"DISPLAY": "", "WAYLAND_DISPLAY": ""}, "linux", (), NO_DISPLAY),
        ({}, "freebsd14", (), NO_DISPLAY),
        (X11, "freebsd14", (), BROWSER),
        ({}, "linux", (INTEROP,), BROWSER),
        ({}, "linux", (INTEROP + "-late",), BROWSER),
        ({"WSL_DISTRO_NAME": "Debian"}, "linux", (), NO_DISPLAY),
        ({}, "freebsd14", (INTEROP,), NO_DISPLAY),
        (X11, "linux", ("/.dockerenv",), CONTAINER),
        (X11, "linux", ("/run/.containerenv",), CONTAINER),
        ({}, "linux", (INTEROP, "/.dockerenv"), CONTAINER),
        (X11 | {"container": "podman"}, "linux", (), CONTAINER),
        (X11 | {"container": "docker"}, "linux", (), CONTAINER),
        (X11 | {"container": "oci"}, "linux", (), CONTAINER),
        (X11 | {"container": "systemd-nspawn"}, "linux", (), CONTAINER),
        (X11 | {"container": "flatpak"}, "linux", (), BROWSER),
        (X11 | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "linux", (), CONTAINER),
        (X11 | {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "linux", (), SSH),
        (X11 | {"SSH_TTY": "/dev/pts/0"}, "linux", (), SSH),
        (X11 | {"SSH_CLIENT": "10.0.0.1 1 22"}, "linux", (), SSH),
        ({"SSH_CONNECTION": "x"}, "darwin", (), SSH),
        ({"SSH_CONNECTION": "x"}, "win32", (), SSH),
        ({"SSH_CONNECTION": "x"}, "linux", (INTEROP,), SSH),
        ({"SSH_CONNECTION": "x"}, "linux", ("/.dockerenv",), SSH),
        (X11 | {"SSH_CONNECTION": ""}, "linux", (), BROWSER),
        (
            X11 | {"CODESPACES": "true"},
            "linux",
            ("/.dockerenv",),
            FlowChoice("device", "this is a GitHub codespace"),
        ),
        (X11 | {"GITPOD_WORKSPACE_ID": "x"}, "linux", (), FlowChoice("device", "this is a Gitpod workspace")),
        (X11 | {"REMOTE_CONTAINERS": "true"}, "linux", ("/.dockerenv",), DEV_CONTAINER),
        (X11 | {"DEVPOD": "true"}, "linux", (), DEV_CONTAINER),
        (X11 | {"CODER_WORKSPACE_NAME": "x"}, "linux", (), WORKSPACE),
        (X11 | {"REPL_ID": "x"}, "linux", (), WORKSPACE),
        (X11 | {"CLOUD_SHELL": "true"}, "linux", (), CLOUD_SHELL),
        (X11 | {"GOOGLE_CLOUD_SHELL": "true"}, "linux", (), CLOUD_SHELL),
        (X11 | {"ACC_CLOUD": "PROD"}, "linux", (), CLOUD_SHELL),
        (X11 | {"AWS_EXECUTION_ENV": "CloudShell"}, "linux", (), CLOUD_SHELL),
        (X11 | {"AWS_EXECUTION_ENV": "other"}, "linux", (), BROWSER),
        (X11 | {"COLAB_RELEASE_TAG": "x"}, "linux", (), NOTEBOOK),
        (X11 | {"KAGGLE_KERNEL_RUN_TYPE": "x"}, "linux", (), NOTEBOOK),
        (X11 | {"JUPYTERHUB_USER": "x"}, "linux", (), NOTEBOOK),
        (X11 | {"SUDO_UID": "1000"}, "linux", (), SUDO),
        (X11 | {"SUDO_USER": "me"}, "linux", (), SUDO),
        (X11 | {"DOAS_USER": "me"}, "linux", (), SUDO),
        (X11 | {"PKEXEC_UID": "1000"}, "linux", (), SUDO),
        ({"SUDO_UID": "501"}, "darwin", (), SUDO),
        ({"SUDO_UID": "1000", "SSH_CONNECTION": "x"}, "linux", (), SUDO),
    ],
)
def test_the_first_sign_against_a_browser_decides(
    environ: Mapping[str, str], platform: str, files: tuple[str, ...], expected: FlowChoice
) -> None:
    assert chosen(environ, platform, *files) == expected


@pytest.mark.parametrize(("environ", "platform"), [(X11, "linux"), (WAYLAND, "linux"), ({}, "darwin")])
def test_without_a_graphical_browser_a_device_code(environ: Mapping[str, str], platform: str) -> None:
    assert chosen(environ, platform, browser=False) == NO_BROWSER


def test_a_setuid_program_starts_no_browser() -> None:
    assert chosen(X11, "linux", setuid=True) == SUDO


def test_browsers_are_looked_for_only_where_nothing_else_has_decided() -> None:
    def never() -> bool:
        raise AssertionError("asked")

    assert choose_flow({}, platform="linux", exists=lambda path: False, browser_found=never) == NO_DISPLAY


def test_every_reason_completes_the_sentence() -> None:
    reasons = {reason for _, reason in choose._REMOTE} | set(choose._REMOTE_VALUES.values())
    assert all(reason.startswith("this is a") and not reason.endswith(".") for reason in reasons)


def test_this_process_is_judged_by_its_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in choose._SUDO:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_CONNECTION", "x")
    assert choose_here() == SSH


def test_a_process_with_an_effective_user_of_its_own_is_setuid(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not choose.runs_setuid()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert choose.runs_setuid()
