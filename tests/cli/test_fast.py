"""U27, P12: `codex-oauth token` with a current token: what it loads, what it touches, and what it costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import Secret
from codex_oauth.cli.fast import current_token
from codex_oauth_core import Record
from codex_oauth_core.record import write_record
from tests.cli.commands import COMMAND, environment, run_command
from tests.cli.measure_start import TARGETS, ratios
from tests.cli.test_commands import hold, stored

OURS = {
    "codex_oauth",
    "codex_oauth.cli",
    "codex_oauth.cli.fast",
    "codex_oauth.cli.main",
    "codex_oauth.loading",
    "codex_oauth.stores",
    "codex_oauth.stores.names",
    "codex_oauth.stores.plain",
    "codex_oauth_core",
    "codex_oauth_core._lazy",
    "codex_oauth_core.flows",
    "codex_oauth_core.flows.lifetime",
    "codex_oauth_core.reading",
    "codex_oauth_core.reading.iso_time",
    "codex_oauth_core.reading.login_document",
    "codex_oauth_core.reading.strict_json",
    "codex_oauth_core.registered",
}
THEIRS = {"__future__", "enum", "json", "re", "resource"}
"""What it may load of the standard library beyond what an empty Python does, with what these load."""


def loaded(command: list[str], home: Path) -> set[str]:
    """The modules that a process imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command[1:]],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines} - {"imported package"}


def test_u27_it_loads_no_more_than_is_listed(tmp_path: Path) -> None:
    hold(tmp_path)
    script = "import sys; from codex_oauth.cli.main import main; sys.exit(main(['token']))"
    found = loaded([sys.executable, "-c", script], tmp_path)
    allowed = loaded([sys.executable, "-c", f"import {', '.join(sorted(THEIRS))}"], tmp_path)
    ours = {name for name in found if name.startswith("codex_oauth")}
    assert ours <= OURS | {"codex_oauth.cli.main"}
    assert found - ours <= allowed | {"codex_oauth.cli.main"}
    assert "codex_oauth.cli.fast" in ours


def test_u27_the_list_has_nothing_heavy() -> None:
    """What the list allows loads, all in all, none of these."""
    code = f"import sys, {', '.join(sorted((OURS | THEIRS) - {'codex_oauth.cli.main'}))}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "argparse",
        "asyncio",
        "attr",
        "attrs",
        "click",
        "filelock",
        "h11",
        "httpcore",
        "httpx",
        "keyring",
    }
    heavy |= {
        "pathlib",
        "platformdirs",
        "segno",
        "socket",
        "ssl",
        "subprocess",
        "threading",
        "typing",
    }
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize("command", ["--help", "status"])
def test_no_command_that_asks_nobody_loads_what_sends(tmp_path: Path, command: str) -> None:
    hold(tmp_path)
    found = loaded([*COMMAND, command], tmp_path)
    assert not {"httpx", "httpcore", "segno", "keyring", "ssl"} & found


AUDIT = """
import sys
seen = []
def hook(event, args):
    if event.startswith(("socket.", "fcntl.", "subprocess.", "os.remove", "os.rename", "os.mkdir")):
        seen.append(event)
    if event == "open" and isinstance(args[2], int) and args[2] & 3:
        seen.append(f"open {args[0]} to write")
sys.addaudithook(hook)
from codex_oauth.cli.main import main
code = main(sys.argv[1:])
print(code, *seen, file=sys.stderr)
"""


def test_u27_it_takes_no_lock_writes_nothing_and_opens_no_socket(tmp_path: Path) -> None:
    hold(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", AUDIT, "token"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("stored-access\n", "0\n")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_u12_stdout_is_the_token_and_one_newline(tmp_path: Path) -> None:
    hold(tmp_path)
    done = subprocess.run([*COMMAND, "token"], env=environment(tmp_path), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"stored-access\n", b"")


@pytest.mark.parametrize("more", [(), ("--json",), ("--account", "acct_1"), ("--account=acct_1", "--json")])
def test_both_ways_print_the_same(tmp_path: Path, more: tuple[str, ...]) -> None:
    hold(tmp_path)
    fast, usual = run_command(tmp_path, "token", *more), run_command(tmp_path, "token", "--quiet", *more)
    assert (fast.code, fast.out) == (usual.code, usual.out)
    assert fast.out


# -- what goes the usual way ------------------------------------------------------------------------

PAST = 1_700_000_000_000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path / "logins-of-the-test"))
    monkeypatch.delenv("CODEX_OAUTH_ACCOUNT", raising=False)
    return tmp_path


def test_the_fast_way_is_taken(home: Path) -> None:
    hold(home)
    assert current_token([]) == "stored-access"
    assert current_token(["--account", "acct_1"]) == "stored-access"
    assert current_token(["--store", str(home / "logins-of-the-test")]) == "stored-access"


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": PAST},
        {"expires_at": round(time.time() * 1000) + 1000},
        {"issuer": "https://elsewhere.example"},
        {"client_id": "another"},
        {"refresh_token": None},
    ],
)
def test_a_login_that_needs_a_judgement_goes_the_usual_way(home: Path, changes: dict[str, Any]) -> None:
    hold(home, **changes)
    assert current_token([]) is None


@pytest.mark.parametrize("changes", [{"dead_code": "invalid_grant"}, {"spent": True}])
def test_a_login_that_is_over_goes_the_usual_way(home: Path, changes: dict[str, Any]) -> None:
    credential = hold(home)
    record = attrs.evolve(Record(credential), **changes)
    stored(home).slot("acct_1").path.write_bytes(write_record(record))
    assert current_token([]) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--quiet"],
        ["--help"],
        ["--store"],
        ["--store", ""],
        ["--account", "--json"],
        ["--account", "nobody"],
        ["--account", "../acct_1"],
        ["--stor", "x"],
        ["extra"],
        ["--"],
    ],
)
def test_arguments_in_doubt_go_the_usual_way(home: Path, arguments: list[str]) -> None:
    hold(home)
    assert current_token(arguments) is None


def _open_to_others(path: Path) -> None:
    path.chmod(0o644)


def _a_link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to(path.with_name("real"))


def _a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _another(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"acct_1", b"acct_2"))


def _huge(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" " * 2**20)


@pytest.mark.parametrize("spoil", [_open_to_others, _a_link, _a_pipe, _torn, _another, _huge, Path.unlink])
def test_a_file_in_doubt_goes_the_usual_way(home: Path, spoil: Callable[[Path], None]) -> None:
    hold(home, access_token=Secret("stored-access"))
    spoil(stored(home).slot("acct_1").path)
    assert current_token([]) is None


# -- what it costs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", TARGETS)
def test_p12_p13_a_start_costs_a_few_starts_of_an_empty_python(tmp_path: Path, argument: str) -> None:
    """Generous: what it catches is a library that got in. `tests.cli.measure_start` has the figures."""
    hold(tmp_path)
    best = min(statistics.median(ratios(tmp_path, argument, 7)) for _ in range(2))
    assert best <= 1.5 * TARGETS[argument]
