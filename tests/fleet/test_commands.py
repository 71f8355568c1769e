"""`codex-oauth fleet`: real commands at a real database, as a person and a program meet them."""

from __future__ import annotations

import base64
import signal
import stat
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.authority import Fault
from codex_oauth.cli.main import main
from codex_oauth.fleet.check import check
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.schema import MIGRATIONS
from codex_oauth.sealing import Keys, new_key
from codex_oauth.testing.checking import sample
from codex_oauth_core.renewal_times import INTENT_LIFE
from tests.cli.commands import Done, environment, run_in_real_time, start_command
from tests.cli.schemas import valid, validate
from tests.fleet.cluster import Cluster, sql
from tests.fleet.logins import KEY, KEYS, age_marks, put, store_in
from tests.fleet.people import DAY, People
from tests.fleet.servers import wait_until

SCHEMA: Final = MIGRATIONS[-1].number
NOBODY: Final = "postgresql://somebody:canary-password@127.0.0.1:9/nowhere"


def text_of(*keys: Keys) -> str:
    """A key file: the keys that seal, the first first."""
    return "\n".join(base64.urlsafe_b64encode(each.current.reveal()).decode().rstrip("=") for each in keys)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.touch(0o600)
    path.write_text(f"# ours\n\n{text_of(KEYS)}\n")
    return path


@pytest.fixture
def people(migrated: str) -> Generator[People]:
    with People.at(migrated) as made:
        yield made


def fleet(home: Path, *arguments: str, **extra: str) -> Done:
    return run_in_real_time(home, "fleet", *arguments, **extra)


def document(done: Done) -> dict[str, Any]:
    (found,) = valid("fleet", done)
    return found


def failed(done: Done, code: int, kind: str, reason: str | None = None) -> dict[str, Any]:
    found = document(done)
    validate("error", found)
    error: dict[str, Any] = found["error"]
    assert (done.code, error["kind"], error["details"].get("reason")) == (code, kind, reason)
    return error


# -- the keys ------------------------------------------------------------------------------------------


def test_a_new_key_goes_to_the_end_of_a_key_file(tmp_path: Path, migrated: str, keys: Path) -> None:
    first, second = fleet(tmp_path, "new-key"), document(fleet(tmp_path, "new-key", "--json"))
    assert first.code == 0
    assert len(base64.urlsafe_b64decode(first.out.strip() + "=")) == 32
    assert first.out.strip() not in first.err
    with keys.open("a") as file:
        file.write(first.out + second["key"])
    put(store_in(migrated), sample(1))
    done = document(fleet(tmp_path, "check", "--json", "--keys", str(keys), CODEX_OAUTH_DSN=migrated))
    assert done["keys"] == {KEYS.current_id: 1}
    assert done["ok"]


@pytest.mark.parametrize("form", ["base64url", "padded", "hex", "several"])
def test_keys_of_the_environment(tmp_path: Path, migrated: str, form: str) -> None:
    put(store_in(migrated), sample(1))
    key = KEYS.current.reveal()
    text = {
        "base64url": text_of(KEYS),
        "padded": base64.urlsafe_b64encode(key).decode(),
        "hex": key.hex(),
        "several": f"{new_key().reveal().hex()}, {key.hex()}",
    }[form]
    done = fleet(tmp_path, "reseal", "--json", CODEX_OAUTH_DSN=migrated, CODEX_OAUTH_KEYS=text)
    assert document(done)["logins"] == (1 if form == "several" else 0)
    assert done.code == 0


@pytest.mark.parametrize("line", ["nonsense-canary", "a" * 43 + "b", "g" * 64, "AAAA"])
def test_what_is_no_key_is_a_usage_error_that_does_not_repeat_it(
    tmp_path: Path, keys: Path, line: str
) -> None:
    keys.write_text(f"{text_of(KEYS)}\n{line}\n")
    done = fleet(tmp_path, "sweep", "--keys", str(keys), CODEX_OAUTH_DSN=NOBODY)
    assert (done.code, done.out) == (2, "")
    assert "number 2 of the key file is no key" in done.err
    assert line not in done.err
    failed(fleet(tmp_path, "sweep", "--json", "--keys", str(keys), CODEX_OAUTH_DSN=NOBODY), 2, "usage")


@pytest.mark.parametrize("text", ["", "# only this\n"])
def test_a_file_without_a_key(tmp_path: Path, keys: Path, text: str) -> None:
    keys.write_text(text)
    done = fleet(tmp_path, "reseal", "--keys", str(keys), CODEX_OAUTH_DSN=NOBODY)
    assert done.code == 2
    assert "fleet new-key" in done.err


def test_without_keys_it_is_said_where_they_come_from(tmp_path: Path) -> None:
    done = fleet(tmp_path, "sweep", CODEX_OAUTH_DSN=NOBODY)
    assert done.code == 2
    assert "--keys" in done.err
    assert "CODEX_OAUTH_KEYS" in done.err


