"""What is shipped, and that it works from elsewhere: built, installed in a bare environment, used from `/`.

Tests that run in the checkout prove nothing about the wheel: there, `pythonpath` finds both packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import attrs
import pytest

from tests.house.tree import ROOT, libraries

PACKAGES = {"codex_oauth", "codex_oauth_core"}


@attrs.frozen
class Built:
    """A wheel that was built from the sdist, and the sdist."""

    wheel: Path
    sdist: Path

    def wheel_names(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def sdist_names(self) -> set[str]:
        with tarfile.open(self.sdist) as archive:
            return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT))
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def scratch(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and nothing else."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=False, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"))
    _run(*pip, "install", "--quiet", "--no-deps", "--no-index", str(built.wheel))
    return home


def _run(*command: str, cwd: str = "/") -> str:
    """The output of a command that must succeed. It sees our libraries, but not this checkout."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHONPATH": str(libraries()),  # brings no .pth, hence no editable install
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "COLUMNS": "100",
    }
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _python(scratch: Path, code: str) -> str:
    return _run(str(scratch / "bin" / "python"), "-W", "error", "-c", code).strip()


def test_the_wheel_holds_the_two_packages_and_nothing_else(built: Built) -> None:
    roots = {name.partition("/")[0] for name in built.wheel_names()}
    (info,) = (root for root in roots if root.endswith(".dist-info"))
    (data,) = (root for root in roots if root.endswith(".data"))
    assert roots - {info, data} == PACKAGES
    shared = {name for name in built.wheel_names() if name.startswith(data)}
    assert shared == {f"{data}/data/share/man/man1/codex-oauth.1"}
    assert {f"{info}/licenses/LICENSE", f"{info}/METADATA", f"{info}/entry_points.txt"} <= built.wheel_names()


def test_the_wheel_holds_every_module_and_both_type_markers(built: Built) -> None:
    shipped = {name for name in built.wheel_names() if name.partition("/")[0] in PACKAGES}
    ours = {
        str(path.relative_to(ROOT / folder))
        for folder in ("core", "adapters")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped == ours
    assert {f"{package}/py.typed" for package in PACKAGES} <= shipped


def test_the_wheel_holds_nothing_that_runs_by_itself(built: Built) -> None:
    """A `.pth` file runs at every start of Python, and compiled files are not ours to ship."""
    suffixes = {Path(name).suffix for name in built.wheel_names()}
    assert not suffixes & {".pth", ".pyc", ".so", ".egg-link"}


def test_the_sdist_holds_what_is_needed_to_test_it(built: Built) -> None:
    needed = {"Makefile", "README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "requirements.lock"}
    assert needed | {"pyproject.toml", "tests/conftest.py", "docs/errors.md"} <= built.sdist_names()
    assert not {name for name in built.sdist_names() if name.startswith((".venv", ".git/", "dist"))}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_each_package_is_imported_from_the_wheel(scratch: Path, package: str) -> None:
    found = _python(scratch, f"import {package}; print({package}.__file__)")
    assert Path(found).is_relative_to(scratch)


def test_every_module_of_the_wheel_can_be_imported(scratch: Path) -> None:
    code = (
        "import pkgutil, importlib, codex_oauth, codex_oauth_core as core\n"
        "for package in (core, codex_oauth):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        name = module.name\n"
        "        if not name.endswith('__main__'): importlib.import_module(name)\n"
        "print('done')"
    )
    assert _python(scratch, code) == "done"


def test_every_public_name_of_both_packages_loads(scratch: Path) -> None:
    code = (
        "import codex_oauth, codex_oauth_core as core\n"
        "names = [getattr(package, name) for package in (core, codex_oauth) for name in package.__all__]\n"
        "assert codex_oauth.DeviceFlow is core.DeviceFlow\n"
        "print(len(names) > 30)"
    )
    assert _python(scratch, code) == "True"


def test_the_version_is_one_and_the_same(scratch: Path, built: Built) -> None:
    ours = _python(scratch, "import codex_oauth_core; print(codex_oauth_core.__version__)")
    assert built.wheel.name.split("-")[1] == ours
    assert built.sdist.name == f"codex_oauth-{ours}.tar.gz"


def test_the_command_runs_from_elsewhere(scratch: Path) -> None:
    assert "login" in _run(str(scratch / "bin" / "codex-oauth"), "--help")
