"""The OpenAI client, version 3 and version 2, with a token source: as `api_key` and behind `http_client`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tokens.openai_calls import EXPECTED, MAJOR, outcome

ROOT = Path(__file__).parents[2]
OPENAI_2 = Path(os.environ.get("OPENAI2_PACKAGES", ROOT / ".venv" / "openai2"))
"""Where `make install` puts version 2, from `openai2.lock`."""


def test_the_installed_client_is_version_3() -> None:
    assert MAJOR == "3"


@pytest.mark.parametrize(("name", "refuse"), EXPECTED)
def test_openai_3(name: str, refuse: bool) -> None:
    assert outcome(name, refuse=refuse) == EXPECTED[name, refuse]


def test_openai_2() -> None:
    path = os.pathsep.join((str(OPENAI_2), *sys.path))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.tokens.openai_calls"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["version"] == "2"
    outcomes = {(name, refuse): (got, tokens, n) for name, refuse, (got, tokens, n) in told["outcomes"]}
    assert outcomes == EXPECTED
