"""Hosts that share one login, each of which stops before every step of its renewal until it is told to go on.

Rules of this file: what renews is the real thing, a `Renewal` in a `StoringWorld`; a host does nothing that
it was not told to; one host moves at a time, so that a check is the same each time. A host is a thread, or,
where it is to be killed, to be stopped or to be taken for another, a process.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import platform
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum, unique
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final, assert_never

import attrs

from codex_oauth.clock import now
from codex_oauth.stores.store import Store
from codex_oauth.testing.checking import fail
from codex_oauth.testing.fake_world import Lost, Reply
from codex_oauth.worlds.storing import StoringWorld, too_late
from codex_oauth.worlds.world import run
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Request, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Event, ResponseReceived, StoreAnswered, TimeReached
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.outcomes import Adopted, NotRenewed, Renewed
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Lock, Register, Registered, Release, Reserve, Save, StorageEffect

__all__ = ["AS_IT_IS", "CAN_STOP", "Guise", "Host", "HostEnd", "RenewalStep", "Respond", "opened"]

_PATIENCE: Final = 60.0
"""Seconds for one step of a host: storage never waits, but a machine may be slow."""

_MOMENT: Final = 0.1
"""Seconds that a pause really takes; the rest of it is skipped."""

CAN_STOP: Final = hasattr(signal, "SIGSTOP")
"""Whether a process can be stopped, and go on later."""


@unique
class RenewalStep(StrEnum):
    """Where a host stands: right before what it would do next."""

    LOCK = "lock"
    RESERVE = "reservation"
    SEND = "request"
    """Before it asks the store whether the request may go out."""
    ANSWER = "answer"
    """The server has acted, and its answer is on the way."""
    SAVE = "save"
    RELEASE = "release"
    QUEUED = "next look at the lock"
    SAVING = "next try to save"
    RETRY = "next try to send"
    ENDED = "end"


@attrs.frozen
class HostEnd:
    """How a host's renewal ended. `raised`: an exception, of which no store may let any out."""

    how: str
    served: bool = False
    login_over: bool = False
    raised: bool = False

    @classmethod
    def of(cls, outcome: Renewed | Adopted | NotRenewed | SignInError) -> HostEnd:
        """What there is to say of an outcome; no secret."""
        match outcome:
            case SignInError():
                reason = outcome.details.get("reason") or outcome.details.get("code")
                how = outcome.kind.value if reason is None else f"{outcome.kind.value} ({reason})"
                return cls(how, login_over=outcome.kind is ErrorKind.LOGIN_REQUIRED)
            case NotRenewed():
                return cls(f"not renewed: {outcome.why.value}", served=True)
            case Renewed() if outcome.unsaved is not None:
                return cls(f"renewed, not saved: {outcome.unsaved.kind.value}", served=True)
            case Renewed() | Adopted():
                return cls(type(outcome).__name__.lower(), served=True)
            case _:
                assert_never(outcome)


@attrs.frozen
class Guise:
    """What a host is taken for. `clock`: seconds that its clock is ahead."""

    name: str | None = None
    pid: int | None = None
    clock: float = 0.0

    def put_on(self) -> None:
        """For this process, which must be the host's own."""
        name, pid, ahead, wall = self.name, self.pid, self.clock, time.time
        if pid is not None:
            _replace(os, "getpid", lambda: pid)
        if name is not None:
            _replace(socket, "gethostname", lambda: name)
            _replace(platform, "node", lambda: name)
        if ahead:
            _replace(time, "time", lambda: wall() + ahead)
            _replace(time, "time_ns", lambda: int((wall() + ahead) * 1e9))


AS_IT_IS: Final = Guise()


def _replace(module: object, name: str, by: Callable[[], object]) -> None:
    setattr(module, name, by)


@contextmanager
def opened(make: Callable[[], Store]) -> Generator[Store]:
    """A store, and its end if it has one: not every store has a `close`."""
    store = make()
    try:
        yield store
    finally:
        close = getattr(store, "close", None)
        if callable(close):
            close()


# -- inside a host -------------------------------------------------------------------------------------


_Sent = tuple[str, str, tuple[tuple[str, str], ...], bytes]
_Answer = tuple[int, Mapping[str, str], bytes]
_STEPS: Final[Mapping[type, RenewalStep]] = {
    Lock: RenewalStep.LOCK,
    Reserve: RenewalStep.RESERVE,
    SendRequest: RenewalStep.SEND,
    Save: RenewalStep.SAVE,
    Release: RenewalStep.RELEASE,
}
_WAITS: Final[Mapping[Why, RenewalStep]] = {Why.QUEUED: RenewalStep.QUEUED, Why.SAVING: RenewalStep.SAVING}


@attrs.frozen
class _Line:
    """To whoever leads the host."""

    connection: Connection[Any, Any]

    def stand(self, step: RenewalStep, told: object = None) -> Any:
        """Stop here until told to go on. Raises EOFError where nobody leads any more."""
        self.connection.send((step, told))
        return self.connection.recv()


