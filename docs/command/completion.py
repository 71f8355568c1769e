"""The completion scripts, written by shtab from the parser, with what shtab cannot know added.

Rules of this file: a value is a file or a directory by the name that help gives it; what follows `--` is
completed as a command of its own; no script runs codex-oauth, so nothing that is stored is ever completed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

import shtab

from codex_oauth.cli.commands import COMMANDS
from codex_oauth.cli.parser import build_parser

__all__ = ["actions_of", "children_of", "script"]

_HEADER: Final = "# Completes codex-oauth in {shell}. Written by docs/command/write.py; do not edit."
_FILES: Final = frozenset({"FILE", "OUT", "PATH"})
"""What help calls a file."""
_DIRECTORIES: Final = frozenset({"--store"})

_BASH: Final = """
# What follows `--`: a command, and then files.
_codex_oauth_command_or_file() {
  local at
  for ((at = 2; at < COMP_CWORD; at++)); do
    [[ ${COMP_WORDS[at]} == -- ]] || continue
    if ((at + 1 == COMP_CWORD)); then compgen -c -- "$1"; else compgen -f -- "$1"; fi
    return
  done
  compgen -W "--" -- "$1"
}"""

_ZSH: Final = """\
        {name})
          local behind=${{words[(i)--]}}
          if (( behind < CURRENT )); then
            words=("${{(@)words[behind+1,-1]}}")
            (( CURRENT -= behind ))
            _normal
          else
            _arguments -C -s $_codex_oauth_{name}_options '*: :(--)'
          fi
          ;;
"""

_FISH: Final = """
# What follows `--`: a command, completed as fish completes that.
function _codex_oauth_behind
  set -l words (commandline -opc)
  set -l at (contains -i -- -- $words)
  set -e words[1..$at]
  complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end
"""
_FISH_ROW: Final = (
    "complete -c codex-oauth -n '_codex_oauth_using {name}; and contains -- -- (commandline -opc)' "
    "-xa '(_codex_oauth_behind)'\n"
)

_TAKING: Final = tuple(command.name for command in COMMANDS.values() if command.takes_command)


def script(shell: str) -> str:
    """The script for `bash`, `zsh` or `fish`."""
    text = shtab.complete(_described(shell), shell)
    text = text.replace("_shtab_codex_oauth", "_codex_oauth").replace("_shtab_", "_codex_oauth_")
    added = {"bash": _for_bash, "zsh": _for_zsh, "fish": _for_fish}[shell](text)
    return _headed(added, shell)


def children_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """The commands of a parser: the name, what help says about it, and its own parser."""
    for action in filter(_leads_on, parser._actions):  # noqa: SLF001  # argparse has no other way to ask
        rows: Any = action
        for row in rows._choices_actions:  # noqa: SLF001  # nor one for this
            yield row.dest, row.help, rows.choices[row.dest]


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments and options of a parser, without those that lead to other parsers."""
    found = parser._actions  # noqa: SLF001  # argparse has no other way to ask
    return [action for action in found if not _leads_on(action)]


def _leads_on(action: argparse.Action) -> bool:
    """Whether it chooses one of several parsers."""
    return hasattr(action, "_choices_actions")


def _described(shell: str) -> argparse.ArgumentParser:
    """The whole parser, with what completes each value."""
    parser = build_parser()
    _describe(parser)
    for name, _, command in children_of(parser):
        if name in _TAKING and shell == "bash":
            behind: Any = command.add_argument("behind", nargs="*", help="a command")
            behind.complete = {"bash": "_codex_oauth_command_or_file"}
    return parser


def _describe(parser: argparse.ArgumentParser) -> None:
    for action in actions_of(parser):
        completed: Any = action
        if _DIRECTORIES.intersection(action.option_strings):
            completed.complete = shtab.DIRECTORY
        elif action.metavar in _FILES:
            completed.complete = shtab.FILE
    for _, about, child in children_of(parser):
        child.description = about
        _describe(child)


def _for_bash(text: str) -> str:
    """`_set_...` is what every script by shtab calls its functions: here they are our own."""
    return _once(text.replace("_set_", "_codex_oauth_set_"), "\n\n# $1=COMP_WORDS[1]\n", f"\n{_BASH}\n")


def _for_zsh(text: str) -> str:
    for name in _TAKING:
        line = f"        {name}) _arguments -C -s $_codex_oauth_{name}_options ;;\n"
        text = _once(text, line, _ZSH.format(name=name))
    return text


def _for_fish(text: str) -> str:
    return text.rstrip("\n") + "\n" + _FISH + "".join(_FISH_ROW.format(name=name) for name in _TAKING)


def _once(text: str, old: str, new: str) -> str:
    """`text` with `new` added before or in place of the first `old`, which must be there."""
    before, found, behind = text.partition(old)
    if not found:
        raise LookupError(f"shtab no longer writes {old!r}")
    return before + new + (old if old.startswith("\n") else "") + behind


def _headed(text: str, shell: str) -> str:
    """`text` with our first lines in place of shtab's; zsh's `#compdef` stays."""
    lines = text.rstrip("\n").split("\n")
    kept = [line for line in lines[:1] if line.startswith("#compdef")]
    first = next(at for at, line in enumerate(lines) if at > 2 and not line.startswith("#"))
    return "\n".join((*kept, _HEADER.format(shell=shell), *lines[first:])).rstrip("\n") + "\n"
