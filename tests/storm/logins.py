"""A login to fight over, and what the authority has seen of it.

Rules of this file: a login is granted by the authority itself, so that its rules apply to it; what was sent
is read from the authority's own record, by fingerprints; nothing is judged here.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from codex_oauth import FileStore, run
from codex_oauth.authority import (
    Account,
    Approve,
    Authority,
    AuthorityServer,
    Fault,
    Policy,
    Received,
    serve,
)
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.testing import FakeWorld, Reply
from codex_oauth_core import CODEX, Credential, DeviceFlow, Record, Request, Secret
from codex_oauth_core.reading.times import rfc3339

__all__ = [
    "ACCOUNT",
    "ADVISORY",
    "EXPIRED",
    "MANDATORY",
    "Ground",
    "authority",
    "grant",
    "put",
    "put_at",
    "token_mark",
]

ACCOUNT: Final = str(Account().account_id)
EXPIRED: Final = -1.0
MANDATORY: Final = 100.0
ADVISORY: Final = 3600.0
"""Seconds that an access token has left, nine days after it was issued."""

_AGE: Final = 9 * 86_400.0
_AT_ONCE: Final = Policy(approve=Approve.AUTO, interval=1, strict_pace=False)


@contextmanager
def authority(
    *faults: Fault, delay: float = 0.0, account: str = ACCOUNT, access_lifetime: int | None = None
) -> Generator[AuthorityServer]:
    """An authority on loopback that answers a refresh after `delay` seconds."""
    slow = (Fault(endpoint="refresh", delay=delay),) if delay else ()
    policy = attrs.evolve(_AT_ONCE, account=Account(account_id=account))
    if access_lifetime is not None:
        policy = attrs.evolve(policy, access_lifetime=access_lifetime)
    with serve(Authority(policy=policy, faults=(*faults, *slow))) as server:
        yield server


def grant(server: AuthorityServer, left: float) -> Record:
    """A new login, issued nine days ago, whose access token has `left` seconds to live."""

    def answer(request: Request, at: float, wall: float) -> Reply:
        given = server.authority.handle(request, server.clock(), time.time())
        return Reply(given.status, given.body.reveal(), dict(given.headers))

    credential = run(DeviceFlow(provider=CODEX.at(server.url)), FakeWorld(answer))
    assert isinstance(credential, Credential), credential
    wall = time.time()
    aged = attrs.evolve(credential, expires_at=round((wall + left) * 1000), obtained_at=rfc3339(wall - _AGE))
    return Record(aged)


def put(store: FileStore, record: Record) -> None:
    """Store a login under its key, and make it the current one."""
    put_at(store, record, record.credential.key)


def put_at(store: FileStore, record: Record, key: str) -> None:
    """Store a login under one of its names, and make it the current one."""
    held = store.slot(key).lock()
    assert held is not None
    with held:
        stored = held.load()
        held.save(record, None if stored is None else stored.fingerprint)
    store.select(key)


@attrs.frozen
class Ground:
    """One login in a home of its own, and the requests that are about it."""

    server: AuthorityServer
    home: Path
    before: Record
    mark: int

    @classmethod
    def of(cls, server: AuthorityServer, home: Path, left: float = EXPIRED) -> Ground:
        """A login that is due, stored."""
        before = grant(server, left)
        put(FileStore(home), before)
        return cls(server, home, before, cls.mark_of(server))

    @staticmethod
    def mark_of(server: AuthorityServer) -> int:
        """The number of the last refresh that was received."""
        return max((each.number for each in server.authority.received("refresh")), default=0)

    @property
    def store(self) -> FileStore:
        """Where the login is."""
        return FileStore(self.home)

    @property
    def slot(self) -> FileSlot:
        """The login's place."""
        return self.store.slot(self.key)

    @property
    def key(self) -> str:
        """The name of the login."""
        return self.before.credential.key

    @property
    def stored(self) -> Record | None:
        """What is stored now."""
        return self.slot.load()

    @property
    def old(self) -> str:
        """The mark of the access token that was due."""
        return token_mark(self.before)

    @property
    def new(self) -> str | None:
        """The mark of the access token that is stored now."""
        stored = self.stored
        return None if stored is None else token_mark(stored)

    @property
    def sent(self) -> int:
        """How many refreshes the authority received."""
        return self.mark_of(self.server) - self.mark

    @property
    def duplicates(self) -> int:
        """How many of them brought a refresh token that had been sent before."""
        tokens = [each.fields["refresh_token"] for each in self._received()]
        marks = [token.fingerprint() for token in tokens if isinstance(token, Secret)]
        assert len(marks) == len(tokens)
        return len(marks) - len(set(marks))

    @property
    def refused(self) -> int:
        """How many of them were refused; that is what revokes a family."""
        return sum(each.status != 200 for each in self._received())

    def wait_for_refresh(self, count: int = 1, limit: float = 30.0) -> None:
        """Return when the authority has received so many refreshes."""
        give_up_at = time.monotonic() + limit
        while self.sent < count:
            if time.monotonic() > give_up_at:
                raise TimeoutError("no refresh came")
            time.sleep(0.002)

    def leftovers(self) -> set[str]:
        """Files beside the login and its lock."""
        path = self.slot.path
        return {each.name for each in path.parent.iterdir()} - {path.name, f"{path.stem}.lock"}

    def _received(self) -> list[Received]:
        return [each for each in self.server.authority.received("refresh") if each.number > self.mark]


def token_mark(record: Record) -> str:
    """What tells an access token from others, and is none."""
    return record.credential.access_token.fingerprint()
