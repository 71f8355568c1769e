"""The servers and the network that the tests of this folder stand on do what they are there for.

Rules of this file: each row would be red if its server, or its fault, were not real.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.fleet.bouncer import POOL_SIZE, Bouncer
from tests.fleet.cluster import Cluster, StopMode, sql
from tests.fleet.cutter import Cutter
from tests.fleet.servers import Folder, Server, program, wait_until

ROOT = Path(__file__).parents[2]
ADD = "INSERT INTO t VALUES (1)"


@pytest.fixture
def table(database: str) -> str:
    """The DSN of a database with one table and no row."""
    sql(database, "CREATE TABLE t (x int)")
    return database


def rows(dsn: str) -> int:
    return len(sql(dsn, "SELECT * FROM t"))


def name_of(dsn: str) -> str:
    name = conninfo_to_dict(dsn)["dbname"]
    assert isinstance(name, str)
    return name


def connected(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_keeps_the_data_and_ends_the_connections(
    cluster: Cluster, table: str, mode: StopMode
) -> None:
    with connected(table) as connection:
        connection.execute(ADD)
        cluster.restart(mode)
        with pytest.raises(psycopg.OperationalError):
            connection.execute(ADD)
    assert rows(table) == 1


def test_a_stopped_server_answers_nobody(cluster: Cluster, table: str) -> None:
    cluster.stop()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        rows(table)
    cluster.start()
    assert rows(table) == 0


def test_each_database_is_empty_or_a_copy(cluster: Cluster, table: str) -> None:
    sql(table, ADD)
    assert sql(cluster.create_database(), "SELECT count(*) FROM pg_tables WHERE tablename = 't'") == [(0,)]
    assert rows(cluster.create_database(template=name_of(table))) == 1


def test_a_server_hears_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch, cluster: Cluster) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=64kB")
    monkeypatch.setenv("CODEX_OAUTH_CANARY", "canary")
    cluster.restart()
    environment = Path(f"/proc/{cluster.pid}/environ").read_bytes()
    assert b"canary" not in environment
    assert b"PGOPTIONS" not in environment


def test_a_server_is_no_roots(cluster: Cluster) -> None:
    assert Path(f"/proc/{cluster.pid}").stat().st_uid != 0
    assert cluster.data.stat().st_mode & 0o077 == 0


def test_the_unix_socket_answers(cluster: Cluster) -> None:
    assert sql(
        make_conninfo(cluster.dsn(), host=str(cluster.socket_folder)), "SELECT inet_server_addr()"
    ) == [(None,)]


def test_data_is_written_to_the_disk_where_a_test_asks_for_it(cluster: Cluster) -> None:
    assert cluster.sql("SHOW fsync") == [("off",)]
    with Cluster(fsync=True, settings=["max_connections=7"]) as other:
        assert other.sql("SHOW fsync") == [("on",)]
        assert other.sql("SHOW max_connections") == [("7",)]


def test_the_backends_of_one_application_end_and_no_others(cluster: Cluster, table: str) -> None:
    mine, other = (make_conninfo(table, application_name=name) for name in ("mine", "other"))
    with connected(mine) as ended, connected(other) as kept:
        assert cluster.kill_backends("mine") == 1
        with pytest.raises(psycopg.OperationalError):
            ended.execute(ADD)
        kept.execute(ADD)
        assert cluster.kill_backends() >= 1
        with pytest.raises(psycopg.OperationalError):
            kept.execute(ADD)


def test_a_standby_shows_what_is_written_and_takes_no_writes_until_it_is_promoted(
    cluster: Cluster, table: str
) -> None:
    standby = cluster.standby()
    theirs = standby.dsn(name_of(table))
    sql(table, ADD)
    standby.caught_up(cluster)
    assert rows(theirs) == 1
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        sql(theirs, ADD)
    standby.promote()
    sql(theirs, ADD)
    assert (rows(theirs), rows(table)) == (2, 1)
    standby.stop("immediate")


def test_the_pool_lends_a_connection_for_one_transaction(bouncer: Bouncer, table: str) -> None:
    through = bouncer.dsn(name_of(table))
    with connected(through) as one, connected(through) as other:
        pids = [each.execute("SELECT pg_backend_pid()").fetchone() for each in (one, other, one)]
        assert len({*pids}) == 1
        with one.transaction():
            first = one.execute("SELECT pg_backend_pid()").fetchone()
            assert other.execute("SELECT pg_backend_pid()").fetchone() != first


def test_the_pool_has_an_end(cluster: Cluster, table: str) -> None:
    with Bouncer(cluster.port, default_pool_size=1, query_wait_timeout=1) as bouncer:
        through = bouncer.dsn(name_of(table))
        with connected(through) as held:
            held.execute("BEGIN")
            with pytest.raises(psycopg.OperationalError, match="query_wait_timeout"):
                rows(through)
            held.execute("ROLLBACK")
            assert rows(through) == 0


def test_the_pool_is_as_small_as_by_default(bouncer: Bouncer) -> None:
    found = {row[0]: (row[1], row[2]) for row in sql(bouncer.dsn("pgbouncer"), "SHOW CONFIG")}
    assert found["default_pool_size"] == (str(POOL_SIZE), str(POOL_SIZE))
    assert found["pool_mode"][0] == "transaction"


def test_the_pool_goes_on_after_a_restart(cluster: Cluster, bouncer: Bouncer, table: str) -> None:
    through = bouncer.dsn(name_of(table))
    assert rows(through) == 0
    cluster.restart("immediate")

    def answers() -> bool:
        try:
            return rows(through) == 0
        except psycopg.OperationalError:
            return False

    started = time.monotonic()
    wait_until(answers, "PgBouncer does not find its server again")
    assert time.monotonic() - started < 10


def test_bytes_go_through_until_they_are_cut(cutter: Cutter, table: str) -> None:
    with connected(cutter.dsn(name_of(table))) as connection:
        for _ in range(3):
            connection.execute(ADD)
        assert connection.execute("SELECT repeat('x', 1000000)").fetchone() == ("x" * 1_000_000,)
        assert cutter.cut() == 1
        with pytest.raises(psycopg.OperationalError):
            connection.execute(ADD)
    assert (rows(table), cutter.connections) == (3, 1)


def test_an_answer_is_lost_and_its_statement_executed(cutter: Cutter, table: str) -> None:
    with connected(cutter.dsn(name_of(table))) as connection:
        loss = cutter.lose_answer("INSERT", skip=1)
        connection.execute("SELECT 1")
        connection.execute(ADD)
        assert not loss.done.is_set()
        with pytest.raises(psycopg.OperationalError):
            connection.execute(ADD)
    assert loss.done.is_set()
    assert rows(table) == 2


def test_a_long_answer_is_lost_and_its_statement_executed(cutter: Cutter, table: str) -> None:
    """Who leaves in the middle of it has the server undo the statement."""
    with connected(cutter.dsn(name_of(table))) as connection:
        cutter.lose_answer("INSERT")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("INSERT INTO t SELECT generate_series(1, 9000) RETURNING repeat('x', 1000)")
    assert rows(table) == 9000


def test_the_answer_to_a_commit_is_lost_and_the_transaction_stays(cutter: Cutter, table: str) -> None:
    with psycopg.connect(cutter.dsn(name_of(table))) as connection:
        connection.execute(ADD)
        cutter.lose_answer("COMMIT")
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
    assert rows(table) == 1


def test_a_request_is_lost_and_its_statement_not_executed(cutter: Cutter, table: str) -> None:
    with connected(cutter.dsn(name_of(table))) as connection:
        loss = cutter.lose_request("INSERT")
        with pytest.raises(psycopg.OperationalError):
            connection.execute(ADD)
    assert loss.done.is_set()
    assert rows(table) == 0


def test_what_is_sent_into_a_silence_arrives_after_it(cutter: Cutter, table: str) -> None:
    through = make_conninfo(cutter.dsn(name_of(table)), connect_timeout=2)
    with connected(through) as connection, ThreadPoolExecutor(1) as threads:
        with cutter.silence():
            with pytest.raises(psycopg.OperationalError, match="timeout"):
                connected(through)
            sent = threads.submit(connection.execute, ADD)
            time.sleep(0.2)
            assert (rows(table), sent.done()) == (0, False)
        assert sent.result(10).rowcount == 1
    assert rows(table) == 1


def test_a_server_that_is_away_resets_who_comes(cluster: Cluster, cutter: Cutter) -> None:
    cluster.stop()
    with pytest.raises(psycopg.OperationalError):
        sql(cutter.dsn(), "SELECT 1")


def test_a_missing_program_is_a_failure_that_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fleet.servers._PLACES", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    for name, package in (("initdb", "postgresql"), ("pgbouncer", "pgbouncer")):
        with pytest.raises(pytest.fail.Exception, match=f"{name} is missing: install the package {package} "):
            program(name)


def test_a_server_that_does_not_start_shows_its_log() -> None:
    cluster = Cluster(settings=["no_such_setting=1"])
    try:
        with pytest.raises(pytest.fail.Exception, match="no_such_setting"):
            cluster.start()
    finally:
        cluster.close()


def is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


_OWNER = """
import sys, time
sys.path[:0] = ["adapters", "core", "."]
from tests.fleet.bouncer import Bouncer
from tests.fleet.cluster import Cluster
cluster = Cluster().start()
bouncer = Bouncer(cluster.port).start()
print(cluster.pid, bouncer.pid, cluster.folder.path, bouncer.folder.path, flush=True)
time.sleep(60)
"""


def test_no_server_and_no_file_outlives_tests_that_were_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        first, second, *folders = owner.stdout.readline().split()
        assert not is_over(int(first))
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    wait_until(lambda: is_over(int(first)) and is_over(int(second)), "a server outlives its tests")
    wait_until(lambda: not any(map(os.path.exists, folders)), "files outlive their tests")


def test_a_folder_of_a_server_is_gone_when_it_is_closed() -> None:
    folder = Folder("pg-")
    folder.write("x.pid", "0\n")
    folder.close()
    assert not folder.path.exists()


def test_a_server_says_what_it_needs() -> None:
    folder = Folder("pg-")
    try:
        with pytest.raises(NotImplementedError):
            Server("x", folder, folder.path / "log").start()
    finally:
        folder.close()
