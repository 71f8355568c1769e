"""Logins are renewed before anybody asks: those that are due, a few at a time, by any number of sweepers.

Rules of this file: what is due is claimed in one statement, which puts it off, so that no two sweepers take
the same login, and that of one that was killed comes back by itself; the claim is no lock: a login is renewed
by the machine that renews all others, under the lock of its row. No login ends a sweep, and none that fails
holds up the others. Whoever ends a sweep early loses nothing: what was sent is stored, what was only claimed
is due again at once.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import StrEnum, unique
from typing import Any, Final

import attrs

from codex_oauth.clock import Clock, now
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.fleet.rows import must_seal
from codex_oauth.fleet.schema import require_schema
from codex_oauth.fleet.spool import Spool
from codex_oauth.sealing import Keys
from codex_oauth.tokens.renewing import Outcome
from codex_oauth.worlds.lazy_world import LazyWorld, UsualWorld
from codex_oauth.worlds.storing import StoringWorld
from codex_oauth.worlds.world import World, run
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.renewal_policy import Freshness, RenewalPolicy, freshness
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import provider_of
from codex_oauth_core.record import Record

__all__ = ["CLAIM", "PUT_OFF", "Sweep", "SweepEnd", "Swept", "sweep"]

CLAIM: Final = 600.0
"""Seconds, and up to a fifth more, after which a login that was claimed and not renewed is due again."""

PUT_OFF: Final = 3600.0
"""Seconds for which one is left alone that nobody here can read or renew."""

_READ: Final = ErrorKind.AUTH_READ_FAILED
_WRITE: Final = ErrorKind.AUTH_WRITE_FAILED
_SLICE: Final = 0.1  # seconds; so soon an end is noticed
_LAST: Final = 1.0
"""The jitter with which everything counts as due whose `renew_at` is over."""

_DUE: Final = "renew_at <= statement_timestamp()"
_OF_TENANT: Final = "(%(tenant)s::text IS NULL OR tenant = %(tenant)s)"
_SAME: Final = "tenant = %(tenant)s AND owner = %(owner)s AND key = %(key)s AND renew_at = %(claimed)s"

# without `clock_timestamp()` in the condition: for a volatile function no index is used
CLAIM_DUE: Final = f"""WITH due AS MATERIALIZED (
    SELECT tenant, owner, key, renew_at FROM codex_oauth_login
    WHERE {_DUE} AND {_OF_TENANT} ORDER BY renew_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
UPDATE codex_oauth_login AS login
SET renew_at = statement_timestamp() + make_interval(secs => %(claim)s * (1 + random() / 5))
FROM due WHERE login.tenant = due.tenant AND login.owner = due.owner AND login.key = due.key
RETURNING login.tenant, login.owner, login.key, due.renew_at, login.renew_at"""

_GIVE_BACK: Final = f"UPDATE codex_oauth_login SET renew_at = %(was_due)s WHERE {_SAME}"
_PUT_OFF: Final = f"""UPDATE codex_oauth_login
SET renew_at = clock_timestamp() + make_interval(secs => %(seconds)s * (1 + random() / 5)) WHERE {_SAME}"""
_RETIRE: Final = f"UPDATE codex_oauth_login SET renew_at = NULL WHERE {_SAME} AND fingerprint = %(seen)s"


@unique
class SweepEnd(StrEnum):
    """What became of a login that was claimed."""

    RENEWED = "renewed"
    NOT_DUE = "not_due"
    """Somebody else was faster, it is gone, or it waits because the answer to its last renewal was lost."""
    BUSY = "busy"
    """Somebody else has its lock."""
    REFUSED = "refused"
    """It is over: its person must sign in again. It is not claimed any more."""
    FAILED = "failed"
    """It comes back in ten minutes."""
    UNREADABLE = "unreadable"
    """It is damaged, or sealed with a key that was not given. It comes back in an hour."""


@attrs.frozen
class Swept:
    """One login, and what became of it; `error` says why it was not renewed, where something went wrong."""

    tenant: str
    owner: str
    key: str
    end: SweepEnd
    error: SignInError | None = None


@attrs.frozen
class Sweep:
    """How many logins ended how, in one sweep; and how many renewals of the spool were adopted."""

    renewed: int = 0
    not_due: int = 0
    busy: int = 0
    refused: int = 0
    failed: int = 0
    unreadable: int = 0
    adopted: int = 0


def _never() -> bool:
    return False


def sweep(
    database: Database,
    keys: Keys,
    *,
    max_per_second: float = 5.0,
    tenant: str | None = None,
    batch: int = 100,
    at_once: int = 4,
    every: float | None = None,
    until: Callable[[], bool] = _never,
    spool: str | os.PathLike[str] | None = None,
    providers: Iterable[Provider] = (),
    make_world: Callable[[], World] | None = None,
    now: Clock = now,
    on_swept: Callable[[Swept], None] | None = None,
    on_trouble: Callable[[SignInError], None] | None = None,
) -> Sweep:
    """Renew the logins that are due, of one `tenant` or of all: at most `max_per_second`, `at_once` at the
    same time; `batch` are claimed in one statement. Ends when none is due; with `every` it looks again after
    about so many seconds, until `until()` is true. `until` is asked ten times a second, on this thread and
    others: then nothing new is begun, and what was sent is stored first (at most about 80 s).

    Any number of sweeps may run, on any number of hosts, each at its own pace. `spool` is what the stores of
    this host have: what is in it is adopted first. `providers`, `make_world` and `now` are as for a
    `TokenSource`. `on_swept` gets what became of each login, on a thread of its own; `on_trouble`, with
    `every`, why the database did not say what is due: that is tried again.

    ValueError for a number that is not positive. Raises SignInError: `auth_read_failed`, `auth_write_failed`,
    where nothing can be sealed or claimed.
    """
    if not (max_per_second > 0 and batch > 0 and at_once > 0 and (every is None or every > 0)):
        raise ValueError("max_per_second, batch, at_once, every: more than 0")
    require_schema(database, _WRITE)
    must_seal(keys)
    most = max(1, int(max_per_second * CLAIM / 4))  # what is claimed is begun long before it comes back
    sweeper = _Sweeper(
        database=database,
        keys=keys,
        tenant=tenant,
        batch=min(batch, most),
        at_once=min(at_once, most),
        every=every,
        until=until,
        spool=spool,
        providers=tuple(providers),
        make_world=make_world or UsualWorld(now),
        now=now,
        pace=_Pace(1 / max_per_second),
        on_swept=on_swept,
        on_trouble=on_trouble,
    )
    return sweeper.sweep()


@attrs.frozen
class _Claim:
    """A login that is this sweeper's to look at. `until`: its `renew_at` as the claim has set it."""

    tenant: str
    owner: str
    key: str
    was_due: datetime
    until: datetime

    @property
    def values(self) -> dict[str, Any]:
        whose = {"tenant": self.tenant, "owner": self.owner, "key": self.key}
        return {**whose, "was_due": self.was_due, "claimed": self.until}


class _Pace:
    """Lets through who asks, at least `gap` seconds apart, and up to a fifth more."""

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._lock = threading.Lock()
        self._next = time.monotonic()

    def turn(self, until: Callable[[], bool]) -> bool:
        """Wait for one's turn; False if `until` came first."""
        with self._lock:
            at = max(self._next, time.monotonic())
            self._next = at + self._gap * random.uniform(1, 1.2)  # noqa: S311  # it keeps no secret
        return _slept(at - time.monotonic(), until)


def _slept(seconds: float, until: Callable[[], bool]) -> bool:
    """Wait; False if `until` came first."""
    over_at = time.monotonic() + seconds
    while not until():
        left = over_at - time.monotonic()
        if left <= 0:
            return True
        time.sleep(min(left, _SLICE))
    return False


@attrs.define(eq=False, kw_only=True)
class _Sweeper:
    """One sweep: see `sweep`."""

    database: Database
    keys: Keys
    tenant: str | None
    batch: int
    at_once: int
    every: float | None
    until: Callable[[], bool]
    spool: str | os.PathLike[str] | None
    providers: tuple[Provider, ...]
    make_world: Callable[[], World]
    now: Clock
    pace: _Pace
    on_swept: Callable[[Swept], None] | None
    on_trouble: Callable[[SignInError], None] | None
    _ends: Counter[str] = attrs.field(factory=Counter[str], init=False)
    _worlds: set[LazyWorld] = attrs.field(factory=set[LazyWorld], init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def sweep(self) -> Sweep:
        """Claim and renew until nothing is due, or until the end is asked for."""
        if isinstance(self.make_world, UsualWorld):
            self.make_world.load()
        running = set[Future[None]]()
        self._adopt()
        with ThreadPoolExecutor(self.at_once, "codex-oauth-sweep") as pool:
            try:
                while not self.until():
                    for number, claim in enumerate(claims := self._claimed()):
                        if not self._has_room(running):
                            self._give_back(claims[number:])
                            break
                        running.add(pool.submit(self._renew, claim))
                    if not claims and self._has_ended(running):
                        break
                self._wait_for(running)
            except BaseException:
                self.until = lambda: True
                self._wait_for(running)
                raise
        return Sweep(**self._ends)

    def _claimed(self) -> list[_Claim]:
        values = {"tenant": self.tenant, "batch": self.batch, "claim": CLAIM}
        try:
            rows = self.database.run(_WRITE, CLAIM_DUE, values)
        except SignInError as error:
            if self.every is None or error.details.get("reason") not in _PASSING:
                raise
            if self.on_trouble is not None:
                self.on_trouble(error)
            return []
        return [_Claim(*row) for row in rows]

    def _has_room(self, running: set[Future[None]]) -> bool:
        """Wait until one more can be begun; False if the end came first."""
        while not self.until():
            if len(running) < self.at_once:
                return True
            done, _ = wait(running, _SLICE, FIRST_COMPLETED)
            running -= done
        return False

    def _has_ended(self, running: set[Future[None]]) -> bool:
        """Where nothing is due: whether that was all."""
        if self.every is None:
            if not running:
                return True
            done, _ = wait(running, _SLICE, FIRST_COMPLETED)
            running -= done  # it may be due again when it is over
            return False
        if _slept(self.every * random.uniform(0.8, 1.2), self.until):  # noqa: S311  # it keeps no secret
            self._adopt()
        return False

    def _wait_for(self, running: set[Future[None]]) -> None:
        while running:
            if self.until():
                with self._lock:
                    worlds = list(self._worlds)
                for world in worlds:
                    world.cancel()
            done, _ = wait(running, _SLICE, FIRST_COMPLETED)
            running -= done

    # -- one login -----------------------------------------------------------------------------------------

    def _renew(self, claim: _Claim) -> None:
        """Never raises: a login that cannot be renewed is none that ends the sweep."""
        try:
            ended = self._ended(claim)
        except SignInError as error:
            ended = _end_of(error), error
        except Exception as error:  # noqa: BLE001  # whatever a world or a provider of somebody else's does
            ended = SweepEnd.FAILED, SignInError.of(ErrorKind.INVALID_RESPONSE, reason=type(error).__name__)
        if ended is None:
            self._give_back([claim])
            return
        end, why = ended
        if end in (SweepEnd.UNREADABLE, SweepEnd.REFUSED):  # one that is marked as over is not due any more
            self._put(claim, _PUT_OFF, seconds=PUT_OFF)
        self._count(end.value)
        if self.on_swept is not None:
            self.on_swept(Swept(claim.tenant, claim.owner, claim.key, end, why))

    def _ended(self, claim: _Claim) -> tuple[SweepEnd, SignInError | None] | None:
        """What became of it; None if the end of the sweep came first."""
        store = self._store(claim.tenant, claim.owner)
        record = store.slot(claim.key).load()
        if record is None:
            return SweepEnd.NOT_DUE, None
        if not record.is_renewable:
            self._put(claim, _RETIRE, seen=record.fingerprint)
            return SweepEnd.REFUSED, None
        provider = provider_of(record.credential, self.providers)
        if provider is None:
            self._put(claim, _PUT_OFF, seconds=PUT_OFF)
            issuer = record.credential.issuer
            error = SignInError.of(ErrorKind.CLIENT_REJECTED, reason="other_issuer", issuer=issuer)
            return SweepEnd.FAILED, error
        if self._is_current(record):
            return SweepEnd.NOT_DUE, None
        if not self.pace.turn(self.until):
            return None
        flow = Renewal(provider=provider, jitter=_LAST, keep_saving=True)
        world = LazyWorld(self.make_world, self.now)
        with self._cancellable(world), world, StoringWorld(world, store, claim.key) as storing:
            return _ended_with(run(flow, storing))

    def _is_current(self, record: Record) -> bool:
        return freshness(record, self.now()[1], RenewalPolicy(), _LAST) is Freshness.CURRENT

    def _store(self, tenant: str, owner: str) -> PostgresStore:
        return PostgresStore(self.database, keys=self.keys, owner=owner, tenant=tenant, spool=self.spool)

    @contextmanager
    def _cancellable(self, world: LazyWorld) -> Generator[None]:
        with self._lock:
            self._worlds.add(world)
        try:
            yield
        finally:
            with self._lock:
                self._worlds.discard(world)

    def _count(self, end: str) -> None:
        with self._lock:
            self._ends[end] += 1

    def _put(self, claim: _Claim, statement: str, **values: Any) -> None:
        with suppress(SignInError):  # it comes back when the claim is over
            self.database.run(_WRITE, statement, {**claim.values, **values})

    def _give_back(self, claims: Sequence[_Claim]) -> None:
        for claim in claims:
            self._put(claim, _GIVE_BACK)

    # -- the spool -----------------------------------------------------------------------------------------

    def _adopt(self) -> None:
        """Let what the spool holds be adopted by whoever locks its login: here and now."""
        spool = None if self.spool is None else Spool(self.spool)
        for tenant, owner, key in () if spool is None else spool.waiting():
            if self.tenant not in (None, tenant):
                continue
            with suppress(SignInError, ValueError):  # it waits on
                held = self._store(tenant, owner).slot(key).lock()
                if held is not None:
                    held.release()
                    if (tenant, owner, key) not in (spool.waiting() if spool else ()):
                        self._count("adopted")


def _ended_with(outcome: Outcome) -> tuple[SweepEnd, SignInError | None] | None:
    """What a renewal's end means; None for one that was cancelled."""
    match outcome:
        case Renewed():
            return (SweepEnd.RENEWED if outcome.unsaved is None else SweepEnd.FAILED), outcome.unsaved
        case Adopted():
            return SweepEnd.NOT_DUE, None
        case NotRenewed() if outcome.error is None:
            return (SweepEnd.BUSY if outcome.why is NotRenewedReason.BUSY else SweepEnd.NOT_DUE), None
        case _:
            error = outcome.error if isinstance(outcome, NotRenewed) else outcome
            assert error is not None  # the case before
            return None if error.kind is ErrorKind.CANCELLED else (_end_of(error), error)


_PASSING: Final = ("database_away", "database_busy", "database_read_only", "database_full")
"""Why the database may not answer, and answer later."""


def _end_of(error: SignInError) -> SweepEnd:
    reason = error.details.get("reason")
    if reason == "lock_busy":
        return SweepEnd.BUSY
    if error.kind is ErrorKind.LOGIN_REQUIRED:
        return SweepEnd.REFUSED
    if error.kind is ErrorKind.CORRUPT_AUTH or (error.kind is _READ and "login" in error.details):
        return SweepEnd.UNREADABLE
    return SweepEnd.FAILED
