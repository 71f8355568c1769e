"""The web tier: a sign-in is begun, asked for and given up, and shows nothing of what is sealed."""

from __future__ import annotations

import time

import pytest

from codex_oauth import Credential, DeviceFlow, Finished
from codex_oauth.authority import Approve, Authority, Policy
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.sign_ins import cancel_sign_in, sign_in_state, start_sign_in, unsealed_sign_in
from codex_oauth.sealing import Keys, new_key
from codex_oauth.testing import FakeWorld, Reply, answered_by
from codex_oauth_core import CheckpointError, Request, Resumed, SendRequest, SignInError, Wait, restore
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import ErrorKind
from tests.fleet.cluster import sql
from tests.fleet.logins import KEYS
from tests.fleet.waiting import started, worker


@pytest.fixture
def database(migrated: str) -> Database:
    return Database.shared(migrated)


# -- beginning and asking ------------------------------------------------------------------------------


def test_what_was_started_waits_and_can_be_driven_by_anybody_with_the_key(database: Database) -> None:
    world = FakeWorld(answered_by(Authority(policy=Policy(approve=Approve.AUTO, interval=5))))
    begun = start_sign_in(database, DeviceFlow(), world, keys=KEYS, owner="ada")
    found = sign_in_state(database, begun.name, keys=KEYS)
    assert found is not None
    assert (found.state, found.key, found.error, found.prompt) == ("pending", None, None, begun.prompt)
    (taken,) = worker(database).take(10)
    assert (taken.name, taken.tenant, taken.owner, taken.exchanging) == (begun.name, "", "ada", False)
    checkpoint, prompt = unsealed_sign_in(taken.checkpoint, KEYS, taken.name)
    assert prompt == begun.prompt
    flow = restore(checkpoint, CODEX)
    effect = flow.receive(Resumed(world.now()[0], time.time()))
    assert isinstance(effect, Wait)
    while isinstance(effect, SendRequest | Wait):
        effect = flow.receive(world.perform(effect))
    assert isinstance(effect, Finished)
    assert isinstance(effect.outcome, Credential)


def test_a_sign_in_that_cannot_begin_leaves_no_row(migrated: str, database: Database) -> None:
    def refusing(request: Request, at: float, wall: float) -> Reply:
        return Reply(404, b"{}", {"Content-Type": "application/json"})

    world = FakeWorld(refusing)
    with pytest.raises(SignInError) as failed:
        start_sign_in(database, DeviceFlow(), world, keys=KEYS, owner="ada")
    assert failed.value.kind is ErrorKind.DEVICE_CODE_UNSUPPORTED
    assert sql(migrated, "SELECT * FROM codex_oauth_sign_in") == []


@pytest.mark.parametrize("name", ["", "x", "a\0b", "x" * 5000, "'; DROP TABLE codex_oauth_sign_in; --", "é"])
def test_a_name_that_is_nobodys_has_no_state(database: Database, name: str) -> None:
    assert sign_in_state(database, name) is None
    assert not cancel_sign_in(database, name)


def test_no_secret_of_a_sign_in_is_in_the_database_or_a_text(migrated: str, database: Database) -> None:
    flow = DeviceFlow()
    world = FakeWorld(answered_by(Authority(policy=Policy(approve=Approve.ASK))))
    begun = start_sign_in(database, flow, world, keys=KEYS, owner="ada")
    ((dump,),) = sql(migrated, "SELECT to_json(row)::text FROM codex_oauth_sign_in AS row")
    assert begun.prompt.user_code not in dump
    assert begun.name not in repr(begun)
    (taken,) = worker(database).take(1)
    assert begun.name not in repr(taken)


@pytest.mark.parametrize("keys", [Keys(new_key())])
def test_another_key_or_another_row_opens_nothing(database: Database, keys: Keys) -> None:
    name = started(database)
    (taken,) = worker(database).take(1)
    with pytest.raises(CheckpointError, match="key"):
        unsealed_sign_in(taken.checkpoint, keys, name)
    with pytest.raises(CheckpointError):
        unsealed_sign_in(taken.checkpoint, KEYS, "another")
