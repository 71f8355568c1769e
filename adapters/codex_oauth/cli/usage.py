"""A command line that cannot be understood, or asks for what does not exist: exit code 2.

Rules of this file: nothing is loaded here, for help begins with it; what the person typed is shown escaped;
advice is a command or an option to type.
"""

from __future__ import annotations

__all__ = ["UsageError", "suggestions"]


class UsageError(Exception):
    """What is wrong with the command line, what to do instead, and how the command is used, if known."""

    def __init__(self, message: str, *advice: str, usage: str = "", command: str = "") -> None:
        super().__init__(message)
        self.advice = advice
        self.usage = usage
        self.command = command


def suggestions(typed: str, known: list[str]) -> tuple[str, ...]:
    """`Did you mean ...?` for what is close to `typed`; nothing for what is close to nothing."""
    from difflib import get_close_matches

    names = {each.strip("-"): each for each in known}  # dashes would make all options look alike
    found = get_close_matches(typed.strip("-"), names, n=1)
    return (f"Did you mean `{names[found[0]]}`?",) if found else ()
