"""U29: the manual page says everything that the parser and the tables know, and is sound man source."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from docs.command import manual, manual_tables
from docs.command.completion import actions_of, children_of

from codex_oauth.cli import errors
from codex_oauth.cli.commands import COMMANDS, EXAMPLES
from codex_oauth.cli.parser import build_parser
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "man" / "codex-oauth.1"
TEXT = PAGE.read_text(encoding="utf-8")
LINES = TEXT.splitlines()
SECTIONS = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "COMMANDS",
    "ENVIRONMENT",
    "FILES",
    "EXIT STATUS",
    "EXAMPLES",
    "SEE ALSO",
]
KNOWN = {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".br", ".nf", ".fi", ".RS", ".RE"}
ESCAPES = re.compile(r"\\(?:-|e|&|f[BIR]|\((?:aq|ga|dq|ti|ha))")
HAS_GROFF = shutil.which("groff") is not None


def plain(text: str) -> str:
    """Page source as it is read."""
    for escape, char in (
        ("\\-", "-"),
        ("\\(aq", "'"),
        ("\\(ga", "`"),
        ("\\(dq", '"'),
        ("\\(ti", "~"),
        ("\\&", ""),
    ):
        text = text.replace(escape, char)
    return re.sub(r"\\f[BIR]", "", text).replace("\\e", "\\")


def section(name: str) -> str:
    return plain(re.split(r"^\.SH ", TEXT.partition(f"\n.SH {name}\n")[2], maxsplit=1, flags=re.MULTILINE)[0])


def command(name: str) -> str:
    """What the page says about one command."""
    heading = f'.SS "codex-oauth {name}"\n'
    assert section("COMMANDS").count(heading) == 1
    return section("COMMANDS").partition(heading)[2].partition(".SS ")[0]


def test_it_has_the_usual_sections_in_their_order() -> None:
    assert [line.removeprefix(".SH ") for line in LINES if line.startswith(".SH ")] == SECTIONS


def test_its_name_is_what_whatis_reads() -> None:
    assert section("NAME").strip() == "codex-oauth - sign in with ChatGPT (Codex)"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_its_options_and_examples(name: str) -> None:
    (parser,) = (child for known, _, child in children_of(build_parser()) if known == name)
    assert f".B codex-oauth {name}\n" in section("SYNOPSIS")
    said = command(name)
    assert " ".join(COMMANDS[name].about.split()) in said
    for example in COMMANDS[name].examples:
        assert f"\n{example}\n" in said
    for action in actions_of(parser):
        if "--help" not in action.option_strings:
            assert f"\n{action.help}\n" in said
            assert re.search(
                rf"^{', '.join(action.option_strings)}.*\n{re.escape(action.help or '-')}$",
                said,
                re.MULTILINE,
            )


@pytest.mark.parametrize("action", ["show", "replay"])
def test_the_actions_of_a_command_are_there(action: str) -> None:
    assert "FILE\nthe trace" in command(f"trace {action}")


def test_every_variable_of_ours_in_the_code_is_there() -> None:
    sources = [path for folder in ("core", "adapters") for path in (ROOT / folder).rglob("*.py")]
    named = {name for path in sources for name in re.findall(r'"(CODEX_OAUTH_[A-Z_]+)"', path.read_text())}
    assert len(named) >= 5
    assert {name for name in named if f"\n{name}\n" not in section("ENVIRONMENT")} == set()


def test_every_exit_code_is_there() -> None:
    codes = {getattr(errors, name) for name in errors.__all__ if name.isupper() and name != "EXIT_CODES"}
    assert set(manual_tables.EXIT_STATUS) == codes
    assert [int(code) for code in re.findall(r"^(\d+)$", section("EXIT STATUS"), re.MULTILINE)] == sorted(
        codes
    )


def test_the_examples_of_the_program_are_there() -> None:
    assert "\n".join(EXAMPLES) in section("EXAMPLES")


# -- the source --------------------------------------------------------------------------------------


def test_only_known_requests_begin_a_line_and_all_are_ended() -> None:
    requests = [
        line.split()[0] for line in LINES if line.startswith((".", "'")) and not line.startswith('.\\"')
    ]
    assert set(requests) <= KNOWN
    assert requests.count(".nf") == requests.count(".fi")
    assert requests.count(".RS") == requests.count(".RE")
    assert requests[0] == ".TH"
    assert "" not in LINES


def test_only_known_escapes_are_used_and_no_hyphen_is_left_to_chance() -> None:
    for line in LINES:
        if not line.startswith('.\\"'):
            rest = ESCAPES.sub("", line)
            assert "\\" not in rest, line
            assert "-" not in rest, line


def test_it_is_ascii() -> None:
    assert TEXT.isascii()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (".TH x", "\\&.TH x"),
        ("'x", "\\(aqx"),
        ("a\\b", "a\\eb"),
        ('--all `x` ~ "y"', "\\-\\-all \\(gax\\(ga \\(ti \\(dqy\\(dq"),
    ],
)
def test_no_text_is_read_as_a_request_or_an_escape(text: str, source: str) -> None:
    assert manual._text(text) == source


@pytest.mark.skipif(not HAS_GROFF, reason="groff is not installed; the checks above hold without it")
def test_groff_formats_it_without_a_warning() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-c", str(PAGE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r".\x08", "", done.stdout)
    assert "codex-oauth exec [options] -- CMD [ARG ...]" in shown
    assert "who decides: a person on the page" in " ".join(shown.split())