def test_a_file_that_others_can_read_is_made_private(tmp_path: Path, migrated: str, keys: Path) -> None:
    keys.chmod(0o644)
    done = fleet(tmp_path, "sweep", "--keys", str(keys), CODEX_OAUTH_DSN=migrated)
    assert done.code == 0
    assert "Others could read the key file. Now only its owner can." in done.err
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


@pytest.mark.parametrize(("what", "reason"), [("nothing", "missing"), ("folder", "not_a_regular_file")])
def test_a_key_file_that_is_none(tmp_path: Path, what: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / what)
    done = fleet(tmp_path, "sweep", "--json", "--keys", path, CODEX_OAUTH_DSN=NOBODY)
    failed(done, 6, "auth_read_failed", reason)


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = fleet(tmp_path, "sweep", "--keys", str(tmp_path / "nowhere"), "--dsn", NOBODY)
    assert (done.code, done.out) == (6, "")
    assert "The key file could not be read." in done.err
    assert "Check the path of the key file." in done.err
    assert "stored login" not in done.err


# -- the database --------------------------------------------------------------------------------------

EACH: Final = ("migrate", "check", "sweep", "reseal")


@pytest.mark.parametrize("action", EACH)
def test_a_database_must_be_named(tmp_path: Path, keys: Path, action: str) -> None:
    more = () if action == "migrate" else ("--keys", str(keys))
    done = fleet(tmp_path, action, *more)
    assert done.code == 2
    assert "--dsn" in done.err
    assert "CODEX_OAUTH_DSN" in done.err


@pytest.mark.parametrize("action", EACH)
def test_a_database_that_is_away(tmp_path: Path, keys: Path, action: str) -> None:
    more = () if action == "migrate" else ("--keys", str(keys))
    kind = "auth_read_failed" if action == "check" else "auth_write_failed"
    error = failed(fleet(tmp_path, action, "--json", *more, CODEX_OAUTH_DSN=NOBODY), 6, kind, "database_away")
    assert error["details"]["database"] == "127.0.0.1/nowhere"
    assert "canary" not in str(error)
    done = fleet(tmp_path, action, *more, CODEX_OAUTH_DSN=NOBODY)
    said = "codex-oauth: The database of logins could not be used.\n  127.0.0.1/nowhere\n  -> Start the database,"
    assert done.err.startswith(said)  # and nothing of a login: none is meant
    assert "canary" not in done.err


def test_a_password_in_the_arguments_is_warned_about_and_not_shown(tmp_path: Path) -> None:
    done = fleet(tmp_path, "migrate", "-q", "--dsn", NOBODY)
    assert done.code == 6
    assert "others can see the password in --dsn" in done.err
    assert "canary" not in done.err
    without = fleet(tmp_path, "migrate", "--dsn", NOBODY.replace(":canary-password", ""))
    assert "others can see" not in without.err


@pytest.mark.parametrize("dsn", ["nonsense canary", "postgresql://[canary"])
def test_a_dsn_that_cannot_be_read(tmp_path: Path, dsn: str) -> None:
    done = fleet(tmp_path, "migrate", "--json", "--dsn", dsn)
    error = failed(done, 6, "auth_write_failed", "unusable_dsn")
    assert "canary" not in str(error)


@pytest.mark.parametrize("missing", ["psycopg", "cryptography"])
def test_without_the_extra_it_is_named(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["fleet", "migrate", "--dsn", NOBODY]) == 2
    assert "pip install 'codex-oauth[postgres]'" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["check", "sweep", "reseal"])
def test_without_tables_it_is_said_how_they_are_made(
    tmp_path: Path, database: str, keys: Path, action: str
) -> None:
    done = fleet(tmp_path, action, "--keys", str(keys), CODEX_OAUTH_DSN=database)
    assert done.code == 6
    assert "codex-oauth fleet migrate" in done.err


# -- migrate -------------------------------------------------------------------------------------------


def test_migrate_makes_the_tables_once(tmp_path: Path, database: str) -> None:
    first = document(fleet(tmp_path, "migrate", "--json", "--dsn", database))
    names = [f"{each.number:04}_{each.name}" for each in MIGRATIONS]
    assert first == {"schema_version": 1, "ok": True, "schema": SCHEMA, "applied": names}
    again = fleet(tmp_path, "migrate", "--dsn", database)
    assert again == Done(0, f"Nothing to do: the tables have schema {SCHEMA}.\n", "")
    assert document(fleet(tmp_path, "migrate", "--json", "--dsn", database))["applied"] == []


# -- check ---------------------------------------------------------------------------------------------


def checked(home: Path, dsn: str, *more: str, **extra: str) -> dict[str, Any]:
    return document(fleet(home, "check", "--json", *more, CODEX_OAUTH_DSN=dsn, **extra))


