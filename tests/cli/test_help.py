"""U29: the help of every command: examples first, no wider than 80 columns, every option explained."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from docs.command.completion import actions_of, children_of

from codex_oauth.cli.commands import COMMANDS, EXAMPLES
from codex_oauth.cli.main import main
from codex_oauth.cli.parser import build_parser, parsed
from tests.cli.commands import COMMAND, environment, run_command

FLEET = tuple(("fleet", action) for action in ("new-key", "migrate", "check", "sweep", "reseal", "sign-ins"))
ACTIONS = (("trace", "show"), ("trace", "replay"), *FLEET)
EVERY: tuple[tuple[str, ...], ...] = ((), *((name,) for name in COMMANDS), *ACTIONS)
"""Every command line that can be asked for help."""

every_command = pytest.mark.parametrize("words", EVERY, ids=" ".join)

LINES = [*EXAMPLES, *(line for command in COMMANDS.values() for line in command.examples)]


def help_of(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


@pytest.fixture(autouse=True)
def _width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@every_command
def test_help_fits_80_columns_of_ascii(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    lines = help_of(words, capsys).splitlines()
    assert [line for line in lines if len(line) > 80 or not line.isascii() or line != line.rstrip()] == []


@every_command
def test_examples_come_before_options(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(words, capsys)
    program = " ".join(("codex-oauth", *words))
    assert text.startswith(f"usage: {program} [")
    headings = re.findall(r"^([a-z ]+):$", text, re.MULTILINE)
    assert headings[0] == "examples"
    assert "options" in headings
    examples = text.partition("\nexamples:\n")[2].partition("\n\n")[0].splitlines()
    assert any(program in line for line in examples)


@every_command
def test_every_option_and_argument_is_explained(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    parser = build_parser()
    for word in words:
        (parser,) = (child for name, _, child in children_of(parser) if name == word)
    text = " ".join(help_of(words, capsys).split())
    for action in actions_of(parser):
        assert action.help
        assert " ".join(action.help.split()) in text
        assert action.nargs == 0 or action.metavar or action.choices, action


@every_command
def test_help_needs_no_locale(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run_command(tmp_path, *words, "-h", LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.code, done.err) == (0, "")
    assert done.out.isascii()
    assert done.out.startswith("usage: codex-oauth")


def test_every_command_is_in_the_help_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of((), capsys)
    for command in COMMANDS.values():
        assert re.search(rf"^    {command.name}  +\S", text, re.MULTILINE)
        assert command.help in " ".join(text.split())


@pytest.mark.parametrize("columns", ["20", "40", "200"])
@every_command
def test_help_is_there_at_every_width(
    words: tuple[str, ...],
    columns: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert "examples:" in help_of(words, capsys)


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("login", "--help"), ("trace", "show", "-h")])
@pytest.mark.parametrize("where", ["closed", "full", "no reader"])
def test_help_that_cannot_be_written_is_a_failure_in_one_line(
    words: tuple[str, ...], where: str, tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    redirection = {"closed": ">&-", "full": ">/dev/full", "no reader": ""}[where]
    try:
        done = subprocess.run(
            ["sh", "-c", f'"$@" {redirection}', "sh", *COMMAND, *words],
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == 1
    if where == "no reader":  # as in `codex-oauth --help | head`
        assert done.stderr == ""
    else:
        assert re.fullmatch(r"codex-oauth: the output could not be written: .*\n", done.stderr)


def test_without_a_command_help_goes_to_stderr(tmp_path: Path) -> None:
    done = run_command(tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "examples:" in done.err


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("codex-oauth")])
def test_every_example_is_a_command_line_that_is_taken(line: str) -> None:
    typed = re.split(r"\s{2,}|\s\|\s", line.replace("PORT", "1234"), maxsplit=1)[0]
    args = parsed(shlex.split(typed)[1:])
    assert args is not None


@pytest.mark.parametrize("line", [line for line in LINES if not line.startswith("codex-oauth")])
def test_every_example_within_another_command_is_one_too(line: str) -> None:
    (typed,) = re.findall(r"[$<]\((codex-oauth [a-z ]+)\)", line)
    assert parsed(shlex.split(typed)[1:]) is not None
