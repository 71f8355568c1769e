"""The environments of the consumers, and a process in one of them that does what it is told.

Rules of this file: an environment is built by `make consumers` from its lock file; the process sees this checkout, and
no login, no key and no proxy of this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs

from codex_oauth import CODEX, FileStore, login
from codex_oauth.authority import (
    Authority,
    AuthorityServer,
    CatalogModel,
    ModelFault,
    ModelPolicy,
    Policy,
    serve,
)
from codex_oauth.testing import FakeWorld, answered_by
from tests.clients.page import MODEL, QUESTION, TEXT
from tests.house.tree import ROOT

__all__ = ["ENVIRONMENTS", "MODEL", "QUESTION", "TEXT", "Consumer", "Outcome", "stub"]

ENVIRONMENTS: Final = ROOT / ".venv" / "consumers"
PATIENCE: Final = 120.0
"""Seconds for one call; the first one of a process imports a large library."""


@attrs.frozen
class Outcome:
    """What came of a call: what the consumer said, or how it failed; and what the stub saw."""

    said: str | None
    failed: str | None
    server: AuthorityServer

    def statuses(self, host: str = "127.0.0.1") -> list[int]:
        """The answers to requests and upgrades at one name of the stub."""
        return [one.status for one in self.requests(host)]

    def requests(self, host: str = "127.0.0.1") -> list[Any]:
        """The requests and upgrades at one name of the stub."""
        name = f"{host}:{self.server.port}"
        return [
            one
            for one in self.server.authority.requests
            if one.headers.get("host") == name
            and one.endpoint in ("responses", "websocket", "models", "other")
        ]


@contextmanager
def stub(*faults: ModelFault, **policy: Any) -> Generator[AuthorityServer]:
    """The model stub, with the words of these tests."""
    models = (
        CatalogModel(slug=MODEL, display_name="Codex"),
        CatalogModel(slug="gpt-5.5", display_name="GPT 5.5"),
    )
    given: dict[str, Any] = {"text": TEXT, "models": models, **policy}
    rules = Authority(policy=Policy(approve="auto"), faults=faults, models=ModelPolicy(**given))
    with serve(rules) as server:
        yield server


class Consumer:
    """A process in the environment of one consumer."""

    def __init__(self, python: Path, home: Path, *paths: str) -> None:
        self._home = home
        self._number = 0
        keep = {
            name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT", "TMPDIR") if name in os.environ
        }
        path = os.pathsep.join((*paths, *(str(ROOT / name) for name in ("core", "adapters", "."))))
        with (home / "stderr.txt").open("w") as stderr:
            self._process = subprocess.Popen(
                [str(python), "-m", "tests.consumers.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=home,
                env={**keep, "PYTHONPATH": path, "HOME": str(home), "NO_PROXY": "*"},
            )

    def __enter__(self) -> Self:
        """See `ask`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def ask(self, server: AuthorityServer, **job: str) -> Outcome:
        """What comes of a way of use (`way`), or of a block of a page (`block`), with a login of its own."""
        self._number += 1
        home = self._home / str(self._number)
        sign_in(server, home)
        said: dict[str, str] = self._told(
            {"home": str(home), "url": server.url, "model": MODEL, "question": QUESTION, **job}
        )
        return Outcome(said.get("said"), said.get("failed"), server)

    def _told(self, job: dict[str, str]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, (self._home / "stderr.txt").read_text()
        return json.loads(line)


def sign_in(server: AuthorityServer, home: Path) -> None:
    """Put a login of this authority into a store; that costs no time."""
    world = FakeWorld(answered_by(server.authority), wall=time.time())
    login(
        device=True,
        provider=CODEX.at(server.url),
        store=FileStore(home),
        on_prompt=lambda _: None,
        make_world=lambda _: world,
    )
