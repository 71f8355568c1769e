"""`codex-oauth refresh`: what it says for each way in which a renewal ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest

from codex_oauth import Credential
from codex_oauth.authority import Authority, AuthorityServer, Fault, serve
from codex_oauth_core import Record
from codex_oauth_core.record import write_record
from tests.cli.commands import run_command, start_command
from tests.cli.schemas import valid
from tests.cli.test_commands import AT_ONCE, login, put, stored


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=AT_ONCE)) as running:
        yield running


def age(home: Path, **changes: object) -> Credential:
    """Let the stored login have been obtained long ago; its access token is still good."""
    account_id = stored(home).current()
    assert account_id is not None
    slot = stored(home).slot(account_id)
    record = slot.load()
    assert record is not None
    older = attrs.evolve(record.credential, obtained_at="2026-01-01T00:00:00Z")
    put(home, older)
    if changes:
        slot.path.write_bytes(write_record(Record(older, **changes)))  # type: ignore[arg-type]  # fields of a record
    return older


def test_it_renews_what_is_not_due(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    old = age(tmp_path)
    done = run_command(tmp_path, "refresh")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Renewed.\nThe access token is valid for ")
    new = run_command(tmp_path, "token").out.strip()
    assert new not in ("", old.access_token.reveal())
    status = run_command(tmp_path, "status")
    assert "  renewed at:    " in status.out


def test_if_due_leaves_a_current_token_alone(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    done = run_command(tmp_path, "refresh", "--if-due")
    assert (done.code, done.out.splitlines()[0]) == (0, "Nothing to renew.")
    (document,) = valid("refresh", run_command(tmp_path, "refresh", "--if-due", "--json"))
    assert (document["outcome"], document["why"]) == ("kept", "current")
    assert server.authority.received("refresh") == []


def test_not_oftener_than_once_a_minute(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    done = run_command(tmp_path, "refresh")
    assert (done.code, "less than a minute ago" in done.out) == (0, True)
    assert server.authority.received("refresh") == []


def test_a_failure_while_the_token_is_good_is_told_and_the_token_stays(tmp_path: Path) -> None:
    faults = [Fault(endpoint="refresh", status=503, body="{}", act=False)]
    with serve(Authority(policy=AT_ONCE, faults=faults)) as server:
        assert login(tmp_path, server).code == 0
        old = age(tmp_path)
        done = run_command(tmp_path, "refresh", "--json")
    (document,) = valid("refresh", done)
    assert (done.code, document["ok"], document["outcome"]) == (5, False, "kept")
    assert document["error"]["kind"] == "network"
    assert run_command(tmp_path, "token").out.strip() == old.access_token.reveal()


def test_a_login_that_is_over_says_so_and_is_not_asked_again(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    age(tmp_path, dead_code="invalid_grant")
    done = run_command(tmp_path, "refresh")
    assert done.code == 4
    assert server.authority.received("refresh") == []


def test_an_answer_that_was_lost_is_not_risked_again(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    age(tmp_path, uncertain_at=time.time() - 3600)
    done = run_command(tmp_path, "refresh")
    assert done.code == 5
    assert "another try could end the login" in done.out
    assert server.authority.received("refresh") == []


def test_ctrl_c_waits_for_what_was_sent_and_stores_it(tmp_path: Path) -> None:
    faults = [Fault(endpoint="refresh", delay=1.5)]
    with serve(Authority(policy=AT_ONCE, faults=faults)) as server:
        assert login(tmp_path, server).code == 0
        old = age(tmp_path)
        with start_command(tmp_path, "refresh") as process:
            limit = time.monotonic() + 120
            while not server.authority.received("refresh") and time.monotonic() < limit:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "Stopping when the renewal that was sent is stored." in err
    assert "Traceback" not in err
    new = run_command(tmp_path, "token").out.strip()
    assert new not in ("", old.access_token.reveal())
