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

import json
import pickle
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Self, cast

import attrs

from codex_oauth.authority import Account, Approve, Authority, Policy
from codex_oauth.clock import now
from codex_oauth.stores.store import Store
from codex_oauth.testing.answered_by import answered_by
from codex_oauth.testing.checking import check_error, locked, same, true
from codex_oauth.testing.fake_world import FakeWorld, Lost, Reply
from codex_oauth.testing.hosts import AS_IT_IS, CAN_STOP, Guise, Host, RenewalStep, opened
from codex_oauth.worlds.world import run
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Request
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.record import Record
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY
from codex_oauth_core.secret import Secret

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

_DAY: Final = 86_400.0
_LIFETIME: Final = 10 * _DAY  # of an access token
_HOUR: Final = 3600.0


@attrs.frozen(kw_only=True)
class StoreFaults:
    """What the author of a store lets befall his database. A fault that it does not have is None.

    `advance(seconds)`: everything that the store has noted of holders and intents becomes so much older by
    the store's own clock, as if that time had passed; what is stored of the login stays. It must not wait for
    a lock that a holder has.
    `restart()`: the server stops, and is there again when this returns.
    `end_backends()`: the server ends all its connections, and goes on.
    `cut_connections()`: the network cuts all connections; the server may not have noticed yet.
    `lose_next_answer()`: the next statement that reaches the server is carried out, COMMIT included, and its
    connection is cut before the answer.
    `standby()`: as long as the `with` block lasts, the server that is reached takes no writes.
    """

    advance: Callable[[float], None]
    restart: Callable[[], None] | None = None
    end_backends: Callable[[], None] | None = None
    cut_connections: Callable[[], None] | None = None
    lose_next_answer: Callable[[], None] | None = None
    standby: Callable[[], AbstractContextManager[None]] | None = None


class CheckNotRun(Exception):
    """A row that was not run: the database, or this system, does not have its fault."""


# -- one login, its server, and its hosts --------------------------------------------------------------


