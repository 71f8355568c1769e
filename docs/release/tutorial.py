"""The tutorial as a program: its files, and its commands as one script, to see that it works.

Rules of this file: nothing is left out, and nothing is added but what a machine needs where a person would
wait; only the port and what is installed can be others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["INSTALL", "PORT", "commands", "files", "page", "script"]

PAGE: Final = Path(__file__).resolve().parents[1] / "tutorial.md"
PORT: Final = "8123"
INSTALL: Final = "pip install "
TRIES: Final = 600
"""How often a tenth of a second is waited for the server: a minute, on a busy machine."""
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED: Final = re.compile(r"Save this as `([\w.]+)`")


def page() -> str:
    """The text of the page."""
    return PAGE.read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """Every line of its console blocks."""
    return [line for kind, body in _BLOCK.findall(text) if kind == "console" for line in body.splitlines()]


def files(text: str) -> Iterator[tuple[str, str]]:
    """The files that a reader saves: each block that is no command, and the name before it."""
    for block in _BLOCK.finditer(text):
        if block[1] != "console":
            names = _NAMED.findall(text[: block.start()])
            yield names[-1], block[2]


def script(text: str, *, install: str, port: int) -> str:
    """Its commands as a script of bash. `install` is what pip takes in place of the package of the index."""
    lines = ["set -eu -o pipefail", "set -m", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    for line in commands(text):
        found = line.replace(PORT, str(port))
        if line.startswith(INSTALL):
            found = re.sub(r"'codex-oauth\[([a-z,]+)\]'", lambda extras: f"'{install}[{extras[1]}]'", found)
        lines += [f"echo '$' {_quoted(found)}", found]
        if line.endswith(" &"):
            answers = f"(: > /dev/tcp/127.0.0.1/{port}) 2> /dev/null"
            lines.append(f"for _ in $(seq {TRIES}); do {answers} && break; sleep 0.1; done")
    return "\n".join((*lines, ""))


def _quoted(line: str) -> str:
    return "'" + line.replace("'", "'\\''") + "'"
