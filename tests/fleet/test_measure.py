"""What the figures of the fleet's page are computed from: a small run, and the arithmetic. No test of speed."""

from __future__ import annotations

import attrs

from tests.fleet.measure import Measured, figures, measured, on_paper

A_RUN = Measured(
    row=300,
    beside=8_000,
    indexes=100,
    wal_renewal=8_000,
    wal_renewal_cold=20_000,
    wal_mark=200,
    cpu_renewal=0.001,
    cpu_look=0.0002,
    cpu_sign_in=0.002,
    times={10_000: (0.001, 0.002, 0.003)},
    takes={10_000: 0.004},
)


def test_a_small_run_gives_every_figure() -> None:
    run = measured(logins=400, more=2_000, sign_ins=(2_000,), tries=40, claims=3)
    assert run.beside > 6_000 > run.row > 100
    assert run.wal_renewal_cold > run.wal_renewal > run.beside / 2 > run.wal_mark > 0
    assert list(run.times) == [400, 2_000]
    assert list(run.takes) == [2_000]
    assert all(value for _, value in figures(run))


def test_what_follows_on_paper() -> None:
    found = dict(on_paper(A_RUN))
    assert found["1 000 000 logins: renewals a second, each every 8.9 days"] == "1.3"
    assert found["10 000 000 logins: renewals a second, each every 8.9 days"] == "13.0"
    assert found["10 000 000 logins: cores of the database"] == "0.013"
    assert found["1 000 000 logins: disk, a sixth of it dead until it is vacuumed"] == "10.1 GB"
    assert found["1 000 000 logins: WAL a day, every renewal after a checkpoint"] == "2 247 MB"
    assert found["100 000 sign-ins that wait: polls a second, every 5 s"] == "20 000"
    assert found["100 000 sign-ins that wait: cores of workers, at 2 500 polls a second each"] == "8"
    assert found["breaks first"].startswith("the workers that poll (8 cores); then the database by sign-ins")


def test_what_breaks_first_follows_from_the_figures() -> None:
    slow = attrs.evolve(A_RUN, cpu_renewal=1.0)
    assert dict(on_paper(slow))["breaks first"].startswith("the database by renewals (13 cores)")
