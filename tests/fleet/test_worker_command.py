"""`codex-oauth fleet sign-ins`: a worker as a person starts it, against a real database and a real server."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from codex_oauth import CODEX, DeviceFlow, HttpxWorld
from codex_oauth.authority import Approve, Authority, AuthorityServer, Policy, serve
from codex_oauth.fleet import Keys, sign_in_state, start_sign_in
from tests.cli.commands import run_in_real_time, start_command
from tests.cli.schemas import valid, validate
from tests.fleet.cluster import sql
from tests.fleet.logins import KEYS, store_in
from tests.fleet.servers import wait_until


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=Policy(approve=Approve.ASK, interval=1, strict_pace=False))) as running:
        yield running


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.touch(0o600)
    path.write_text(base64.urlsafe_b64encode(KEYS.current.reveal()).decode())
    return path


def begun(dsn: str, server: AuthorityServer, owner: str = "ada", keys: Keys = KEYS) -> tuple[str, str]:
    """A sign-in's name, and the code that its person types."""
    with HttpxWorld() as world:
        flow = DeviceFlow(provider=CODEX.at(server.url))
        started = start_sign_in(dsn, flow, world, keys=keys, owner=owner)
    return started.name, started.prompt.user_code


def state(dsn: str, name: str) -> str:
    found = sign_in_state(dsn, name)
    assert found is not None
    return found.state


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_worker_drives_what_waits_and_hands_over_the_rest(
    tmp_path: Path, migrated: str, keys: Path, server: AuthorityServer, number: signal.Signals, code: int
) -> None:
    ready, denied, waiting = (begun(migrated, server, owner) for owner in ("ada", "bert", "carl"))
    assert server.decide(ready[1], approve=True)
    assert server.decide(denied[1], approve=False)
    options = ("--dsn", migrated, "--keys", str(keys), "--issuer", server.url, "--json", "-v")
    with start_command(tmp_path, "fleet", "sign-ins", *options) as process:
        wait_until(lambda: state(migrated, ready[0]) == "done", "nobody signed in")
        wait_until(lambda: state(migrated, denied[0]) == "failed", "nobody was denied")
        wait_until(
            lambda: bool(sql(migrated, "SELECT 1 FROM codex_oauth_sign_in WHERE worker IS NOT NULL")),
            "nobody drives the third",
        )
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
    told = json.loads(out)
    validate("fleet", told)
    assert told == {
        "schema_version": 1,
        "ok": True,
        "done": 1,
        "failed": 1,
        "ended_by": signal.Signals(number).name,
    }
    assert ready[0] not in err
    assert "denied" in err
    assert state(migrated, waiting[0]) == "pending"
    assert sql(migrated, "SELECT name FROM codex_oauth_sign_in WHERE worker IS NOT NULL") == []
    assert len(store_in(migrated).names()) == 1


def test_without_tables_it_is_said_how_they_are_made(tmp_path: Path, database: str, keys: Path) -> None:
    done = run_in_real_time(tmp_path, "fleet", "sign-ins", "--dsn", database, "--keys", str(keys))
    assert done.code == 6
    assert "codex-oauth fleet migrate" in done.err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--room", "0"),
        ("--room", "-1"),
        ("--room", "1.5"),
        ("--room", "many"),
        ("--max-requests", "0"),
        ("--issuer", "no url"),
        ("--issuer", "http://example.com"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    tmp_path: Path, migrated: str, keys: Path, wrong: tuple[str, str]
) -> None:
    options = ("--dsn", migrated, "--keys", str(keys), *wrong)
    done = run_in_real_time(tmp_path, "fleet", "sign-ins", *options)
    assert done.code == 2, done.err
    assert "Traceback" not in done.err


def test_a_failure_as_json(tmp_path: Path, database: str, keys: Path) -> None:
    done = run_in_real_time(tmp_path, "fleet", "sign-ins", "--dsn", database, "--keys", str(keys), "--json")
    (found,) = valid("fleet", done)
    assert found["ok"] is False
