"""Write what is made from the parser of `codex-oauth`: the completion scripts and the manual page.

Rules of this file: `--check` writes nothing, prints what differs, and exits with 1 if anything does.

    python -m docs.command.write [--check]
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import attrs
from docs.command import completion, manual

from codex_oauth.cli.completion import SCRIPTS

ROOT: Final = Path(__file__).resolve().parents[2]


@attrs.frozen
class Written:
    """A file, and what makes its text."""

    path: Path
    make: Callable[[], str]


def _script(shell: str, name: str) -> Written:
    folder = ROOT / "adapters" / "codex_oauth" / "cli" / "completions"
    return Written(folder / name, partial(completion.script, shell))


WRITTEN: Final = (
    *(_script(shell, name) for shell, name in SCRIPTS.items()),
    Written(ROOT / "docs" / "man" / "codex-oauth.1", manual.page),
)
"""Every file that is written."""


def differences(written: Written) -> list[str]:
    """A unified diff from the file to what should be in it; empty if they are equal."""
    old = written.path.read_text(encoding="utf-8") if written.path.exists() else ""
    new, name = written.make(), written.path.name
    return list(
        difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), name, f"{name} (parser)"
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Write, or check; the exit code."""
    parser = argparse.ArgumentParser(description="Write the completion scripts and the manual page.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file differs")
    if parser.parse_args(arguments).check:
        changes = [line for written in WRITTEN for line in differences(written)]
        sys.stdout.writelines(changes)
        return 1 if changes else 0
    for written in WRITTEN:
        written.path.parent.mkdir(exist_ok=True)
        written.path.write_text(written.make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
