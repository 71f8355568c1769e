"""Stores that cannot be looked at, and a current directory that is gone: typed errors, and never "a bug".

Rules of this file: commands run in this process; what root may read is read as another user.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.cli.main import main
from codex_oauth.doctor.checks import Check, examine
from codex_oauth.doctor.context import Area, Context, Finding, Verdict, ok
from codex_oauth_core import ErrorKind, SignInError

_NOBODY = 65534
COMMANDS: list[tuple[str, ...]] = [
    ("status",),
    ("token",),
    ("token", "--json"),
    ("header",),
    ("refresh",),
    ("list",),
    ("logout",),
    ("logout", "--all"),
    ("logout", "--local"),
    ("switch", "x"),
    ("login", "--device"),
    ("login", "--browser", "--no-open"),
    ("login", "start", "--device"),
    ("login", "finish", "0123456789abcdef"),
    ("export", "--to-codex", "auth.json"),
    ("doctor", "--offline"),
]


@pytest.fixture(autouse=True)
def _nobody_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))


@contextmanager
def somebody_else() -> Generator[None]:
    """Without the rights of root, if we have them."""
    ours = os.geteuid()
    if ours == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(ours)


def _warmed(tmp_path: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """All modules are loaded while we may read them: a clone may be private."""
    if command[0] != "login":
        main([*command, "--store", str(tmp_path / "warm")])
    else:
        for name in ("codex_oauth.cli.login_steps", "codex_oauth.worlds.httpx_world"):
            import_module(name)
        main(["doctor", "--offline", "--store", str(tmp_path / "warm")])
    capsys.readouterr()


def closed(tmp_path: Path) -> Path:
    """A directory that we may not look into."""
    path = tmp_path / "closed"
    path.mkdir()
    (path / "logins").mkdir()
    path.chmod(0o000)
    return path


PLACES: dict[str, Callable[[Path], str]] = {
    "of another user": lambda at: str(closed(at)),
    "below one of another user": lambda at: str(closed(at) / "deep" / "er"),
    "below a file": lambda at: str(_file(at) / "store"),
    "a file": lambda at: str(_file(at)),
    "a name that is too long": lambda at: str(at / ("x" * 300)),
    "a path that is too long": lambda at: str(at) + "/x" * 3000,
    "a line end": lambda at: str(_file(at) / "a\nb"),
    "a NUL": lambda at: str(at / "a\0b"),
    "a lone surrogate": lambda at: str(at / "a\ud800b"),
}


def _file(at: Path) -> Path:
    path = at / "file"
    path.write_text("x", encoding="ascii")
    return path


def typed(code: int, said: Any, command: tuple[str, ...]) -> None:
    text = said.out + said.err
    assert "bug" not in text
    assert "unexpected" not in text
    assert "Traceback" not in text
    assert code in ((6,) if command[0] != "login" else (3, 6)), text


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_store_that_cannot_be_looked_at_is_a_typed_error(
    place: str, command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _warmed(tmp_path, command, capsys)
    tmp_path.chmod(0o755)
    where = PLACES[place](tmp_path)
    with _open_above(tmp_path), somebody_else():
        code = main([*command, "--store", where])
    typed(code, capsys.readouterr(), command)


@contextmanager
def _open_above(path: Path) -> Generator[None]:
    """Let others through to a directory of this test, where its parents are private."""
    changed = [(each, each.stat().st_mode) for each in path.parents if not each.stat().st_mode & 0o001]
    try:
        for each, mode in changed:
            each.chmod(mode | 0o011)
        yield
    finally:
        for each, mode in changed:
            each.chmod(mode)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_relative_store_without_a_current_directory_is_a_typed_error(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with gone(tmp_path):
        code = main([*command, "--store", "store"])
    said = capsys.readouterr()
    assert "bug" not in said.out + said.err
    assert code == 6
    assert "absolute path" in said.out + said.err


def test_without_a_current_directory_an_absolute_store_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with gone(tmp_path):
        assert main(["list", "--json", "--store", str(tmp_path / "store")]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


@contextmanager
def gone(tmp_path: Path) -> Generator[None]:
    """In a current directory that is not there any more."""
    before, place = Path.cwd(), tmp_path / "gone"
    place.mkdir()
    os.chdir(place)
    try:
        place.rmdir()
        yield
    finally:
        os.chdir(before)


# -- doctor -----------------------------------------------------------------------------------------------


def _denied(case: Context) -> Iterator[Finding]:
    yield ok("first", Area.STORAGE, "as it should be")
    raise PermissionError(13, "Permission denied", "/some/where")


def _typed(case: Context) -> Iterator[Finding]:
    raise SignInError.of(ErrorKind.AUTH_READ_FAILED)


def _bug(case: Context) -> Iterator[Finding]:
    raise ZeroDivisionError("canary")


def _nothing(case: Context) -> list[Finding]:
    return []


def test_a_check_that_fails_says_why_and_the_others_go_on() -> None:
    rows: list[tuple[str, Check]] = [
        ("denied", _denied),
        ("typed", _typed),
        ("bug", _bug),
        ("last", _nothing),
    ]
    first, denied, typed_row, bug = examine(Context(), rows)
    assert first.verdict is Verdict.OK
    assert (denied.verdict, denied.subject) == (Verdict.PROBLEM, "/some/where")
    assert denied.found == "this check failed: Permission denied"
    assert "bug" not in denied.advice[0]
    assert (typed_row.area, typed_row.found) == (
        Area.STORAGE,
        "this check failed: The stored login could not be read.",
    )
    assert (bug.area, bug.found) == (Area.ITSELF, "this check failed with ZeroDivisionError")
    assert "report it" in bug.advice[0]
    assert "canary" not in repr(bug)
