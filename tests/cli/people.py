"""People who sign in at the authority, and what the commands say of their logins: for the tests of whose a login is."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from codex_oauth.authority import Account, Authority, AuthorityServer, serve
from codex_oauth_core.reading.times import rfc3339
from tests.cli.commands import run_command
from tests.cli.schemas import valid
from tests.cli.test_commands import AT_ONCE, login, stored

__all__ = [
    "ANNA",
    "ANNA_ELSEWHERE",
    "BERT",
    "BY_PHONE",
    "ODD",
    "TEAM",
    "UNKNOWN",
    "document",
    "every_answer",
    "of",
    "renewed",
    "rows",
    "server",
    "sign_in",
    "signs_in",
    "token",
]

TEAM: Final = "acct_team"
ANNA: Final = Account(account_id=TEAM, user_id="user-anna", email="anna@example.com")
BERT: Final = Account(account_id=TEAM, user_id="user-bert", email="bert@example.com")
ANNA_ELSEWHERE: Final = attrs.evolve(ANNA, account_id="acct_elsewhere")
BY_PHONE: Final = Account(account_id=None, user_id="user-phone", email=None)
UNKNOWN: Final = Account(account_id=None, user_id=None, email=None, name=None, plan=None)
ODD: Final = Account(account_id="auth0|5f/../x", user_id="user-odd", email="odd@example.com")


def of(*people: Account) -> Authority:
    """Who sign in, one after another."""
    return Authority(policy=attrs.evolve(AT_ONCE, accounts=people))


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Generator[AuthorityServer]:
    with serve(of(*getattr(request, "param", (ANNA, BERT)))) as running:
        yield running


def signs_in(*people: Account) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", [people], indirect=True, ids=[""])


def sign_in(home: Path, server: AuthorityServer, times: int = 1) -> list[dict[str, Any]]:
    """What each sign-in said that it stored."""
    said: list[dict[str, Any]] = []
    for _ in range(times):
        done = login(home, server, "--json")
        assert done.code == 0, done.out
        said.append(valid("login", done)[-1])
    return said


def token(home: Path, *more: str) -> str:
    done = run_command(home, "token", *more)
    assert done.code == 0, done.err
    return done.out.strip()


def document(home: Path, command: str, *more: str) -> dict[str, Any]:
    """What a command prints with `--json`, which is what its schema says."""
    done = run_command(home, command, *more, "--json")
    assert done.code == 0, done.out
    (found,) = valid(command, done)
    return found


def renewed(home: Path, *more: str) -> bool:
    """Whether a login can be renewed, when its last minute is over."""
    for name in stored(home).names():
        path = stored(home).slot(name).path
        old = json.loads(path.read_bytes())
        old["credential"]["obtained_at"] = rfc3339(time.time() - 120)
        path.write_text(json.dumps(old))
    return bool(document(home, "refresh", *more)["outcome"] == "renewed")


def rows(home: Path) -> list[tuple[str | None, str | None, str | None, bool]]:
    return [
        (row["email"], row["account_id"], row["user_id"], row["current"])
        for row in document(home, "list")["accounts"]
    ]


def every_answer(home: Path, *more: str) -> list[dict[str, Any]]:
    """What every command about one login says as JSON; nothing is ended."""
    found = [document(home, command, *more) for command in ("status", "token", "header", "refresh")]
    return [*found, document(home, "export", "--to-codex", "out.json", "--force", *more)]
