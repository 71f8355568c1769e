"""The deadline hands out short slices, and ends for two reasons."""

from __future__ import annotations

import socket
from collections.abc import Generator

import pytest

from codex_oauth.transport.deadline import LATE_READS, NETWORK_SLICE, Deadline, StopRequested, TimeUp
from codex_oauth.transport.protocol import never


class Hands:
    """A clock moved by hand."""

    at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_a_slice_is_short_so_that_a_cancel_is_noticed_in_half_a_second() -> None:
    assert 0 < NETWORK_SLICE <= 0.5
    assert Deadline(60.0, never, Hands()).slice() == NETWORK_SLICE


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


# -- the first byte ------------------------------------------------------------------------------------


def test_a_request_begins_before_write_by_and_not_at_it() -> None:
    clock = Hands()
    deadline = Deadline(60.0, never, clock, write_by=1015.0)
    clock.at = 1014.999
    deadline.begin()
    clock.at = 1015.0
    with pytest.raises(TimeUp):
        deadline.begin()  # its body goes out no more, either


def test_a_request_that_is_not_begun_ends_with_write_by() -> None:
    clock = Hands()
    deadline = Deadline(5.0, never, clock, write_by=1015.0)
    clock.at = 1014.9
    assert 0 < deadline.slice() <= 0.1 + 1e-9
    clock.at = 1015.0
    with pytest.raises(TimeUp):
        deadline.slice()
    assert not deadline.begun


def test_the_time_of_a_request_that_is_begun_counts_from_there_and_once() -> None:
    clock = Hands()
    deadline = Deadline(60.0, never, clock, write_by=1015.0)
    clock.at = 1010.0
    deadline.begin()
    clock.at = 1014.0
    deadline.begin()
    assert deadline.left() == 56.0
    clock.at = 1020.0
    assert deadline.slice() == NETWORK_SLICE


def test_without_write_by_the_time_counts_from_the_start() -> None:
    clock = Hands()
    deadline = Deadline(60.0, never, clock)
    clock.at = 1050.0
    deadline.begin()
    assert deadline.left() == 10.0


# -- the end -------------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> Generator[tuple[socket.socket, socket.socket]]:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        yield mine, theirs


def over(*, begun: bool) -> Deadline:
    clock = Hands()
    deadline = Deadline(60.0, never, clock)
    if begun:
        deadline.begin()
    clock.at += 3600
    return deadline


# C10
def test_what_arrived_is_read_at_the_end_and_nothing_is_waited_for(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    mine, theirs = pair
    deadline = over(begun=True)
    theirs.sendall(b"late")
    assert deadline.block(mine, lambda: mine.recv(2), reads=True) == b"la"
    assert deadline.block(mine, lambda: mine.recv(2), reads=True) == b"te"
    with pytest.raises(TimeUp):
        deadline.block(mine, lambda: mine.recv(2), reads=True)


def test_nothing_is_read_late_of_a_request_that_was_not_begun(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    mine, theirs = pair
    theirs.sendall(b"late")
    with pytest.raises(TimeUp):
        over(begun=False).block(mine, lambda: mine.recv(2), reads=True)


def test_nothing_is_written_late(pair: tuple[socket.socket, socket.socket]) -> None:
    mine, _ = pair
    with pytest.raises(TimeUp):
        over(begun=True).block(mine, lambda: mine.send(b"late"))


def test_a_peer_that_never_stops_is_left_in_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    mine, theirs = pair
    deadline = over(begun=True)
    for _ in range(LATE_READS):
        theirs.sendall(b"more")
        deadline.block(mine, lambda: mine.recv(64), reads=True)
    theirs.sendall(b"more")
    with pytest.raises(TimeUp):
        deadline.block(mine, lambda: mine.recv(64), reads=True)
