"""The example application of docs/fleet.md as processes of its own, and what a test does to them.

Rules of this file: whatever the supervisor began is over when the block ends, also where the test failed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, Self

import httpx

from tests.fleet.logins import KEYS
from tests.fleet.servers import free_port
from tests.house.tree import ROOT

__all__ = ["Application", "example", "until"]

PATIENCE: Final = 60.0


def example(name: str) -> Any:
    """A file of docs/examples as a module; always the same one."""
    full_name = f"{name}_of_the_docs"
    if full_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(full_name, ROOT / "docs" / "examples" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module: ModuleType = importlib.util.module_from_spec(spec)
        sys.modules[full_name] = module
        spec.loader.exec_module(module)
    return sys.modules[full_name]


def until(fact: Callable[[], object], otherwise: str = "it never came to be") -> None:
    """Wait for something that others do."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


class Application:
    """`python docs/examples/fleet_app.py`. Use it in a `with` block."""

    def __init__(self, dsn: str, issuer: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.began: list[tuple[str, int]] = []
        """Each part that was begun, and its process."""
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "CODEX_OAUTH_DSN": dsn,
            "CODEX_OAUTH_KEYS": KEYS.current.reveal().hex(),
            "CODEX_OAUTH_ISSUER": issuer,
            "APP_PORT": str(port),
        }

    def __enter__(self) -> Self:
        command = [sys.executable, str(ROOT / "docs" / "examples" / "fleet_app.py")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self._environment)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            until(self.answers, "the application does not answer")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            part, _, pid = line.partition(" is process ")
            self.began.append((part, int(pid)))

    def answers(self) -> bool:
        """Whether the web process serves."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/signed-out", trust_env=False).status_code == 200
        return False

    def parts(self, part: str) -> list[int]:
        """The processes that were begun for a part, the newest last."""
        return [pid for name, pid in self.began if name == part]

    def kill(self, part: str, pid: int) -> None:
        """Kill a process, and wait until another one is there in its place."""
        before = len(self.parts(part))
        os.kill(pid, signal.SIGKILL)
        until(lambda: len(self.parts(part)) > before)

    def end(self) -> int:
        """SIGTERM to the supervisor: its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def lives(self, pid: int) -> bool:
        """Whether a process of it is there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False

    def __exit__(self, *exc_info: object) -> None:
        try:
            if self.process.poll() is None:
                self.end()
        finally:
            self.process.kill()
            for _, pid in self.began:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._reader.join(PATIENCE)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process.wait()