def test_check_of_a_database_that_is_in_order(tmp_path: Path, people: People, keys: Path) -> None:
    people.add("ada", left=5 * DAY)
    people.add("bert")
    found = checked(tmp_path, people.dsn, "--keys", str(keys))
    offset = found.pop("clock_offset")
    assert abs(offset) < 5
    database = found.pop("database")
    assert database.startswith("127.0.0.1/")
    assert found == {
        "schema_version": 1,
        "ok": True,
        "schema": SCHEMA,
        "writable": True,
        "logins": 2,
        "due": 1,
        "over": 0,
        "intents": 0,
        "interrupted": 0,
        "rescued": 0,
        "sign_ins": 0,
        "keys": {KEYS.current_id: 2},
        "findings": [],
    }
    told = fleet(tmp_path, "check", "--keys", str(keys), CODEX_OAUTH_DSN=people.dsn)
    assert (told.code, told.err) == (0, "")
    assert "logins:    2, 1 due\n" in told.out
    assert f"key:       {KEYS.current_id} has sealed 2, given, seals\n" in told.out


def reasons(found: dict[str, Any]) -> dict[str, str]:
    return {each["reason"]: each["level"] for each in found["findings"]}


def test_check_tells_what_is_left_of_renewals(tmp_path: Path, migrated: str) -> None:
    store = store_in(migrated)
    put(store, sample(1))
    store.slot(KEY).rescue(sample(2))
    held = store.slot(KEY).lock()
    assert held is not None
    found = held.load()
    assert found is not None
    held.reserve(found)
    store_in(migrated, "bert").slot(KEY).rescue(sample(3))
    assert {checked(tmp_path, migrated)[name] for name in ("intents",)} == {1}
    age_marks(migrated, INTENT_LIFE + 1)
    now = checked(tmp_path, migrated)
    assert (now["intents"], now["interrupted"], now["rescued"]) == (1, 1, 1)
    assert reasons(now) == {"interrupted": "warning", "rescued": "warning"}
    assert now["ok"]


def test_check_tells_of_keys(tmp_path: Path, migrated: str, keys: Path) -> None:
    other = Keys(new_key())
    put(store_in(migrated), sample(1))
    put(store_in(migrated, "bert", keys=other), sample(2))
    found = checked(tmp_path, migrated, "--keys", str(keys))
    assert found["keys"] == {KEYS.current_id: 1, other.current_id: 1}
    assert reasons(found) == {"other_seal_key": "problem"}
    assert not found["ok"]
    told = fleet(tmp_path, "check", "--keys", str(keys), CODEX_OAUTH_DSN=migrated)
    assert told.code == 6
    assert f"{other.current_id} has sealed 1, not given\n" in told.out
    assert "PROBLEM: Keys that were not given" in told.out
    assert reasons(checked(tmp_path, migrated)) == {}  # nobody asks which keys there are
    both = checked(tmp_path, migrated, CODEX_OAUTH_KEYS=text_of(other, KEYS))
    assert reasons(both) == {"older_key": "warning"}


def test_check_tells_of_logins_that_are_over(tmp_path: Path, migrated: str) -> None:
    put(store_in(migrated), sample(1, dead_code="gone"))
    assert checked(tmp_path, migrated)["over"] == 1
    assert "1, 0 due, 1 not renewed any more" in fleet(tmp_path, "check", CODEX_OAUTH_DSN=migrated).out


@pytest.mark.parametrize(
    ("change", "level"),
    [("DELETE FROM codex_oauth_migration WHERE number > 1", "warning"), ("SELECT 1", None)],
)
def test_check_tells_of_an_old_schema(tmp_path: Path, migrated: str, change: str, level: str | None) -> None:
    sql(migrated, change)
    assert reasons(checked(tmp_path, migrated)).get("old_schema") == level


def test_check_tells_of_a_schema_that_is_too_new(tmp_path: Path, migrated: str) -> None:
    sql(
        migrated,
        f"INSERT INTO codex_oauth_migration (number, name, checksum) VALUES ({SCHEMA + 2}, 'later', '')",
    )
    assert reasons(checked(tmp_path, migrated)) == {"new_schema": "problem"}


