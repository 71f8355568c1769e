"""Stored logins for measurements: plainly fake, and as big as real ones (about 3 KB).

Rules of this file: a login is kept the way the product keeps it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from codex_oauth import Store
from codex_oauth_core import CODEX, Credential, Provider, Record, Secret

__all__ = ["ACCOUNT", "TOKEN", "credential", "keep"]

ACCOUNT = "acct_fake"
TOKEN = "fake-access-token-" + "x" * 1182


def credential(provider: Provider = CODEX, *, left: float = 86_400.0) -> Credential:
    """A login that was just granted, and has `left` seconds to live."""
    wall = time.time()
    return Credential(
        access_token=Secret(TOKEN),
        refresh_token=Secret("fake-refresh-token-" + "x" * 181),
        account_id=ACCOUNT,
        issuer=provider.issuer,
        client_id=provider.client_id,
        obtained_at=datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        id_token=Secret("fake-id-token-" + "x" * 1186),
        expires_at=int((wall + left) * 1000),
    )


def keep(store: Store, login: Credential) -> None:
    """Store it, and make it the current one."""
    held = store.slot(ACCOUNT).lock()
    assert held is not None
    with held:
        before = held.load()
        held.save(Record(login), None if before is None else before.fingerprint)
    store.select(ACCOUNT)
