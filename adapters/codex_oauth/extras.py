"""What is said where an optional package is missing: what needs it, and how to get it.

Rules of this file: an error inside a package that is installed stays as it is.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

__all__ = ["INSTALL", "needed"]

INSTALL: Final = "Install it: pip install 'codex-oauth[{}]'"
"""For the name of an extra."""


@contextmanager
def needed(*packages: str, by: str, extra: str) -> Generator[None]:
    """In this block they are imported. Raises ModuleNotFoundError, which says what to install, where one is
    missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in packages:
            raise
        text = f"{by} needs the package {error.name}, which is not installed. {INSTALL.format(extra)}"
        raise ModuleNotFoundError(text, name=error.name) from None