class _Network:
    """A world whose requests go over the line, and in which no pause takes longer than a moment."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._skipped = 0.0

    def now(self) -> tuple[float, float]:
        at, wall = now()
        return at + self._skipped, wall

    def perform(self, effect: SignInEffect) -> Event:
        match effect:
            case Wait():
                return self._wait(effect)
            case SendRequest():
                return self._send(effect)
            case Register():
                return StoreAnswered(*self.now(), Registered())
            case _:
                assert_never(effect)

    def _wait(self, wait: Wait) -> Event:
        self._line.stand(_WAITS.get(wait.why, RenewalStep.RETRY))
        rest = max(0.0, wait.until - self.now()[0])
        time.sleep(min(rest, _MOMENT))
        self._skipped += max(0.0, rest - _MOMENT)
        return TimeReached(self.now()[0])

    def _send(self, effect: SendRequest) -> Event:
        sent_at, _ = self.now()
        if effect.write_by is not None and sent_at >= effect.write_by:
            return too_late(sent_at)
        request = effect.request
        sent: _Sent = (request.method, request.url, request.plain_headers(), request.body.reveal())
        status, headers, body = self._line.stand(RenewalStep.ANSWER, sent)
        return ResponseReceived(sent_at, *self.now(), status, headers, body)


class _Stepping:
    """Stops before each effect that changes anything."""

    def __init__(self, world: StoringWorld, line: _Line) -> None:
        self._world = world
        self._line = line

    def now(self) -> tuple[float, float]:
        return self._world.now()

    def perform(self, effect: SendRequest | Wait | StorageEffect) -> Event:
        if (step := _STEPS.get(type(effect))) is not None:
            self._line.stand(step)
        return self._world.perform(effect)


def _renew(connection: Connection[Any, Any], make: Callable[[], Store], key: str) -> None:
    line = _Line(connection)
    try:
        with opened(make) as store, StoringWorld(_Network(line), store, key) as world:
            end = HostEnd.of(run(Renewal(), _Stepping(world, line)))
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001  # it is the check that tells
        end = HostEnd(f"{type(error).__name__} was raised", raised=True)
    with suppress(OSError):
        connection.send((RenewalStep.ENDED, end))


def _be_a_host(connection: Connection[Any, Any], guise: Guise, make: bytes, key: str) -> None:
    """A process's whole life. `make` is unpickled last: what it loads sees the guise."""
    guise.put_on()
    _renew(connection, pickle.loads(make), key)  # noqa: S301  # of our own process


# -- seen from outside ---------------------------------------------------------------------------------


Respond = Callable[[Request], Reply | Lost]
"""The token server: acts on a request, and says what it answers."""


class Host:
    """One renewal of the login named `key`, in a store that it opens itself. It stands before its first step,
    or at its end.
    """

    def __init__(
        self,
        make: Callable[[], Store],
        key: str,
        respond: Respond,
        log: Callable[[str], None],
        guise: Guise | None = None,
    ) -> None:
        """`guise`: it is a process of its own, and taken for that; else a thread of this one."""
        self._respond = respond
        self._log = log
        self._answer: _Answer | None = None
        self._process: SpawnProcess | None = None
        self.end: HostEnd | None = None
        self._line, theirs = multiprocessing.Pipe()
        if guise is None:
            threading.Thread(target=_renew, args=(theirs, make, key), daemon=True).start()
        else:
            arguments = (theirs, guise, pickle.dumps(make), key)
            spawn = multiprocessing.get_context("spawn")
            self._process = spawn.Process(target=_be_a_host, args=arguments, daemon=True)
            self._process.start()
            theirs.close()
        self.pid = None if self._process is None else self._process.pid
        self.step = RenewalStep.LOCK
        self._hear()

    def go(self, until: RenewalStep | None = None, looks: int = 4) -> None:
        """Let it go on: to where it stands before `until`, to its end, or until it has looked `looks` times
        at a lock that is busy.
        """
        while self.end is None:
            if self.step is RenewalStep.QUEUED:
                looks -= 1
                if looks < 0:
                    return
            self._line.send(self._answer)
            self._answer = None
            self._hear()
            if self.step is until:
                return

    def kill(self) -> None:
        """HostEnd it where it stands. Nothing of it runs any more."""
        process = self._own_process()
        process.kill()
        process.join()
        self._log("is killed")
        self.step, self.end = RenewalStep.ENDED, HostEnd("killed")

    def stop(self) -> None:
        """Let none of its threads go on. It is stopped when this returns, where the system can tell."""
        self._signal("SIGSTOP")
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self._own_process().pid or 0, os.WSTOPPED | os.WNOWAIT)
        self._log("is stopped")

    def wake(self) -> None:
        """The opposite."""
        self._signal("SIGCONT")
        self._log("wakes")

    def close(self) -> None:
        """Leave it, wherever it stands. Twice is once."""
        self._line.close()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
            process.close()

    def _own_process(self) -> SpawnProcess:
        assert self._process is not None  # who is killed or stopped was given a guise
        return self._process

    def _signal(self, name: str) -> None:
        os.kill(self._own_process().pid or 0, getattr(signal, name))

    def _hear(self) -> None:
        """Take in where it stands now."""
        if not self._line.poll(_PATIENCE):
            fail(f"a host did not come from {self.step.value} to its next step within {_PATIENCE:g} s")
        try:
            self.step, told = self._line.recv()
        except EOFError:
            fail(f"a host's process ended by itself, before its {self.step.value}")
        match self.step:
            case RenewalStep.ENDED:
                self.end = told
                self._log(f"ended: {told.how}")
            case RenewalStep.ANSWER:
                self._log("sent the refresh token")
                self._answer = self._answered(told)
            case _:
                self._log(f"stands before its {self.step.value}")

    def _answered(self, sent: _Sent) -> _Answer:
        method, url, headers, body = sent
        reply = self._respond(Request(method, url, headers, Secret(body)))
        assert isinstance(reply, Reply)  # no check loses an answer of the server
        return reply.status, dict(reply.headers), reply.body
