"""What `status` and `list` load: people have them in the prompts of their shells."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import hold

NOT_NEEDED = (
    *("asyncio", "httpx", "ssl", "transitions"),
    *(
        "codex_oauth.cli.status_check",
        "codex_oauth.sign_in_client",
        "codex_oauth.tokens",
        "codex_oauth.worlds",
    ),
    *("codex_oauth_core.checkpoints", "codex_oauth_core.effects", "codex_oauth_core.flows.machine"),
    "codex_oauth_core.flows.sign_in",
)
CODE = """
import contextlib, io, json, sys
from codex_oauth.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]))
"""


@pytest.mark.parametrize("command", ["status", "list", "whoami"])
def test_a_look_at_what_is_stored_loads_nothing_that_sends_or_renews(command: str, tmp_path: Path) -> None:
    home = tmp_path / "logins-of-the-test"
    hold(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", CODE, command, "--store", str(home)],
        capture_output=True,
        text=True,
        check=True,
    )
    code, loaded = json.loads(done.stdout)
    assert code == 0
    assert set(loaded) & set(NOT_NEEDED) == set()
