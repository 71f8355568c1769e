"""Many people's logins in a database, and the authority that they signed in at.

Rules of this file: the tokens are the authority's own, so that it says whether one was sent twice; a login is due
because its dates say so, whatever the authority thinks of its access token.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Self

import attrs

from codex_oauth import CODEX, Credential, DeviceFlow, run
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.fleet.sweep import Sweep, sweep
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth_core import Record, Secret
from tests.fleet.cluster import sql
from tests.fleet.logins import KEYS, put, store_in

__all__ = ["DAY", "FAST", "SOME", "People", "age_claims", "in_seconds", "renew_at", "swept"]

DAY: Final = 86_400.0
FAST: Final[dict[str, Any]] = {"max_per_second": 1000.0}
SOME: Final = tuple(f"user {number}" for number in range(8))


@attrs.define(eq=False)
class People:
    """Owners in the database `dsn`, each of whom has signed in at `server`."""

    dsn: str
    server: AuthorityServer
    first: dict[str, Record] = attrs.field(factory=dict[str, Record])
    """What each had before anything was renewed."""

    @classmethod
    @contextmanager
    def at(cls, dsn: str, faults: Iterable[Fault] = ()) -> Generator[Self]:
        """An authority that runs, and nobody yet."""
        policy = Policy(approve=Approve.AUTO, interval=1, strict_pace=False)
        with serve(Authority(policy=policy, faults=tuple(faults))) as server:
            yield cls(dsn, server)

    def add(self, *owners: str, left: float = DAY / 2, **options: Any) -> None:
        """Owners whose access token, of ten days, has so many seconds left: it is due in the last day."""
        for owner in owners:
            self.first[owner] = record = Record(self._signed_in(left))
            put(self.store(owner, **options), record, record.credential.key)

    def _signed_in(self, left: float) -> Credential:
        world = FakeWorld(answered_by(self.server.authority))
        granted = run(DeviceFlow(provider=CODEX.at(self.server.url)), world)
        assert isinstance(granted, Credential)
        expires = time.time() + left
        obtained = datetime.fromtimestamp(expires - 10 * DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return attrs.evolve(granted, expires_at=int(expires * 1000), obtained_at=obtained)

    def store(self, owner: str, dsn: str | Database | None = None, **options: Any) -> PostgresStore:
        """The store of an owner."""
        return store_in(dsn or self.dsn, owner, **options)

    def record(self, owner: str, **options: Any) -> Record:
        """What is stored of an owner now."""
        found = self.store(owner, **options).slot(self.first[owner].credential.key).load()
        assert found is not None
        return found

    def renewed(self, **options: Any) -> set[str]:
        """The owners who have other tokens than at first."""
        return {
            owner
            for owner, first in self.first.items()
            if self.record(owner, **options).credential.access_token != first.credential.access_token
        }

    @property
    def sent(self) -> int:
        """How many refreshes the authority has got."""
        return len(self.server.authority.received("refresh"))

    def none_was_sent_twice(self) -> bool:
        """Whether each refresh token came to the authority once at the most."""
        received = self.server.authority.received("refresh")
        tokens = [_fingerprint(request.fields["refresh_token"]) for request in received]
        return len(tokens) == len(set(tokens))


def swept(people: People, **options: Any) -> Sweep:
    """What a sweep made of the logins."""
    return sweep(Database.shared(people.dsn), KEYS, **{**FAST, **options})


def renew_at(people: People, owner: str) -> datetime | None:
    """When an owner's login is due, by the database."""
    ((found,),) = sql(people.dsn, "SELECT renew_at FROM codex_oauth_login WHERE owner = %s", owner)
    assert found is None or isinstance(found, datetime)
    return found


def in_seconds(moment: datetime | None) -> float:
    """How far away that is."""
    assert moment is not None
    return (moment - datetime.now(UTC)).total_seconds()


def age_claims(people: People, seconds: float) -> None:
    """As if that much time had passed."""
    sql(people.dsn, "UPDATE codex_oauth_login SET renew_at = renew_at - make_interval(secs => %s)", seconds)


def _fingerprint(value: object) -> str:
    assert isinstance(value, Secret)
    return value.fingerprint()
