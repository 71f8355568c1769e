"""A command line that cannot be understood (exit code 2), and where this project is.

Rules of this file: nothing is loaded here, for help begins with it; what the person typed is shown escaped;
advice is a command or an option to type.
"""

from __future__ import annotations

__all__ = ["UsageError", "project_url", "suggestions"]


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

    found = get_close_matches(typed, known, n=1)
    return (f"Did you mean `{found[0]}`?",) if found else ()


def project_url() -> str | None:
    """Where this project is, by the metadata of the installed package; None if that does not say.

    Read as it stands there (PEP 566), for help must not take as long as `importlib.metadata` does to load.
    """
    import os
    import sys

    for place in filter(None, sys.path):
        try:
            names = [name for name in os.listdir(place) if name.startswith("codex_oauth-")]  # noqa: PTH208
            for name in names:
                if name.endswith(".dist-info"):
                    with open(os.path.join(place, name, "METADATA"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
                        return _url_in(file.read().partition("\n\n")[0])
        except (OSError, ValueError):
            continue
    return None


def _url_in(metadata: str) -> str | None:
    urls: dict[str, str] = {}
    for line in metadata.splitlines():
        if line.startswith("Project-URL:"):
            label, _, url = line.partition(":")[2].partition(",")
            urls[label.strip().lower()] = url.strip()
    return next((urls[name] for name in ("issues", "homepage", "repository", "source") if name in urls), None)
