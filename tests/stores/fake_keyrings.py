"""Keyrings as they are met: one that works, and others that hang, refuse, forget, or keep rubbish."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import attrs

SHOWN = "canary-key"
"""In what a refusing keyring's error says."""


@attrs.define(eq=False)
class WorkingKeyring:
    """Keeps what it is given, and the order of the calls."""

    kept: dict[tuple[str, str], str] = attrs.field(factory=dict[tuple[str, str], str])
    calls: list[str] = attrs.field(factory=list[str])

    def get_password(self, service: str, username: str) -> str | None:
        self.calls.append("get")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.calls.append("set")
        self.kept[service, username] = password


@attrs.define(eq=False)
class HangingKeyring(WorkingKeyring):
    """Does not answer calls of one kind before it is let go: it shows a prompt, say."""

    hangs_in: str = "get"
    let_go: threading.Event = attrs.field(factory=threading.Event)

    def get_password(self, service: str, username: str) -> str | None:
        if self.hangs_in == "get":
            self.let_go.wait(30)
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.hangs_in == "set":
            self.let_go.wait(30)
        super().set_password(service, username, password)


@attrs.define(eq=False)
class RefusingKeyring(WorkingKeyring):
    """Is locked, or its owner said no. It reads where `only_writing`."""

    error: BaseException = attrs.field(factory=lambda: OSError(SHOWN))
    only_writing: bool = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.only_writing:
            return super().get_password(service, username)
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error


class ForgetfulKeyring(WorkingKeyring):
    """Takes everything, and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        self.calls.append("set")


class PlaintextKeyring(WorkingKeyring):
    """Would keep its secrets in a file that anybody can read."""


@attrs.frozen
class SharedKeyring:
    """One that several processes share, and that is slow to write."""

    folder: Path
    pause: float = 0.1

    def get_password(self, service: str, username: str) -> str | None:
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / f"{service}-{username}").read_text()
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        time.sleep(self.pause)
        with (self.folder / "log").open("a") as log:
            log.write("set\n")
        whole = self.folder / f"{threading.get_native_id()}.new"
        whole.write_text(password)
        whole.replace(self.folder / f"{service}-{username}")
