"""The ports of docs/ports.md: each passes every check, in an environment of its own, and signs in."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from codex_oauth import testing
from codex_oauth.authority import Authority, Policy, serve
from tests.house.tree import ROOT

PORTS = ("pycurl", "gevent", "niquests")
AWAITED = ("niquests",)
LIMIT = 900
CANNOT = {"pycurl": {"no_redirect_of_any_kind_is_followed"}, "niquests": {"every_target_goes_out_as_it_is"}}
"""What a port says that its stack cannot obey."""
PAGE = (ROOT / "docs" / "ports.md").read_text(encoding="utf-8")


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    python = ROOT / ".venv" / "ports" / name / "bin" / "python"
    if not python.exists():
        pytest.fail(f"the environment of the port to {name} is missing: make ports")
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("core", "adapters", "."))
    return subprocess.run(
        [str(python), "-m", "tests.ports.gallery", name, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )


@pytest.mark.parametrize("name", PORTS)
def test_every_check_holds(name: str) -> None:
    done = _run(name)
    assert done.returncode == 0, done.stdout + done.stderr
    if name in AWAITED:
        wanted = len((*testing.ASYNC_WORLD_CHECKS, *testing.TASK_CHECKS, *testing.ASYNC_LISTENING_CHECKS))
    else:
        wanted = len((*testing.WORLD_CHECKS, *testing.LISTENING_CHECKS))
    ends = re.findall(r"^(held|cannot|FAILED) (\w[^ ]*) ", done.stdout, re.MULTILINE)
    assert len(ends) == wanted
    cannot = {name for end, name in ends if end == "cannot"}
    assert cannot == CANNOT.get(name, set())
    assert {check for check in cannot if f"`{check}`" not in PAGE} == set()


@pytest.mark.parametrize("name", PORTS)
def test_somebody_signs_in(name: str) -> None:
    with serve(Authority(policy=Policy(approve="auto", interval=1))) as server:
        done = _run(name, "--sign-in", server.url)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", PORTS)
def test_a_port_that_is_broken_is_told(name: str, tmp_path: Path) -> None:
    done = _run(name, "no_such_check")
    assert done.returncode != 0
    assert "KeyError: 'no_such_check'" in done.stderr
