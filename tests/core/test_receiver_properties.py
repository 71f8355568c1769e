"""Whatever arrives at the receiver, however it is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.receiver import CallbackReceiver
from tests.fuzz.callback_requests import GENUINE, IN_A_BROWSER, answer, check, cut, gate, status
from tests.fuzz.strategies import cuts, edited, requests


@given(st.binary(max_size=600), cuts)
def test_any_bytes_end_in_an_answer_or_a_close(data: bytes, places: list[int]) -> None:
    check(data, places)


@given(requests, cuts)
def test_requests_out_of_right_and_wrong_parts(data: bytes, places: list[int]) -> None:
    check(data, places)


@given(edited((GENUINE, IN_A_BROWSER)), cuts)
def test_the_genuine_request_with_edits(data: bytes, places: list[int]) -> None:
    check(data, places)


@given(cuts, st.binary(max_size=50))
def test_the_genuine_request_counts_however_it_is_cut_and_whatever_follows(
    places: list[int], tail: bytes
) -> None:
    check(IN_A_BROWSER + tail, places)
    assert status(answer(IN_A_BROWSER + tail)) == 200


@given(st.lists(st.tuples(st.integers(0, 5), requests | st.just(GENUINE), cuts), max_size=8))
def test_of_many_connections_at_once_at_most_one_is_accepted(
    connections: list[tuple[int, bytes, list[int]]],
) -> None:
    """Their pieces come in turns."""
    one = gate()
    opened = [(CallbackReceiver(one), list(cut(data, places))) for _, data, places in connections]
    sent = [b""] * len(opened)
    for turn in range(max((len(left) for _, left in opened), default=0)):
        for number, (receiver, left) in enumerate(opened):
            if turn < len(left):
                sent[number] += receiver.receive(left[turn])
    accepted = [answer for answer in sent if status(answer) == 200]
    assert len(accepted) == (one.accepted is not None)
