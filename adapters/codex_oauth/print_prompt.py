"""What a person must see, printed: what `login()` does with prompts and notes where nobody else shows them.

Rules of this file: one plain line on stderr, because stdout is the program's; where there is no stderr
nothing is begun, because nobody would see the code; an stderr that breaks later ends no sign-in.
"""

from __future__ import annotations

import sys
from contextlib import suppress

__all__ = ["check_that_it_is_seen", "print_line"]


def check_that_it_is_seen() -> None:
    """Raise ValueError where `print_line` cannot print: there is no stderr with `pythonw`, for one."""
    if sys.stderr is None:
        raise ValueError("on_prompt: this program has no stderr to print on; show the prompt in another way")


def print_line(what: object) -> None:
    """Print a prompt or a note on stderr."""
    with suppress(OSError, ValueError):  # a pipe that nobody reads any more, a stream that was closed
        print(what, file=sys.stderr, flush=True)  # noqa: T201  # that is what it is for
