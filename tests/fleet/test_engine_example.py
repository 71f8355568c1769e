"""The example of an engine of jobs, against procrastinate in a database of ours, and the authority over HTTP.

Rules of this file: the engine may run a job again, early or late, and kill it wherever it likes; the authority counts
what was exchanged. A job is killed by a world that dies after it sent, or with its process.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import attrs
import procrastinate
import pytest

from codex_oauth import CODEX, AsyncHttpxWorld, Credential, SignInError
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, Policy, serve
from tests.fleet.cluster import sql
from tests.fleet.engine_worker import Worker
from tests.fleet.example_app import example
from tests.fleet.logins import KEYS

PATIENCE = 60.0
ASK = Policy(approve=Approve.ASK, interval=1, strict_pace=False)


class Died(Exception):
    """The job was killed."""


@attrs.define
class Engine:
    """An application of jobs, and what came of its sign-ins."""

    dsn: str
    server: AuthorityServer
    app: procrastinate.App
    its: Any = None
    ends: list[Credential | SignInError] = attrs.field(factory=list[Credential | SignInError])
    dies_at: str | None = None
    """The end of the URL whose answer kills the job."""

    async def ended(self, name: str, outcome: Credential | SignInError) -> None:
        self.ends.append(outcome)

    def make_world(self) -> AsyncHttpxWorld:
        engine = self

        class Mortal(AsyncHttpxWorld):
            async def perform(self, effect: Any) -> Any:
                event = await super().perform(effect)
                if engine.dies_at and str(effect.request.url).endswith(engine.dies_at):
                    raise Died
                return event

        return Mortal()

    async def begin(self) -> str:
        """A person begins, and approves; the first poll is due at once."""
        name, prompt = await self.its.begin()
        assert self.server.decide(prompt.user_code, approve=True)
        await anyio.sleep(1.1)
        return str(name)

    def row(self) -> tuple[int, bool]:
        """The checkpoint's number, and whether somebody is at it."""
        ((seq, busy),) = sql(self.dsn, "SELECT seq, busy_until > clock_timestamp() FROM example_pending")
        return seq, busy

    def time_passes(self) -> None:
        """A claim runs out."""
        sql(self.dsn, "UPDATE example_pending SET busy_until = clock_timestamp()")

    async def run(self) -> None:
        """Be a worker of the engine."""
        await self.app.run_worker_async(
            concurrency=8,
            fetch_job_polling_interval=0.1,
            install_signal_handlers=False,
            update_heartbeat_interval=1.0,
        )

    async def work(self) -> None:
        """Be the engine's worker until nothing is pending."""

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.run)
            with anyio.fail_after(PATIENCE):
                while sql(self.dsn, "SELECT name FROM example_pending"):  # noqa: ASYNC110  # jobs change a database
                    await anyio.sleep(0.1)
            tasks.cancel_scope.cancel()

    def jobs(self) -> list[tuple[str, dict[str, Any], float]]:
        """The jobs that are left, each with the seconds until it is due."""
        return [
            (status, arguments, float(due))
            for status, arguments, due in sql(
                self.dsn,
                """SELECT status::text, args, coalesce(extract(epoch FROM scheduled_at - clock_timestamp()), 0)
                FROM procrastinate_jobs WHERE task_name = 'sign_in_step' ORDER BY id""",
            )
        ]

    @property
    def exchanges(self) -> int:
        return len(self.server.authority.received("exchange"))


@asynccontextmanager
async def engine(dsn: str, faults: tuple[Fault, ...] = ()) -> AsyncGenerator[Engine]:
    of_the_docs = example("procrastinate_sign_in")
    sql(dsn, of_the_docs.TABLE)
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
    with serve(Authority(policy=ASK, faults=faults)) as server:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            its = Engine(dsn, server, app)
            its.its = of_the_docs.SignIns(
                app, KEYS, its.ended, provider=CODEX.at(server.url), make_world=its.make_world
            )
            yield its


def test_jobs_sign_people_in(database: str) -> None:
    async def main() -> None:
        async with engine(database) as its:
            for _ in range(3):
                _, prompt = await its.its.begin()
                assert its.server.decide(prompt.user_code, approve=True)
            await its.work()
            assert [isinstance(end, Credential) for end in its.ends] == [True] * 3
            assert its.exchanges == 3

    anyio.run(main)


def test_a_job_that_waits_asks_for_the_next_when_that_is_due(database: str) -> None:
    async def main() -> None:
        async with engine(database) as its:
            name, _ = await its.its.begin()
            before, _ = its.row()
            await its.its.step(name, before)  # early
            assert its.server.authority.received("poll") == []
            await anyio.sleep(1.1)
            await its.its.step(name, its.row()[0])
            assert len(its.server.authority.received("poll")) == 1
            seq, busy = its.row()
            assert not busy
            status, arguments, due = its.jobs()[-1]
            assert (status, arguments) == ("todo", {"name": name, "seq": seq})
            assert 0 < due <= 1.5

    anyio.run(main)


def test_a_job_that_is_run_twice_exchanges_once(database: str) -> None:
    async def main() -> None:
        async with engine(database) as its:
            name = await its.begin()
            seq, _ = its.row()
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(its.its.step, name, seq)
            await its.its.step(name, seq)  # and once more, late
            assert its.exchanges == 1
            assert len(its.server.authority.received("poll")) == 1
            (end,) = its.ends
            assert isinstance(end, Credential)

    anyio.run(main)


