"""Build what a release has, twice, and look at it: `make release-check` (ADR 0032).

Rules of this file: it runs in an environment of its own, which has what builds and checks and nothing of the
project; each check says what it found; the first that fails ends the run, and leaves what was built in dist/
to be looked at; no setting of whoever runs it reaches a command.

    python -m docs.release.check [--write] [--tag v0.2.0]
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from docs.release import contents, notes, readme, tutorial

from tests.house.tree import ROOT, own_files

DIST: Final = ROOT / "dist"
SBOM: Final = DIST / "sbom.cdx.json"
EPOCH: Final = "SOURCE_DATE_EPOCH"
FIRST_DAY: Final = "1577836800"
"""2020-01-01, for a project that has no history: a zip file has no time before 1980."""

_OURS: Final = ("CODEX_", "PYTHON")
"""Beginnings of variables that change what Python or this program does."""


class Mistake(Exception):
    """What is wrong with the release."""


# -- what is done --------------------------------------------------------------------------------------


def run(
    *command: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None, code: int = 0
) -> str:
    """What a command printed, which must end with this code."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**usual, **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != code:
        raise Mistake(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def epoch() -> str:
    """The time that the files have: that of the environment, else of the last commit."""
    if EPOCH in os.environ:
        return os.environ[EPOCH]
    try:
        return run("git", "log", "-1", "--format=%ct", cwd=ROOT).strip()
    except (Mistake, OSError):
        return FIRST_DAY


def version() -> str:
    """The version of the project."""
    scope: dict[str, str] = {}
    exec((ROOT / "core/codex_oauth_core/_version.py").read_text(encoding="utf-8"), scope)  # one line of ours
    return scope["__version__"]


def copied(target: Path) -> Path:
    """The project's own files in another folder, with other times and modes."""
    for path in own_files():
        place = target / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        if os.access(path, os.X_OK):
            place.chmod(0o700)
    return target


def built(source: Path, into: Path) -> list[Path]:
    """Wheel and sdist of the project in a folder, in the order of their names."""
    run(
        *(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(into), str(source)),
        environ={EPOCH: epoch()},
    )
    return sorted(into.iterdir())


def environment(place: Path, *requirements: str) -> Path:
    """The folder of programs of a new environment with these requirements."""
    venv.create(place, with_pip=False, clear=True)
    programs = place / ("Scripts" if os.name == "nt" else "bin")
    python = str(programs / "python")
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet")
    run(*pip, "install", *requirements)
    run(*pip, "check")
    return programs


# -- the checks ----------------------------------------------------------------------------------------


def check_version(tag: str | None) -> str:
    """The version is that of a release, CHANGELOG has its section, and the tag is its tag."""
    found = version()
    if not contents.is_version(found):
        raise Mistake(f"{found} is no version of a release: it has three numbers.")
    if tag and tag != f"v{found}":
        raise Mistake(f"The tag is {tag}, and the version {found}.")
    try:
        notes.section(notes.changelog(), found)
    except LookupError as error:
        raise Mistake(error.args[0]) from None
    newest = next(name for name in notes.versions(notes.changelog()) if name != "Unreleased")
    if newest != found:
        raise Mistake(f"The version is {found}, and the newest of CHANGELOG.md {newest}.")
    return f"version {found}, with a section in CHANGELOG.md"


def check_twice(work: Path) -> str:
    """Wheel and sdist are built twice, in different folders, and are the same byte for byte."""
    shutil.rmtree(DIST, ignore_errors=True)
    one, two = work / "one", work / "two"
    first = built(copied(work / "a" / "project"), one)
    before = os.umask(0o077)
    try:
        second = built(copied(work / "another-place" / "project"), two)
    finally:
        os.umask(before)
    if [path.name for path in first] != [path.name for path in second]:
        raise Mistake("The two builds have different files.")
    for left, right in zip(first, second, strict=True):
        if not filecmp.cmp(left, right, shallow=False):
            raise Mistake(f"{left.name} differs from build to build.")
    shutil.copytree(one, DIST)
    return f"{' and '.join(path.name for path in first)}, twice the same"


def check_metadata(_work: Path) -> str:
    """The metadata are valid, and README is rendered."""
    run(sys.executable, "-m", "twine", "check", "--strict", *map(str, artefacts()))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    raise_first(readme.mistakes(text))
    readme.rendered(text)
    return "metadata are valid, README is rendered, and its links are absolute"


def check_contents(_work: Path) -> str:
    """Wheel and sdist hold what they should."""
    sdist, wheel = artefacts()
    found = contents.wheel_names(wheel, version())
    raise_first(contents.differences(found, contents.kept(), "The wheel"))
    raise_first(contents.differences(contents.sdist_names(sdist), contents.expected_of_sdist(), "The sdist"))
    return f"{len(found)} files in the wheel, as the list has them"


def check_installed(work: Path) -> str:
    """In an empty environment the command runs, and says what its demonstration needs."""
    _, wheel = artefacts()
    programs = environment(work / "bare", str(wheel))
    command = str(programs / "codex-oauth")
    if run(command, "--version").strip() != f"codex-oauth {version()}":
        raise Mistake("codex-oauth --version says another version.")
    said = run(command, "demo", code=2)
    if "codex-oauth[authority]" not in said:
        raise Mistake(f"Without the extra the demonstration does not say what it needs:\n{said}")
    write_sbom(programs)
    return f"installed in an empty environment; {SBOM.name} lists what that has"


def check_demo(work: Path) -> str:
    """With the extras the demonstration signs in, gets an answer of a model, and leaves nothing behind."""
    _, wheel = artefacts()
    programs = environment(work / "full", f"{wheel}[authority,cli]")
    home = work / "home"
    home.mkdir()
    said = run(str(programs / "codex-oauth"), "demo", cwd=home, environ={"HOME": str(home)})
    if [*home.rglob("*")]:
        raise Mistake("The demonstration leaves something behind.")
    return f"the demonstration runs, and leaves nothing behind: {said.splitlines()[-1]}"


def check_tutorial(work: Path) -> str:
    """The tutorial, word for word, in an empty folder, with the wheel in place of the index's package."""
    _, wheel = artefacts()
    folder, text = work / "newcomer", tutorial.page()
    folder.mkdir()
    for name, content in tutorial.files(text):
        (folder / name).write_text(content, encoding="utf-8")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    script = tutorial.script(text, install=str(wheel), port=port)
    began = time.monotonic()
    said = run("/bin/bash", "-c", script, cwd=folder, environ={"HOME": str(folder / "home")})
    if "1 passed" not in said:
        raise Mistake(f"The tutorial does not end with a test that passed:\n{said}")
    count, took = len(tutorial.commands(text)), time.monotonic() - began
    return f"the tutorial runs in an empty folder: {count} commands in {took:.0f} s"


def write_contents(work: Path) -> None:
    """Write the kept list anew, from a wheel of now."""
    (work / "dist").mkdir()
    (wheel,) = (path for path in built(copied(work / "a"), work / "dist") if path.suffix == ".whl")
    names = sorted(contents.wheel_names(wheel, version()))
    contents.KEPT.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def write_sbom(programs: Path) -> None:
    """The bill of materials of an environment, in which the wheel is installed."""
    run(
        *(sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"),
        *("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library"),
        *("--output-format", "JSON", "--output-file", str(SBOM), str(programs / "python")),
    )
    found = json.loads(SBOM.read_text(encoding="utf-8"))
    found["metadata"]["component"]["version"] = version()  # pyproject.toml names none
    SBOM.write_text(f"{json.dumps(found, indent=2)}\n", encoding="utf-8")


CHECKS: Final[tuple[Callable[[Path], str], ...]] = (
    check_twice,
    check_metadata,
    check_contents,
    check_installed,
    check_demo,
    check_tutorial,
)
"""In the order in which they are made, after that of the version."""


def artefacts() -> tuple[Path, Path]:
    """The sdist and the wheel that were built."""
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    return sdist, wheel


def raise_first(mistakes: Iterator[str]) -> None:
    """Raise a Mistake with all of them, if there are any."""
    found = list(mistakes)
    if found:
        raise Mistake("\n".join(found))


def main(arguments: list[str] | None = None) -> int:
    """Make the checks; the exit code."""
    parser = argparse.ArgumentParser(description="Build what a release has, twice, and look at it.")
    parser.add_argument(
        "--write", action="store_true", help="write the list of what the wheel holds, and end"
    )
    parser.add_argument("--tag", help="the tag of the release, which has to be that of its version")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="release-check-") as folder:
        work = Path(folder)
        try:
            if args.write:
                write_contents(work)
                return 0
            print(f"ok: {check_version(args.tag)}", flush=True)
            for check in CHECKS:
                print(f"ok: {check(work)}", flush=True)
        except (Mistake, ValueError) as mistake:
            print(f"not ready: {mistake}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
