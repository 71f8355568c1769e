"""The parser and the table of commands, and `docs/cli.md` against both."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.cli.commands import COMMANDS
from codex_oauth.cli.parser import build_parser, parsed
from codex_oauth.cli.usage import UsageError
from tests.cli.commands import run_command
from tests.cli.test_commands import hold
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
OPTION = re.compile(r"`(--?[a-z][a-z-]*)")


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found: list[Any] = [action for action in parser._actions if isinstance(action.choices, dict)]
    return dict(found[0].choices) if found else {}


def options(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a command and of its actions, but for help."""
    own = {option for action in parser._actions for option in action.option_strings}
    return own.union(*map(options, subparsers(parser).values())) - {"-h", "--help"}


WHOLE = subparsers(build_parser())


def section(heading: str, level: str = "###") -> str:
    _, _, rest = PAGE.partition(f"\n{level} {heading}\n")
    return re.split(r"^##+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


# -- the page ---------------------------------------------------------------------------------------


def test_the_page_has_every_command_in_the_order_of_the_table() -> None:
    assert re.findall(r"^### `([a-z]+)`$", PAGE, re.MULTILINE) == list(COMMANDS) == list(WHOLE)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_names_every_option_of_a_command_and_no_other(name: str) -> None:
    text = re.sub(r"\([^)]*\)|`codex-oauth [^`]*`", "", section(f"`{name}`"))
    lists = [line for line in text.splitlines() if line.startswith("| `-")]
    tables = {option for line in lists for option in OPTION.findall(line.split(" | ")[0])}
    shared = "".join(re.findall(r"(?:Also|Both): (.*?)\.(?:\n|$)", text, re.DOTALL))
    assert tables | set(OPTION.findall(shared)) == options(WHOLE[name])


def test_the_page_explains_the_options_that_are_shared() -> None:
    shared = {"--account", "--store", "--json", "-q", "--quiet", "-v", "--verbose", "-h", "--help"}
    assert set(OPTION.findall(section("Options of nearly every command", "##"))) == shared


def test_the_page_has_every_exit_code() -> None:
    from codex_oauth.cli import errors

    codes = {str(value) for name, value in vars(errors).items() if name.isupper() and type(value) is int}
    assert set(re.findall(r"^\| ([0-9]+) \|", section("Exit codes", "##"), re.MULTILINE)) == codes


def test_the_page_has_every_variable_of_ours() -> None:
    code = "".join(path.read_text() for path in (ROOT / "adapters" / "codex_oauth").rglob("*.py"))
    constants = set(re.findall(r"^(CODEX_[A-Z_]+)\b(?:: Final| =)", code, re.MULTILINE))
    ours = set(re.findall(r'"(CODEX_[A-Z_]+[A-Z])"', code)) - constants  # which `__all__` names as well
    assert len(ours) > 5
    assert ours <= set(re.findall(r"`([A-Z_]+)`", section("Environment", "##")))


# -- the table --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_first_and_fits_a_terminal(tmp_path: Path, name: str) -> None:
    done = run_command(tmp_path, name, "--help", COLUMNS="80")
    assert (done.code, done.err) == (0, "")
    assert 0 < done.out.index("examples:") < done.out.index("options:")
    wide = [line for line in done.out.splitlines() if len(line) > 80 and not line.startswith("  codex-oauth")]
    assert wide == []


@pytest.mark.parametrize("row", COMMANDS.values(), ids=lambda row: row.name)
def test_the_examples_are_commands_that_parse(row: object) -> None:
    for example in getattr(row, "examples"):  # noqa: B009  # parametrize gives an object
        command = re.split(r"   | \| ", example)[0]
        words = re.search(r"codex-oauth ([^)\"]*)", command)
        assert words is not None, command
        first = words[1].replace("PORT", "1").split()
        assert parsed(first) is not None


def test_the_list_of_commands_is_one_line_each() -> None:
    """The width of that column is a private name of argparse."""
    lines = build_parser(()).format_help().splitlines()
    for name, row in COMMANDS.items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert row.help.startswith(line.split(maxsplit=1)[1][:20])


@pytest.mark.parametrize("name", COMMANDS)
def test_only_the_command_that_is_run_has_arguments(name: str) -> None:
    rows = subparsers(build_parser((name,)))
    assert [other for other, row in rows.items() if len(row._actions) > 1] == [name]


# -- mistakes ---------------------------------------------------------------------------------------


def mistake(*arguments: str) -> UsageError:
    with pytest.raises(UsageError) as raised:
        parsed(arguments)
    return raised.value


@pytest.mark.parametrize(
    ("arguments", "says", "advice"),
    [
        (("stauts",), "No command `stauts`.", "Did you mean `status`?"),
        (("status", "--jsn"), "No option `--jsn`.", "Did you mean `--json`?"),
        (("status", "--js"), "No option `--js`.", "codex-oauth status --help"),
        (("status", "x"), "No argument `x`.", "codex-oauth status --help"),
        (("--jsno", "status"), "No option `--jsno`.", "codex-oauth --help"),
        (("--json", "token"), "No option `--json`.", "after the command: codex-oauth token --json"),
        (("--store", "a b", "status"), "No option `--store`.", "codex-oauth status --store 'a b'"),
        (("-q", "\x1bx", "list"), "No option `-q`.", "codex-oauth list -q '\\x1bx'"),
        (
            ("status", "--store", ""),
            "argument --store: the directory has no name",
            "codex-oauth status --help",
        ),
        (("status", "--store"), "argument --store: expected one argument", "codex-oauth status --help"),
        (("exec", "ls"), "No argument `ls`.", "must stand after `--`"),
        (("exec", "--"), "the program to run must stand after `--`", "codex-oauth exec --help"),
        (("exec", "--", ""), "the program to run must stand after `--`", "codex-oauth exec --help"),
        (("exec", "--env", "1X", "--", "ls"), "'1X' is not the name of a variable", "exec --help"),
        (("exec", "--env", "PATH", "--", "ls"), "'PATH' is for something else than a token", "exec --help"),
        (("exec", "--env", "CODEX_OAUTH_PROVIDER", "--", "ls"), "is for something else", "exec --help"),
        (("logout", "--all", "--account", "a"), "do not go together", "codex-oauth logout --help"),
        (("status", "-q", "-v"), "not allowed with argument", "codex-oauth status --help"),
        (("login", "--yes"), "--yes needs --account", "codex-oauth login --help"),
        (("import",), "--from-codex", "codex-oauth import --help"),
    ],
)
def test_a_mistake_says_what_it_is_and_what_to_type(
    arguments: tuple[str, ...], says: str, advice: str
) -> None:
    found = mistake(*arguments)
    assert says in str(found)
    assert any(advice in line for line in found.advice), found.advice


def test_what_is_close_to_nothing_is_told_as_nothing() -> None:
    assert not any("Did you mean" in line for line in mistake("token", "--bogus").advice)
    assert not any("Did you mean" in line for line in mistake("--json", "token").advice)


def test_help_of_help_is_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(["help", "help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: codex-oauth ")


def test_what_was_typed_is_shown_escaped_and_short() -> None:
    assert "\x1b" not in str(mistake("\x1b]0;x\x07"))
    assert len(str(mistake("x" * 10_000))) < 100


def test_what_follows_the_dashes_is_not_ours(tmp_path: Path) -> None:
    hold(tmp_path)
    done = run_command(tmp_path, "exec", "--", "echo", "--json", "--nonsense", "--")
    assert (done.code, done.out) == (0, "--json --nonsense --\n")


def test_nothing_at_all_is_help_on_stderr(tmp_path: Path) -> None:
    done = run_command(tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "examples:" in done.err
