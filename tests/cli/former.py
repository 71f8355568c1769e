"""Logins as an earlier release left them: under their account id, without a user id and without a key."""

from __future__ import annotations

import json
from pathlib import Path

from codex_oauth import Credential, FileStore, Record
from codex_oauth_core.record import write_record

__all__ = ["leave_former", "make_former"]


def leave_former(store: FileStore, credential: Credential, *, in_use: bool = True) -> Path:
    """The file that an earlier release wrote of a login, and by default the pointer to it."""
    document = json.loads(write_record(Record(credential)))
    for name in ("user_id", "key"):
        document["credential"].pop(name, None)
    logins = store.home / "logins"
    logins.mkdir(mode=0o700, parents=True, exist_ok=True)
    store.home.chmod(0o700)
    path = logins / f"{credential.account_id}.json"
    path.touch(0o600)
    path.write_text(json.dumps(document))
    if in_use:
        pointer = store.home / "current"
        pointer.touch(0o600)
        pointer.write_text(f"{credential.account_id}\n")
    return path


def make_former(store: FileStore) -> Path:
    """The login in use, as if an earlier release had stored it."""
    key = store.current()
    assert key is not None
    slot = store.slot(key)
    record = slot.load()
    assert record is not None
    slot.path.unlink()
    return leave_former(store, record.credential)