def test_a_job_that_was_killed_in_its_exchange_is_run_again_and_sends_no_code(database: str) -> None:
    async def main() -> None:
        async with engine(database) as its:
            name = await its.begin()
            its.dies_at = "/oauth/token"
            with pytest.raises(Died):
                await its.its.step(name, its.row()[0])
            its.dies_at = None
            seq, busy = its.row()
            assert busy
            await its.its.step(name, seq)  # while the claim lasts: nothing
            assert (its.ends, its.row()) == ([], (seq, True))
            due = [due for _, arguments, due in its.jobs() if arguments == {"name": name, "seq": seq}]
            assert len(due) == 2  # the job of the claim, and the one that found the claim
            assert min(due) > 5
            its.time_passes()
            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(its.its.step, name, seq)
            assert its.exchanges == 1
            assert sql(database, "SELECT name FROM example_pending") == []
            assert {
                (end.kind.value, end.details["reason"], end.details["uncertain"])
                for end in its.ends
                if isinstance(end, SignInError)
            } == {("token_request_failed", "put_down", True)}
            assert [end for end in its.ends if isinstance(end, Credential)] == []

    anyio.run(main)


def test_a_job_that_was_killed_in_its_poll_is_made_good_for(database: str) -> None:
    async def main() -> None:
        async with engine(database) as its:
            name, prompt = await its.its.begin()
            await anyio.sleep(1.1)
            its.dies_at = "/deviceauth/token"
            with pytest.raises(Died):
                await its.its.step(name, its.row()[0])
            its.dies_at = None
            assert its.server.decide(prompt.user_code, approve=True)
            its.time_passes()
            sql(database, "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
            await its.work()
            assert its.exchanges == 1
            (end,) = its.ends
            assert isinstance(end, Credential)

    anyio.run(main)


def test_a_job_that_comes_while_the_claim_lasts_comes_again(database: str) -> None:
    """So a claim's own job that runs a little early does not leave the sign-in to nobody."""

    async def main() -> None:
        async with engine(database) as its:
            name = await its.begin()
            its.dies_at = "/deviceauth/token"
            with pytest.raises(Died):
                await its.its.step(name, its.row()[0])
            its.dies_at = None
            sql(database, "DELETE FROM procrastinate_jobs")
            await its.its.step(name, its.row()[0])
            ((status, arguments, due),) = its.jobs()
            assert (status, arguments) == ("todo", {"name": name, "seq": its.row()[0]})
            ((busy,),) = sql(
                database, "SELECT extract(epoch FROM busy_until - clock_timestamp()) FROM example_pending"
            )
            assert float(busy) < due < float(busy) + 2

    anyio.run(main)


def test_a_worker_that_is_killed_while_its_code_is_exchanged_leaves_an_end(database: str) -> None:
    """By SIGKILL: the engine still has the job as one that is being done."""
    slow = Fault(endpoint="exchange", delay=60.0)

    async def main() -> None:
        async with engine(database, (slow,)) as its:
            await its.begin()
            with Worker(database, its.server.url) as worker:
                with anyio.fail_after(PATIENCE):
                    while not its.exchanges:  # noqa: ASYNC110  # another process sends it
                        await anyio.sleep(0.05)
                worker.kill()
            assert its.row()[1]
            assert [status for status, _, _ in its.jobs() if status == "doing"] == ["doing"]
            its.time_passes()
            sql(database, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
            await its.its.again(0)
            assert [status for status, _, _ in its.jobs() if status == "doing"] == []
            sql(database, "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
            await its.work()
            assert its.exchanges == 1
            reasons = {end.details.get("reason") for end in its.ends if isinstance(end, SignInError)}
            assert (reasons, len(its.ends) > 0) == ({"put_down"}, True)

    anyio.run(main)


def test_a_worker_that_is_killed_before_its_claim_leaves_its_job_to_another(database: str) -> None:
    async def main() -> None:
        async with engine(database) as its:
            await its.begin()
            sql(
                database,
                "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')",
            )
            sql(
                database,
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)",
            )
            await its.its.again(0)
            await its.work()
            assert its.exchanges == 1
            assert [isinstance(end, Credential) for end in its.ends] == [True]

    anyio.run(main)


def test_a_job_that_fails_is_tried_again(database: str) -> None:
    async def main() -> None:
        async with engine(database) as its:
            await its.begin()
            sql(database, "ALTER TABLE example_pending RENAME TO away")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(its.run)
                with anyio.fail_after(PATIENCE):
                    while not sql(database, "SELECT 1 FROM procrastinate_jobs WHERE attempts > 0"):  # noqa: ASYNC110
                        await anyio.sleep(0.05)
                sql(database, "ALTER TABLE away RENAME TO example_pending")
                with anyio.fail_after(PATIENCE):
                    while not its.ends:  # noqa: ASYNC110  # jobs tell it
                        await anyio.sleep(0.05)
                tasks.cancel_scope.cancel()
            assert its.exchanges == 1

    anyio.run(main)


def test_the_database_shows_no_secret(database: str) -> None:
    async def main() -> None:
        async with engine(database) as its:
            await its.its.begin()
            rows = sql(database, "SELECT encode(body, 'escape') FROM example_pending")
            assert "fake-deviceauth" not in repr((rows, its.jobs()))

    anyio.run(main)


def test_a_start_that_fails_says_why(database: str) -> None:
    async def main() -> None:
        async with engine(database, (Fault(endpoint="usercode", status=404, body="{}"),)) as its:
            with pytest.raises(SignInError):
                await its.its.begin()
            assert sql(database, "SELECT name FROM example_pending") == []

    anyio.run(main)
