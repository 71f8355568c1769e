"""README.md as the package index shows it: rendered, and with nothing that works in the repository alone.

Rules of this file: the renderer is the index's own, of the environment of `make release-check`; the rest is
text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

__all__ = ["links", "mistakes", "rendered"]

_LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*\bsrc=\"([^\"]+)\"|<a[^>]*\bhref=\"([^\"]+)\"")
_FENCE: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def links(markdown: str) -> list[str]:
    """Every address that a page leads to or shows, outside of code."""
    return [next(filter(None, found.groups())) for found in _LINK.finditer(_FENCE.sub("", markdown))]


def mistakes(markdown: str) -> Iterator[str]:
    """What would not work on another page than the repository's."""
    for link in links(markdown):
        if not link.startswith("https://"):
            yield f"README.md has the link {link}, which leads nowhere on the package index"


def rendered(markdown: str) -> str:
    """The page as HTML. Raises ValueError where it cannot be rendered."""
    renderer: Any = import_module("readme_renderer.markdown")
    html: str | None = renderer.render(markdown)
    if not html:
        raise ValueError("README.md cannot be rendered.")
    return html
