"""Look at the site that was built: what it links to is there, and no page loads anything from elsewhere.

Rules of this file: it reads what is on the disk, and asks nobody; an address of another host may be a link
for a person to follow, and nothing that a browser loads by itself.

    python -m docs.site.check build/site
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

LOADED: Final = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("img", "src"),
    ("img", "srcset"),
    ("link", "href"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("video", "src"),
}
"""What a browser loads by itself, by element and attribute."""

NOT_LOADED: Final = frozenset({"canonical", "prev", "next", "edit"})
"""Kinds of `link` that are for nobody to load."""

NOT_FOUND: Final = "404.html"
"""Its links begin at the root of the host that it will be on."""

_IN_STYLE: Final = re.compile(
    r"url\(\s*['\"]?((?:https?:)?//[^)'\"]+)|@import\s+['\"]((?:https?:)?//[^'\"]+)"
)


class Page(HTMLParser):
    """A page: what it loads, where it leads, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what an element names."""
        found = {name: value for name, value in attrs if value is not None}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        for name, value in found.items():
            if (tag, name) in LOADED and not NOT_LOADED & {*found.get("rel", "").split()}:
                self.loads.append(value)
            elif (tag, name) == ("a", "href"):
                self.leads.append(value)


def mistakes(site: Path) -> Iterator[str]:
    """What is wrong with the site, a line each."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site)
        yield from (f"{name} loads {each} from elsewhere" for each in page.loads if _is_elsewhere(each))
        if name.name == NOT_FOUND:
            continue
        for each in (*page.loads, *page.leads):
            if not urlsplit(each).scheme and not _is_elsewhere(each) and not _is_there(path, each, pages):
                yield f"{name} has a link to {each}, which is not there"
    for path in sorted(site.rglob("*.css")):
        for found in _IN_STYLE.finditer(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)} loads {found[1] or found[2]} from elsewhere"


def _is_elsewhere(address: str) -> bool:
    return address.startswith("//") or urlsplit(address).scheme in ("http", "https")


def _is_there(path: Path, address: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(address)
    target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    page = pages.get(target)
    return page is None or not parts.fragment or unquote(parts.fragment) in page.anchors


def main(arguments: list[str]) -> int:
    """Look at the site in a folder; the exit code."""
    (folder,) = arguments
    site = Path(folder).resolve()
    if not (site / "index.html").is_file():
        print(f"There is no site in {folder}: run `make docs`.", file=sys.stderr)
        return 1
    found = list(mistakes(site))
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
