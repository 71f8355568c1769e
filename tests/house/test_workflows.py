"""What others run of this project: workflows, forms, hooks. Each is read as data, and held against the Makefile.

Rules of this file: nothing is run here, and no host is asked; what a step names (a target, a file, a module) is there.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from codex_oauth.cli.parser import parsed
from tests.house.pythons import FAST, MINORS
from tests.house.tree import ROOT

GITHUB: Final = ROOT / ".github"
WORKFLOWS: Final = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS: Final = sorted(
    set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {GITHUB / "ISSUE_TEMPLATE" / "config.yml"}
)
TARGETS: Final = set(re.findall(r"^\.PHONY: ([a-z-]+) ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
ACTION: Final = re.compile(r"[\w-]+/[\w-]+(?:/[\w-]+)*@v\d+(?:\.\d+)*")

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
each_form = pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(path)["jobs"]
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(path).values():
        yield from job["steps"]


def commands(path: Path) -> list[list[str]]:
    """Every command of a workflow, as words; expressions of the workflow are one word."""
    lines = [line for step in steps(path) for line in step.get("run", "").splitlines()]
    plain = [re.sub(r"\$\{\{.*?\}\}", "EXPRESSION", line) for line in lines]
    return [shlex.split(line, comments=True) for line in plain]


def named(path: Path) -> set[str]:
    return {word for words in commands(path) if words[0] == "make" for word in words[1:] if "=" not in word}


@each_workflow
def test_a_workflow_has_what_every_workflow_needs(path: Path) -> None:
    found = load(path)
    assert found["name"] == path.stem
    assert found[True], "`on`, which YAML reads as true"
    assert found["permissions"] == {"contents": "read"}
    for job in found["jobs"].values():
        assert re.fullmatch(r"(?:ubuntu|macos|windows)-[\d.]+|\$\{\{ matrix\.os \}\}", job["runs-on"])
        assert job["steps"]
    for name, job in found["jobs"].items():
        needed = job.get("needs", [])
        assert {needed} if isinstance(needed, str) else {*needed} <= set(found["jobs"]) - {name}


@each_workflow
def test_a_target_that_a_workflow_makes_is_one(path: Path) -> None:
    assert named(path) <= TARGETS


@each_workflow
def test_an_action_is_named_by_a_version(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used or path.stem == "nothing"
    assert [each for each in used if not ACTION.fullmatch(each)] == []


@each_workflow
def test_no_name_that_others_choose_becomes_a_command(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", "")
    for words in commands(path):
        if words[0] == "make":
            assert [word for word in words if "$" in word] == []


@each_workflow
def test_no_step_finds_the_token_of_the_checkout(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_name_of_a_tag_is_no_command_of_the_makefile(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for name in (f"v1;touch {made}", f"v$(touch {made})", f"v$(shell touch {made})", f'v";touch {made};"'):
        done = subprocess.run(
            ["make", "-n", "release-check"],
            cwd=ROOT,
            env={**os.environ, "TAG": name},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert '--tag "$TAG"' in done.stdout
        assert "touch" not in done.stdout.replace("/.installed", "").partition("docs.release.check")[2]
        assert not made.exists()


@each_workflow
def test_what_a_step_names_is_there(path: Path) -> None:
    words = [word for command in commands(path) for word in command]
    for word in words:
        if word.startswith("@"):
            assert (ROOT / word[1:]).is_file()
        if word.startswith((".ci/", "tests/")) or word.endswith(".lock"):
            assert (ROOT / word).exists()
    modules = [
        command[at + 1] for command in commands(path) for at, word in enumerate(command) if word == "-m"
    ]
    assert [name for name in modules if re.fullmatch(r"[a-z_.]+", name) and find_spec(name) is None] == []


def test_the_tests_run_on_each_system_and_each_python() -> None:
    path = GITHUB / "workflows" / "test.yml"
    versions = [f"3.{minor}" for minor in MINORS]
    found = jobs(path)
    assert found["linux"]["strategy"]["matrix"]["python"] == versions
    elsewhere = found["elsewhere"]["strategy"]["matrix"]
    assert elsewhere["python"] == versions
    assert [name.partition("-")[0] for name in elsewhere["os"]] == ["macos", "windows"]
    assert {"lint", "types", "imports", "test", "lowest", "check"} <= named(path)


@pytest.mark.parametrize("name", FAST)
def test_what_runs_on_other_systems_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_night_runs_the_nightly_tests() -> None:
    path = GITHUB / "workflows" / "nightly.yml"
    assert load(path)[True]["schedule"]
    assert {"nightly", "release-check"} <= named(path)


def test_the_site_that_is_shown_is_the_one_that_is_built() -> None:
    path = GITHUB / "workflows" / "docs.yml"
    assert named(path) == {"docs"}
    (folder,) = (step["with"]["path"] for step in steps(path) if "upload-pages" in step.get("uses", ""))
    assert folder == load(ROOT / "mkdocs.yml")["site_dir"]


def test_a_release_is_checked_attested_and_published_without_a_password() -> None:
    path = GITHUB / "workflows" / "release.yml"
    found = jobs(path)
    assert load(path)[True] == {"push": {"tags": ["v*"]}}
    assert named(path) == {"release-check"}
    used = {
        name: [step.get("uses", "").partition("@")[0] for step in job["steps"]] for name, job in found.items()
    }
    assert "permissions" not in found["build"], "what builds can sign nothing"
    assert {"actions/attest-build-provenance", "actions/attest-sbom"} <= set(used["attest"])
    assert not any("run" in step for step in found["attest"]["steps"])
    assert "pypa/gh-action-pypi-publish" in used["publish"]
    assert (found["attest"]["needs"], found["publish"]["needs"]) == ("build", "attest")
    assert found["publish"]["environment"]
    assert found["publish"]["permissions"] == {"id-token": "write"}
    text = "\n".join(re.sub(r"#.*", "", line) for line in path.read_text(encoding="utf-8").splitlines())
    assert not re.search(r"password|secrets\.", text, re.IGNORECASE)


# -- forms and hooks -----------------------------------------------------------------------------------


@each_form
def test_a_form_is_one_that_can_be_shown(path: Path) -> None:
    form = load(path)
    assert form["name"]
    assert form["description"]
    names = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(names) == len(set(names)) >= 3
    for each in form["body"]:
        assert each["type"] in {"markdown", "input", "textarea", "dropdown", "checkboxes"}
        assert each["attributes"]["value" if each["type"] == "markdown" else "label"]


@each_form
def test_a_command_that_a_form_names_is_one(path: Path) -> None:
    for line in re.findall(r"`codex-oauth ([^`]+)`", path.read_text(encoding="utf-8")):
        if line != "--version":
            assert parsed(shlex.split(line)) is not None


def test_the_form_for_faults_asks_for_a_trace_and_warns_of_tokens() -> None:
    text = (GITHUB / "ISSUE_TEMPLATE" / "sign-in.yml").read_text(encoding="utf-8")
    assert "codex-oauth login --trace" in text
    assert "Never paste a token" in text


def test_a_vulnerability_has_a_private_form() -> None:
    config = load(GITHUB / "ISSUE_TEMPLATE" / "config.yml")
    assert config["blank_issues_enabled"] is False
    assert any("/security/advisories/new" in link["url"] for link in config["contact_links"])


def test_the_hooks_are_targets_of_the_makefile() -> None:
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        program, target = hook["entry"].split()
        assert program == "make"
        assert target in TARGETS


def test_the_template_of_a_pull_request_asks_for_a_test_and_for_a_line_in_the_changelog() -> None:
    text = (GITHUB / "PULL_REQUEST_TEMPLATE.md").read_text(encoding="utf-8")
    assert re.findall(r"`make ([a-z-]+)`", text) == ["test"]
    assert "CHANGELOG.md" in text
