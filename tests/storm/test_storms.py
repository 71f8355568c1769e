"""The storms at a size for every test run; `python -m tests.storm` runs them at full size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.storm import away, disks, expiry, forks, holds, kills, releases, signals
from tests.storm.nursery import Nursery
from tests.storm.tally import Row, Tally, table

SIGN_IN_POINTS = 62
POINTS = 58
"""How many trace points a renewal has at least; a few more are no fault."""


def calm(row: Row) -> Row:
    """The row of a storm in which everything held that is promised."""
    assert row.problems == ()
    assert row.rounds > 0
    return row


@pytest.mark.parametrize(("processes", "rounds"), [(2, 3), (8, 3), (50, 1)])
def test_f5_processes_at_one_expiry_send_one_refresh(
    nursery: Nursery, tmp_path: Path, processes: int, rounds: int
) -> None:
    row = calm(expiry.many(nursery, tmp_path, processes, rounds))
    assert (row.sent, row.duplicates, row.lost) == (rounds, 0, 0)


def test_f5_real_commands_at_one_expiry_send_one_refresh(tmp_path: Path) -> None:
    assert calm(expiry.commands(tmp_path, 6, 1)).sent == 1


def test_f6_tasks_in_several_processes_send_one_refresh_though_half_are_cancelled(
    nursery: Nursery, tmp_path: Path
) -> None:
    assert calm(expiry.tasks(nursery, tmp_path, 4, 1)).sent == 1


def test_f1_f2_a_process_killed_at_any_point_loses_no_login_without_saying_why(
    nursery: Nursery, tmp_path: Path
) -> None:
    row = calm(kills.at_every_point(nursery, tmp_path, POINTS))
    assert 1 <= row.lost == row.duplicates <= 10  # from the request's last byte to its answer's first


def test_f1_f2_a_process_killed_at_any_instant_loses_no_login_without_saying_why(
    nursery: Nursery, tmp_path: Path
) -> None:
    row = calm(kills.anytime(nursery, tmp_path, 30, seed=1))
    assert row.lost == row.duplicates < 30


def test_f8_a_stopped_holder_keeps_nobody_from_the_old_token(nursery: Nursery, tmp_path: Path) -> None:
    assert calm(holds.stopped(nursery, tmp_path, 15)).duplicates == 0


def test_f9_a_holder_whose_lock_was_removed_does_not_send_what_another_may(
    nursery: Nursery, tmp_path: Path
) -> None:
    assert calm(holds.lock_removed(nursery, tmp_path, 29)).duplicates == 0


def test_f12_a_login_that_cannot_be_read_meanwhile_is_not_lost(nursery: Nursery, tmp_path: Path) -> None:
    assert calm(away.spoiled(nursery, tmp_path, 2 * len(away.WAYS))).duplicates == 0


def test_f11_a_login_whose_disk_is_away_for_a_moment_is_not_lost(nursery: Nursery, tmp_path: Path) -> None:
    assert calm(away.disk_away(nursery, tmp_path, 8)).duplicates == 0


@pytest.mark.parametrize("patient", [True, False])
def test_f16_a_login_during_a_refresh_wins(nursery: Nursery, tmp_path: Path, patient: bool) -> None:
    assert calm(holds.login_meanwhile(nursery, tmp_path, 15, patient=patient)).duplicates == 0


def test_f17_a_logout_during_a_refresh_stays_one(nursery: Nursery, tmp_path: Path) -> None:
    assert calm(holds.logout_meanwhile(nursery, tmp_path, 15)).duplicates == 0


def test_two_accounts_in_one_home_are_renewed_once_each(nursery: Nursery, tmp_path: Path) -> None:
    assert calm(holds.accounts(nursery, tmp_path, 3, 1)).sent == 2


def test_f1_a_sign_in_killed_at_any_step_loses_no_login_of_an_earlier_release(
    nursery: Nursery, tmp_path: Path
) -> None:
    row = calm(releases.at_every_step(nursery, tmp_path, SIGN_IN_POINTS))
    assert (row.duplicates, row.lost) == (0, 0)


def test_two_releases_at_once_lose_no_login(nursery: Nursery, tmp_path: Path) -> None:
    assert calm(releases.both_at_once(nursery, tmp_path, 6)).duplicates == 0


def test_f7_a_child_forked_at_any_point_holds_nothing(nursery: Nursery, tmp_path: Path) -> None:
    calm(forks.forked(nursery, tmp_path, 15))


def test_f7_a_program_started_under_the_lock_does_not_keep_it(nursery: Nursery, tmp_path: Path) -> None:
    assert calm(forks.programs(nursery, tmp_path, 3)).duplicates == 0


def test_f7_a_child_of_a_program_that_is_renewing_sends_nothing(nursery: Nursery, tmp_path: Path) -> None:
    assert calm(forks.sources(nursery, tmp_path, 1)).sent == 1


@pytest.mark.parametrize("case", signals.CASES, ids=str)
def test_f3_an_interrupted_command_stores_what_it_has_sent_for(tmp_path: Path, case: signals.Case) -> None:
    assert calm(signals.interrupted(tmp_path, [case])).duplicates == 0


@pytest.mark.parametrize("case", disks.UNMOUNTED, ids=lambda case: case.name)
def test_f11_f13_nothing_is_sent_where_nothing_can_be_written(nursery: Nursery, case: disks.Case) -> None:
    if case.uid is not None and os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    assert calm(disks.without_room(nursery, [case])).duplicates == 0


@pytest.mark.skipif(not disks.can_mount(), reason="this machine does not let us mount in a namespace")
def test_f11_f13_nothing_is_sent_on_a_disk_that_takes_nothing() -> None:
    with Nursery(disks.UNSHARE) as mounting:
        assert calm(disks.without_room(mounting, disks.MOUNTED)).duplicates == 0


def test_a_problem_is_in_the_table() -> None:
    tally = Tally("a storm", 2)
    assert not tally.check(False, "it broke")
    assert tally.check(True, "it held")
    shown = table([tally.row], markdown=True)
    assert "| a storm  | 2 " in shown
    assert "| 0 / 1 " in shown
    assert shown.endswith("a storm: it broke")
