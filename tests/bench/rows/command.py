"""P12, P12b, P12c and P13: the command as a whole process, against an interpreter that does nothing.

Rules of this file: all run in the same interpreter and environment; the programs of others are in
`command_peers`; the time ends when the process has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from codex_oauth import FileStore
from codex_oauth_core import CODEX, Credential, Record
from codex_oauth_core.record import write_record
from tests.bench.command_peers import PROGRAMS
from tests.bench.contest import Contestant, contest, figures
from tests.bench.logins import TOKEN, credential, keep
from tests.bench.peers import PEERS, VENV, has
from tests.bench.processes import PYTHON, clean_packages, lasting, said
from tests.bench.ratios import Result, Target
from tests.bench.rows.imports import floor

UNIT = "python -c pass"
FLOOR = "the same libraries and classes"
LIBRARIES = "argparse, attrs, base64, datetime, hashlib, ipaddress, json, pathlib, re, urllib.parse"
COMMAND = str(VENV / "bin" / "codex-oauth")


def _process(name: str, called: str, command: Sequence[str], *, ours: bool = False) -> Contestant:
    environment = {} if ours else {"PYTHONPATH": str(PEERS)}
    return Contestant(name, called, partial(lasting, command, environment), ours)


def _programs(folder: Path, arguments: Sequence[str]) -> list[Contestant]:
    """The programs of others, written down as files."""
    made: list[Contestant] = []
    for number, (name, needs, text) in enumerate(PROGRAMS):
        if needs is None or has(needs):
            path = folder / f"program{number}.py"
            path.write_text(text)
            made.append(
                _process(name, f"`program {' '.join(arguments[:1])}`", [PYTHON, str(path), *arguments])
            )
    return made


def token(rounds: int) -> Result:
    """P12."""
    with TemporaryDirectory() as home:
        folder = Path(home)
        store, login = FileStore(folder / "home"), credential()
        keep(store, login)
        file = folder / "login.json"
        file.write_bytes(write_record(Record(login)))
        ours = [COMMAND, "token", "--store", str(store.home)]
        others = _programs(folder, ["token", "--store", str(file)])
        assert said(ours).strip() == TOKEN
        return _raced("P12", "`codex-oauth token --store DIR`", ours, others, rounds, 2.6)


def every_client(rounds: int) -> Result:
    """P12b."""
    logins = {
        "another issuer": credential(CODEX.at("https://auth.example.com")),
        "a copy": attrs.evolve(credential(), refresh_token=None),
    }
    with TemporaryDirectory() as home:
        ours = {name: _command("token", FileStore(Path(home, name)), login) for name, login in logins.items()}
        called = {
            "another issuer": "`codex-oauth token`, a login of another issuer",
            "a copy": "`codex-oauth token`, a copy of another program's login, without a refresh token",
        }
        for command in ours.values():
            assert said(command).strip() == TOKEN
        note = (
            "A sealed store is for programs: the command reads none. A login whose issuer has a path, say, and one "
            "that needs a word to the person go the usual way of all commands."
        )
        return _against_nothing("P12b", ours, called, rounds, 2.6, note)


def accounts(rounds: int) -> Result:
    """P12c. The floor is a process with the libraries, and as many classes, that `status` loads."""
    with TemporaryDirectory() as home, clean_packages() as path:
        store = FileStore(Path(home))
        ours = {name: _command(name, store, credential()) for name in ("status", "list")}
        statement = f"from codex_oauth.cli.main import main; main({ours['status'][1:]!r})"
        module = floor(statement, LIBRARIES, path)
        all_of = [
            _process(UNIT, f"`{UNIT}`", [PYTHON, "-c", "pass"]),
            *(
                _process(f"codex-oauth, {name}", f"`codex-oauth {name}`", ours[name], ours=True)
                for name in ours
            ),
            Contestant(
                FLOOR,
                f"`import {module.stem}`",
                partial(lasting, [PYTHON, "-c", f"import {module.stem}"], {"PYTHONPATH": str(path)}),
            ),
        ]
        times = contest(all_of, rounds, UNIT)
    targets = tuple(
        Target(f"{name}, of the floor", times.ratio(f"codex-oauth, {name}", FLOOR), 1.2) for name in ours
    )
    least = times.ratio(FLOOR)
    notes = (
        f"The floor takes {least.median:.1f} times `{UNIT}`, so 4 times is not to be had with attrs, and a way of its own, "
        "as `token` has, would say everything twice.",
    )
    return Result("P12c", UNIT, figures(all_of, times), targets, notes=notes)


def _command(name: str, store: FileStore, login: Credential) -> list[str]:
    """The command, with a store that holds this login."""
    keep(store, login)
    return [COMMAND, name, "--store", str(store.home)]


def _against_nothing(
    number: str,
    ours: Mapping[str, Sequence[str]],
    called: Mapping[str, str],
    rounds: int,
    limit: float,
    *notes: str,
) -> Result:
    """Several commands of ours beside an interpreter that does nothing."""
    all_of = [
        _process(UNIT, f"`{UNIT}`", [PYTHON, "-c", "pass"]),
        *(
            _process(f"codex-oauth, {name}", called[name], command, ours=True)
            for name, command in ours.items()
        ),
    ]
    times = contest(all_of, rounds, UNIT)
    targets = tuple(
        Target(f"{name}: of `{UNIT}`", times.ratio(f"codex-oauth, {name}"), limit) for name in ours
    )
    return Result(number, UNIT, figures(all_of, times), targets, notes=notes)


def usage(rounds: int) -> Result:
    """P13."""
    with TemporaryDirectory() as home:
        others = _programs(Path(home), ["--help"])[1:]
        return _raced("P13", "`codex-oauth --help`", [COMMAND, "--help"], others, rounds, 3.2)


def _raced(
    number: str, called: str, ours: Sequence[str], others: Sequence[Contestant], rounds: int, limit: float
) -> Result:
    all_of = [
        _process(UNIT, f"`{UNIT}`", [PYTHON, "-c", "pass"]),
        _process("codex-oauth", called, ours, ours=True),
        *others,
    ]
    times = contest(all_of, rounds, UNIT)
    targets = (Target(f"of `{UNIT}`", times.ratio("codex-oauth"), limit),)
    return Result(number, UNIT, figures(all_of, times), targets)
