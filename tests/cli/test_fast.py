"""U27, P12: `codex-oauth token` with a current token: what it loads, what it touches, and what it costs."""

from __future__ import annotations

import json
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
from codex_oauth.cli.main import main
from codex_oauth_core import Record
from codex_oauth_core.record import write_record
from tests.cli.commands import COMMAND, environment, run_command
from tests.cli.former import leave_former
from tests.cli.measure_start import TARGETS, ratios
from tests.cli.test_commands import hold, key_of, path_in_use, stored

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
THEIRS = {"__future__", "enum", "gc", "json", "re", "resource"}
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


ONE, TWO = "acct_1", "acct_2"
PERSON = {"account_id": None, "user_id": "user-1"}
EVERY_NAME = (
    None,
    ONE,
    key_of(ONE),
    key_of(ONE)[:-1],
    TWO,
    "user-1",
    key_of(None, "user-1"),
    key_of(None),
    "acct",
)


def one(home: Path) -> None:
    hold(home)


def former(home: Path) -> None:
    leave_former(stored(home), hold(home))
    stored(home).slot(key_of(ONE)).path.unlink()


def former_and_new(home: Path) -> None:
    leave_former(stored(home), attrs.evolve(hold(home), access_token=Secret("older")), in_use=False)


def former_in_use_and_new(home: Path) -> None:
    leave_former(stored(home), attrs.evolve(hold(home), access_token=Secret("older")))


def two_people(home: Path) -> None:
    hold(home, user_id="user-1", access_token=Secret("of-one"))
    hold(home, user_id="user-2", access_token=Secret("of-two"))


def former_beside_another_person(home: Path) -> None:
    leave_former(stored(home), hold(home))
    stored(home).slot(key_of(ONE)).path.unlink()
    hold(home, user_id="user-2", access_token=Secret("of-two"))


def two_accounts(home: Path) -> None:
    hold(home, account_id=TWO, access_token=Secret("of-two"))
    hold(home)


def no_account(home: Path) -> None:
    hold(home, **PERSON)


def nothing_known(home: Path) -> None:
    hold(home, account_id=None)


def one_begins_like_another(home: Path) -> None:
    hold(home, account_id=f"{ONE}_1", access_token=Secret("of-another"))
    hold(home)


def another_is_called_like_the_key(home: Path) -> None:
    hold(home, account_id=key_of(ONE), access_token=Secret("of-another"))
    hold(home)


def a_name_that_is_no_beginning(home: Path) -> None:
    """A key begins with no such account id."""
    newer = hold(home, account_id="-odd", access_token=Secret("newer"))
    leave_former(stored(home), attrs.evolve(newer, access_token=Secret("older")))


def a_name_too_long_to_begin_a_key(home: Path) -> None:
    newer = hold(home, account_id="a" * 65, access_token=Secret("newer"))
    leave_former(stored(home), attrs.evolve(newer, access_token=Secret("older")))


STORES = (
    one,
    former,
    former_and_new,
    former_in_use_and_new,
    two_people,
    former_beside_another_person,
    two_accounts,
    no_account,
    nothing_known,
    one_begins_like_another,
    another_is_called_like_the_key,
    a_name_that_is_no_beginning,
    a_name_too_long_to_begin_a_key,
)


