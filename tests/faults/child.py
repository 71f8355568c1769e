"""What the tests of limits run in processes of their own: a login of files that is renewed over real HTTP.

Rules of this file: a child prints one JSON value a line, and nothing else; what it prints holds no secret.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import attrs

from codex_oauth import FileStore, HttpxWorld, StoringWorld, run
from codex_oauth_core import CODEX, Record, Renewal, RenewalPolicy, Renewed, SignInError
from tests.faults.runs import put

__all__ = ["NO_RETRY", "allocated", "due", "only_login", "process", "renew_once", "say"]

NO_RETRY = RenewalPolicy(retry_limit=0.01, request_timeout=10.0)


def only_login(store: FileStore) -> Record:
    """The one login of a store."""
    (place,) = store.names()
    record = store.slot(place).load()
    assert record is not None
    return record


def due(store: FileStore) -> Record:
    """The login of a store, which has expired now."""
    record = only_login(store)
    old = attrs.evolve(record.credential, expires_at=1, obtained_at="2020-01-01T00:00:00Z")
    return put(store, attrs.evolve(record, credential=old))


def renew_once(home: str, issuer: str) -> str:
    """Renew the login once; how that ended, in a few words."""
    store = FileStore(Path(home))
    try:
        (place,) = store.names()
        with HttpxWorld() as web, StoringWorld(web, store, place) as world:
            outcome = run(Renewal(provider=CODEX.at(issuer), policy=NO_RETRY), world)
    except (OSError, MemoryError) as error:
        return type(error).__name__
    except SignInError as error:
        outcome = error
    if isinstance(outcome, SignInError):
        return f"{outcome.kind}: {outcome.details.get('reason') or outcome.details.get('cause')}"
    unsaved = isinstance(outcome, Renewed) and outcome.unsaved is not None
    return "unsaved" if unsaved else type(outcome).__name__


def allocated() -> int:
    """Bytes of address space that this process has."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def say(value: Any) -> None:
    """Tell the parent."""
    print(json.dumps(value), flush=True)


_PRELUDE = """
import atexit, os, resource, sys, threading, time
from pathlib import Path
from codex_oauth.stores.file_store import FileStore
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.errors import SignInError
from tests.faults.child import NO_RETRY, allocated, due, only_login, renew_once, say
home, issuer = sys.argv[1:3]
store = FileStore(Path(home))
"""


def process(code: str, home: Path, issuer: str) -> subprocess.Popen[str]:
    """A new interpreter that runs `code`. It knows `home`, `issuer` and `store`."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _PRELUDE + textwrap.dedent(code), os.fspath(home), issuer],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
