"""A login of an issuer that is not to be used: commands say what is so, and use it while its token lives.

Rules of this file: real commands; no server is there, so whoever asked one would fail.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from codex_oauth import TokenSource
from codex_oauth_core import CODEX, ErrorKind, SignInError
from tests.cli.commands import run_command
from tests.cli.schemas import validate
from tests.cli.test_commands import hold, stored
from tests.cli.test_exit_codes import PAST

AWAY: Final = "http://127.0.0.1:9"
UNSAFE: Final = "http://auth.example"
OTHER: Final = {"client_id": "app_another", "issuer": UNSAFE}
OWNER: Final = f"the client app_another at {UNSAFE}"


@pytest.mark.parametrize("client_id", ["app_another", CODEX.client_id])
def test_a_valid_token_is_printed_and_nobody_is_asked(tmp_path: Path, client_id: str) -> None:
    hold(tmp_path, client_id=client_id, issuer=UNSAFE)
    done = run_command(tmp_path, "token")
    assert (done.code, done.out, done.err) == (0, "stored-access\n", "")
    assert "Bearer stored-access" in run_command(tmp_path, "header").out
    with TokenSource(stored(tmp_path)) as source:
        assert source.token() == "stored-access"
        with pytest.raises(SignInError) as refused:
            source.rejected("stored-access")
    assert refused.value.kind is ErrorKind.CLIENT_REJECTED


@pytest.mark.parametrize("command", ["token", "header", "refresh"])
def test_an_expired_one_says_whose_it_is_and_what_to_do(tmp_path: Path, command: str) -> None:
    hold(tmp_path, expires_at=PAST, **OTHER)
    person, program = run_command(tmp_path, command), run_command(tmp_path, command, "--json")
    assert (person.code, program.code) == (3, 3)
    assert f"The login belongs to {OWNER}: codex-oauth does not renew it." in " ".join(person.err.split())
    assert "TokenSource(store, provider=...)" in person.err
    assert "Update codex-oauth" not in person.err
    error = program.documents[0]["error"]
    assert (error["kind"], error["details"]["reason"]) == ("client_rejected", "other_issuer")


def test_status_says_whose_it_is_and_that_nobody_here_renews_it(tmp_path: Path) -> None:
    hold(tmp_path, **OTHER)
    done = run_command(tmp_path, "status")
    assert done.code == 0
    assert f"renewal:       not here: the login belongs to {OWNER}" in done.out
    assert "client:        app_another" in done.out
    assert "TokenSource(store, provider=...)" in done.out
    assert "automatic" not in done.out
    (document,) = run_command(tmp_path, "status", "--json").documents
    validate("status", document)
    assert (document["ok"], document["renewable"]) == (True, False)


def test_status_of_an_expired_one_is_over(tmp_path: Path) -> None:
    hold(tmp_path, expires_at=PAST, **OTHER)
    done = run_command(tmp_path, "status")
    assert done.code == 4
    assert "renewed at its next use" not in run_command(tmp_path, "list").out
    assert f"only {OWNER} can renew it" in run_command(tmp_path, "list").out


def test_doctor_says_so_too(tmp_path: Path) -> None:
    hold(tmp_path, **OTHER)
    done = run_command(tmp_path, "doctor", "--offline")
    assert f"not renewed here: it belongs to {OWNER}" in " ".join(done.out.split())
    hold(tmp_path, expires_at=PAST, **OTHER)
    done = run_command(tmp_path, "doctor", "--offline")
    assert f"only {OWNER} can renew it" in " ".join(done.out.split())
    assert "renewed at its next use" not in done.out


def test_logout_says_what_was_not_revoked_and_knows_nothing_of_chatgpt(tmp_path: Path) -> None:
    hold(tmp_path, **OTHER)
    done = run_command(tmp_path, "logout")
    assert done.out == f"Deleted the login here. It was not ended at the server: it belongs to {OWNER}.\n"
    assert done.err == f"A program of {OWNER} can end it.\n"
    assert stored(tmp_path).names() == ()


def test_a_logout_at_another_issuer_that_is_not_confirmed_names_that_issuer(tmp_path: Path) -> None:
    hold(tmp_path, issuer=AWAY)
    done = run_command(tmp_path, "logout")
    assert done.out == "Signed out here. The server did not confirm that it ended the login.\n"
    assert done.err == f"You can end it in the settings of the account at {AWAY}.\n"
