"""The published checks of a store, checked: each catches what it is there for."""

from __future__ import annotations

import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from codex_oauth import MemoryStore
from codex_oauth.testing import (
    REGISTRATION_CHECKS,
    STORE_CHECKS,
    RegistrationCheck,
    StoreCheck,
    check_registrations,
    check_store,
    reserving_checks,
)
from tests.stores.breakage import in_memory
from tests.stores.broken_stores import BROKEN, Broken

ALL: tuple[StoreCheck | RegistrationCheck, ...] = (*STORE_CHECKS, *REGISTRATION_CHECKS)
CHECKS = {check.__name__: check for check in ALL}
CAUGHT = [(what, name) for what, broken in BROKEN.items() for name in broken.caught_by]


def _break(broken: Broken, patch: pytest.MonkeyPatch) -> None:
    for name in broken.names:
        patch.setattr(broken.target, name, broken.by)
    patch.setattr(reserving_checks, "_LATE", 0.5)  # what comes too late never comes
    if "a_request_does_not_go_out_late" in broken.caught_by:
        patch.setattr(reserving_checks, "_SEND_BY", 0.3)


@pytest.mark.parametrize(("what", "name"), CAUGHT, ids=[" | ".join(row) for row in CAUGHT])
def test_a_broken_store_fails_the_check_that_is_there_for_it(
    what: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check, broken = CHECKS[name], BROKEN[what]
    check(broken.make(tmp_path / "right"))
    _break(broken, monkeypatch)
    with pytest.raises(Exception) as failed:  # noqa: PT011  # a check may also meet what the store raises
        check(broken.make(tmp_path / "broken"))
    assert "telltale" not in str(failed.value)


def _check_all(broken: Broken, place: Path) -> None:
    numbers = count()
    check_store(lambda: broken.make(place / f"{next(numbers)}"))
    if broken.make is in_memory:
        check_registrations(MemoryStore)


@pytest.mark.parametrize("broken", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_store_fails_by_name(
    broken: Broken, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _break(broken, monkeypatch)
    with pytest.raises(AssertionError) as failed:
        _check_all(broken, tmp_path)
    name, _, wrong = str(failed.value).partition(": ")
    assert name in CHECKS
    assert len(wrong) > 15
    assert "telltale" not in wrong


def test_each_check_catches_a_broken_store() -> None:
    assert {name for _, name in CAUGHT} == set(CHECKS)


def test_each_check_has_a_name_of_its_own() -> None:
    assert len(CHECKS) == len(STORE_CHECKS) + len(REGISTRATION_CHECKS) > 60


def test_each_check_gets_a_new_store() -> None:
    made: list[MemoryStore] = []

    def make() -> MemoryStore:
        made.append(MemoryStore())
        return made[-1]

    check_store(make)
    assert len({id(store) for store in made}) == len(STORE_CHECKS)
    made.clear()
    check_registrations(make)
    assert len({id(store) for store in made}) == len(REGISTRATION_CHECKS)


def test_what_a_store_raises_is_told_with_its_cause() -> None:
    class Unfinished(MemoryStore):
        def names(self) -> tuple[str, ...]:
            raise NotImplementedError

    with pytest.raises(
        AssertionError,
        match=r"^a_new_store_is_empty: NotImplementedError was raised at `same\(store\.names\(\), .*`$",
    ) as failed:
        check_store(Unfinished)
    assert isinstance(failed.value.__cause__, NotImplementedError)


def test_the_checks_need_no_test_framework_and_no_assertions() -> None:
    code = """
import sys
from codex_oauth.stores.memory_store import MemoryStore
from codex_oauth.testing import check_store
check_store(MemoryStore)
assert False, "assertions are off"
class Broken(MemoryStore):
    names = lambda self: ("x",)
try:
    check_store(Broken)
except AssertionError as error:
    print(error, "pytest" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    wanted = "a_new_store_is_empty: the accounts of a new store: expected (), found ('x',) False\n"
    assert (done.stdout, done.stderr) == (wanted, "")
