"""Files of the Codex CLI, logins of ours, and errors that show no secret: for the tests of transfers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore, Secret, SignInError
from codex_oauth_core import CODEX, Credential, ErrorKind, Record
from codex_oauth_core.identity import Identity
from tests.support import account_token

__all__ = ["ACCESS", "KEY", "LOCKS", "REFRESH", "SOON", "error", "names_beside", "put", "stored", "write"]

SOON = int(time.time()) + 864_000
ACCESS = account_token("acct_cli", exp=SOON, email="somebody@example.com")
KEY = Identity(CODEX.issuer, CODEX.client_id, "acct_cli").key
"""The login of the Codex CLI, as we name it."""
REFRESH = "canary-refresh-of-the-cli"
LOCKS = ("auth.lock", "auth.json.lock")
"""The files beside the Codex CLI's `auth.json` that it locks; they stay."""


def document(**changes: Any) -> dict[str, Any]:
    tokens = {
        "id_token": account_token("acct_cli", marker="id"),
        "access_token": ACCESS,
        "refresh_token": REFRESH,
        "account_id": "acct_cli",
    }
    for name in [name for name in changes if name in (*tokens, "oauth_provenance", "login_owner_id")]:
        tokens[name] = changes.pop(name)
    whole = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens}
    return {**whole, "last_refresh": "2026-11-20T08:09:10.123456789Z", **changes}


def write(path: Path, **changes: Any) -> Path:
    """The file of the Codex CLI, with members changed."""
    path.write_text(json.dumps(document(**changes)))
    path.chmod(0o600)
    return path


def names_beside(path: Path) -> list[str]:
    """The names in the directory of a file, without its locks."""
    return sorted(each.name for each in path.parent.iterdir() if each.name not in LOCKS)


def put(store: FileStore, **changes: Any) -> Record:
    """A login of ours in the store."""
    refresh = Secret("our-refresh")
    ours = Credential(
        Secret(account_token("acct_cli", marker="ours", exp=SOON)),
        refresh,
        "acct_cli",
        CODEX.issuer,
        CODEX.client_id,
        "2026-11-01T00:00:00Z",
    )
    inner = {name: changes.pop(name) for name in list(changes) if hasattr(ours, name)}
    record = Record(attrs.evolve(ours, **inner), **changes)
    key = record.credential.key
    held = store.slot(key).lock()
    assert held is not None
    with held:
        held.save(record, None)
    store.select(key)
    return record


def stored(store: FileStore) -> Credential:
    record = store.slot(store.current() or KEY).load()
    assert record is not None
    return record.credential


def error(work: Callable[[], object], kind: ErrorKind, reason: str | None = None) -> SignInError:
    with pytest.raises(SignInError) as raised:
        work()
    assert (raised.value.kind, raised.value.details.get("reason")) == (kind, reason)
    assert "canary" not in f"{raised.value!r} {raised.value.to_dict()}"
    assert raised.value.next_actions
    assert not any("CODEX_OAUTH_HOME" in action for action in raised.value.next_actions)
    return raised.value
