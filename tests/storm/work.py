"""What the children of the storms do. Each function is the whole work of one process.

Rules of this file: a child waits for a word before it begins, so that start-up is no part of a storm; it
answers with plain facts and fingerprints, and never with a token.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import attrs

from codex_oauth import FileStore, HttpxWorld, StoringWorld, TokenSource, run
from codex_oauth_core import (
    CODEX,
    Adopted,
    FinishSignIn,
    LoginStored,
    NotRenewed,
    Record,
    Renewal,
    RenewalPolicy,
    Renewed,
    Revocation,
    Revoked,
    SignedIn,
    SignInError,
    StoreLogin,
)
from codex_oauth_core.providers import provider_of
from codex_oauth_core.record import read_record
from tests.storm.logins import token_mark
from tests.storm.nursery import LONGEST_LIFE, Link
from tests.storm.points import PointedWorld, Points, patched

__all__ = [
    "Act",
    "Ended",
    "Job",
    "Signing",
    "deposit",
    "earlier_renewal",
    "ended",
    "logout",
    "renewal",
    "sign_in",
    "token",
]

Act = str
"""What a process does at its point: `kill` or `stop` itself, `hold` until it hears a word, `fork` a child or
`spawn` a program and wait for SIGUSR1."""


@attrs.frozen
class Job:
    """A renewal: of which login, and what is to happen at which of its points."""

    home: Path
    key: str
    point: str | None = None
    act: Act = "hold"
    policy: RenewalPolicy = attrs.field(factory=RenewalPolicy)


@attrs.frozen
class Ended:
    """How a piece of work ended: the outcome's name, a `SignInError`'s facts, and which token there is."""

    how: str
    token: str | None = None
    why: str | None = None
    kind: str | None = None
    message: str = ""
    details: dict[str, Any] = attrs.field(factory=dict[str, Any])
    took: float = 0.0
    points: list[str] = attrs.field(factory=list[str], repr=False)


def ended(outcome: object, took: float = 0.0) -> Ended:
    """An outcome as plain facts."""
    match outcome:
        case Renewed() | Adopted():
            return Ended(type(outcome).__name__, token_mark(outcome.record), took=took)
        case LoginStored() | SignedIn():
            why = "rescued" if outcome.rescued else "stored"
            return Ended(type(outcome).__name__, token_mark(outcome.record), why, took=took)
        case NotRenewed():
            told = Ended("Kept", took=took) if outcome.error is None else ended(outcome.error, took)
            return attrs.evolve(told, how="Kept", token=token_mark(outcome.record), why=outcome.why.value)
        case SignInError():
            return Ended(
                "SignInError",
                kind=outcome.kind.value,
                message=outcome.message,
                details=dict(outcome.details),
                took=took,
            )
        case Revoked():
            return Ended("Revoked", why=str(outcome.confirmed), took=took)
        case _:
            raise TypeError(type(outcome).__name__)


def ready(link: Link) -> None:
    """Say so, and wait for a word."""
    link.send(("word", "ready"))
    link.recv()


def acting(link: Link, job: Job) -> Callable[[str], None]:
    """What is done at the chosen point."""

    def kill(name: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def stop(name: str) -> None:
        link.send(("word", name))
        os.kill(os.getpid(), signal.SIGSTOP)

    def hold(name: str) -> None:
        link.send(("word", name))
        link.recv()

    def fork(name: str) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        if os.fork() == 0:
            signal.alarm(LONGEST_LIFE)
            if ": " in name:  # as if another thread had forked: what was being done is gone
                _live_on(link, job)
            raise _Forked
        signal.sigwait({signal.SIGUSR1})

    def spawn(name: str) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as program:
            link.send(("word", program.pid))
            signal.sigwait({signal.SIGUSR1})
            assert program.stdin is not None
            program.stdin.close()

    return {"kill": kill, "stop": stop, "hold": hold, "fork": fork, "spawn": spawn}[job.act]


class _Forked(BaseException):  # nobody on the way takes it for a failure
    """We are a child that was forked in the middle of a renewal."""


def renewal(link: Link, job: Job) -> Ended:
    """Renew a login, with every step a point."""
    points = Points(acting(link, job), job.point)
    ready(link)
    try:
        return _renewed(job, points)
    except _Forked:  # after everything that was inherited has been closed
        _live_on(link, job)


@attrs.frozen
class Signing:
    """A sign-in of which `content` was granted, and what is to happen at which of its points."""

    home: Path
    content: bytes
    point: str | None = None
    act: Act = "hold"


def sign_in(link: Link, job: Signing) -> Ended:
    """Store what was granted and put it in use, and look back, with every step a point."""
    record = read_record(job.content)
    assert isinstance(record, Record)
    key = record.credential.key
    points = Points(acting(link, Job(job.home, key, job.point, job.act)), job.point)
    ready(link)
    flow = FinishSignIn(record=record, provider=provider_of(record.credential))
    began = time.monotonic()
    with patched(points), HttpxWorld() as web, StoringWorld(web, FileStore(job.home), key) as world:
        outcome = run(flow, PointedWorld(world, points))
    return attrs.evolve(ended(outcome, time.monotonic() - began), points=points.seen)


def earlier_renewal(link: Link, home: Path, account_id: str, issuer: str) -> Ended:
    """Renew what is kept under an account id, as a release does that knows no other name."""
    store = FileStore(home)
    ready(link)
    with HttpxWorld() as web, StoringWorld(web, store, account_id) as world:
        return ended(run(Renewal(provider=CODEX.at(issuer)), world))


def _live_on(link: Link, job: Job) -> NoReturn:
    """A forked child's life: renew the login itself, and outlive the parent."""
    again = attrs.evolve(job, point=None, act="hold")
    link.send(("word", _renewed(again, Points(acting(link, again)))))
    with contextlib.suppress(EOFError):
        link.recv()
    os._exit(0)


def _renewed(job: Job, points: Points) -> Ended:
    store = FileStore(job.home)
    record = store.slot(job.key).load()
    assert record is not None
    flow = Renewal(provider=provider_of(record.credential) or CODEX, policy=job.policy)
    began = time.monotonic()
    with patched(points), HttpxWorld() as web, StoringWorld(web, store, job.key) as world:
        outcome = run(flow, PointedWorld(world, points))
    return attrs.evolve(ended(outcome, time.monotonic() - began), points=points.seen)


def token(link: Link, job: Job) -> Ended:
    """Ask for a token as a program does."""
    with TokenSource(FileStore(job.home), account=job.key, policy=job.policy) as source:
        ready(link)
        began = time.monotonic()
        try:
            credential = source.credential()
        except SignInError as error:
            return ended(error, time.monotonic() - began)
        return Ended("token", credential.access_token.fingerprint(), took=time.monotonic() - began)


def deposit(link: Link, home: Path, content: bytes, lock_limit: float) -> Ended:
    """Store a new login, as a sign-in does."""
    record = read_record(content)
    assert isinstance(record, Record)
    ready(link)
    with HttpxWorld() as web, StoringWorld(web, FileStore(home), record.credential.key) as world:
        return ended(run(StoreLogin(record=record, lock_limit=lock_limit), world))


def logout(link: Link, home: Path, key: str, issuer: str) -> Ended:
    """End a login, as a sign-out does."""
    ready(link)
    with HttpxWorld() as web, StoringWorld(web, FileStore(home), key) as world:
        return ended(run(Revocation(provider=CODEX.at(issuer)), world))
