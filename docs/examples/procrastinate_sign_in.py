"""Sign-ins as jobs of an engine that you have already: procrastinate, which keeps its jobs in PostgreSQL.

A job drives one step and asks for the next one when that is due. Engines deliver at least once, so a job may
run twice, also at the same time, early or late. Four rules make that safe:

- Before a request the row is claimed, by a compare-and-set: of two jobs with one checkpoint one goes on.
- Before the exchange that claim is the mark: whoever restores it ends the sign-in as uncertain, and sends
  no code.
- With each claim comes a job for the time when it runs out, which does nothing if the row has moved on.
- A job that fails is tried again, and `again` puts back those whose worker died: procrastinate does not.

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
    sign_ins = SignIns(app, keys, ended)       # ended(name, outcome): store a Credential
    name, prompt = await sign_ins.begin()      # show the prompt
    await app.run_worker_async(concurrency=50)
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, LiteralString

import attrs
import procrastinate

from codex_oauth import (
    CODEX,
    AsyncHttpxWorld,
    Credential,
    DeviceFlow,
    DevicePrompt,
    Finished,
    Provider,
    Resumed,
    SendRequest,
    SignInError,
    Started,
    TimeReached,
    Wait,
    restore,
    seal,
    unseal,
)
from codex_oauth.fleet import Keys

TABLE: Final = """CREATE TABLE IF NOT EXISTS example_pending
    (name text PRIMARY KEY, seq bigint NOT NULL, body bytea NOT NULL, busy_until timestamptz NOT NULL)"""
INSERT: Final = """INSERT INTO example_pending
    VALUES (%(name)s, %(seq)s, %(body)s, clock_timestamp()) RETURNING name"""
LOAD: Final = """SELECT body, extract(epoch FROM busy_until - clock_timestamp())::float AS busy
    FROM example_pending WHERE name = %(name)s AND seq = %(seq)s"""
CLAIM: Final = """UPDATE example_pending
    SET seq = %(seq)s, body = %(body)s, busy_until = clock_timestamp() + make_interval(secs => %(busy)s)
    WHERE name = %(name)s AND seq = %(old)s AND (busy_until <= clock_timestamp() OR %(mine)s)
    RETURNING name"""
DELETE: Final = "DELETE FROM example_pending WHERE name = %(name)s RETURNING name"


@attrs.define
class SignIns:
    """`ended(name, outcome)` is told how each sign-in ended: store a Credential (`afinish_sign_in`). A job
    that is run again may tell it again: an error after a Credential takes nothing back.
    """

    app: procrastinate.App
    keys: Keys
    ended: Callable[[str, Credential | SignInError], Awaitable[None]]
    provider: Provider = CODEX
    make_world: Callable[[], AsyncHttpxWorld] = AsyncHttpxWorld
    _task: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        patience = procrastinate.RetryStrategy(max_attempts=20, wait=2)
        self._task = self.app.task(name="sign_in_step", retry=patience)(self.step)
        self.app.periodic(cron="* * * * *")(self.app.task(name="sign_in_again")(self.again))

    async def begin(self) -> tuple[str, DevicePrompt]:
        """Obtain a code, and leave the rest to jobs. Raises SignInError."""
        name, flow = secrets.token_urlsafe(32), DeviceFlow(provider=self.provider)
        async with self.make_world() as world:
            effect = flow.receive(Started(*world.now()))
            while not isinstance(effect, Finished) and not (isinstance(effect, Wait) and effect.prompt):
                effect = flow.receive(await world.perform(effect))
            if isinstance(effect, Finished):
                raise effect.outcome if isinstance(effect.outcome, SignInError) else AssertionError
            values = self._values(name, flow, world)
            await self._query(INSERT, values)
            await self._next(values, effect.until - world.now()[0])
        assert isinstance(effect.prompt, DevicePrompt)
        return name, effect.prompt

    async def step(self, name: str, seq: int) -> None:
        """The job: go on from the checkpoint `seq`, if the sign-in is still there."""
        found = await self._query(LOAD, {"name": name, "seq": seq})
        if not found:
            return  # it has moved on
        if found[0]["busy"] > 0:  # another job is at it, and may not live
            await self._next({"name": name, "seq": seq}, found[0]["busy"] + 1)
            return
        flow = restore(unseal(found[0]["body"], self.keys, belongs_to=name), self.provider)
        assert isinstance(flow, DeviceFlow)
        claimed = False
        async with self.make_world() as world:
            effect = flow.receive(Resumed(*world.now()))
            while not isinstance(effect, Finished):
                if isinstance(effect, Wait) and world.now()[0] >= effect.until:
                    effect = flow.receive(TimeReached(world.now()[0]))
                    continue
                busy = effect.timeout + 5 if isinstance(effect, SendRequest) else 0.0
                values = self._values(name, flow, world)
                later = busy if isinstance(effect, SendRequest) else effect.until - world.now()[0]
                await self._next(values, later)  # first: who is killed here leaves a job for later
                claim = {**values, "old": seq, "busy": busy, "mine": claimed}
                if not await self._query(CLAIM, claim) or not isinstance(effect, SendRequest):
                    return
                seq, claimed = values["seq"], True
                effect = flow.receive(await world.perform(effect))
        assert isinstance(effect.outcome, Credential | SignInError)
        await self.ended(name, effect.outcome)
        await self._query(DELETE, {"name": name})

    async def again(self, timestamp: int) -> None:
        """Every minute: run again what was under way at workers that gave no sign of life for 30 seconds."""
        for job in await self.app.job_manager.get_stalled_jobs(task_name="sign_in_step"):
            await self.app.job_manager.retry_job(job)

    def _values(self, name: str, flow: DeviceFlow, world: AsyncHttpxWorld) -> dict[str, Any]:
        at, wall = world.now()
        checkpoint = flow.checkpoint(at=at, wall=wall)
        return {"name": name, "seq": checkpoint["seq"], "body": seal(checkpoint, self.keys, belongs_to=name)}

    async def _next(self, values: Mapping[str, Any], seconds: float) -> None:
        job = self._task.configure(schedule_in={"seconds": max(0.0, seconds)})
        await job.defer_async(name=values["name"], seq=values["seq"])

    async def _query(self, statement: LiteralString, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        return await self.app.connector.execute_query_all_async(statement, **values)
