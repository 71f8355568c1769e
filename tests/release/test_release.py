"""What `make release-check` looks at: each look finds what it is for. Nothing is built here, and no host is asked."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest
from docs.release import check, contents, notes, readme

from codex_oauth_core import __version__
from tests.house.tree import ROOT

LOG = """# Changelog

## [Unreleased]

- x

## [0.3.0] - 2027-01-02

### Added

- a thing

## [0.2.0] - 2026-12-01

- the first
"""


# -- version and changelog -----------------------------------------------------------------------------


def test_the_section_of_a_version_is_what_stands_below_its_heading() -> None:
    assert list(notes.versions(LOG)) == ["Unreleased", "0.3.0", "0.2.0"]
    assert notes.section(LOG, "v0.3.0") == "### Added\n\n- a thing"
    assert notes.section(LOG, "0.2.0") == "- the first"


@pytest.mark.parametrize("version", ["0.1.0", "v9", "", "0.3"])
def test_a_version_without_a_section_is_an_error(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LookupError, match="says nothing"):
        notes.section(LOG, version)
    assert notes.main([version or "v"]) == 1
    assert "CHANGELOG.md says nothing of" in capsys.readouterr().err


def test_the_version_of_the_project_is_ready_to_be_released() -> None:
    assert check.version() == __version__
    assert check.check_version(f"v{__version__}") == f"version {__version__}, with a section in CHANGELOG.md"


@pytest.mark.parametrize(
    ("version", "tag", "said"),
    [
        ("0.3.0", "v0.2.0", "The tag is v0.2.0, and the version 0.3.0."),
        ("0.3.0", "0.3.0", "The tag is 0.3.0"),
        ("0.4.0", None, "says nothing of 0.4.0"),
        ("0.2.0", None, "The version is 0.2.0, and the newest of CHANGELOG.md 0.3.0."),
        ("0.3.0.dev1", None, "is no version of a release"),
        ("0.3", None, "is no version of a release"),
    ],
)
def test_a_version_that_is_not_ready_is_found(
    monkeypatch: pytest.MonkeyPatch, version: str, tag: str | None, said: str
) -> None:
    monkeypatch.setattr(notes, "changelog", lambda: LOG)
    monkeypatch.setattr(check, "version", lambda: version)
    with pytest.raises(check.Mistake, match=said.replace(".", r"\.")):
        check.check_version(tag)


# -- builds --------------------------------------------------------------------------------------------


def test_a_build_that_differs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = [0]

    def build(source: Path, into: Path) -> list[Path]:
        assert (source / "pyproject.toml").is_file()
        into.mkdir()
        count[0] += 1
        for name in ("p-1.tar.gz", "p-1.whl"):
            (into / name).write_text(f"{name} {count[0] if name == different else 0}", encoding="utf-8")
        return sorted(into.iterdir())

    monkeypatch.setattr(check, "built", build)
    monkeypatch.setattr(check, "DIST", tmp_path / "dist")
    different = ""
    assert check.check_twice(tmp_path / "same") == "p-1.tar.gz and p-1.whl, twice the same"
    assert {path.name for path in check.DIST.iterdir()} == {"p-1.tar.gz", "p-1.whl"}
    different = "p-1.whl"
    with pytest.raises(check.Mistake, match=r"p-1\.whl differs from build to build"):
        check.check_twice(tmp_path / "other")


def test_the_time_of_the_files_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(check.EPOCH, "1700000000")
    assert check.epoch() == "1700000000"
    monkeypatch.delenv(check.EPOCH)
    assert int(check.epoch()) >= int(check.FIRST_DAY)


def test_a_command_that_ends_otherwise_is_a_mistake_that_shows_what_it_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", "/nowhere")
    assert check.run("/bin/sh", "-c", "echo ${CODEX_OAUTH_HOME-unset}; exit 3", code=3) == "unset\n"
    with pytest.raises(check.Mistake, match=r"ended with 1:\nno"):
        check.run("/bin/sh", "-c", "echo no; exit 1")


# -- contents ------------------------------------------------------------------------------------------


def test_what_is_too_much_and_what_is_missing_are_both_said() -> None:
    found = list(contents.differences({"a", "x"}, {"a", "b"}, "The wheel"))
    assert found == ["The wheel has x, which is in no list", "The wheel has no b"]


def test_the_files_of_a_wheel_are_named_without_the_version(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
        for name in ("p/a.py", "p-1.2.3.dist-info/METADATA", "p-1.2.3.data/data/x"):
            archive.writestr(name, "")
    assert contents.wheel_names(tmp_path / "w.whl", "1.2.3") == {
        "p/a.py",
        "p-VERSION.dist-info/METADATA",
        "p-VERSION.data/data/x",
    }


def test_the_files_of_an_sdist_are_named_without_its_folder(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz") as archive:
        archive.add(ROOT / "LICENSE", "p-1/LICENSE")
        archive.add(ROOT / ".ci", "p-1/.ci")
    assert contents.sdist_names(tmp_path / "s.tar.gz") == {"LICENSE", ".ci/run"}


def test_an_sdist_should_have_what_is_needed_to_test_and_to_build_it() -> None:
    expected = contents.expected_of_sdist()
    assert {"Makefile", ".github/workflows/release.yml", "mkdocs.yml", "PKG-INFO"} <= expected
    assert not {name for name in expected if name.startswith((".venv", "build/", "dist/", ".git/"))}


def test_the_kept_list_is_sorted_and_has_both_packages() -> None:
    lines = contents.KEPT.read_text(encoding="utf-8").splitlines()
    assert lines == sorted(set(lines))
    assert {"codex_oauth/py.typed", "codex_oauth_core/py.typed"} <= contents.kept()


def test_the_kept_list_has_the_files_of_today() -> None:
    kept = {name for name in contents.kept() if not name.startswith("codex_oauth-VERSION.")}
    mistakes = list(contents.differences(contents.source_names(), kept, "The source"))
    assert mistakes == [], "`make fmt` writes docs/release/wheel.txt"


# -- README --------------------------------------------------------------------------------------------


def test_the_readme_of_the_project_works_on_another_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert list(readme.mistakes(text)) == []
    assert len(readme.links(text)) > 10


@pytest.mark.parametrize(
    "text",
    [
        "[a](docs/a.md)",
        "![a](docs/a.svg)",
        "[a](#below)",
        '<img src="a.png">',
        '<a href="/x">',
        "[a](http://x.example)",
    ],
)
def test_a_link_that_leads_nowhere_elsewhere_is_found(text: str) -> None:
    assert len(list(readme.mistakes(text))) == 1
    assert list(readme.mistakes(f"```\n{text}\n```\n")) == []
