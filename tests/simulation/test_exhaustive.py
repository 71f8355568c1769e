"""Two processes at one login: every interleaving, and a crash of either or both at every point (F1, F2, F5).

The paths are walked in `exhaustive`, where a broken rule ends the walk.
"""

from __future__ import annotations

import re

import pytest

from codex_oauth_core.flows import finish_sign_in, renewal, revoke_login, store_login
from tests.simulation.exhaustive import PAIRS, RELEASES, Pair, explore
from tests.simulation.invariants import Excuse
from tests.simulation.process import Op

_UNREACHED = {
    "done": "nothing is left to interrupt",
    "idle": "nothing was begun",
    "rescuing": "needs another account's answer, or a lock that is held for 20 s",
    "releasing_to_retry": "needs a request that was not sent",
    "backing_off": "needs a request that was not sent",
    "saving_later": "needs a disk that fails",
    "backing_off_unstored": "a login that was never stored",
    "sending_unstored": "a login that was never stored",
    "revoking_unstored": "a login that was never stored",
    "looking": "needs a disk that fails",
    "revoking_granted": "needs a disk that fails",
    "failed": "nothing is left to interrupt",
}


# F1, F2, F16, F17
@pytest.mark.parametrize("pair", RELEASES, ids=lambda pair: pair.name)
def test_a_login_of_an_earlier_release_is_not_lost_and_nobody_gets_another_persons(pair: Pair) -> None:
    """A login that was replaced may be revoked and, by a crash, not be removed: there is a new one then."""
    explored = explore(pair)
    assert explored.ends > 0
    assert set(explored.lost) <= {Excuse.CRASH, Excuse.LOGOUT}
    assert set(explored.duplicates) <= {Excuse.CRASH}


# F1, F2, F16, F17
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_nothing_is_lost_but_by_a_crash_between_send_and_save(pair: Pair) -> None:
    explored = explore(pair)
    assert explored.ends > 0
    assert set(explored.lost) <= {
        Excuse.CRASH,
        *({Excuse.LOGOUT} if Op.SIGN_OUT in (pair.first, pair.second) else ()),
    }
    assert set(explored.duplicates) <= {Excuse.CRASH}


# F5
@pytest.mark.parametrize(("began", "refreshes"), [(3230.0, {1}), (3310.0, {1}), (3605.0, {1})])
def test_without_a_crash_one_refresh_serves_both(began: float, refreshes: set[int]) -> None:
    explored = explore(Pair(Op.CALL, Op.CALL, began, crashes=0))
    assert explored.refreshes == refreshes
    assert not explored.lost


def test_a_crash_between_send_and_save_is_the_one_way_to_lose_a_login() -> None:
    """And it is walked: the error that tells of it names the process (F2), or the walk ends."""
    explored = explore(Pair(Op.CALL, Op.CALL, 3605.0, crashes=1))
    assert set(explored.lost) == {Excuse.CRASH}
    assert 0 < explored.lost.total() < explored.ends


# F1
def test_a_process_is_killed_in_every_state_of_the_three_machines() -> None:
    points = set[str]()
    for second in (Op.CALL, Op.SIGN_IN, Op.SIGN_OUT):
        points |= explore(Pair(Op.CALL, second, 3605.0, crashes=1)).crash_points
    points |= explore(RELEASES[1]).crash_points
    for name, states in (
        ("Renewal ", renewal.State),
        ("Revocation ", revoke_login.State),
        ("FinishSignIn ", finish_sign_in.State),
        ("FinishSignIn storing.", store_login.State),
    ):
        killed = {
            re.split(r"[ .]", point.removeprefix(name))[0] for point in points if point.startswith(name)
        }
        assert {state.value for state in states} - killed <= set(_UNREACHED)
