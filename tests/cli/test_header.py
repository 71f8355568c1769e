"""U20: `codex-oauth header` prints what `curl -H` wants, and nothing else."""

from __future__ import annotations

from pathlib import Path

from codex_oauth.authority import Authority, serve
from tests.cli.commands import run_command
from tests.cli.schemas import valid
from tests.cli.test_commands import AT_ONCE, expire, hold, login


def test_it_is_one_line(tmp_path: Path) -> None:
    hold(tmp_path)
    done = run_command(tmp_path, "header")
    assert (done.code, done.out, done.err) == (0, "Authorization: Bearer stored-access\n", "")


def test_as_json_it_is_a_mapping_of_headers(tmp_path: Path) -> None:
    hold(tmp_path)
    (document,) = valid("header", run_command(tmp_path, "header", "--json"))
    assert document["headers"] == {"Authorization": "Bearer stored-access"}
    assert document["account_id"] == "acct_1"


def test_a_token_that_is_due_is_renewed_first(tmp_path: Path) -> None:
    with serve(Authority(policy=AT_ONCE)) as server:
        assert login(tmp_path, server).code == 0
        old = expire(tmp_path)
        done = run_command(tmp_path, "header", "--verbose")
    assert done.code == 0
    assert "Token:   renewed just now" in done.err
    new = done.out.removeprefix("Authorization: Bearer ").strip()
    assert new not in ("", old.access_token.reveal())
    assert new not in done.err
