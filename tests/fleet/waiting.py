"""Sign-ins that wait in a database, and workers of which a test calls each method."""

from __future__ import annotations

from collections.abc import Callable

from codex_oauth import DeviceFlow
from codex_oauth.authority import Approve, Authority, Policy
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.ownership import Ownership
from codex_oauth.fleet.sign_ins import sign_in_state, start_sign_in
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth.testing.checking import sample
from tests.fleet.logins import KEYS

GRANTED = sample(1).credential
Sooner = Callable[[float], None]


def worker(database: Database) -> Ownership:
    own = Ownership(database, KEYS)
    own.begin()
    return own


def started(database: Database, owner: str = "ada", world: FakeWorld | None = None) -> str:
    """A sign-in that waits for its person."""
    at = world or FakeWorld(answered_by(Authority(policy=Policy(approve=Approve.ASK))))
    return start_sign_in(database, DeviceFlow(), at, keys=KEYS, owner=owner).name


def state(database: Database, name: str) -> str:
    found = sign_in_state(database, name)
    assert found is not None
    return found.state
