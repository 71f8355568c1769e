"""P17: how big the wheel is, how long a cold installation takes, and whether it brings anything compiled.

Rules of this file: the wheels are fetched before anything is measured, so that no network is in any figure; each turn
installs into an empty folder, with pip, without its cache, byte code included.
"""

from __future__ import annotations

import os
import subprocess
import zipfile
import zlib
from email import message_from_bytes
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.bench.contest import Contestant, contest, figures
from tests.bench.peers import ROOT
from tests.bench.processes import PYTHON, lasting, said
from tests.bench.ratios import NotMeasurable, Result, Spread, Target

HTTPX: Final = "pip install httpx"
OURS: Final = "pip install codex-oauth"
FLOOR: Final = "what it requires, and its files"
_PIP: Final = (PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check")
_UNPACK: Final = """
import compileall, sys, time, zipfile
began = time.perf_counter()
with zipfile.ZipFile(sys.argv[1]) as files: files.extractall(sys.argv[2])
compileall.compile_dir(sys.argv[2], quiet=1)
print(time.perf_counter() - began)
"""
"""What no installer is spared, without the start of the interpreter."""
_QUIETLY: Final = {"PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def _wheels(folder: Path) -> Path:
    """Our wheel, with everything that it and httpx need beside it. Raises NotMeasurable without a registry."""
    build = (PYTHON, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = folder.glob("codex_oauth-*.whl")
    fetch = (*_PIP, "download", "--only-binary", ":all:", "--dest", str(folder), str(wheel), "httpx")
    try:
        subprocess.run(fetch, check=True, capture_output=True, env={**os.environ, **_QUIETLY}, timeout=120)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise NotMeasurable("the wheels that it needs cannot be fetched from a registry") from None
    return wheel


def _requirements(wheel: Path) -> list[str]:
    """What the bare package requires."""
    with zipfile.ZipFile(wheel) as files:
        [about] = (each for each in files.namelist() if each.endswith(".dist-info/METADATA"))
        told = message_from_bytes(files.read(about))
    return [each for each in told.get_all("Requires-Dist", []) if "extra ==" not in each]


def _floor(wheel: Path) -> int:
    """Bytes of its files, each of them compressed as far as zip can: less no wheel has."""
    with zipfile.ZipFile(wheel) as files:
        return sum(len(zlib.compress(files.read(each), 9)) for each in files.infolist())


def _compiled(folder: Path) -> set[str]:
    """The packages of an installation that have compiled parts."""
    found = (path for path in folder.rglob("*") if path.suffix in (".so", ".pyd", ".dylib"))
    return {path.relative_to(folder).parts[0] for path in found}


def measure(rounds: int) -> Result:
    """The row. Raises NotMeasurable without a registry."""
    with TemporaryDirectory() as home:
        wheel = _wheels(Path(home))
        size, least = wheel.stat().st_size, _floor(wheel)
        numbers, last = count(), dict[str, Path]()

        def install(name: str, *what: str) -> float:
            last[name] = Path(home, f"installed{next(numbers)}")
            command = (*_PIP, "install", "--no-cache-dir", "--no-index", "--find-links", home)
            return lasting((*command, "--target", str(last[name]), *what), _QUIETLY)

        def unpack() -> float:
            taken = install(FLOOR, *_requirements(wheel))
            return taken + float(said((PYTHON, "-c", _UNPACK, str(wheel), str(last[FLOOR] / "unpacked"))))

        all_of = [
            Contestant(HTTPX, "the same of httpx", partial(install, HTTPX, "httpx")),
            Contestant(
                OURS,
                "`pip install --no-index --no-cache-dir --target NEW`, wheels at hand",
                partial(install, OURS, str(wheel)),
                ours=True,
            ),
            Contestant(
                FLOOR, "`pip install` of it; `ZipFile.extractall()`, `compileall.compile_dir()`", unpack
            ),
        ]
        times = contest(all_of, rounds, HTTPX)
        more = _compiled(last[OURS]) - _compiled(last[HTTPX])
    targets = (
        Target(
            "the wheel; its files, each compressed as far as zip can, are the floor",
            Spread.of([size / 1000]),
            round(1.2 * least / 1000),
            unit="KB",
        ),
        Target("a cold installation, of the floor", times.ratio(OURS, FLOOR), 1.2),
        Target("packages with compiled parts that httpx has not", Spread.of([float(len(more))]), 0, unit=""),
    )
    notes = (
        "The floor of an installation: what it requires is installed, and its own files are unpacked and compiled. Half "
        "as much again as httpx takes is not to be had: to compile its files takes as long as that.",
        f"The floor of the wheel is {least / 1000:.0f} KB, so 500 KB are not to be had without leaving something out.",
        *sorted(more),
    )
    return Result("P17", HTTPX, figures(all_of, times), targets, notes=notes)
