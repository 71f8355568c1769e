"""The published checks of shared stores, checked: each catches a store that is wrong in one way, and lets one
that is right, and the store of files, pass.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import attrs
import pytest

from codex_oauth import FileStore
from codex_oauth.testing import (
    SHARED_STORE_CHECKS,
    STORE_CHECKS,
    CheckNotRun,
    SharedStoreCheck,
    StoreCheck,
    StoreFaults,
    check_shared_store,
)
from codex_oauth_core.record import Record, read_record, write_record
from tests.stores.broken_shared import BROKEN, open_broken
from tests.stores.lease_store import LeaseStore, faults_of

CHECKS = {check.__name__: check for check in SHARED_STORE_CHECKS}
CAUGHT = [(what, name) for what, broken in BROKEN.items() for name in broken.caught_by]


def age_files(home: Path, seconds: float) -> None:
    """What a store of files has noted becomes older."""
    for path in (home / "logins").glob("*.json"):
        record = read_record(path.read_bytes())
        if isinstance(record, Record) and record.intent is not None:
            older = attrs.evolve(record.intent, at=record.intent.at - seconds)
            beside = path.with_suffix(".older")
            beside.write_bytes(write_record(attrs.evolve(record, intent=older)))
            beside.chmod(0o600)
            beside.replace(path)


# -- stores that are right -----------------------------------------------------------------------------


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_the_store_with_leases_is_a_store(check: StoreCheck, tmp_path: Path) -> None:
    check(LeaseStore(tmp_path / "logins.db"))


@pytest.mark.parametrize("check", SHARED_STORE_CHECKS, ids=lambda check: check.__name__)
def test_the_store_with_leases_passes(check: SharedStoreCheck, tmp_path: Path) -> None:
    path = tmp_path / "logins.db"
    check(partial(LeaseStore, path), faults_of(path))


def test_the_store_of_files_passes_what_can_befall_it(tmp_path: Path) -> None:
    faults = StoreFaults(advance=partial(age_files, tmp_path))
    with pytest.warns(UserWarning, match="^not run: the_server_ends_its_connections") as warned:
        report = check_shared_store(partial(FileStore, tmp_path), faults)
    (warning,) = warned
    assert {*report.held, *report.not_run} == set(CHECKS)
    assert {CHECKS[name].needs for name in report.held} == {None}
    assert len(report.held) == 20
    for name, reason in report.not_run.items():
        assert f"{name} ({reason})" in str(warning.message)
        assert reason == f"faults.{CHECKS[name].needs} is None"


# -- stores that are wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "name"), CAUGHT, ids=[" | ".join(row) for row in CAUGHT])
def test_a_broken_store_fails_the_row_that_is_there_for_it(what: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "logins.db"
    with pytest.raises(AssertionError) as failed:
        CHECKS[name](partial(open_broken, what, path), faults_of(path))
    text = str(failed.value)
    assert "\n  host 1 " in text  # what led there
    assert "fake-refresh" not in text


def test_each_row_catches_a_broken_store() -> None:
    assert {name for _, name in CAUGHT} == set(CHECKS)


def test_a_lock_that_ends_with_its_connection_passes_the_checks_of_one_host(tmp_path: Path) -> None:
    """That is why there are these."""
    what = "a lock that ends with its connection, and intents by a host's clock"
    for number, check in enumerate(STORE_CHECKS):
        check(open_broken(what, tmp_path / f"{number}.db"))


# -- how they are called -------------------------------------------------------------------------------


def test_the_first_row_that_fails_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "logins.db"
    with pytest.raises(
        AssertionError, match=r"^another_host_comes_before_the_request: a refresh token was sent 2 times"
    ):
        check_shared_store(partial(open_broken, "a session's lock behind a pooler", path), faults_of(path))


def test_each_row_has_a_name_of_its_own() -> None:
    assert len(CHECKS) == len(SHARED_STORE_CHECKS) == 40


def test_a_row_without_its_fault_is_not_run(tmp_path: Path) -> None:
    faults = StoreFaults(advance=lambda seconds: None)
    for check in SHARED_STORE_CHECKS:
        if check.needs is not None:
            with pytest.raises(CheckNotRun, match=f"^faults.{check.needs} is None$"):
                check(partial(FileStore, tmp_path), faults)
    assert {check.needs for check in SHARED_STORE_CHECKS} - {None} == {
        field.name for field in attrs.fields(StoreFaults) if field.name != "advance"
    }


def test_what_cannot_be_opened_in_a_process_is_refused(tmp_path: Path) -> None:
    def make() -> FileStore:
        return FileStore(tmp_path)

    with pytest.raises(TypeError, match="a function of a module"):
        check_shared_store(make, StoreFaults(advance=lambda seconds: None))