def test_check_tells_of_rights(tmp_path: Path, migrated: str, cluster: Cluster) -> None:
    role = f"reader_{migrated.rpartition('/')[2].partition('?')[0]}"
    sql(migrated, f"CREATE ROLE {role} LOGIN")
    sql(migrated, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    as_reader = migrated.replace("postgres@", f"{role}@")
    found = checked(tmp_path, as_reader)
    assert reasons(found) == {"database_denied": "problem"}
    assert "codex_oauth_login" in found["findings"][0]["text"]
    sql(migrated, f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    assert reasons(checked(tmp_path, as_reader)) == {}


def test_check_tells_of_a_server_that_takes_no_writes(tmp_path: Path, migrated: str) -> None:
    name = migrated.rpartition("/")[2].partition("?")[0]
    sql(migrated, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    found = checked(tmp_path, migrated)
    assert (found["writable"], reasons(found)) == (False, {"database_read_only": "problem"})


def test_check_tells_of_a_clock_that_is_off(migrated: str) -> None:
    for off, word in ((-100.0, "ahead of"), (100.0, "behind")):

        def clock(off: float = off) -> tuple[float, float]:
            return 0.0, time.time() + off

        found = check(Database.shared(migrated), now=clock)
        assert abs(found.clock_offset + off) < 5
        assert [each.reason for each in found.findings] == ["clock"]
        assert word in found.findings[0].text


# -- sweep ---------------------------------------------------------------------------------------------


def test_sweep_says_what_it_did(tmp_path: Path, people: People, keys: Path) -> None:
    people.add("ada", "bert")
    people.add("carl", keys=Keys(new_key()))
    spool = tmp_path / "spool"
    arguments = ("--keys", str(keys), "--spool", str(spool), "--max-per-second", "50")
    first = fleet(tmp_path, "sweep", "-v", *arguments, CODEX_OAUTH_DSN=people.dsn)
    assert (first.code, first.out) == (0, "2 renewed, 1 unreadable.\n")
    assert sorted(line.split()[0] for line in first.err.splitlines()) == ["ada", "bert", "carl"]
    assert "carl" in first.err
    assert "unreadable (other_seal_key)" in first.err
    assert "fake-" not in first.err
    again = document(fleet(tmp_path, "sweep", "--json", *arguments, CODEX_OAUTH_DSN=people.dsn))
    assert again["renewed"] == again["unreadable"] == 0
    assert again["ended_by"] is None
    quiet = fleet(tmp_path, "sweep", "-q", *arguments, CODEX_OAUTH_DSN=people.dsn)
    assert quiet == Done(0, "Nothing was due.\n", "")
    assert people.none_was_sent_twice()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "x", "٣"])
def test_a_pace_is_a_number_above_0(tmp_path: Path, value: str) -> None:
    done = fleet(tmp_path, "sweep", f"--max-per-second={value}")
    assert done.code == 2
    assert "no number above 0" in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("number", "code", "name"), [(signal.SIGTERM, 0, "SIGTERM"), (signal.SIGINT, 130, "SIGINT")]
)
def test_a_signal_ends_a_sweep_when_what_was_sent_is_stored(
    tmp_path: Path, migrated: str, keys: Path, number: signal.Signals, code: int, name: str
) -> None:
    with People.at(migrated, [Fault(endpoint="refresh", delay=1.0)]) as people:
        people.add("ada", "bert", "carl")
        env = environment(tmp_path, CODEX_OAUTH_DSN=migrated)
        arguments = ("--json", "--keys", str(keys), "--max-per-second", "1", "--every", "5")
        with start_command(tmp_path, "fleet", "sweep", *arguments, env=env) as process:
            wait_until(lambda: people.sent > 0, "nothing was sent")
            process.send_signal(number)
            out, err = process.communicate()
            done = Done(process.wait(), out, err)
        found = document(done)
        assert (done.code, done.err) == (code, "")
        assert (found["renewed"], found["ended_by"]) == (people.sent, name)
        assert len(people.renewed()) == people.sent < 3
        assert people.none_was_sent_twice()


# -- reseal --------------------------------------------------------------------------------------------


def test_reseal_says_what_it_did_and_what_is_left(tmp_path: Path, migrated: str, keys: Path) -> None:
    put(store_in(migrated), sample(1))
    newer, other = Keys(new_key()), Keys(new_key())
    keys.write_text(text_of(newer, KEYS))
    arguments = ("--keys", str(keys))
    first = fleet(tmp_path, "reseal", *arguments, CODEX_OAUTH_DSN=migrated)
    said = f"Sealed with {newer.current_id}: 1 login, 0 rescued logins, 0 pending sign-ins.\n"
    assert first == Done(0, said, "")
    put(store_in(migrated, "bert", keys=other), sample(2))
    left = fleet(tmp_path, "reseal", "--json", *arguments, CODEX_OAUTH_DSN=migrated)
    assert left.code == 6
    assert document(left)["left"] == {other.current_id: 1}
    told = fleet(tmp_path, "reseal", *arguments, CODEX_OAUTH_DSN=migrated)
    assert f"Left: 1 of key {other.current_id}, which was not given." in told.out
    sql(migrated, "UPDATE codex_oauth_login SET body = 'x' WHERE owner = 'bert'")
    assert "Left: 1 that no key opens." in fleet(tmp_path, "reseal", *arguments, CODEX_OAUTH_DSN=migrated).out
