"""U29: completion in the real shells, set up by the line that help shows; and the scripts are up to date."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest
from docs.command import completion, write

from codex_oauth.cli.commands import COMMANDS
from codex_oauth.cli.completion import SCRIPTS
from codex_oauth.cli.parser import build_parser
from tests.cli.commands import COMMAND, environment, run_command
from tests.cli.shells import SHELLS, Home
from tests.house.tree import ROOT

FOLDER = ROOT / "adapters" / "codex_oauth" / "cli" / "completions"

each_shell = pytest.mark.parametrize("shell", SHELLS)
each_file = pytest.mark.parametrize("written", write.WRITTEN, ids=lambda written: written.path.name)


def options_of(*command: str) -> set[str]:
    """The long options of a command."""
    parser = build_parser()
    for word in command:
        parser = {name: child for name, _, child in completion.children_of(parser)}[word]
    return {name for action in parser._actions for name in action.option_strings if name.startswith("--")}


OFFERS: Sequence[tuple[str, set[str]]] = (
    ("codex-oauth ", set(COMMANDS)),
    ("codex-oauth lo", {"login", "logout"}),
    ("codex-oauth login --", options_of("login")),
    ("codex-oauth login ", {"start", "finish"}),
    ("codex-oauth login --color ", {"auto", "always", "never"}),
    ("codex-oauth trace ", {"show", "replay"}),
    ("codex-oauth trace show --", options_of("trace", "show")),
    ("codex-oauth fleet ", {"new-key", "migrate", "check", "sweep", "reseal", "sign-ins"}),
    ("codex-oauth fleet sweep --", options_of("fleet", "sweep")),
    ("codex-oauth import --from", {"--from-codex"}),
    ("codex-oauth completion ", set(SCRIPTS)),
    ("codex-oauth authority --approve a", {"ask", "auto"}),
    ("codex-oauth status --account ", set()),
    ("codex-oauth switch ", set()),
    ("codex-oauth exec --en", {"--env"}),
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@each_shell
@pytest.mark.parametrize(("line", "offered"), OFFERS, ids=[line for line, _ in OFFERS])
def test_what_is_offered(shell: str, line: str, offered: set[str], home: Home) -> None:
    found = home.complete(shell, line)
    assert {word for word in found if line.endswith("--") <= word.startswith("--")} == offered


@each_shell
def test_every_command_completes_its_options(shell: str, home: Home) -> None:
    for name in COMMANDS:
        assert home.complete(shell, f"codex-oauth {name} --") >= options_of(name)


@each_shell
@pytest.mark.parametrize(
    "start",
    ["trace show ", "trace show --html ", "login --trace ", "import --from-codex ", "export --to-codex "],
)
def test_a_file_is_completed_where_one_is_wanted(shell: str, start: str, home: Home) -> None:
    (home.folder / "file.json").touch()
    assert "file.json" in home.complete(shell, f"codex-oauth {start}")
    assert home.complete(shell, f"codex-oauth {start}fi") == {"file.json"}


@each_shell
def test_a_store_is_completed_as_a_directory(shell: str, home: Home) -> None:
    (home.folder / "store-of-mine").mkdir()
    (home.folder / "store-file").touch()
    found = home.complete(shell, "codex-oauth status --store st")
    assert {word.rstrip("/") for word in found} == {"store-of-mine"}


@each_shell
def test_what_exec_runs_is_completed_as_a_command_and_files(shell: str, home: Home) -> None:
    (home.folder / "notes.txt").touch()
    program = home.path / "bin" / "tool-of-the-test"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert home.complete(shell, "codex-oauth exec -- tool-of-th") == {"tool-of-the-test"}
    assert home.complete(shell, "codex-oauth exec --json -- cat not") == {"notes.txt"}


@each_shell
def test_completing_runs_nothing_of_this_program(shell: str, home: Home) -> None:
    home.complete(shell, "codex-oauth status --account ")
    home.complete(shell, "codex-oauth switch ")
    assert home.calls() == [f"completion {shell}"] * 2


def test_zsh_finds_the_script_in_its_function_path(home: Home) -> None:
    folder = home.path / "functions"
    folder.mkdir()
    (folder / "_codex-oauth").write_bytes((FOLDER / "_codex-oauth").read_bytes())
    setup = f"fpath=({folder} $fpath); compinit -u -D"
    for _ in range(2):
        assert home.complete("zsh", "codex-oauth lo", setup) == {"login", "logout"}


@each_shell
def test_the_script_is_printed_whole_and_alone(shell: str, tmp_path: Path) -> None:
    done = run_command(tmp_path, "completion", shell)
    assert (done.code, done.err) == (0, "")
    assert done.out == (FOLDER / SCRIPTS[shell]).read_text(encoding="utf-8")
    assert done.out.isascii()


@pytest.mark.parametrize("wrong", [(), ("tcsh",), ("bash", "zsh")])
def test_another_shell_is_a_mistake(wrong: tuple[str, ...], tmp_path: Path) -> None:
    done = run_command(tmp_path, "completion", *wrong)
    assert (done.code, done.out) == (2, "")
    assert "codex-oauth completion: " in done.err


def test_a_script_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "completion", "bash"],
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "could not be written" in done.stderr


def test_the_scripts_are_there_and_nothing_else() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(SCRIPTS.values())
    assert set(SCRIPTS) == set(SHELLS)


# -- what is written, the manual page too ----------------------------------------------------------


@each_file
def test_what_is_written_is_up_to_date(written: write.Written) -> None:
    assert write.differences(written) == [], "run: python -m docs.command.write"


def test_check_shows_what_differs_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = attrs.evolve(write.WRITTEN[0], path=tmp_path / "new" / "script")
    monkeypatch.setattr(write, "WRITTEN", (elsewhere,))
    assert write.main(["--check"]) == 1
    assert not elsewhere.path.exists()
    assert write.main([]) == 0
    assert elsewhere.path.read_bytes() == (FOLDER / SCRIPTS["bash"]).read_bytes()
    assert write.main(["--check"]) == 0
    elsewhere.path.write_text("old\n")
    capsys.readouterr()
    assert write.main(["--check"]) == 1
    assert "-old\n" in capsys.readouterr().out
    assert elsewhere.path.read_text() == "old\n"


def test_it_runs_as_a_module_in_the_checkout() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.command.write", "--check"], cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
