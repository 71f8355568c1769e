"""Every command that is printed, so that it works as it is pasted: the one place that writes one.

Rules of this file: a command carries what this invocation was told (`--store`, `--account`, `--issuer`,
`--provider`), as far as it takes that, quoted for a shell; what it names itself is not named twice. In a text
a command is what follows the last colon, so that a text of a library is as_pasted here, too.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from typing import Final

    from codex_oauth_core.errors import SignInError

__all__ = ["as_pasted", "command", "invoked_by", "remember", "with_commands"]

_PROGRAM: Final = "codex-oauth"

_TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "login": ("--provider", "--issuer", "--account", "--store"),
    "login start": ("--provider", "--issuer", "--account", "--store"),
    "login finish": ("--store",),
    "whoami": ("--account", "--store"),
    "status": ("--account", "--store"),
    "token": ("--account", "--store"),
    "header": ("--account", "--store"),
    "exec": ("--account", "--store"),
    "refresh": ("--account", "--store"),
    "logout": ("--account", "--store"),
    "list": ("--store",),
    "switch": ("--store",),
    "doctor": ("--issuer", "--store"),
    "import": ("--store",),
    "export": ("--account", "--store"),
}
"""Which of an invocation's options each command takes."""

_ALONE: Final[Mapping[str, str]] = {"--all": "--account"}
"""An option, and the one that does not go with it."""


_told: Final[dict[str, str]] = {}
"""What the command that runs was told, by the names of the options."""

_written: Final[set[str]] = set()
"""What was written here: it is complete, also where it leaves something out."""


def remember(args: argparse.Namespace | None, subcommand: str = "") -> None:
    """Keep what this invocation was told, for the commands that it prints; of None nothing is known."""
    _told.clear()
    _written.clear()
    for name in _TAKEN.get(subcommand, ()):
        if value := getattr(args, name.removeprefix("--"), None):
            _told[name] = value


def invoked_by(name: str) -> str | None:
    """What this invocation was told by the option of that name."""
    return _told.get(name)


def command(*words: str, **told: str | None) -> str:
    """The command line `codex-oauth WORDS`, with what it needs to mean the same store, account and server.
    `told` adds an option, or with None leaves one out.
    """
    subcommand = " ".join(words[:2]) if " ".join(words[:2]) in _TAKEN else words[0]
    options: dict[str, str | None] = {**_told, **{f"--{name}": value for name, value in told.items()}}
    typed = [_PROGRAM, *words]
    for name in _TAKEN.get(subcommand, ()):
        value = options.get(name)
        if value is not None and not _is_named(name, words):
            typed += [name, value]
    line = " ".join(map(_quoted, typed))
    _written.add(line)
    return line


def _is_named(option: str, words: tuple[str, ...]) -> bool:
    return any(
        word == option or word.startswith(f"{option}=") or _ALONE.get(word) == option for word in words
    )


def _quoted(word: str) -> str:
    from shlex import quote

    return quote(word)


def as_pasted(text: str) -> str:
    """A text of ours that may end with a command, which then works as it is pasted."""
    from shlex import split

    said, colon, typed = text.rpartition(f": {_PROGRAM} ")
    if not colon:
        said, typed = "", text.removeprefix(f"{_PROGRAM} ")
        if typed == text:
            return text
    try:
        words = split(typed)
    except ValueError:  # an open quote: it is no command
        return text
    if words[0] not in _TAKEN or "--help" in words or f"{_PROGRAM} {typed}" in _written:
        return text
    return f"{said}: {command(*words)}" if colon else command(*words)


_DONE_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "Sign in.": ("login",),
    "Sign in again.": ("login",),
    "Sign in with the browser.": ("login", "--browser"),
    "Or sign in with the browser.": ("login", "--browser"),
    "Sign in with a device code instead.": ("login", "--device"),
}
"""What a library says to do, and the command that does it here."""


def with_commands(error: SignInError) -> SignInError:
    """The error, whose next actions are commands to paste, where there is one."""
    import attrs

    actions = tuple(_with_its_command(action) for action in error.next_actions)
    return attrs.evolve(error, next_actions=actions) if actions != error.next_actions else error


def _with_its_command(action: str) -> str:
    words = _DONE_BY.get(action)
    return as_pasted(action) if words is None else f"{action.removesuffix('.')}: {command(*words)}"
