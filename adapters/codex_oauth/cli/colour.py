"""Whether to use colours, and the few that there are.

Rules of this file: what a person asked for on the command line comes before the environment, and a wish for
no colour before one for colour; no colour carries a meaning that the words do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TextIO

__all__ = ["CHOICES", "paint", "wants_colour"]

CHOICES: Final = ("auto", "always", "never")

_SGR: Final[Mapping[str, str]] = {
    "title": "1",
    "page": "4;36",
    "code": "1;36",
    "care": "2",
    "waiting": "36",
    "slower": "33",
    "trouble": "33",
    "done": "32",
}
"""Select Graphic Rendition (ECMA-48 §8.3.117): bold 1, faint 2, underlined 4, colours 30 to 37."""


def wants_colour(stream: TextIO | None, environ: Mapping[str, str], choice: str = "auto") -> bool:
    """Whether to colour what goes to `stream`. `choice` is one of `CHOICES`."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    if environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return environ.get("CLICOLOR") != "0" and stream is not None and stream.isatty()


def paint(text: str, role: str, *, colour: bool) -> str:
    """`text` in the look of its role, or as it is."""
    sgr = _SGR.get(role)
    return f"\x1b[{sgr}m{text}\x1b[0m" if colour and sgr and text else text
