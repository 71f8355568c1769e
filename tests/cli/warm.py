"""A process that has loaded the command and forks for each call: a real process in a tenth of the time.

Rules of this file: the process that forks has one thread and has run no command, so that each call begins as a new
interpreter does, only loaded; what an interpreter reads at its start (`COLD`) cannot be given here; a call ends
as a program ends: threads are waited for, buffers flushed, exit functions run.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import selectors
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

__all__ = ["COLD", "Forker", "is_possible"]

COLD: Final = ("PYTHON", "LANG", "LC_", "TZ")
"""How the variables begin that an interpreter reads only at its start."""

_LENGTH: Final = struct.Struct("!I")
_Env = Mapping[str, str]


def is_possible(env: _Env, usual: _Env) -> bool:
    """Whether a call with these variables can be forked from a process that began with the `usual` ones."""
    cold = {name for name in {*env, *usual} if name.startswith(COLD)}
    return hasattr(os, "pidfd_open") and all(env.get(name) == usual.get(name) for name in cold)


class Forker:
    """The process that forks; it ends with this one."""

    def __init__(self, env: _Env) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.warm", str(theirs.fileno())],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(
        self,
        arguments: Sequence[str],
        env: _Env,
        cwd: Path,
        streams: Sequence[int],
        *,
        terminal: bool = False,
        prelude: str = "",
    ) -> socket.socket:
        """Call the command with these descriptors as 0, 1 and 2, in a session of its own; with `terminal`, 0
        is its terminal; the code `prelude` runs first. What is read from the socket is its process
        id, and then its exit code, each a line.
        """
        ours, theirs = socket.socketpair()
        asked = json.dumps([list(arguments), dict(env), str(cwd), terminal, prelude]).encode()
        with theirs, self._lock:
            fds = array.array("i", [*streams, theirs.fileno()])
            self._socket.sendmsg(
                [_LENGTH.pack(len(asked))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds.tobytes())]
            )
            self._socket.sendall(asked)
        return ours

    def end(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


# -- there ---------------------------------------------------------------------------------------------


_LOADED_LATER: Final = (
    "anyio._backends._asyncio",
    "codex_oauth.browser.open_browser",
    "codex_oauth.browser.paste",
    "codex_oauth.listener.sync_listener",
    "codex_oauth.tokens.token_source",
    "codex_oauth.worlds.httpx_world",
    "filelock",
    "uvicorn.protocols.http.h11_impl",
)
"""What commands load when they need it."""


def _load() -> None:
    """All that a command may load."""
    for name in ("codex_oauth_core", "codex_oauth.cli", "codex_oauth.doctor", "codex_oauth.stores"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in _LOADED_LATER:
        importlib.import_module(name)


def _serve(asking: socket.socket) -> Callable[[], int] | None:
    """Fork for each call. In the child: what it has to do. None at the end."""
    selector = selectors.DefaultSelector()
    selector.register(asking, selectors.EVENT_READ)
    calls: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj is not asking:
                pidfd = key.fd
                pid, answers = calls.pop(pidfd)
                _, status = os.waitpid(pid, 0)
                selector.unregister(pidfd)
                os.close(pidfd)
                _answer(answers, os.waitstatus_to_exitcode(status))
                answers.close()
                continue
            asked = _asked(asking)
            if asked is None:
                return None
            request, fds = asked
            pid = os.fork()
            if pid == 0:
                selector.close()
                asking.close()
                for other, (_, its_answers) in calls.items():
                    os.close(other)
                    its_answers.close()
                os.close(fds[3])
                arguments, env, cwd, terminal, prelude = request
                return lambda: _become(arguments, env, cwd, fds[:3], terminal=terminal, prelude=prelude)
            answers = socket.socket(fileno=fds[3])
            _answer(answers, pid)
            for fd in fds[:3]:
                os.close(fd)
            pidfd = os.pidfd_open(pid)
            calls[pidfd] = (pid, answers)
            selector.register(pidfd, selectors.EVENT_READ)


def _answer(answers: socket.socket, number: int) -> None:
    try:
        answers.sendall(b"%d\n" % number)
    except OSError:
        return


def _asked(asking: socket.socket) -> tuple[list[Any], list[int]] | None:
    head, ancillary, _, _ = asking.recvmsg(_LENGTH.size, socket.CMSG_SPACE(4 * array.array("i").itemsize))
    if not head:
        return None
    fds = array.array("i")
    for _, _, data in ancillary:
        fds.frombytes(data)
    body = b""
    while left := _LENGTH.unpack(head)[0] - len(body):
        body += asking.recv(left)
    return json.loads(body), list(fds)


def _become(
    arguments: list[str],
    env: dict[str, str],
    cwd: str,
    streams: list[int],
    *,
    terminal: bool,
    prelude: str,
) -> int:
    """Be a process that was started so, and run the command. Its exit code."""
    os.setsid()
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    for fd in {*streams} - {0, 1, 2}:
        os.close(fd)
    if terminal:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None
    sys.argv = ["codex-oauth", *arguments]
    sys.stdin, sys.stdout, sys.stderr = (_stream(fd) for fd in range(3))
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]  # as at the start
    exec(prelude, {"__name__": "prelude"})
    from codex_oauth.cli.main import main

    return main()


def _leave(code: int) -> NoReturn:
    """End as an interpreter does, but for taking its modules apart."""
    threading._shutdown()  # type: ignore[attr-defined]  # what an interpreter does first
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = 120
    os._exit(code)


def _stream(fd: int) -> io.TextIOWrapper:
    """As an interpreter makes them."""
    raw = io.FileIO(fd, "r" if fd == 0 else "w", closefd=False)
    buffered = io.BufferedReader(raw) if fd == 0 else io.BufferedWriter(raw)
    errors = "backslashreplace" if fd == 2 else "strict"
    lines = fd == 2 or raw.isatty()
    name = ("<stdin>", "<stdout>", "<stderr>")[fd]
    stream = io.TextIOWrapper(buffered, encoding="utf-8", errors=errors, line_buffering=lines)
    raw.name = name
    return stream


if __name__ == "__main__":
    _load()
    gc.collect()
    gc.freeze()
    work = _serve(socket.socket(fileno=int(sys.argv[1])))
    if work is not None:
        _leave(work())
