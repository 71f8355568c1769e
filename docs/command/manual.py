"""The manual page of `codex-oauth`, in the man macros, from the parser and the tables beside this file.

Rules of this file: text is escaped where it enters a line, so that no text is ever read as a request; the
page has no date and no version, so that it changes only when what it says does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from docs.command.completion import actions_of, children_of
from docs.command.manual_tables import DESCRIPTION, EXIT_STATUS, FILES, SEE_ALSO, VARIABLES

from codex_oauth.cli.commands import COMMANDS, EXAMPLES
from codex_oauth.cli.parser import build_parser

__all__ = ["page"]

_TITLE: Final = (
    '.\\" Written by docs/command/write.py; do not edit.',
    '.TH CODEX\\-OAUTH 1 "" "codex\\-oauth" "User Commands"',
)


def page() -> str:
    """The whole page."""
    parser = build_parser()
    commands = [line for row in children_of(parser) for line in _command(parser.prog, *row)]
    sections = {
        "NAME": (f"{_text(parser.prog)} \\- sign in with ChatGPT (Codex)",),
        "SYNOPSIS": _synopsis(parser),
        "DESCRIPTION": _paragraphs(DESCRIPTION),
        "OPTIONS": _options(parser),
        "COMMANDS": commands,
        "ENVIRONMENT": _table(VARIABLES),
        "FILES": _table(FILES),
        "EXIT STATUS": (
            *_table(EXIT_STATUS),
            *_paragraphs(("The exit code of exec is that of its command.",)),
        ),
        "EXAMPLES": _examples(EXAMPLES),
        "SEE ALSO": (_text(", ".join(SEE_ALSO)),),
    }
    lines = [*_TITLE]
    for name, body in sections.items():
        lines += [f".SH {name}", *body]
    return "\n".join(lines) + "\n"


def _synopsis(parser: argparse.ArgumentParser) -> Iterator[str]:
    for name, _, _ in children_of(parser):
        yield f".B {_text(parser.prog)} {_text(name)}"
        yield f"{_rest_of_usage(COMMANDS[name].takes_command)}"
        yield ".br"
    yield f".B {_text(parser.prog)} \\-\\-help"
    yield ".br"
    yield f".B {_text(parser.prog)} \\-\\-version"


def _rest_of_usage(takes_command: bool) -> str:
    return "[options] \\-\\- CMD [ARG ...]" if takes_command else "[arguments]"


def _command(program: str, name: str, about: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """A command, or an action of one: what it does, its options, its examples."""
    yield f'.SS "{_text(f"{program} {name}")}"'
    row = COMMANDS.get(name) if program == build_parser(()).prog else None
    yield _text(_joined(row.about) if row else f"{about[:1].upper()}{about[1:]}.")
    yield from _options(parser)
    if row is not None:
        yield ".PP"
        yield "Examples:"
        yield from _examples(row.examples)
    for child in children_of(parser):
        yield from _command(parser.prog, *child)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every option and argument; `--help` is said once, of the whole."""
    for action in actions_of(parser):
        is_said = "--help" in action.option_strings and " " in parser.prog
        if not is_said:
            yield ".TP"
            yield _named(action)
            yield _text(f"{action.help}".replace("%%", "%"))


def _named(action: argparse.Action) -> str:
    """The option with its value, or the argument."""
    value = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else None)
    name = ", ".join(f"\\fB{_text(option)}\\fR" for option in action.option_strings)
    if value is None or action.nargs == 0:
        return name
    shown = f"\\fI{_text(str(value))}\\fR"
    if action.nargs == "?":
        shown = f"[{shown}]"
    return f"{name} {shown}" if name else shown


def _table(rows: Mapping[str, str] | Mapping[int, str]) -> Iterator[str]:
    for name, about in rows.items():
        yield from (".TP", f"\\fB{_text(str(name))}\\fR", _text(about))


def _examples(lines: Iterable[str]) -> Iterator[str]:
    yield from (".PP", ".nf", ".RS")
    yield from map(_text, lines)
    yield from (".RE", ".fi")


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (".PP", _text(text))


def _joined(text: str) -> str:
    return " ".join(text.split())


def _text(text: str) -> str:
    """`text` as it is to be read: nothing in it is a request, an escape or a hyphen to break at."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    escaped = escaped.replace('"', "\\(dq").replace("~", "\\(ti").replace("^", "\\(ha")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
