"""U17: what `codex-oauth doctor` finds about logins, what was left beside them, and other tools; each finding is made to appear."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import FileStore, Secret, SignInError
from codex_oauth.doctor import leftovers, logins, shared
from codex_oauth.doctor.context import Area, Finding, Verdict
from codex_oauth_core.record import Intent
from tests.cli.doctoring import case, found, of, verdicts
from tests.cli.transfers import KEY, REFRESH, put, stored, write

OK, WARN, PROBLEM, SKIPPED = Verdict.OK, Verdict.WARN, Verdict.PROBLEM, Verdict.SKIPPED
HEX = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch, own_home: Path) -> None:
    for name in ("CODEX_OAUTH_HOME", "CODEX_OAUTH_ACCOUNT", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def login(store: FileStore) -> Path:
    """The file of a login."""
    put(store)
    return store.slot(KEY).path


def looked(check: Callable[..., Any], store: FileStore, **changes: object) -> list[Finding]:
    return found(check, case(store.home, **changes))


# -- what was left behind -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"{KEY}.json.{HEX}.rescue", "could not be stored"),
        (f"{KEY}.json.{HEX}.tmp", "was interrupted"),
        (f"{KEY}.json.corrupt-1", "could not be read"),
        (f"{KEY}.softlock", "soft locks"),
        ("notes.txt", "no file of codex-oauth"),
    ],
)
def test_each_leftover_is_told_and_left_alone(store: FileStore, login: Path, name: str, said: str) -> None:
    assert verdicts(looked(leftovers.check, store)) == {OK}
    (login.parent / name).write_text("canary")
    (row,) = looked(leftovers.check, store)
    assert (row.verdict, said in row.found, bool(row.advice)) == (WARN, True, True)
    assert row.subject == str(login.parent / name)
    assert (login.parent / name).exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"logins/pending/0123456789abcdef.json.{HEX}.tmp", "interrupted at its start"),
        (f"logins/current.{HEX}.tmp", "account in use"),
        (f"codex/auth.json.{HEX}.tmp", "may hold tokens"),
    ],
)
def test_what_was_left_elsewhere_is_told_and_left_alone(
    store: FileStore, login: Path, name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    root = store.home if name.startswith("logins/") else tmp_path / "codex"
    path = root / name.partition("/")[2]
    path.parent.mkdir(exist_ok=True)
    (path.parent / "somebody's.txt").touch()
    assert verdicts(looked(leftovers.check, store)) == {OK}
    path.write_text("canary")
    (row,) = looked(leftovers.check, store)
    assert (row.verdict, said in row.found, bool(row.advice)) == (WARN, True, True)
    assert row.subject == str(path)
    assert path.exists()


def test_many_leftovers_are_counted(store: FileStore, login: Path) -> None:
    for number in range(14):
        (login.parent / f"{KEY}.json.corrupt-{number}").touch()
    rows = looked(leftovers.check, store)
    assert (len(rows), rows[-1].found) == (11, "and 4 more")


# -- the logins ---------------------------------------------------------------------------------------


def test_nobody_signed_in_is_a_warning(store: FileStore) -> None:
    (row,) = looked(logins.check, store)
    assert (row.verdict, row.advice) == (WARN, ("Sign in: codex-oauth login",))


def test_a_good_login_is_told_with_its_expiry(store: FileStore) -> None:
    put(store, expires_at=4_000_000_000_000)
    (row,) = looked(logins.check, store)
    assert (row.verdict, row.subject) == (OK, KEY)
    assert row.found == "good until 2096-10-02T07:06:40Z, in use"


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({"dead_code": "refresh_token_reused"}, PROBLEM, ""),
        ({"dead_code": "canary-unknown"}, PROBLEM, "has ended the login"),
        ({"spent": True}, PROBLEM, "another account"),
        ({"refresh_token": None, "expires_at": 1000}, PROBLEM, "has expired"),
        ({"uncertain_at": 1.0}, WARN, "was lost"),
        ({"intent": Intent(1, "elsewhere", 1.0)}, WARN, "was lost"),
        ({"expires_at": 1000}, OK, "renewed at its next use"),
        ({"expires_at": None}, OK, "unknown time"),
        ({"expires_at": 10**15 - 1}, OK, "cannot be shown"),
    ],
)
def test_each_state_of_a_login_is_told(
    store: FileStore, changes: dict[str, Any], verdict: Verdict, said: str
) -> None:
    put(store, **changes)
    row = of(looked(logins.check, store), "login", KEY)
    assert (row.verdict, row.area, said in row.found) == (verdict, Area.LOGIN, True)
    assert (row.advice == ()) == (verdict is OK)
    store.select(None)
    assert of(looked(logins.check, store), "login", KEY).verdict is not PROBLEM


def test_none_in_use_is_a_warning(store: FileStore, login: Path) -> None:
    store.select(None)
    rows = looked(logins.check, store)
    assert [row.verdict for row in rows] == [WARN, OK]
    assert rows[0].advice == (f"Use one: codex-oauth switch {KEY}",)


def test_a_login_that_cannot_be_read_is_a_problem_of_storage(store: FileStore, login: Path) -> None:
    login.write_text("canary")
    row = of(looked(logins.check, store), "login", KEY)
    assert (row.verdict, row.area, "not_json" in row.found) == (PROBLEM, Area.STORAGE, True)
    assert "canary" not in repr(row)


def test_logins_that_cannot_be_counted_are_a_problem(store: FileStore) -> None:
    store.home.touch()
    (row,) = looked(logins.check, store)
    assert (row.verdict, row.area) == (PROBLEM, Area.STORAGE)


def test_an_account_that_is_named_and_not_kept_is_a_problem(store: FileStore, login: Path) -> None:
    def nobody(store: FileStore) -> str | None:
        from codex_oauth_core.errors import ErrorKind

        raise SignInError.of(ErrorKind.LOGIN_REQUIRED, "No login of that account is stored here.")

    rows = looked(logins.check, store, in_use=nobody)
    row = of(rows, "login", "in use")
    assert (row.verdict, row.area) == (PROBLEM, Area.LOGIN)
    assert of(rows, "login", KEY).verdict is OK


# -- shared with another tool -------------------------------------------------------------------------


@pytest.fixture
def langchain(own_home: Path) -> Path:
    path = own_home / ".langchain" / "chatgpt-auth.json"
    path.parent.mkdir()
    return path


def test_no_other_tool_is_fine(store: FileStore, login: Path) -> None:
    rows = looked(shared.check, store)
    assert [(row.subject, row.verdict) for row in rows] == [("the Codex CLI", OK), ("LangChain", OK)]


def test_the_same_login_in_the_codex_cli_is_a_problem(store: FileStore, theirs: Path) -> None:
    put(store, refresh_token=Secret(REFRESH))
    row = of(looked(shared.check, store), "shared-login", "the Codex CLI")
    assert (row.verdict, row.area, str(theirs) in row.found, bool(row.advice)) == (
        PROBLEM,
        Area.LOGIN,
        True,
        True,
    )
    assert "canary" not in repr(row)
    assert Secret(REFRESH).fingerprint()[:8] not in repr(row)


def test_the_same_login_under_codex_home_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, tmp_path: Path
) -> None:
    (tmp_path / "codex").mkdir()
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    write(tmp_path / "codex" / "auth.json")
    put(store, refresh_token=Secret(REFRESH))
    assert of(looked(shared.check, store), "shared-login", "the Codex CLI").verdict is PROBLEM


def test_the_same_login_is_found_behind_a_byte_order_mark(store: FileStore, theirs: Path) -> None:
    theirs.write_bytes(b"\xef\xbb\xbf" + theirs.read_bytes())
    put(store, refresh_token=Secret(REFRESH))
    assert of(looked(shared.check, store), "shared-login", "the Codex CLI").verdict is PROBLEM


@pytest.mark.parametrize(
    "document",
    [
        {"refresh_token": REFRESH},
        {"tokens": {"refresh": REFRESH}},
        {"accounts": [{"auth": {"refresh_token": REFRESH}}]},
    ],
)
def test_the_same_login_in_langchains_file_is_a_problem(
    store: FileStore, langchain: Path, document: dict[str, Any]
) -> None:
    langchain.write_text(json.dumps(document))
    put(store, refresh_token=Secret(REFRESH))
    row = of(looked(shared.check, store), "shared-login", "LangChain")
    assert (row.verdict, "canary" in repr(row)) == (PROBLEM, False)


def test_what_a_login_was_renewed_from_is_a_warning(store: FileStore, theirs: Path) -> None:
    put(store, parent=Secret(REFRESH).fingerprint())
    row = of(looked(shared.check, store), "shared-login", "the Codex CLI")
    assert (row.verdict, "renewed from" in row.found) == (WARN, True)


def test_a_login_of_its_own_and_a_copy_of_an_access_token_are_fine(store: FileStore, theirs: Path) -> None:
    put(store)
    assert verdicts(looked(shared.check, store)) == {OK}
    copies = FileStore(theirs.parent / "copies")
    put(copies, refresh_token=None, access_token=Secret(REFRESH))
    assert stored(copies).refresh_token is None
    assert verdicts(looked(shared.check, copies)) == {OK}


@pytest.mark.parametrize(
    "content", ["", "canary", "[]", '{"refresh_token": 1}', "[" * 5000, '{"a":' * 50 + "1" + "}" * 50]
)
def test_a_file_of_any_content_is_no_finding(
    store: FileStore, login: Path, langchain: Path, content: str
) -> None:
    langchain.write_text(content)
    assert of(looked(shared.check, store), "shared-login", "LangChain").verdict is OK


def test_a_file_that_cannot_be_read_is_not_compared(store: FileStore, login: Path, langchain: Path) -> None:
    langchain.mkdir()
    row = of(looked(shared.check, store), "shared-login", "LangChain")
    assert (row.verdict, row.found) == (SKIPPED, "not compared: not_a_regular_file")


def test_without_a_readable_store_nothing_is_compared(store: FileStore, theirs: Path) -> None:
    store.home.touch()
    assert verdicts(looked(shared.check, store)) == {OK}
