"""The arguments of `codex-oauth`, from the table of commands.

Rules of this file: only the arguments of the command that is run are loaded; an option is written out, or it
is none; what is wrong is a `UsageError`, and nothing is printed here but help.
"""

from __future__ import annotations

import argparse
import os
import sys

from codex_oauth.cli.commands import COMMANDS, EXAMPLES, EXIT_CODES_IN_HELP, STEPS, Command
from codex_oauth.cli.usage import UsageError, suggestions
from codex_oauth.project import HOME_URL
from codex_oauth_core._version import __version__
from codex_oauth_core.registered import TITLE

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Any, Final, NoReturn

    from _typeshed import SupportsWrite

__all__ = ["build_parser", "parsed"]

_PROGRAM: Final = "codex-oauth"
_BEHIND: Final = "The program to run must stand after `--`."
_HELP: Final = ("-h", "--help")


class _Format(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, found without loading `shutil`; 80 columns where there is none."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)
        self._action_max_length = 4 + max(
            map(len, COMMANDS)
        )  # argparse leaves out how far commands are indented

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Descriptions: prose is wrapped, and what has lines that are indented stays as it is."""
        import textwrap

        parts = text.split("\n\n")
        return "\n\n".join(part if "\n " in part else textwrap.fill(part, width) for part in parts)


def _columns() -> int:
    chosen = os.environ.get("COLUMNS", "")
    if chosen.isascii() and chosen.isdigit() and int(chosen) > 0:
        return min(int(chosen), 1000)
    try:
        return os.get_terminal_size(1).columns or 80
    except (OSError, ValueError):
        return 80


class _Parser(argparse.ArgumentParser):
    """Raises a `UsageError` instead of ending the process, and `NoOutput` where help cannot be written."""

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        if file is sys.stderr and file is not None:
            super()._print_message(message, file)
            return
        from codex_oauth.cli.output import result

        result(message.rstrip("\n"))

    def error(self, message: str) -> NoReturn:
        mistake = message.removeprefix("argument COMMAND: ")
        raise UsageError(mistake, _see(self.prog), usage=_short_usage(self), command=self.prog)


def build_parser(only: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command line; only these commands have their arguments, by default all."""
    return _built(COMMANDS if only is None else only)[0]


def _built(only: Collection[str]) -> tuple[_Parser, dict[str, _Parser]]:
    """The parser, and that of each command."""
    parser = _Parser(
        prog=_PROGRAM,
        description=_about(f"{TITLE}.", EXAMPLES),
        epilog=f"{EXIT_CODES_IN_HELP}\nproject: {HOME_URL}\n",
        formatter_class=_Format,
        allow_abbrev=False,
    )
    shown = f"{_PROGRAM} {__version__}"
    parser.add_argument("-V", "--version", action="version", version=shown, help="show the version")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    rows: dict[str, _Parser] = {}
    for command in COMMANDS.values():
        row = rows[command.name] = commands.add_parser(
            command.name,
            help=command.help,
            description=_about(command.about, command.examples),
            formatter_class=_Format,
            allow_abbrev=False,
        )
        if command.name in only:
            _complete(row, command)
    return parser, rows


def parsed(argv: Sequence[str]) -> argparse.Namespace | None:
    """The arguments, and `run`, the function that they are for; None if there are none at all.

    Raises UsageError, and SystemExit after help.
    """
    if not argv:
        build_parser(()).print_help(sys.stderr)
        return None
    if argv[0] == "help":
        argv = [*(word for word in argv[1:] if word != "help"), "--help"]
    command = COMMANDS.get(argv[0])
    if command is None:
        return _without_a_command(argv)
    _help_of_a_step(argv)
    ours, theirs = _divided(argv, command)
    parser, rows = _built((command.name,))
    row = rows[command.name]
    args, extra = parser.parse_known_args(ours)
    if extra:
        raise _unknown(extra[0], row, advice=(_BEHIND,) if command.takes_command else ())
    if command.takes_command:
        args.command = theirs
    mistake = None if command.check is None else _named(command.check)(args)
    if mistake is not None:
        row.error(mistake)
    args.run = _named(command.run)
    return args


def _without_a_command(argv: Sequence[str]) -> argparse.Namespace | None:
    first = argv[0]
    parser = build_parser(())
    if first.startswith("-"):
        _, extra = parser.parse_known_args(list(argv[:1]))  # help or the version, and then the end
        advice = _command_first(argv)
        raise _unknown(extra[0] if extra else first, parser, advice=advice, before_command=bool(advice))
    advice = (*suggestions(first, [*COMMANDS, "help"]), _see(_PROGRAM))
    raise UsageError(f"No command {_shown(first)}.", *advice, usage=_short_usage(parser), command=_PROGRAM)


def _command_first(argv: Sequence[str]) -> tuple[str, ...]:
    """The same words with the command before its options, if there is a command."""
    at = next((at for at, word in enumerate(argv) if word in COMMANDS), None)
    if at is None:
        return ()
    from shlex import quote

    from codex_oauth.cli.output import printable

    line = " ".join(map(quote, (_PROGRAM, argv[at], *argv[:at], *argv[at + 1 :])))
    return (f"Options stand after the command: {printable(line, 200)}",)


def _help_of_a_step(argv: Sequence[str]) -> None:
    """Print the help of `login start` or `login finish`, where that is asked for, and end."""
    step = next((STEPS[name] for word in argv[1:] if (name := f"{argv[0]} {word}") in STEPS), None)
    if step is None or not any(word in _HELP for word in argv):
        return
    row = _Parser(
        prog=f"{_PROGRAM} {step.name}",
        description=_about(step.about, step.examples),
        formatter_class=_Format,
        allow_abbrev=False,
    )
    _complete(row, step)
    row.print_help()
    row.exit()


def _see(program: str) -> str:
    return f"See the help: {program} --help"


def _short_usage(parser: argparse.ArgumentParser) -> str:
    """How a command is used, on one line."""
    if parser.usage:
        return f"usage: {parser.usage}"
    parts = [parser.prog]
    for action in parser._get_positional_actions():  # noqa: SLF001  # argparse has no other way to ask
        name = str(action.metavar or action.dest)
        parts.append(f"[{name}]" if action.nargs == "?" else name)
    return f"usage: {' '.join((*parts, '[options]'))}"


def _unknown(
    typed: str,
    parser: argparse.ArgumentParser,
    *,
    advice: Sequence[str] = (),
    before_command: bool = False,
) -> UsageError:
    """The mistake of an argument that the command does not take."""
    name = typed.partition("=")[0]
    known = [option for action in parser._actions for option in action.option_strings]  # noqa: SLF001  # argparse has no other way to ask
    kind = "option" if name.startswith("-") else "argument"
    close = suggestions(name, known) if kind == "option" and not before_command else ()
    message = f"No {kind} {_shown(name)}."
    more = (*close, *advice, _see(parser.prog))
    return UsageError(message, *more, usage=_short_usage(parser), command=parser.prog)


def _divided(argv: Sequence[str], command: Command) -> tuple[list[str], list[str]]:
    """Our arguments, and those behind `--`, which are a command of the person's own."""
    if not command.takes_command or "--" not in argv:
        return list(argv), []
    at = argv.index("--")
    return list(argv[:at]), list(argv[at + 1 :])


def _complete(parser: argparse.ArgumentParser, command: Command) -> None:
    if command.takes_command:
        parser.usage = f"{parser.prog} [options] -- CMD [ARG ...]"
    _named(command.arguments)(parser)


def _about(text: str, examples: Sequence[str]) -> str:
    return "\n".join((text, "", "examples:", *(f"  {line}" for line in examples)))


def _shown(typed: str) -> str:
    from codex_oauth.cli.output import printable

    return f"`{printable(typed, 60)}`"


def _named(name: str) -> Callable[..., Any]:
    """The function `module:function`."""
    from importlib import import_module

    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