class _Scene:
    """One login that must be renewed, and all that happens to it. Use it in a `with` block."""

    def __init__(self, make: Callable[[], Store], faults: StoreFaults, age: float) -> None:
        self.faults = faults
        self._make = make
        self._hosts: list[Host] = []
        self._lines: list[str] = []
        account = Account(account_id=str(uuid.uuid4()))
        self._authority = Authority(
            policy=Policy(approve=Approve.AUTO, account=account, access_lifetime=int(_LIFETIME))
        )
        self._server = answered_by(self._authority)
        self._newest = ""  # the fingerprint of the refresh token that was issued last
        credential = self._signed_in(age)
        self._key = credential.key
        with opened(make) as store, locked(store.slot(self._key)) as held:
            same(type(held.save(Record(credential), None)).__name__, "Saved", "the answer to the first save")

    def _signed_in(self, age: float) -> Credential:
        """What a person got who signed in `age` seconds ago."""
        outcome = run(DeviceFlow(), FakeWorld(self._server, wall=time.time() - age))
        assert isinstance(outcome, Credential)
        self._newest = Record(outcome).fingerprint
        return outcome

    def host(self, guise: Guise | None = None) -> Host:
        """One more host, before its first step."""
        number = len(self._hosts) + 1
        host = Host(
            self._make, self._key, self._respond, lambda what: self.log(f"host {number} {what}"), guise
        )
        self._hosts.append(host)
        return host

    def host_before(self, step: RenewalStep, guise: Guise | None = None) -> Host:
        """One more host, that stands before a step."""
        host = self.host(guise)
        if host.step is not step:
            host.go(step)
        true(host.step is step, f"a host that nothing befell must come to its {step.value}{self._told()}")
        return host

    def log(self, what: str) -> None:
        """Note what happens."""
        self._lines.append(what)

    def advance(self, seconds: float) -> None:
        """Set the store's clock forward."""
        self.faults.advance(seconds)
        self.log(f"{seconds:g} s pass")

    def visit(self) -> None:
        """Somebody takes the lock, which must be free, and gives it back, and nothing else."""
        with opened(self._make) as store:
            locked(store.slot(self._key)).release()
        self.log("somebody takes the lock, and gives it back")

    def end(self) -> None:
        """Everybody goes on to the end; then comes one more, who must find a good login."""
        for host in self._hosts:
            host.go()
        if any(host.end is None for host in self._hosts):
            self.advance(INTENT_LIFE + 1)
        for host in self._hosts:
            host.go()
            true(host.end is not None, f"a lock must be free again after {INTENT_LIFE:g} s{self._told()}")

    def judge(self, *, answer_lost: bool = False) -> None:
        """What must hold at the end. `answer_lost`: nobody can have what the server issued last."""
        sent = Counter(
            token.fingerprint()
            for received in self._authority.received("refresh")
            if isinstance(token := received.fields.get("refresh_token"), Secret)
        )
        times = max(sent.values(), default=0)
        true(times <= 1, f"a refresh token was sent {times} times, which ends the login{self._told()}")
        same(sum(sent.values()), 1, f"the requests that reached the token server{self._told()}")
        for host in self._hosts:
            end = host.end
            assert end is not None
            true(
                not end.raised, f"no exception may leave a store but SignInError and SaveFailed{self._told()}"
            )
            true(not end.login_over, f"no host may be told that nobody is signed in{self._told()}")
        with opened(self._make) as store:
            stored = store.slot(self._key).load()
        true(stored is not None, f"the login must still be stored{self._told()}")
        if stored is not None and not answer_lost:
            is_newest = stored.fingerprint == self._newest
            true(is_newest, f"what is stored must be what the server issued last{self._told()}")
        if stored is not None and answer_lost:
            true(stored.in_doubt, f"that the refresh token may be spent must stay noted{self._told()}")
        last = self._hosts[-1].end
        true(
            last is not None and last.served, f"who comes last must get a token that is usable{self._told()}"
        )

    def _respond(self, request: Request) -> Reply | Lost:
        at, wall = now()
        reply = self._server(request, at, wall)
        if isinstance(reply, Reply) and reply.status == 200:
            self._newest = Secret(str(json.loads(reply.body)["refresh_token"])).fingerprint()
        return reply

    def _told(self) -> str:
        return "".join(f"\n  {line}" for line in ("", *self._lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for host in self._hosts:
            host.close()


# -- how a row goes ------------------------------------------------------------------------------------


_Befall = Callable[[StoreFaults], AbstractContextManager[None]]
_Course = Callable[[_Scene, RenewalStep, _Befall], None]


def _nothing(faults: StoreFaults) -> AbstractContextManager[None]:
    return nullcontext()


def _another_comes(
    first: Guise | None = None, second: Guise | None = None
) -> Callable[[_Scene, RenewalStep, _Befall], None]:
    """Another host wants the login when the fault is over, and before the first goes on."""

    def course(scene: _Scene, step: RenewalStep, befall: _Befall) -> None:
        holder = scene.host_before(step, first)
        with befall(scene.faults):
            scene.log("the fault comes")
        scene.host(second).go()
        holder.go()

    return course


def _goes_on(scene: _Scene, step: RenewalStep, befall: _Befall) -> None:
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


def _is_killed(scene: _Scene, step: RenewalStep, befall: _Befall) -> None:
    scene.host_before(step, AS_IT_IS).kill()
    scene.host().go()


def _is_stopped(seconds: float, *, another: bool = True) -> Callable[[_Scene, RenewalStep, _Befall], None]:
    """The first is stopped for so long; unless not `another`, somebody else wants the login meanwhile."""

    def course(scene: _Scene, step: RenewalStep, befall: _Befall) -> None:
        if not CAN_STOP:
            raise CheckNotRun("no process can be stopped on this system")
        holder = scene.host_before(step, AS_IT_IS)
        holder.stop()
        scene.advance(seconds)
        if another:
            scene.host().go()
        holder.wake()
        holder.go()

    return course


@attrs.frozen(kw_only=True)
class SharedStoreCheck:
    """One row. It raises AssertionError if a refresh token is sent twice or a login is lost, and tells all
    steps that led there; `CheckNotRun` if the fault is one that `faults` does not have.
    """

    what: str
    at: RenewalStep
    course: _Course = attrs.field(repr=False)
    needs: str | None = None
    befall: _Befall = attrs.field(default=_nothing, repr=False)
    age: float = _LIFETIME + 2 * _HOUR
    answer_lost: bool = False

    @property
    def __name__(self) -> str:
        """What befalls whom, and when."""
        return f"{self.what}_before_the_{self.at.value}"

    def __call__(self, make: Callable[[], Store], faults: StoreFaults) -> None:
        """`make` opens the store, as one host does; see `check_shared_store`."""
        if self.needs is not None and getattr(faults, self.needs) is None:
            raise CheckNotRun(f"faults.{self.needs} is None")
        with _Scene(make, faults, self.age) as scene:
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
        age=_LIFETIME - 12 * _HOUR,  # due, and usable: a doubt must keep the refresh token from being sent
        answer_lost=True,
    ),
    *_rows("the_holder_is_stopped_past_its_lease", (RenewalStep.RESERVE,), _is_stopped(_LEASE + 1)),
    *_rows("the_holder_is_stopped_past_its_last_moment", (RenewalStep.SEND,), _is_stopped(SEND_BY + 1)),
    *_rows("the_holder_is_stopped_past_its_life", (RenewalStep.SEND,), _is_stopped(INTENT_LIFE + 1)),
    *_rows("the_holder_is_stopped_past_its_lease", (RenewalStep.SAVE,), _is_stopped(6 * _LEASE)),
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
    *_rows("the_server_restarts", _WHILE_HELD, _another_comes(), "restart"),
)
"""Every row; those that cost most come last."""


@attrs.frozen
class SharedStoreReport:
    """What a store was held to. `not_run`: the rows that were not run, each with the reason."""

    held: tuple[str, ...]
    not_run: dict[str, str]


def check_shared_store(make: Callable[[], Store], faults: StoreFaults) -> SharedStoreReport:
    """Run every row. `make` opens the store as one host does, and is called for each: what it gives must be
    the same logins each time. For hosts that are processes it is pickled, so it is a function of a module, or
    a `functools.partial` of one; a store with a method `close` is closed.

    Raises AssertionError at the first row that fails: its text names the row, says what is wrong, and what
    led there; TypeError for a `make` that cannot be pickled. What was not run is in the report, and warned of
    (UserWarning).
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
