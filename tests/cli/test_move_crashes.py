"""A process that dies at any step of a move: the login is still somewhere, and the next move finishes it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import FileStore
from codex_oauth.transfer import import_codex
from codex_oauth_core import ErrorKind
from tests.cli.transfers import KEY, REFRESH, error, names_beside, put, write

DIED = 9
STEPS = ((os, "replace"), (os, "fsync"), (os, "write"), (os, "unlink"), (fcntl, "flock"))
"""Whatever a move does to the disk, or waits for, goes through one of these."""


class Death:
    """Ends this process before, or else after, the step with a number."""

    def __init__(self, step: int, *, after: bool) -> None:
        self.left = step + 1
        self.after = after

    def lurk(self) -> None:
        for owner, name in STEPS:
            setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, usual: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            self.left -= 1
            is_it = self.left == 0
            if is_it and not self.after:
                os._exit(DIED)
            outcome = usual(*args, **options)
            if is_it:
                os._exit(DIED)
            return outcome

        return counted


def dies(death: Death, store: FileStore, theirs: Path) -> bool:
    """Move a login in a process of its own. Whether that died."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            death.lurk()
            import_codex(store, theirs, move=True)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, DIED)
    return code == DIED


def theirs_is(theirs: Path) -> str | None:
    """The refresh token that the Codex CLI could still use."""
    token: str | None = json.loads(theirs.read_text()).get("tokens", {}).get("refresh_token")
    return token


def ours_is(store: FileStore) -> str | None:
    record = store.slot(KEY).load() if store.names() else None
    token = record.credential.refresh_token if record is not None else None
    return None if token is None else token.reveal()


def finish(store: FileStore, theirs: Path) -> None:
    """Move again, as a person would; where nothing is left to be moved, that is said."""
    if theirs_is(theirs) is None:
        error(lambda: import_codex(store, theirs, move=True), ErrorKind.CORRUPT_AUTH, "no_tokens")
    else:
        import_codex(store, theirs, move=True)
        assert names_beside(theirs) == ["auth.json"]
    assert (theirs_is(theirs), ours_is(store), store.current()) == (None, REFRESH, KEY)


@pytest.mark.parametrize(("after", "over_a_copy"), [(False, False), (True, True)])
def test_f1_f3_a_move_that_dies_at_any_step_loses_no_login(
    tmp_path: Path, after: bool, over_a_copy: bool
) -> None:
    seen: set[tuple[str | None, str | None]] = set()
    died, step = True, 0
    while died:
        home = tmp_path / f"{step}" / ".codex"
        home.mkdir(parents=True)
        store, theirs = FileStore(home.parent / "ours"), write(home / "auth.json")
        if over_a_copy:
            put(store, refresh_token=None)
        died = dies(Death(step, after=after), store, theirs)
        seen.add((theirs_is(theirs), ours_is(store)))
        finish(store, theirs)
        step += 1
    assert seen == {(REFRESH, None), (REFRESH, REFRESH), (None, REFRESH)}
