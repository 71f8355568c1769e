"""What is said of a sealed store that fails."""

from __future__ import annotations

import pytest

from codex_oauth import FileStore
from codex_oauth_core import ErrorKind, SignInError
from tests.stores.logins import describe, login, save

READ, WRITE, CORRUPT = ErrorKind.AUTH_READ_FAILED, ErrorKind.AUTH_WRITE_FAILED, ErrorKind.CORRUPT_AUTH


def load_error(store: FileStore) -> tuple[ErrorKind, object]:
    with pytest.raises(SignInError) as failed:
        store.slot("acct_1").load()
    assert failed.value.next_actions
    return describe(failed.value)


def save_error(store: FileStore, account_id: str = "acct_1", **options: bool) -> tuple[ErrorKind, object]:
    with pytest.raises(SignInError) as failed:
        save(store.slot(account_id), login(9, account_id), None, **options)
    return describe(failed.value)
