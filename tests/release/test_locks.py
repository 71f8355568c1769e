"""The locked files agree: what the demonstration installs is a part of what the tests run with, and nothing more."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.house.tree import ROOT

LOCK = ROOT / "docs" / "demo" / "demo.lock"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(path: Path) -> dict[str, set[str]]:
    """Each package of a lock, and the versions that it may have."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(
        r"^([a-z0-9][\w.-]*)==([^\s;\\]+)", path.read_text("utf-8"), re.MULTILINE
    ):
        found.setdefault(name, set()).add(version)
    return found


def test_the_demonstration_installs_what_the_tests_run_with() -> None:
    demo, whole = pins(LOCK), pins(ROOT / "requirements.lock")
    assert demo.items() <= whole.items()


def test_the_demonstration_installs_what_it_needs_and_no_tool() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *extras["authority"], *extras["cli"]]
    needed = {Requirement(each).name.lower() for each in asked}
    assert needed <= set(pins(LOCK))
    assert len(pins(LOCK)) < 25
    assert not set(pins(LOCK)) & {"pytest", "mypy", "ruff", "hypothesis", "pyright", "openai"}


def test_the_demonstration_does_not_wait_for_the_tools() -> None:
    rules = dict(re.findall(r"^(\S+): ([^\n]*)$", MAKEFILE, re.MULTILINE))
    assert rules["demo"] == "$(DEMO)"
    assert rules["$(DEMO)"] == "docs/demo/demo.lock"


@pytest.mark.parametrize(
    ("group", "lock"), [("docs", "docs/site/docs.lock"), ("release", "docs/release/release.lock")]
)
def test_an_environment_of_its_own_has_what_its_group_names(group: str, lock: str) -> None:
    named = {Requirement(each).name.lower() for each in PROJECT["dependency-groups"][group]}
    assert named <= set(pins(ROOT / lock))
    assert lock in MAKEFILE
