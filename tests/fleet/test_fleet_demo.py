"""`make demo-fleet`: what it does, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.house.tree import ROOT

PATIENCE: Final = 120.0
DEMO: Final = ROOT / "docs" / "demo" / "fleet_demo.py"


@pytest.fixture(scope="module")
def demo() -> Any:
    spec = importlib.util.spec_from_file_location("fleet_demo_of_the_docs", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def left_over(group: int) -> list[str]:
    """The processes, of any session, that the demonstration with this mark has begun."""
    found = list[str]()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"FLEET_DEMO_OF_A_TEST={group}".encode() in path.read_bytes():
                found.append((path.parent / "cmdline").read_text().replace("\0", " "))
    return found


@contextlib.contextmanager
def running() -> Generator[tuple[subprocess.Popen[str], int]]:
    """The demonstration without a terminal, and its mark."""
    mark = time.monotonic_ns()
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "FLEET_DEMO_OF_A_TEST": str(mark)}
    process = subprocess.Popen(
        [sys.executable, str(DEMO)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        try:
            yield process, mark
        finally:
            process.terminate()


def test_ten_people_sign_in_and_a_worker_is_killed() -> None:
    with running() as (process, mark):
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    *lines, last = out.splitlines()
    assert last == (
        "10 people signed in. 10 codes were exchanged, none of them twice. One worker was killed."
    )
    (killed,) = [match for line in lines if (match := re.match(r"Worker (\d) is killed\.", line))]
    owner = re.compile(r" *\d+\.\d s  \S{8}\.\.\.  (\w+) +(\w+)(?: +(.+))?")
    rows = [match.groups() for line in lines if (match := owner.fullmatch(line))]
    assert len({name for name, _, _ in rows}) == 10
    assert {name for name, state, _ in rows if state == "done"} == {name for name, _, _ in rows}
    drivers: dict[str, list[str]] = {}
    for name, _, worker in rows:
        drivers.setdefault(name, []).append(worker)
    dead, living = f"worker {killed[1]}", f"worker {3 - int(killed[1])}"
    assert [name for name, seen in drivers.items() if {dead, living} <= set(seen)] != []
    assert left_over(mark) == []


def test_who_interrupts_it_leaves_nothing_behind() -> None:
    before = set(Path("/tmp").glob("fleet-demo-*"))
    with running() as (process, mark):
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Two workers")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert left_over(mark) == []
    assert set(Path("/tmp").glob("fleet-demo-*")) <= before


def test_without_postgresql_it_says_what_to_install(
    demo: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "PLACES", ())
    monkeypatch.setenv("PATH", "")
    assert demo.main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "PostgreSQL is not installed: there is no initdb.",
        "Install it; no service has to run. On Debian: apt-get install postgresql",
    ]


@pytest.mark.parametrize(
    ("signed_in", "codes", "text", "is_right"),
    [
        (10, "abcdefghij", "10 people signed in. 10 codes were exchanged, none of them twice.", True),
        (10, "abcdefghija", "10 people signed in. 10 codes were exchanged, and 1 of them again.", False),
        (9, "abcdefghij", "9 people signed in. 10 codes were exchanged, none of them twice.", False),
        (1, "abc", "1 person signed in. 3 codes were exchanged, none of them twice.", False),
    ],
)
def test_the_summary_says_what_was_counted(
    demo: Any, signed_in: int, codes: str, text: str, is_right: bool
) -> None:
    assert demo.summary(signed_in, codes, 1) == (f"{text} One worker was killed.", is_right)


def test_a_row_can_be_read_aloud(demo: Any) -> None:
    lines = [
        demo.Row("AbCd1234", "Ada", "pending", None).line(0.52),
        demo.Row("AbCd1234", "Ada", "pending", 1).line(1.4),
        demo.Row("AbCd1234", "Ada", "done", None).line(11.4),
    ]
    assert lines == [
        " 0.5 s  AbCd1234...  Ada   pending     waits for a worker",
        " 1.4 s  AbCd1234...  Ada   pending     worker 1",
        "11.4 s  AbCd1234...  Ada   done",
    ]
