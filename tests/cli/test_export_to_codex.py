"""A login handed out to the Codex CLI: what is in the file, and what it replaces."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore, Secret, transfer
from codex_oauth.stores import files
from codex_oauth.transfer import export_codex, import_codex
from codex_oauth_core import ErrorKind
from codex_oauth_core.codex.auth_json import read_auth_json
from tests.cli.transfers import SOON, error, names_beside, put, write

E = ErrorKind


def test_s21_an_export_has_no_refresh_token(store: FileStore, tmp_path: Path) -> None:
    record = put(store)
    export_codex(record, tmp_path / "out.json")
    assert "our-refresh" not in (tmp_path / "out.json").read_text()
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600
    again = read_auth_json(Secret((tmp_path / "out.json").read_bytes()))
    expected = attrs.evolve(record.credential, refresh_token=None, expires_at=SOON * 1000)
    assert again == attrs.evolve(expected, id_token=record.credential.access_token)


def test_s21_an_export_has_the_refresh_token_if_asked(store: FileStore, tmp_path: Path) -> None:
    export_codex(put(store), tmp_path / "out.json", include_refresh=True)
    assert json.loads((tmp_path / "out.json").read_text())["tokens"]["refresh_token"] == "our-refresh"


def test_an_export_overwrites_nothing_unless_forced(store: FileStore, theirs: Path) -> None:
    record, before = put(store), theirs.read_bytes()
    error(lambda: export_codex(record, theirs), E.AUTH_WRITE_FAILED, "exists")
    assert theirs.read_bytes() == before
    export_codex(record, theirs, force=True)
    assert json.loads(theirs.read_text())["tokens"]["refresh_token"] == ""
    assert names_beside(theirs) == ["auth.json"]


def test_an_export_removes_what_a_killed_one_left_and_no_other_s_that_is_under_way(
    store: FileStore, tmp_path: Path
) -> None:
    names = [f"out.json.{digit * 16}.tmp" for digit in "01"] + [
        "out.json.tmp",
        "other.json.0123456789abcdef.tmp",
    ]
    for name in names:
        (tmp_path / name).write_text("canary")
    for name in (names[0], *names[2:]):
        os.utime(tmp_path / name, (1000.0, 1000.0))
    export_codex(put(store), tmp_path / "out.json")
    assert {path.name for path in tmp_path.glob("*.json*")} == {"out.json", *names[1:]}


def test_an_export_does_not_overwrite_what_came_meanwhile(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, out = put(store), tmp_path / "out.json"
    stage = files.stage

    def staged(*args: Any) -> Any:
        out.write_text("theirs")
        return stage(*args)

    monkeypatch.setattr(transfer, "stage", staged)
    error(lambda: export_codex(record, out), E.AUTH_WRITE_FAILED, "exists")
    assert out.read_text() == "theirs"
    assert not list(tmp_path.glob("out.json.*.tmp"))


def test_s18_an_export_replaces_no_link_and_no_directory(store: FileStore, tmp_path: Path) -> None:
    record, real = put(store), tmp_path / "real.json"
    real.write_text("theirs")
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "directory").mkdir()
    error(lambda: export_codex(record, tmp_path / "link", force=True), E.AUTH_WRITE_FAILED, "symlink")
    error(
        lambda: export_codex(record, tmp_path / "directory", force=True),
        E.AUTH_WRITE_FAILED,
        "not_a_regular_file",
    )
    error(lambda: export_codex(record, tmp_path / "no" / "x", force=True), E.AUTH_WRITE_FAILED, "missing")
    assert real.read_text() == "theirs"


EXPIRED = {"expires_at": 1_000_000_000_000}


@pytest.mark.parametrize(
    ("changes", "include_refresh", "kind", "reason"),
    [
        (EXPIRED, False, E.LOGIN_REQUIRED, "expired"),
        ({"refresh_token": None}, True, E.INVALID_REQUEST, "no_refresh_token"),
        ({"dead_code": "invalid_grant"}, True, E.LOGIN_REQUIRED, None),
        ({"spent": True}, True, E.LOGIN_REQUIRED, None),
        ({"issuer": "http://elsewhere.example"}, True, E.INVALID_REQUEST, "other_issuer"),
        ({"access_token": Secret("opaque")}, False, E.INVALID_REQUEST, "id_token"),
        ({"obtained_at": "once"}, False, E.INVALID_REQUEST, "obtained_at"),
    ],
)
def test_what_would_not_work_is_not_exported(
    store: FileStore,
    tmp_path: Path,
    changes: dict[str, Any],
    include_refresh: bool,
    kind: ErrorKind,
    reason: str | None,
) -> None:
    record, out = put(store, **changes), tmp_path / "out.json"
    error(lambda: export_codex(record, out, include_refresh=include_refresh), kind, reason)
    assert not out.exists()


def test_an_expired_login_is_exported_with_what_renews_it(store: FileStore, tmp_path: Path) -> None:
    export_codex(put(store, **EXPIRED), tmp_path / "out.json", include_refresh=True)
    assert (tmp_path / "out.json").exists()


OWNERS: tuple[dict[str, Any], ...] = (
    {},
    {"issuer": "https://elsewhere.example", "client_id": "app_other"},
    {"issuer": "http://127.0.0.1:8123"},
)


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("include_refresh", [True, False])
def test_an_export_says_to_whom_the_login_belongs(
    store: FileStore, tmp_path: Path, owner: dict[str, Any], include_refresh: bool
) -> None:
    record = put(store, **owner)
    export_codex(record, tmp_path / "out.json", include_refresh=include_refresh)
    provenance = json.loads((tmp_path / "out.json").read_text())["tokens"]["oauth_provenance"]
    assert provenance == {"issuer": record.credential.issuer, "client_id": record.credential.client_id}


@pytest.mark.parametrize("owner", OWNERS)
def test_there_and_back_again(store: FileStore, tmp_path: Path, owner: dict[str, Any]) -> None:
    """A login that is handed out whole and moved back is the same login."""
    record = put(store, **owner)
    export_codex(record, tmp_path / "auth.json", include_refresh=True)
    again = import_codex(FileStore(tmp_path / "other"), tmp_path / "auth.json", move=True)
    assert again.fingerprint == record.fingerprint
    assert (again.credential.issuer, again.credential.client_id) == (
        record.credential.issuer,
        record.credential.client_id,
    )


def test_r8_what_the_codex_cli_keeps_beside_its_tokens_comes_back(
    store: FileStore, theirs: Path, tmp_path: Path
) -> None:
    write(theirs, login_owner_id="owner-1")
    moved = import_codex(store, move=True)
    assert "owner-1" not in theirs.read_text()
    export_codex(moved, theirs, include_refresh=True, force=True)
    assert json.loads(theirs.read_text())["tokens"]["login_owner_id"] == "owner-1"
