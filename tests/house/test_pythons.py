"""`make pythons` finds what starts, and the newest of each version; and the classifiers are what it looks for.

Rules of this file: interpreters are scripts that answer as one does, in a folder of their own.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.pythons import MINORS, ROOT, Interpreter, candidates, fast_part, main, others, probed


def script(place: Path, name: str, says: str, code: int = 0) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    path = place / name
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def answer(minor: int, micro: int = 0, name: str = "cpython", level: str = "final") -> str:
    return json.dumps([name, 3, minor, micro, level, f"/opt/3.{minor}.{micro}"])


def test_it_looks_on_the_path_and_at_pyenvs_versions(tmp_path: Path) -> None:
    one = script(tmp_path / "bin", "python3.12", "")
    script(tmp_path / "bin", "python3.9", "")
    two = script(tmp_path / ".pyenv/versions/3.13.0/bin", "python", "")
    elsewhere = script(tmp_path / "other/versions/3.12.1/bin", "python", "")
    path = f"{tmp_path / 'bin'}::{tmp_path / 'nothing'}"
    assert list(candidates(path, tmp_path, {})) == [str(one), str(two)]
    asked = candidates(path, tmp_path, {"PYENV_ROOT": str(tmp_path / "other")})
    assert list(asked) == [str(one), str(elsewhere)]


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("pyenv: python3.12: command not found", 127),  # a shim of a version that is not chosen
        (answer(12), 1),
        (answer(12, name="pypy"), 0),
        (answer(10), 0),
        (answer(14, level="alpha"), 0),
        ("", 0),
    ],
)
def test_what_does_not_start_or_is_not_looked_for_is_none(tmp_path: Path, says: str, code: int) -> None:
    assert probed(str(script(tmp_path, "python3.12", says, code))) is None
    assert probed(str(tmp_path / "nothing")) is None


def test_the_newest_of_each_version_but_ours(tmp_path: Path) -> None:
    found = [
        probed(str(script(tmp_path, f"p{number}", answer(*version))))
        for number, version in enumerate([(12, 1), (12, 10), (12, 9), (13, 0), (11, 7)])
    ]
    assert others([*found, None], but=11) == [
        Interpreter(12, 10, "/opt/3.12.10"),
        Interpreter(13, 0, "/opt/3.13.0"),
    ]


def test_this_interpreter_is_one() -> None:
    found = probed(sys.executable)
    assert found is not None
    assert (found.minor, found.micro) == sys.version_info[1:3]


def test_a_machine_with_one_interpreter_has_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert main() == 0
    assert "the fast part on: no other" in capsys.readouterr().out


def test_one_that_cannot_be_set_up_fails_the_run_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    minor = next(minor for minor in MINORS if minor != sys.version_info[1])
    script(tmp_path, f"python3.{minor}", answer(minor, 99))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(Interpreter, "folder", tmp_path / "folder")
    assert main() == 1
    assert f"The fast part failed on: Python 3.{minor}.99" in capsys.readouterr().out


def test_the_fast_part_is_there_and_leaves_out_what_takes_long() -> None:
    files = fast_part()
    assert len(files) == len(set(files)) > 30
    assert all((ROOT / file).is_file() for file in files)
    assert not [file for file in files if "properties" in file]


def test_the_classifiers_name_versions_that_are_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [each.rpartition(".")[2] for each in project["classifiers"] if ":: 3." in each]
    assert named == ["11", "12", "13"]
    assert set(map(int, named)) <= set(MINORS)
