"""The deadline hands out short slices, and ends for two reasons."""

from __future__ import annotations

import pytest

from codex_oauth.transport.deadline import SLICE, Deadline, StopRequested, TimeUp
from codex_oauth.transport.protocol import never


class Hands:
    """A clock moved by hand."""

    at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_a_slice_is_short_so_that_a_cancel_is_noticed_in_half_a_second() -> None:
    assert 0 < SLICE <= 0.5
    assert Deadline(60.0, never, Hands()).slice() == SLICE


def test_slices_end_with_the_time_however_many_there_are() -> None:
    clock = Hands()
    deadline, slices = Deadline(1.1, never, clock), list[float]()
    while clock.at < 1001.1 - 1e-9:
        slices.append(deadline.slice())
        clock.at += slices[-1]
    clock.at = 1001.1
    with pytest.raises(TimeUp):
        deadline.slice()
    assert len(slices) >= 5
    assert sum(slices) == pytest.approx(1.1)


def test_a_machine_that_slept_has_no_time_left() -> None:
    clock = Hands()
    deadline = Deadline(15.0, never, clock)
    clock.at += 3600
    with pytest.raises(TimeUp):
        deadline.slice()


def test_a_cancel_counts_even_when_the_time_is_up() -> None:
    wanted = True
    deadline = Deadline(0.0, lambda: not wanted, Hands())
    with pytest.raises(TimeUp):
        deadline.slice()
    wanted = False
    with pytest.raises(StopRequested):
        deadline.slice()
