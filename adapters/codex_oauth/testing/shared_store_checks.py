"""Checks of a store that several hosts share: whatever befalls a host or the database, no refresh token is
sent twice, and no login is lost.

Rules of this file: a row is a fault, and the step of a renewal that it comes before. One host stands there
when it comes, another wants the same login at that moment, and a third comes when all that could be pending
is over. What is judged is what the token server saw, and what is stored in the end. Nobody waits for a lease
to end: the store's own clock is set forward. A fault that the database does not have makes a row that is not
run, and is named.

    report = check_shared_store(open_store, StoreFaults(advance=..., restart=...))

or, a test for each row:

    @pytest.mark.parametrize("check", SHARED_STORE_CHECKS, ids=lambda check: check.__name__)
    def test_my_store(check: SharedStoreCheck) -> None:
        check(open_store, FAULTS)
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, cast

import attrs

from codex_oauth.stores.store import Store
from codex_oauth.testing.checking import check_error
from codex_oauth.testing.hosts import AS_IT_IS, CAN_STOP, Guise, Host, RenewalStep
from codex_oauth.testing.shared_login import LIFETIME, SharedLogin, StoreFaults
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY

__all__ = [
    "SHARED_STORE_CHECKS",
    "CheckNotRun",
    "SharedStoreCheck",
    "SharedStoreReport",
    "StoreFaults",
    "check_shared_store",
]

_LEASE: Final = 10.0
"""Seconds for which a shared store lets a holder alone that has reserved nothing."""

_HOUR: Final = 3600.0


class CheckNotRun(Exception):
    """The check was not run, because the database or this system does not have its fault."""


# -- how a row goes ------------------------------------------------------------------------------------


_Befall = Callable[[StoreFaults], AbstractContextManager[None]]
_Course = Callable[[SharedLogin, RenewalStep, _Befall], None]


def _nothing(faults: StoreFaults) -> AbstractContextManager[None]:
    return nullcontext()


def _another_comes(
    first: Guise | None = None, second: Guise | None = None
) -> Callable[[SharedLogin, RenewalStep, _Befall], None]:
    """Another host wants the login when the fault is over, and before the first goes on."""

    def course(scene: SharedLogin, step: RenewalStep, befall: _Befall) -> None:
        holder = scene.host_before(step, first)
        with befall(scene.faults):
            scene.log("the fault comes")
        scene.host(second).go()
        holder.go()

    return course


def _goes_on(scene: SharedLogin, step: RenewalStep, befall: _Befall) -> None:
    """The first goes on under the fault, but a request that was sent does not outlast its save; another host
    comes after it.
    """
    holder = scene.host_before(step)
    with befall(scene.faults):
        scene.log("the fault comes")
        holder.go(RenewalStep.SAVING if step in (RenewalStep.SEND, RenewalStep.SAVE) else None)
    scene.log("the fault is over")
    holder.go()
    scene.host().go()


def _gives_up(scene: SharedLogin, step: RenewalStep, befall: _Befall) -> None:
    """The first saves in vain, as often as it does, and gives the lock back when the fault is over."""
    holder = scene.host_before(step)
    with befall(scene.faults):
        scene.log("the fault comes")
        holder.go(RenewalStep.RELEASE)
    scene.log("the fault is over")
    holder.go()
    scene.host().go()


def _is_killed(scene: SharedLogin, step: RenewalStep, befall: _Befall) -> None:
    scene.host_before(step, AS_IT_IS).kill()
    scene.host().go()


def _is_stopped(
    seconds: float, *, another: bool = True, until: RenewalStep | None = None
) -> Callable[[SharedLogin, RenewalStep, _Befall], None]:
    """The first is stopped for so long. Unless not `another`, somebody else wants the login meanwhile, and
    goes on, but not beyond `until` before the first wakes.
    """

    def course(scene: SharedLogin, step: RenewalStep, befall: _Befall) -> None:
        holder = _stopped(scene, step, seconds)
        if another:
            scene.host().go(until)
        holder.wake()
        holder.go()

    return course


def _is_stopped_too_long(scene: SharedLogin, step: RenewalStep, befall: _Befall) -> None:
    """The first wakes when nobody has come yet. If its request goes out all the same, it is still out when
    the intent is over.
    """
    holder = _stopped(scene, step, INTENT_LIFE - SEND_BY)
    holder.wake()
    holder.go(RenewalStep.ANSWER)
    scene.advance(2 * SEND_BY)
    scene.host().go()
    holder.go()


def _stopped(scene: SharedLogin, step: RenewalStep, seconds: float) -> Host:
    if not CAN_STOP:
        raise CheckNotRun("no process can be stopped on this system")
    holder = scene.host_before(step, AS_IT_IS)
    holder.stop()
    scene.advance(seconds)
    return holder


@attrs.frozen(kw_only=True)
class SharedStoreCheck:
    """One check of a store that hosts share. It raises AssertionError if a refresh token is sent twice or a
    login is lost, and lists all steps up to there. It raises `CheckNotRun` if `faults` does not have the
    fault that it needs.
    """

    what: str
    at: RenewalStep
    course: _Course = attrs.field(repr=False)
    needs: str | None = None
    befall: _Befall = attrs.field(default=_nothing, repr=False)
    age: float = LIFETIME + 2 * _HOUR
    answer_lost: bool = False

    @property
    def __name__(self) -> str:
        """What befalls whom, and when."""
        return f"{self.what}_before_the_{self.at.value}"

    def __call__(self, make: Callable[[], Store], faults: StoreFaults) -> None:
        """Run the check. `make` opens the store as one host does; see `check_shared_store`."""
        if self.needs is not None and getattr(faults, self.needs) is None:
            raise CheckNotRun(f"faults.{self.needs} is None")
        with SharedLogin(make, faults, self.age) as scene:
            self.course(scene, self.at, self.befall)
            scene.end()
            if self.answer_lost:
                scene.advance(INTENT_LIFE + 1)
                scene.visit()
            scene.host().go()
            scene.end()
            scene.judge(answer_lost=self.answer_lost)


# -- the rows ------------------------------------------------------------------------------------------


def _befall(name: str) -> _Befall:
    def befall(faults: StoreFaults) -> AbstractContextManager[None]:
        found = getattr(faults, name)()
        return nullcontext() if found is None else cast("AbstractContextManager[None]", found)

    return befall


def _rows(
    what: str, steps: tuple[RenewalStep, ...], course: _Course, needs: str | None = None
) -> list[SharedStoreCheck]:
    befall = _nothing if needs is None else _befall(needs)
    return [SharedStoreCheck(what=what, at=step, course=course, needs=needs, befall=befall) for step in steps]


_DUE: Final = LIFETIME - 12 * _HOUR
"""The age of a login that is due, and usable: a doubt keeps its refresh token from being sent."""

_WHILE_HELD: Final = (RenewalStep.RESERVE, RenewalStep.SEND, RenewalStep.SAVE)
_TWIN: Final = Guise(name="host", pid=1)  # as the first process of two containers that are made alike
_AHEAD, _BEHIND = Guise(clock=_HOUR), Guise(clock=-_HOUR)

SHARED_STORE_CHECKS: Final = (
    *_rows("another_host_comes", _WHILE_HELD, _another_comes()),
    *_rows("a_host_with_the_same_name_and_pid_comes", _WHILE_HELD, _another_comes(_TWIN, _TWIN)),
    *_rows("the_holders_clock_is_ahead", (RenewalStep.SEND, RenewalStep.SAVE), _another_comes(_AHEAD)),
    *_rows("the_holders_clock_is_behind", (RenewalStep.SEND, RenewalStep.SAVE), _another_comes(_BEHIND)),
    *_rows("the_server_ends_its_connections", _WHILE_HELD, _another_comes(), "end_backends"),
    *_rows("the_connections_are_cut", _WHILE_HELD, _another_comes(), "cut_connections"),
    *_rows(
        "the_connections_are_cut_and_a_clock_is_ahead",
        (RenewalStep.SEND,),
        _another_comes(None, _AHEAD),
        "cut_connections",
    ),
    *_rows("the_holder_is_killed", (RenewalStep.RESERVE, RenewalStep.SEND), _is_killed),
    SharedStoreCheck(
        what="the_holder_is_killed",
        at=RenewalStep.ANSWER,
        course=_is_killed,
        age=_DUE,
        answer_lost=True,
    ),
    *_rows("the_holder_is_stopped_past_its_lease", (RenewalStep.RESERVE,), _is_stopped(_LEASE + 1)),
    *_rows("the_holder_is_stopped_past_its_last_moment", (RenewalStep.SEND,), _is_stopped_too_long),
    *_rows("the_holder_is_stopped_past_its_life", (RenewalStep.SEND,), _is_stopped(INTENT_LIFE + 1)),
    *_rows(
        "the_holder_is_stopped_while_another_sends",
        (RenewalStep.SEND,),
        _is_stopped(INTENT_LIFE + 1, until=RenewalStep.ANSWER),
    ),
    *_rows("the_holder_is_stopped_past_its_lease", (RenewalStep.SAVE,), _is_stopped(6 * _LEASE)),
    *_rows(
        "the_holder_is_stopped_while_another_reserves",
        (RenewalStep.SAVE,),
        _is_stopped(INTENT_LIFE + 1, until=RenewalStep.SEND),
    ),
    *_rows("the_holder_is_stopped_alone", (RenewalStep.SAVE,), _is_stopped(INTENT_LIFE + 1, another=False)),
    *_rows(
        "an_answer_is_lost",
        (RenewalStep.LOCK, RenewalStep.RESERVE, RenewalStep.SEND, RenewalStep.SAVE, RenewalStep.RELEASE),
        _goes_on,
        "lose_next_answer",
    ),
    *_rows(
        "the_server_takes_no_writes",
        (RenewalStep.LOCK, RenewalStep.RESERVE, RenewalStep.SEND, RenewalStep.SAVE),
        _goes_on,
        "standby",
    ),
    SharedStoreCheck(
        what="the_server_takes_no_writes_for_too_long",
        at=RenewalStep.SAVE,
        course=_gives_up,
        needs="standby",
        befall=_befall("standby"),
        age=_DUE,
        answer_lost=True,
    ),
    *_rows("the_server_restarts", _WHILE_HELD, _another_comes(), "restart"),
)
"""All checks; the slowest come last."""


@attrs.frozen
class SharedStoreReport:
    """The checks that ran on a store. `not_run`: the checks that did not run, each with the reason."""

    held: tuple[str, ...]
    not_run: dict[str, str]


def check_shared_store(make: Callable[[], Store], faults: StoreFaults) -> SharedStoreReport:
    """Run every check of a store that hosts share. `make` opens the store as one host does, and is called for
    each host: every store that it returns must hold the same logins. For hosts that are processes `make` is
    pickled, so it must be a function of a module, or a `functools.partial` of one. A store with a method
    `close` is closed.

    Raises AssertionError at the first check that fails: its text names the check, and says what is wrong and
    which steps led there. Raises TypeError for a `make` that cannot be pickled. The report lists the checks
    that did not run, and a UserWarning names them.
    """
    try:
        pickle.dumps(make)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError("make: a function of a module, or a functools.partial of one") from error
    held: list[str] = []
    not_run: dict[str, str] = {}
    for check in SHARED_STORE_CHECKS:
        try:
            check(make, faults)
        except CheckNotRun as reason:
            not_run[check.__name__] = str(reason)
        except Exception as error:
            raise check_error(check, error) from error
        else:
            held.append(check.__name__)
    if not_run:
        rows = "; ".join(f"{name} ({reason})" for name, reason in not_run.items())
        warnings.warn(f"not run: {rows}", stacklevel=2)
    return SharedStoreReport(tuple(held), not_run)
