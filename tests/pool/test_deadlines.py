"""The heap of deadlines against a plain list, whatever is put, dropped and taken."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.pool.deadlines import FEW, Beginning, Deadlines, Due
from codex_oauth.pool.flow_pool import Handle
from codex_oauth_core import DeviceFlow, Started, TimeReached

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 9), st.integers(0, 20)),
        st.tuples(st.just("drop"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("take"), st.just(0), st.integers(0, 20)),
    ),
    max_size=60,
)


def handle(key: int) -> Handle[int]:
    pool: Any = None
    return Handle(pool, DeviceFlow(), key)


@given(ACTS)
def test_it_holds_what_a_list_would(acts: list[tuple[str, int, int]]) -> None:
    deadlines, handles = Deadlines[Handle[int]](), [handle(key) for key in range(10)]
    model: dict[int, int] = {}
    for act, key, instant in acts:
        if act == "put":
            deadlines.put(Due(instant), handles[key])
            model[key] = instant
        elif act == "drop":
            deadlines.drop(handles[key])
            model.pop(key, None)
        else:
            due = deadlines.take(instant)
            earliest = min(model.values(), default=math.inf)
            assert (due is None) == (earliest > instant)
            if due is not None:
                assert float(due) == earliest == model.pop(due.handle.key)
        assert deadlines.next == min(model.values(), default=math.inf)
        assert sorted(each.key for each in deadlines) == sorted(model)


def test_dropped_entries_are_swept_out_before_they_are_most_of_it() -> None:
    deadlines, handles = Deadlines[Handle[int]](), [handle(key) for key in range(5_000)]
    for each in handles:
        deadlines.put(Due(1_000 - each.key / 10), each)
    for each in handles[:-10]:
        deadlines.drop(each)
        assert len(deadlines._heap) <= 2 * max(
            FEW, sum(1 for _ in deadlines) if each.key % 500 == 0 else 5_000
        )
    assert len(deadlines._heap) <= 2 * FEW
    taken = [deadlines.take(math.inf) for _ in range(11)]
    assert [due and due.handle.key for due in taken] == [*range(4_999, 4_989, -1), None]


def test_an_entry_says_what_its_flow_is_to_be_told() -> None:
    begin = Beginning(3.0)
    begin.begin = Started
    assert begin.event(4.0, 5.0) == Started(4.0, 5.0)
    assert Due(3.0).event(4.0, 5.0) == TimeReached(4.0)
