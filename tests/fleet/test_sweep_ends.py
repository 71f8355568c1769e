"""A sweep that ends early, or whose database does, loses nothing; and what a spool holds is adopted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import attrs
import pytest

from codex_oauth.authority import Fault
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.rows import LoginRow
from codex_oauth.fleet.spool import Spool
from codex_oauth.fleet.sweep import CLAIM, Sweep, Swept, sweep
from codex_oauth_core import Record, SignInError
from codex_oauth_core.renewal_times import INTENT_LIFE
from tests.fleet.cluster import Cluster
from tests.fleet.logins import KEYS, age_marks
from tests.fleet.people import DAY, SOME, People, age_claims, renew_at, swept


@pytest.fixture
def people(migrated: str) -> Generator[People]:
    with People.at(migrated) as made:
        yield made


# -- the end of a sweeper -------------------------------------------------------------------------------


def test_the_end_gives_back_what_was_only_claimed(people: People) -> None:
    people.add(*SOME)
    before = {owner: renew_at(people, owner) for owner in SOME}
    told = list[Swept]()
    result = swept(people, max_per_second=2.0, at_once=2, on_swept=told.append, until=lambda: bool(told))
    renewed = people.renewed()
    assert 1 <= len(renewed) == result.renewed == people.sent < len(SOME)
    assert {owner: renew_at(people, owner) for owner in SOME if owner not in renewed} == {
        owner: at for owner, at in before.items() if owner not in renewed
    }
    assert swept(people) == Sweep(renewed=len(SOME) - len(renewed))
    assert people.none_was_sent_twice()


def test_what_was_sent_is_stored_first(migrated: str) -> None:
    with People.at(migrated, [Fault(endpoint="refresh", delay=1.0)]) as people:
        people.add("ada", "bert")
        assert swept(people, until=lambda: people.sent > 0, at_once=1) == Sweep(renewed=1)
        assert len(people.renewed()) == people.sent == 1


def test_a_wait_is_cut_and_the_login_is_due_as_it_was(people: People) -> None:
    """An expired one, whose lock somebody has: a renewal waits for that for minutes."""
    people.add("ada", left=-100.0)
    before = renew_at(people, "ada")
    held = people.store("ada").slot(people.first["ada"].credential.key).lock()
    assert held is not None
    over_at = time.monotonic() + 1.0
    with held:
        assert swept(people, until=lambda: time.monotonic() > over_at) == Sweep()
    assert time.monotonic() < over_at + 5
    assert renew_at(people, "ada") == before


def test_an_interrupt_loses_nothing(migrated: str) -> None:
    with People.at(migrated, [Fault(endpoint="refresh", delay=0.5)]) as people:
        people.add(*SOME)

        def until() -> bool:
            if people.sent and threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt
            return False

        with pytest.raises(KeyboardInterrupt):
            swept(people, until=until, at_once=2)
        assert len(people.renewed()) == people.sent
        assert people.none_was_sent_twice()


def test_an_interrupt_cuts_a_wait(people: People) -> None:
    people.add("ada", left=-100.0)
    held = people.store("ada").slot(people.first["ada"].credential.key).lock()
    assert held is not None
    began, raised = time.monotonic(), list[int]()

    def until() -> bool:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and not raised and time.monotonic() > began + 0.5:
            raised.append(1)
            raise KeyboardInterrupt
        return False

    with held, pytest.raises(KeyboardInterrupt):
        swept(people, until=until)
    assert time.monotonic() < began + 10


SCRIPT: Final = """
import sys
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.sweep import sweep
from codex_oauth.sealing import Keys
from codex_oauth import Secret
key = Secret(bytes.fromhex(sys.stdin.readline()))
sweep(Database(sys.argv[1]), Keys(key), max_per_second=4, on_swept=lambda each: print(each.end, flush=True))
"""


def test_the_claims_of_a_killed_sweeper_come_back(people: People, no_grace: None) -> None:
    people.add(*SOME)
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, people.dsn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(KEYS.current.reveal().hex() + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "renewed\n"
        process.send_signal(signal.SIGKILL)
    assert swept(people) == Sweep()  # they are claimed
    age_marks(people.dsn, INTENT_LIFE)
    age_claims(people, CLAIM * 1.2 + 1)
    again = swept(people)
    assert 0 < again.renewed < len(SOME)
    assert again.failed + again.refused + again.unreadable == 0
    assert people.none_was_sent_twice()


# -- the database ----------------------------------------------------------------------------------------


def test_a_database_that_is_away_ends_a_sweep(people: People, cluster: Cluster) -> None:
    cluster.stop("immediate")
    with pytest.raises(SignInError) as caught:
        sweep(Database(people.dsn), KEYS)
    assert caught.value.details["reason"] == "database_away"
    cluster.start()


def test_one_that_goes_on_waits_until_it_is_back(people: People, cluster: Cluster) -> None:
    people.add("ada")
    told, ends = list[SignInError](), list[Swept]()

    def trouble(error: SignInError) -> None:
        told.append(error)
        cluster.start()

    def until() -> bool:
        if not told and cluster.running and people.renewed():
            people.add("bert")
            cluster.stop("immediate")
        return len(ends) > 1

    result = swept(people, every=0.1, until=until, on_trouble=trouble, on_swept=ends.append)
    assert result == Sweep(renewed=2)
    assert {error.details["reason"] for error in told} == {"database_away"}


def test_one_that_goes_on_finds_what_is_due_later(people: People) -> None:
    ends = list[Swept]()

    def until() -> bool:
        if "ada" not in people.first:
            people.add("ada")
        return bool(ends)

    assert swept(people, every=0.05, until=until, on_swept=ends.append) == Sweep(renewed=1)


def test_nothing_is_claimed_that_cannot_be_sealed(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    people.add("ada")
    before = renew_at(people, "ada")
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(SignInError) as caught:
        swept(people)
    assert caught.value.details["reason"] == "postgres_missing"
    assert renew_at(people, "ada") == before


# -- the spool -------------------------------------------------------------------------------------------


def spooled(people: People, owner: str, folder: Path) -> Record:
    """What a process renewed that could not store it, and ended."""
    people.add(owner, left=5 * DAY)
    first = people.first[owner]
    token = first.credential.refresh_token
    assert token is not None
    later = attrs.evolve(
        first.credential, refresh_token=type(token)(f"next-{len(owner)}"), expires_at=1_900_000_000_000
    )
    record = Record(later, generation=1, parent=token.fingerprint())
    row = LoginRow("", owner, first.credential.key, KEYS)
    Spool(folder).write(row, row.values(record)["body"])
    return record


def test_what_the_spool_holds_is_adopted(people: People, tmp_path: Path) -> None:
    records = {owner: spooled(people, owner, tmp_path) for owner in ("ada", 'b"]\n')}
    assert sorted(owner for _, owner, _ in Spool(tmp_path).waiting()) == ["ada", 'b"]\n']
    assert swept(people, spool=tmp_path) == Sweep(adopted=2)
    assert {owner: people.record(owner) for owner in records} == records
    assert not list(tmp_path.iterdir())


def test_what_is_no_file_of_the_spool_is_left_alone(people: People, tmp_path: Path) -> None:
    spooled(people, "ada", tmp_path)
    (tmp_path / "note.txt").write_text("mine")
    (tmp_path / "broken.sealed").write_text("[1, 2")
    (tmp_path / "broken.sealed").chmod(0o600)
    assert swept(people, spool=tmp_path) == Sweep(adopted=1)
    assert {path.name for path in tmp_path.iterdir()} == {"note.txt", "broken.sealed"}


def test_what_the_spool_holds_of_a_login_that_is_held_waits(people: People, tmp_path: Path) -> None:
    spooled(people, "ada", tmp_path)
    held = people.store("ada").slot(people.first["ada"].credential.key).lock()
    assert held is not None
    with held:
        assert swept(people, spool=tmp_path) == Sweep()
    assert swept(people, spool=tmp_path) == Sweep(adopted=1)
