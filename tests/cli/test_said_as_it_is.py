"""What a command could not do is said as what it is, and what a person needs is said however quiet a command is to be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codex_oauth.authority import AuthorityServer
from tests.cli.commands import run_command
from tests.cli.people import server, sign_in
from tests.cli.test_commands import path_in_use

__all__ = ["server"]


def test_a_sign_in_that_is_begun_quietly_shows_the_page_and_the_code(
    tmp_path: Path, server: AuthorityServer
) -> None:
    quiet = ("login", "start", "--device", "--issuer", server.url, "--quiet")
    done = run_command(tmp_path, *quiet)
    assert done.code == 0
    (made,) = done.out.split()
    assert server.url in done.err
    assert re.search(r"\b[A-Z0-9]{4}-[A-Z0-9]{4,5}\b", done.err)
    assert "Then finish" not in done.err
    assert made


@pytest.mark.parametrize("name", ["nothing", "a-directory"])
def test_an_import_names_the_path_where_nothing_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-directory").mkdir()
    done = run_command(tmp_path, "import", "--from-codex", str(tmp_path / name))
    assert done.code == 4
    assert str(tmp_path / name) in done.err


def test_what_could_not_be_deleted_or_written_is_not_said_to_be_stored(
    tmp_path: Path, server: AuthorityServer
) -> None:
    sign_in(tmp_path, server)
    missing = str(tmp_path / "no-directory" / "auth.json")
    exported = run_command(tmp_path, "export", "--to-codex", missing)
    assert (exported.code, exported.err.partition("\n")[0]) == (
        6,
        "codex-oauth: The file could not be written.",
    )
    path_in_use(tmp_path).parent.chmod(0o777)
    ended = run_command(tmp_path, "logout", "--local")
    assert (ended.code, ended.err.partition("\n")[0]) == (6, "codex-oauth: The login could not be deleted.")