@pytest.mark.parametrize("as_json", [(), ("--json",)])
@pytest.mark.parametrize("fill", STORES)
def test_whatever_the_fast_way_prints_the_usual_way_prints_too(
    home: Path, fill: Callable[[Path], None], as_json: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    fill(home)
    for named in EVERY_NAME:
        more = (*(() if named is None else ("--account", named)), *as_json)
        fast = current_token(more)
        code = main(["token", "--quiet", *more])
        usual = capsys.readouterr().out
        assert fast is None or (code, usual) == (0, f"{fast}\n"), named


def test_both_ways_are_the_same_command(tmp_path: Path) -> None:
    hold(tmp_path)
    for more in ((), ("--json",)):
        fast, usual = run_command(tmp_path, "token", *more), run_command(tmp_path, "token", "--quiet", *more)
        assert (fast.code, fast.out) == (usual.code, usual.out)
        assert fast.out


TAKEN: tuple[tuple[Callable[[Path], None], str | None, bool, bool], ...] = (
    (one, None, True, True),
    (one, ONE, True, True),
    (one, key_of(ONE), True, True),
    (one, key_of(ONE)[:-1], False, False),
    (one, "acct", False, False),
    (former, None, True, False),
    (former, ONE, True, False),
    (former, key_of(ONE), False, False),
    (former_and_new, None, True, True),
    (former_and_new, ONE, False, False),
    (former_in_use_and_new, None, False, False),
    (two_people, None, True, True),
    (two_people, ONE, False, False),
    (two_people, key_of(ONE, "user-1"), True, True),
    (former_beside_another_person, ONE, False, False),
    (two_accounts, ONE, True, True),
    (two_accounts, TWO, True, True),
    (no_account, None, True, True),
    (no_account, key_of(None, "user-1"), True, True),
    (no_account, "user-1", False, False),
    (nothing_known, None, True, True),
    (one_begins_like_another, ONE, False, False),
    (one_begins_like_another, f"{ONE}_1", True, True),
    (another_is_called_like_the_key, key_of(ONE), True, True),
    (a_name_that_is_no_beginning, None, False, False),
    (a_name_too_long_to_begin_a_key, None, False, False),
    (a_name_too_long_to_begin_a_key, "a" * 65, False, False),
)


@pytest.mark.parametrize(("fill", "named", "plain", "as_json"), TAKEN)
def test_which_names_take_the_fast_way(
    home: Path, fill: Callable[[Path], None], named: str | None, plain: bool, as_json: bool
) -> None:
    fill(home)
    more = [] if named is None else ["--account", named]
    assert (current_token(more) is not None, current_token([*more, "--json"]) is not None) == (plain, as_json)


@pytest.mark.parametrize("name", ["acct_1.json.0123456789abcdef.rescue", "acct_1.json.0123456789abcdef.tmp"])
def test_with_anything_beside_a_former_login_the_usual_way_looks(home: Path, name: str) -> None:
    former(home)
    assert current_token([]) is not None
    (stored(home).home / "logins" / name).touch(0o600)
    assert current_token([]) is None


def test_locks_do_not_matter(home: Path) -> None:
    former(home)
    for name in ("acct_1.lock", "acct_1.softlock", f"{key_of(ONE)}.lock"):
        (stored(home).home / "logins" / name).touch(0o600)
    assert current_token([]) == "stored-access"


@pytest.mark.parametrize("key", [key_of(TWO), "", 7, None, ["acct_1"], "../acct_1"])
def test_a_key_that_is_not_the_files_name_is_no_key(home: Path, key: object) -> None:
    hold(home)
    path = path_in_use(home)
    document = json.loads(path.read_bytes())
    document["credential"]["key"] = key
    path.write_text(json.dumps(document))
    assert (current_token([]), current_token(["--json"])) == (None, None)
    assert current_token(["--account", ONE, "--json"]) is None


def test_of_a_clock_that_is_far_off_the_usual_way_tells(home: Path) -> None:
    for offset, fast in ((None, True), (300.0, True), (-300.0, True), (301.0, False), (-301.0, False)):
        path_in_use_with(home, server_offset=offset)
        assert (current_token([]) is not None) is fast


def path_in_use_with(home: Path, **changes: Any) -> None:
    record = attrs.evolve(Record(hold(home)), **changes)
    path_in_use(home).write_bytes(write_record(record))


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
        {"client_id": "another"},
        {"issuer": "https://elsewhere.example/path"},
        {"issuer": "no issuer"},
        {"issuer": "https://elsewhere.example", "scopes": ("openid",)},
    ],
)
def test_a_login_that_needs_a_judgement_goes_the_usual_way(home: Path, changes: dict[str, Any]) -> None:
    hold(home, **changes)
    assert current_token([]) is None


@pytest.mark.parametrize("changes", [{"dead_code": "invalid_grant"}, {"spent": True}])
def test_a_login_that_is_over_goes_the_usual_way(home: Path, changes: dict[str, Any]) -> None:
    path_in_use_with(home, **changes)
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
    spoil(path_in_use(home))
    assert current_token([]) is None


# -- what it costs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", TARGETS)
def test_p12_p13_a_start_costs_a_few_starts_of_an_empty_python(tmp_path: Path, argument: str) -> None:
    """Generous: what it catches is a library that got in. `tests.cli.measure_start` has the figures."""
    hold(tmp_path)
    best = min(statistics.median(ratios(tmp_path, argument, 7)) for _ in range(2))
    assert best <= 1.5 * TARGETS[argument]
