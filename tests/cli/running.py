"""A command that runs, started by `Forker`, with what `subprocess.Popen` has that tests use."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from types import TracebackType
from typing import Final, Self, TextIO

__all__ = ["Running"]

_ENDING: Final = 60.0
Starter = Callable[[list[int]], socket.socket]


class Running:
    """Its stdin is empty or `stdin`; stdout and stderr are pipes, or what is given."""

    def __init__(self, start: Starter, *, stdin: int | None, stdout: int | None, stderr: int | None) -> None:
        null = os.open(os.devnull, os.O_RDWR)
        theirs = [null]
        self.stdout: TextIO | None = None
        self.stderr: TextIO | None = None
        if stdout is None:
            reading, stdout = os.pipe()
            self.stdout = open(reading, encoding="utf-8")  # noqa: PTH123, SIM115  # a descriptor
            theirs.append(stdout)
        if stderr is None:
            reading, stderr = os.pipe()
            self.stderr = open(reading, encoding="utf-8")  # noqa: PTH123, SIM115  # a descriptor
            theirs.append(stderr)
        self.returncode: int | None = None
        self._socket = start([null if stdin is None else stdin, stdout, stderr])
        for fd in theirs:
            os.close(fd)
        self._answers = self._socket.makefile()
        self._socket.settimeout(_ENDING)
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code, negative for a signal. Raises `subprocess.TimeoutExpired`."""
        code = self._ended(_ENDING if timeout is None else timeout)
        if code is None:
            raise subprocess.TimeoutExpired("codex-oauth", timeout or _ENDING)
        return code

    def communicate(self, timeout: float = _ENDING) -> tuple[str, str]:
        """Read both streams to their end and wait. Raises `subprocess.TimeoutExpired`, and has killed it then."""
        with ThreadPoolExecutor(2) as pool:
            reading = [pool.submit(_rest, stream) for stream in (self.stdout, self.stderr)]
            _, slow = wait(reading, timeout)
            if slow:
                self.kill()
                raise subprocess.TimeoutExpired("codex-oauth", timeout)
        self.wait()
        self.close()
        out, err = (each.result() for each in reading)
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.kill()
        self.wait()
        self.close()

    def _ended(self, timeout: float) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._socket, selectors.EVENT_READ)
                if not selector.select(timeout):
                    return None
            self.returncode = int(self._answers.readline())
        return self.returncode

    def close(self) -> None:
        """Let go of its streams."""
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self._answers.close()
        self._socket.close()


def _rest(stream: TextIO | None) -> str:
    return "" if stream is None or stream.closed else stream.read()
