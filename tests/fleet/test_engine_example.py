"""The example of an engine of jobs, against procrastinate in a database of ours, and the authority over HTTP.

Rules of this file: the engine may run a job again, early or late, and kill it wherever it likes; the authority counts
what was exchanged. A job is killed by a world that dies after it sent, or before.
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

    async def work(self) -> None:
        """Be the engine's worker until nothing is pending."""

        async def run() -> None:
            await self.app.run_worker_async(
                concurrency=8,
                fetch_job_polling_interval=0.1,
                install_signal_handlers=False,
                update_heartbeat_interval=1.0,
            )

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
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
                "SELECT status::text, args, extract(epoch FROM scheduled_at - clock_timestamp()) FROM procrastinate_jobs ORDER BY id",
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
            (due,) = [due for _, arguments, due in its.jobs() if arguments == {"name": name, "seq": seq}]
            assert due > 5  # the job of the claim
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
