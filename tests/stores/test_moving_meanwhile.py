"""A sign-in moves a login from its former name to its key while somebody looks for it: it is never found nowhere.

Rules of this file: nothing is timed. The move happens right before the first look at the store, before the second,
and so on, until a search ends before its turn comes.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore, MemoryStore, TokenSource
from codex_oauth.cli.accounts import chosen_record, find_account
from codex_oauth.stores import find
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.memory_store import MemorySlot
from codex_oauth_core import Record, Secret, SignInError
from tests.stores.test_find import ANNA, OLD, put
from tests.support import CLAIMS, jwt

ACCOUNT, KEY = "acct_team", ANNA.credential.key


def lasting(record: Record, marker: str) -> Record:
    """The same person's login, whose token is good for years."""
    claims = {"chatgpt_account_id": ACCOUNT, "chatgpt_user_id": "user-anna"}
    token = Secret(jwt({CLAIMS: claims, "email": "anna@example.com", "exp": 4_000_000_000, "jti": marker}))
    return Record(attrs.evolve(record.credential, access_token=token, expires_at=4_000_000_000_000))


FORMER, LATTER = lasting(OLD, "former"), lasting(ANNA, "latter")


def move(store: FileStore | MemoryStore) -> None:
    """What a sign-in does, in its order."""
    put(store, LATTER)
    store.select(KEY)
    held = store.slot(ACCOUNT).lock()
    assert held is not None
    with held:
        held.delete(FORMER.fingerprint)


@contextmanager
def moved_before(look: int, store: FileStore | MemoryStore) -> Generator[list[str]]:
    """Move the login right before that look at the store; the looks that there were."""
    looks: list[str] = []
    with pytest.MonkeyPatch.context() as patched:

        def watch(owner: type, name: str) -> None:
            was: Callable[..., Any] = getattr(owner, name)

            def watched(*args: Any) -> Any:
                looks.append(name)
                if len(looks) == look:
                    patched.undo()
                    move(store)
                return was(*args)

            patched.setattr(owner, name, watched)

        for owner in (FileStore, MemoryStore):
            watch(owner, "names")
            watch(owner, "current")
        for slot in (FileSlot, MemorySlot):
            watch(slot, "load")
            watch(slot, "lock")
        yield looks


def token(record: Record | None) -> str:
    return "" if record is None else record.credential.access_token.reveal()


def kept(login: find.KeptLogin | None) -> str:
    return token(login.found) if login is not None and isinstance(login.found, Record) else ""


def asked(account: str | None) -> Callable[[Any], str]:
    def ask(store: Any) -> str:
        with TokenSource(store, account=account) as source:
            return source.token()

    return ask


def called(name: str) -> Callable[[Any], str]:
    return lambda store: kept(find.named_login(store, name))


def commanded(name: str) -> Callable[[Any], str]:
    return lambda store: kept(find_account(store, name))


def placed(store: Any) -> str:
    found = find.same_place(store, FORMER.credential)
    return "" if found is None else token(found[1])


NAMES = (ACCOUNT, "user-anna", "anna@example.com", KEY, "acct_t", KEY[:12])
SEARCHES: dict[str, Callable[[Any], str]] = {
    "in use": lambda store: kept(find.login_in_use(store)),
    "listed": lambda store: " ".join(map(kept, find.kept_logins(store))),
    "as it was": lambda store: kept(find.kept_as(store, LATTER.credential)),
    "the same again": placed,
    "a command": lambda store: token(chosen_record(Namespace(account=None), store)[0]),
    "a source": asked(None),
    **{f"called {name}": called(name) for name in NAMES},
    **{f"a command for {name}": commanded(name) for name in NAMES},
    **{f"a source of {name}": asked(name) for name in NAMES},
}


@pytest.fixture(params=["files", "memory"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], FileStore | MemoryStore]:
    """Makes one store after the other, with a login as an earlier release left it, in use."""

    def make(number: int) -> FileStore | MemoryStore:
        store = MemoryStore() if request.param == "memory" else FileStore(tmp_path / str(number))
        put(store, FORMER, ACCOUNT)
        store.select(ACCOUNT)
        return store

    return make


@pytest.mark.parametrize("search", SEARCHES)
def test_a_login_is_found_at_every_step_of_its_move(
    make_store: Callable[[int], FileStore | MemoryStore], search: str
) -> None:
    ended_before = 0
    for look in range(1, 40):
        store = make_store(look)
        with moved_before(look, store) as looks:
            found = SEARCHES[search](store)
        assert found in (token(FORMER), token(LATTER)), f"{looks[:look]}: {found!r}"
        if len(looks) < look:
            ended_before = look
            break
    assert ended_before > 1, "the login was never moved, or always"


@pytest.mark.parametrize("search", ["a source", f"a source of {ACCOUNT}", f"called {KEY}"])
def test_a_login_that_is_gone_for_good_is_not_looked_for_for_ever(
    make_store: Callable[[int], FileStore | MemoryStore], search: str
) -> None:
    store = make_store(0)
    held = store.slot(ACCOUNT).lock()
    assert held is not None
    with held:
        held.delete(FORMER.fingerprint)
    assert find.login_in_use(store) is None
    assert find.kept_logins(store) == ()
    with pytest.raises(SignInError) as raised:
        SEARCHES[search](store)
    assert raised.value.kind == "login_required"


class Forgetful(MemoryStore):
    """A store whose list and pointer name a login that is gone, each time: no store of ours, and no endless search."""

    def names(self) -> tuple[str, ...]:
        """The same always."""
        return (ACCOUNT,)


def test_a_store_that_lists_what_is_gone_is_asked_twice() -> None:
    store = Forgetful()
    store.select(ACCOUNT)
    assert find.login_in_use(store) is None
    assert find.kept_logins(store) == ()
