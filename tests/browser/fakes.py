"""Programs that record how they were called, in place of browsers.

Rules of this file: no real browser is ever started; a program that hangs is ended by `Programs.end`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

HANGS = "exec /bin/sleep 60"


@attrs.frozen
class Programs:
    """A folder for PATH, and one with a record of each call."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    def add(self, name: str, behaviour: str = "exit 0") -> Path:
        """A program that notes its arguments, pid and BROWSER, and then behaves as told, in shell."""
        self.bin.mkdir(exist_ok=True)
        path, record = self.bin / name, self.folder / name
        script = (
            "#!/bin/sh\n"
            f"printf '%s\\n' \"$@\" > '{record}.argv.new'\n"
            f"echo $$ > '{record}.pid'; echo \"$BROWSER\" > '{record}.BROWSER'\n"
            f"/bin/mv '{record}.argv.new' '{record}.argv'\n"
            f"{behaviour}\n"
        )
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
        return path

    def environ(self, **more: str) -> Mapping[str, str]:
        return {"PATH": str(self.bin), "DISPLAY": ":0", **more}

    def started(self) -> set[str]:
        return {path.name.removesuffix(".argv") for path in self.folder.glob("*.argv")}

    def argv(self, name: str) -> list[str]:
        """The arguments of a call, which is waited for."""
        until(lambda: name in self.started())
        return (self.folder / f"{name}.argv").read_text(encoding="utf-8").splitlines()

    def noted(self, name: str, what: str) -> str:
        self.argv(name)
        return (self.folder / f"{name}.{what}").read_text(encoding="utf-8").strip()

    def end(self) -> None:
        """End whatever still runs, by its pid."""
        for path in self.folder.glob("*.pid"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(path.read_text(encoding="utf-8")), signal.SIGKILL)


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something that happens elsewhere."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)
