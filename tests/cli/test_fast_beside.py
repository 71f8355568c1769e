"""What lies beside a login counts: `codex-oauth token` prints no token that a newer sign-in has replaced."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from codex_oauth import Secret
from codex_oauth.cli.fast import current_token
from codex_oauth.cli.main import main
from codex_oauth_core import Record
from tests.cli.test_commands import hold, key_of, stored
from tests.cli.test_fast import ONE, TWO, home

__all__ = ["home"]


@pytest.mark.parametrize("named", [(), ("--account", key_of(ONE)), ("--account", ONE)])
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_sign_in_that_was_kept_beside_a_login_is_what_is_printed(
    home: Path, named: tuple[str, ...], as_json: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    old = hold(home)
    newer = attrs.evolve(old, access_token=Secret("newer-access"), refresh_token=Secret("newer-refresh"))
    stored(home).slot(old.key).rescue(Record(newer))  # as after a wait for the lock that was in vain
    assert current_token([*named, *as_json]) is None
    assert main(["token", *named, *as_json]) == 0
    assert "newer-access" in capsys.readouterr().out


def test_what_is_beside_another_login_does_not_matter(home: Path) -> None:
    hold(home)
    (stored(home).home / "logins" / f"{key_of(TWO)}.json.0123456789abcdef.rescue").touch(0o600)
    assert current_token([]) == "stored-access"
