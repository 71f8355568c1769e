"""A worker of a fleet: it takes the sign-ins that wait in the database, drives them, and keeps the logins.

Rules of this file: a worker writes only when it matters: that it lives, which sign-ins it took, that a code
is about to be exchanged, and how a sign-in ended. What the database does not confirm is not sent; what was
granted and is nobody's any more is revoked. A worker whose lease ran out drops all that it drove, without a
word, and begins anew; one that is stopped hands its sign-ins to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import attrs

from codex_oauth.clock import Clock, now
from codex_oauth.event_loops import load_anyio, run_blocking
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.ownership import BATCH, LEASE_SECONDS, Ownership, Taken
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.fleet.schema import require_schema
from codex_oauth.fleet.sign_ins import SCHEMA, sealed_sign_in, unsealed_sign_in
from codex_oauth.pool.flow_pool import FlowPool
from codex_oauth.sealing import Keys
from codex_oauth.stored_login import agive_up
from codex_oauth.transport.protocol import AsyncTransport
from codex_oauth.worlds.anyio_world import AnyioWorld
from codex_oauth_core.checkpoints.codec import CheckpointError
from codex_oauth_core.checkpoints.restore import restore
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import DevicePrompt
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Resumed
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import KNOWN
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from codex_oauth.pool.handle import Handle, SignIn

__all__ = ["FleetPool"]

_T = TypeVar("_T")

LOOK_EVERY: Final = 1.0
"""Seconds between two looks for sign-ins that nobody drives."""

BEAT_EVERY: Final = LEASE_SECONDS / 4
COUNT_EVERY: Final = 5.0
CLEAN_EVERY: Final = 60.0
RETRY_EVERY: Final = 1.0
KEEP_TRYING: Final = 30.0
"""Seconds for which a worker that is stopped tries to write how a sign-in ended; one that runs goes on."""

_NOT_HERE: Final = ("other_key", "other_provider", "too_new")
"""Reasons why another worker may drive a sign-in that this one cannot."""


@attrs.frozen
class _Driven:
    """A sign-in that this worker drives."""

    tenant: str
    owner: str
    prompt: DevicePrompt | None
    provider: Provider


@attrs.frozen(kw_only=True)
class _Worker:
    """What a worker was given; see `FleetPool`."""

    database: Database
    send: AsyncTransport
    keys: Keys
    providers: tuple[Provider, ...]
    room: int
    max_requests: int
    on_end: Callable[[str, Credential | SignInError], None] | None
    on_trouble: Callable[[SignInError], None] | None
    now: Clock

    async def asked(self, call: Callable[[], _T]) -> tuple[_T] | None:
        """What the database answered, on a thread and uncut; None where it failed."""
        try:
            return (await run_blocking(call),)
        except SignInError as error:
            self.tell(error)
            return None

    def tell(self, error: SignInError) -> None:
        """The database has failed."""
        if self.on_trouble is not None:
            self.on_trouble(error)


class FleetPool:
    """Drives the sign-ins that `start_sign_in` put into the database `dsn`. Any number of workers on any
    number of hosts may do this: no code is exchanged twice.

        async with AiohttpPollTransport() as send:
            await FleetPool(dsn, send, keys=keys).run()

    `send` carries requests, at most `max_requests` at a time; close it yourself. `keys` seal and unseal what
    the database holds. `providers` are further providers of sign-ins, beside the known ones. `room`: how many
    sign-ins this worker drives at most; other workers take the rest. `on_end(name, outcome)` is called for
    each sign-in after its end is written. `on_trouble(error)` is called each time that the database fails.

    The transaction that ends a sign-in also stores its login, for the owner and the tenant of
    `start_sign_in`, and makes it the current one. Read it with a `PostgresStore`.
    """

    def __init__(
        self,
        dsn: str | Secret[str] | Database,
        send: AsyncTransport,
        *,
        keys: Keys,
        providers: Iterable[Provider] = (),
        room: int = 10_000,
        max_requests: int = 64,
        on_end: Callable[[str, Credential | SignInError], None] | None = None,
        on_trouble: Callable[[SignInError], None] | None = None,
        now: Clock = now,
    ) -> None:
        if room < 1:
            raise ValueError("room: at least 1")
        self._worker = _Worker(
            database=dsn if isinstance(dsn, Database) else Database.shared(dsn),
            send=send,
            keys=keys,
            providers=(*providers, *KNOWN),
            room=room,
            max_requests=max_requests,
            on_end=on_end,
            on_trouble=on_trouble,
            now=now,
        )
        self._stopped = False
        self._life: _Life | None = None

    def __len__(self) -> int:
        """How many sign-ins this worker drives."""
        return 0 if self._life is None else len(self._life.driven)

    def stop(self) -> None:
        """Make `run()` return. Other workers take over the sign-ins that wait for a person; an exchange in
        flight is finished and stored. Call it from the event loop's thread.
        """
        self._stopped = True
        if self._life is not None:
            self._life.enough.set()

    async def run(self) -> None:
        """Work until `stop()` or a cancellation. Either way the worker hands over all sign-ins before it
        returns.

        Raises SignInError if the database cannot be used at the start. Later failures of the database are
        tried again.
        """
        load_anyio()
        worker = self._worker
        await run_blocking(lambda: require_schema(worker.database, ErrorKind.AUTH_WRITE_FAILED, needs=SCHEMA))
        while not self._stopped:
            own = Ownership(worker.database, worker.keys)
            began = await worker.asked(own.begin)
            if began is None:
                await anyio.sleep(RETRY_EVERY)
                continue
            self._life = _Life(worker, own, began[0])
            try:
                await self._life.lived(is_stopped=lambda: self._stopped)
            finally:
                self._life = None


class _Life:
    """A worker from one name to the next: as long as its lease is renewed in time."""

    def __init__(self, worker: _Worker, own: Ownership, began: float) -> None:
        self._worker = worker
        self._own = own
        self.driven: dict[str, _Driven] = {}
        self._handles: dict[str, Handle[str]] = {}
        self._not_here: set[str] = set()
        self._ending_names: set[str] = set()
        self.enough = anyio.Event()
        self._all_ended = anyio.Event()
        self._lives = True
        self._offset = began - worker.now()[1]  # of the database's calendar from ours
        self._tasks: TaskGroup
        self._pool: FlowPool[str]

    async def lived(self, *, is_stopped: Callable[[], bool]) -> None:
        """Take and drive sign-ins until it is enough, or the lease has run out; then hand over the rest."""
        worker = self._worker
        async with anyio.create_task_group() as self._tasks:
            try:
                async with FlowPool[str](
                    worker.send,
                    max_requests=worker.max_requests,
                    before_once=self._may_send,
                    on_end=self._ended,
                    now=self._now,
                ) as self._pool:
                    self._tasks.start_soon(self._beating)
                    self._tasks.start_soon(self._looking)
                    try:
                        if not is_stopped():
                            await self.enough.wait()
                    finally:
                        self.enough.set()  # a cancellation is an end, too: nothing is tried for ever
                        with anyio.CancelScope(shield=True):
                            await self._hand_over()
            finally:
                with anyio.CancelScope(shield=True):
                    await self._finish()
                self._tasks.cancel_scope.cancel()

    def _now(self) -> tuple[float, float]:
        """The instant, and Unix time by the database: a sign-in is put down by that, for hosts whose clocks
        do not agree.
        """
        at, wall = self._worker.now()
        return at, wall + self._offset

    # -- what it does all the time -------------------------------------------------------------------------

    async def _beating(self) -> None:
        while True:
            answer = await self._worker.asked(self._own.beat)
            if answer is not None and answer[0] is None:
                self._lives = False
                self.enough.set()
                return
            if answer is not None and answer[0] is not None:
                self._offset = answer[0] - self._worker.now()[1]
            given_up = await self._worker.asked(self._own.given_up)
            for name in given_up[0] if given_up is not None else ():
                await self._drop(name)
            await anyio.sleep(BEAT_EVERY)

    async def _looking(self) -> None:
        cleaned_at = counted_at = self._worker.now()[0]
        while not self.enough.is_set():
            room = self._worker.room - len(self.driven)
            taken = None
            if room > 0:
                taken = await self._worker.asked(partial(self._own.take, room, but=tuple(self._not_here)))
            if self.enough.is_set():
                return  # the rows are let go with the lease
            for each in taken[0] if taken is not None else ():
                self._begin(each)
            if (at := self._worker.now()[0]) - cleaned_at >= CLEAN_EVERY:
                cleaned_at = at
                self._not_here.clear()
                await self._worker.asked(self._own.clean)
            if at - counted_at >= COUNT_EVERY:
                counted_at = at
                lost = await self._worker.asked(partial(self._own.undriven, self._known))
                for each in lost[0] if lost is not None and not self.enough.is_set() else ():
                    self._begin(each)
            if taken is None or len(taken[0]) < min(room, BATCH):
                await anyio.sleep(LOOK_EVERY)

    @property
    def _known(self) -> set[str]:
        return self.driven.keys() | self._ending_names

    def _begin(self, taken: Taken) -> None:
        driven = _Driven(taken.tenant, taken.owner, None, self._worker.providers[-1])
        try:
            flow, driven = self._restored(taken)
        except CheckpointError as error:
            if error.reason in _NOT_HERE and not taken.exchanging:
                self._not_here.add(taken.name)
                self._spawn(lambda: self._own.let_go([taken.name]))
                return
            self._finish_one(taken.name, driven, _unusable(error))
            return
        if taken.exchanging:
            self._finish_one(taken.name, driven, _put_down())
            return
        self.driven[taken.name] = driven
        self._handles[taken.name] = self._pool.add(flow, taken.name, begin=Resumed)

    def _restored(self, taken: Taken) -> tuple[SignIn, _Driven]:
        checkpoint, prompt = unsealed_sign_in(taken.checkpoint, self._worker.keys, taken.name)
        problem = CheckpointError("other_provider")
        for provider in self._worker.providers:
            if (provider.issuer, provider.client_id) == (
                checkpoint.get("issuer"),
                checkpoint.get("client_id"),
            ):
                flow = restore(checkpoint, provider)
                return flow, _Driven(taken.tenant, taken.owner, prompt, provider)
        raise problem

    # -- before a code is exchanged, and after -------------------------------------------------------------

    async def _may_send(self, name: str, flow: SignIn) -> bool:
        answer = await self._worker.asked(lambda: self._own.may_exchange(name))
        if answer is not None and not answer[0]:
            self._tasks.start_soon(self._drop, name)  # it is somebody else's by now, or over
        return answer == (True,)

    async def _drop(self, name: str) -> None:
        """Drive a sign-in no more, and write nothing about it."""
        handle = self._handles.pop(name, None)
        if handle is not None:
            await handle.put_down()
            self.driven.pop(name, None)

    def _ended(self, name: str, outcome: Credential | SignInError) -> None:
        self._handles.pop(name, None)
        if (driven := self.driven.get(name)) is not None:
            self._finish_one(name, driven, outcome)

    def _finish_one(self, name: str, driven: _Driven, outcome: Credential | SignInError) -> None:
        self._ending_names.add(name)
        self._tasks.start_soon(self._write_end, name, driven, outcome)

    async def _write_end(self, name: str, driven: _Driven, outcome: Credential | SignInError) -> None:
        """Write how a sign-in ended, for as long as it takes; what was granted is never dropped silently."""
        with anyio.CancelScope(shield=True):
            try:
                kept = await self._written(Taken(name, driven.tenant, driven.owner, b"", False), outcome)
                if isinstance(outcome, Credential):
                    await self._after(driven, outcome, kept=kept)
                if kept and self._worker.on_end is not None:
                    self._worker.on_end(name, outcome)
            finally:
                self.driven.pop(name, None)
                self._ending_names.discard(name)
                if not self._ending_names:
                    self._all_ended.set()

    async def _written(self, taken: Taken, outcome: Credential | SignInError) -> bool | None:
        """Whether it counts. None where a worker that is stopped does not get to know: what nobody answered
        may have been done, and a login that may be stored is not ended.
        """
        clock, maybe, stopped_at = self._worker.now, False, None
        while True:
            try:
                return await run_blocking(lambda: self._own.end(taken, outcome))
            except SignInError as error:
                self._worker.tell(error)
                maybe = maybe or error.details.get("unanswered") is True
            if self.enough.is_set():
                stopped_at = clock()[0] if stopped_at is None else stopped_at
                if clock()[0] - stopped_at >= KEEP_TRYING:
                    return None if maybe else False
            await anyio.sleep(RETRY_EVERY)

    async def _after(self, driven: _Driven, granted: Credential, *, kept: bool | None) -> None:
        """Put a login that is kept in its place, if nobody has the lock: whoever locks it next does the same.
        End one that is nobody's.
        """
        worker = self._worker
        store = PostgresStore(worker.database, keys=worker.keys, owner=driven.owner, tenant=driven.tenant)
        if kept:
            held = await worker.asked(store.slot(granted.key).lock)
            if held is not None and held[0] is not None:
                await worker.asked(held[0].release)
        if kept is not False:
            return
        with suppress(SignInError):
            async with AnyioWorld(worker.send, now=worker.now) as world:
                await agive_up(granted, store, driven.provider, world)

    def _spawn(self, call: Callable[[], None]) -> None:
        async def work() -> None:
            await self._worker.asked(call)

        self._tasks.start_soon(work)

    # -- the end ---------------------------------------------------------------------------------------------

    async def _hand_over(self) -> None:
        """Put down all flows; write where they stand, if they are still ours."""
        put_down = await self._pool.put_down_all()
        back = dict[str, bytes]()
        for name, checkpoint in put_down:
            driven = self.driven.pop(name, None)
            if driven is not None:
                back[name] = sealed_sign_in(checkpoint, driven.prompt, self._worker.keys, name)
        names = list(back)
        for start in range(0, len(names), BATCH) if self._lives else ():
            part = {name: back[name] for name in names[start : start + BATCH]}
            await self._worker.asked(partial(self._own.give_back, part))

    async def _finish(self) -> None:
        self._all_ended = anyio.Event()
        if self._ending_names:
            await self._all_ended.wait()
        if self._lives:
            await self._worker.asked(self._own.retire)


def _put_down() -> SignInError:
    """The end of a sign-in whose worker died in its exchange: nobody knows whether the code was taken."""
    return SignInError.of(ErrorKind.TOKEN_REQUEST_FAILED, reason="put_down", uncertain=True)


def _unusable(error: CheckpointError) -> SignInError:
    return SignInError.of(ErrorKind.TOKEN_REQUEST_FAILED, reason=error.reason)
