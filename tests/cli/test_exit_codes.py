"""U15: each exit code, from a command that was run, with and without `--json`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from codex_oauth import FileStore
from codex_oauth.authority import Approve, Authority, serve
from codex_oauth.cli import errors
from codex_oauth.cli.main import main
from codex_oauth_core import ErrorKind, SignInError
from tests.cli.commands import COMMAND, Done, environment, run_command, start_command
from tests.cli.schemas import validate
from tests.cli.test_commands import AT_ONCE, hold, login, path_in_use

PAST = 1_700_000_000_000


def both(home: Path, *arguments: str, **extra: str) -> tuple[Done, Done]:
    """The same command for a person and for a program: the same code, and no result beside the failure."""
    person = run_command(home, *arguments, **extra)
    program = run_command(home, *arguments, "--json", **extra)
    assert person.code == program.code
    if person.code:
        assert (person.out, program.err) == ("", "")
        assert person.err.startswith("codex-oauth")
        assert "Traceback" not in person.err
        (document,) = program.documents
        validate("error", document)
    return person, program


def test_0_ok(tmp_path: Path) -> None:
    hold(tmp_path)
    assert both(tmp_path, "status")[0].code == errors.OK == 0


def broken(self: FileStore) -> str:
    raise RuntimeError("canary-in-a-message")


@pytest.mark.parametrize("as_json", [False, True])
def test_1_unexpected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    monkeypatch.setattr(FileStore, "current", broken)
    arguments = ["status", "--store", str(tmp_path), *(["--json"] if as_json else [])]
    assert main(arguments) == errors.UNEXPECTED == 1
    said = capsys.readouterr()
    assert "canary" not in said.out + said.err
    if as_json:
        document = json.loads(said.out)
        validate("error", document)
        assert (said.err, document["error"]["kind"]) == ("", "unexpected")
    else:
        assert said.out == ""
        assert "unexpected RuntimeError. This is a bug in codex-oauth: please report it." in " ".join(
            said.err.split()
        )


def test_1_a_bug_is_raised_where_somebody_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileStore, "current", broken)
    monkeypatch.setenv("CODEX_OAUTH_DEBUG", "1")
    with pytest.raises(RuntimeError, match="canary"):
        main(["status", "--store", str(tmp_path)])


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_1_an_output_that_cannot_be_written(tmp_path: Path, more: tuple[str, ...]) -> None:
    hold(tmp_path)
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123  # a device
        done = subprocess.run(
            [*COMMAND, "status", *more],
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "codex-oauth: the output could not be written: No space left on device.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("statsu",),
        ("status", "--nonsense"),
        ("status", "extra"),
        ("switch",),
        ("exec",),
        ("trace",),
        ("fleet",),
    ],
)
def test_2_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert both(tmp_path, *arguments)[0].code == errors.USAGE == 2


def test_3_refused(tmp_path: Path) -> None:
    with serve(Authority(policy=attrs.evolve(AT_ONCE, approve=Approve.DENY))) as server:
        person, program = login(tmp_path, server), login(tmp_path, server, "--json")
    assert (person.code, program.code) == (errors.REFUSED, 3)
    assert program.documents[-1]["error"]["kind"] == "denied"


@pytest.mark.parametrize("command", ["status", "token", "header", "refresh"])
def test_4_sign_in_first(tmp_path: Path, command: str) -> None:
    assert both(tmp_path, command)[0].code == errors.LOGIN_REQUIRED == 4


@pytest.mark.parametrize("command", ["token", "header", "refresh"])
def test_5_temporary(tmp_path: Path, command: str) -> None:
    hold(tmp_path, expires_at=PAST, issuer="http://127.0.0.1:9")  # nobody is there
    person, program = both(tmp_path, command)
    assert person.code == errors.TEMPORARY == 5
    assert program.documents[0]["error"]["kind"] == "network"


@pytest.mark.parametrize("command", ["status", "token", "header", "refresh"])
def test_6_storage(tmp_path: Path, command: str) -> None:
    hold(tmp_path)
    path_in_use(tmp_path).write_bytes(b"{torn")
    assert both(tmp_path, command)[0].code == errors.STORAGE == 6


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_130_interrupted(tmp_path: Path, more: tuple[str, ...]) -> None:
    policy = attrs.evolve(AT_ONCE, approve=Approve.NEVER)
    with (
        serve(Authority(policy=policy)) as server,
        start_command(tmp_path, "login", "--device", "--issuer", server.url, *more) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        told = process.stdout if more else process.stderr
        while "aiting" not in told.readline():
            pass
        process.send_signal(signal.SIGINT)
        out = process.stdout.read()
        err = process.stderr.read()
    assert process.returncode == errors.INTERRUPTED == 130
    assert "Traceback" not in err
    if more:
        assert json.loads(out.splitlines()[-1])["error"]["kind"] == "cancelled"
    else:
        assert out == ""


def interrupted(self: FileStore) -> str:
    raise KeyboardInterrupt


def test_130_of_any_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FileStore, "current", interrupted)
    assert main(["status", "--store", str(tmp_path)]) == 130
    assert capsys.readouterr() == ("", "")
    assert main(["status", "--json", "--store", str(tmp_path)]) == 130
    document = json.loads(capsys.readouterr().out)
    validate("error", document)
    assert document["error"]["kind"] == "cancelled"


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_has_its_code_with_and_without_json(
    kind: ErrorKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(self: FileStore) -> str:
        raise SignInError.of(kind)

    monkeypatch.setattr(FileStore, "current", fails)
    where: Callable[..., list[str]] = lambda *more: ["status", "--store", str(tmp_path), *more]  # noqa: E731  # shorter
    assert main(where()) == main(where("--json")) == errors.EXIT_CODES[kind]
    validate("error", json.loads(capsys.readouterr().out))
