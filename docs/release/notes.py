"""What CHANGELOG.md says of one version, for the page of its release.

Rules of this file: the standard library alone; a version that has no section is an error.

    python -m docs.release.notes v0.2.0
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

__all__ = ["changelog", "section", "versions"]

ROOT: Final = Path(__file__).resolve().parents[2]
_HEADING: Final = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)


def changelog() -> str:
    """The text of CHANGELOG.md."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def versions(text: str) -> dict[str, str]:
    """The text of each version of a changelog, newest first."""
    _, *parts = _HEADING.split(text)
    return {parts[at]: parts[at + 2].strip() for at in range(0, len(parts), 3)}


def section(text: str, version: str) -> str:
    """What a changelog says of a version. Raises LookupError if that is nothing."""
    found = versions(text).get(version.removeprefix("v"), "")
    if not found:
        raise LookupError(f"CHANGELOG.md says nothing of {version}.")
    return found


def main(arguments: list[str]) -> int:
    """Print the section; the exit code."""
    (version,) = arguments
    try:
        print(section(changelog(), version))
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
