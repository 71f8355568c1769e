"""What MkDocs calls while it builds the site: pages that are made, and links that lead out of the docs.

Rules of this file: a page stays as the repository shows it, and what differs on the site is made here; a link
to a file that is no page leads to the repository's page of that file, and a link to nothing ends the build.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
# libraries of the site's own environment, which no type checker sees
griffe: Any = importlib.import_module("griffe")
PluginError: Any = importlib.import_module("mkdocs.exceptions").PluginError
File: Any = importlib.import_module("mkdocs.structure.files").File

PATHS: Final = [ROOT / "core", ROOT / "adapters"]
sys.path[:0] = map(str, (ROOT, *PATHS))  # for as long as this module loads

from docs.site import reference  # noqa: E402  # found by the line above

EXPORTED: Final = {root: tuple(importlib.import_module(root).__all__) for root in reference.ROOTS}
"""The public names of each package. They load on first use, so that no library is needed for this."""

COPIED: Final = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
}
"""Pages of the site that stand at the top of the repository."""

FOLDER: Final = "reference/"
"""Of the pages that are written from the docstrings."""

_LINK: Final = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_FENCE: Final = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)


def on_config(config: Any) -> Any:
    """Put the pages of the reference where the navigation has their folder."""
    pages = [f"{FOLDER}{name}.md" for name in (reference.INDEX, *(page.name for page in reference.PAGES))]
    config["nav"] = [
        {key: pages if value == FOLDER else value} for row in config["nav"] for key, value in row.items()
    ]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made here."""
    for name, text in reference.texts(homes()):
        files.append(File.generated(config, f"{FOLDER}{name}.md", content=text))
    for name, source in COPIED.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The page with its links as they are on the site."""
    name = page.file.src_uri
    if name.startswith(FOLDER):
        return markdown
    origin = PurePosixPath(COPIED.get(name) or f"docs/{name}").parent
    here = PurePosixPath(name).parent

    def relinked(link: re.Match[str]) -> str:
        before, target, anchor, after = link.groups("")
        if "://" in target or target.startswith("mailto:"):
            return link[0]
        found = _plain(origin / target)
        if not (ROOT / found).exists():
            raise PluginError(
                f"{origin / PurePosixPath(name).name} has a link to {target}, which is not there"
            )
        return f"{before}{_on_the_site(found, here, config, files)}{anchor}{after}"

    parts = _FENCE.split(markdown)  # code is left as it is
    return "".join(part if part.startswith("```") else _LINK.sub(relinked, part) for part in parts)


def _plain(path: PurePosixPath) -> PurePosixPath:
    """The path without `..`."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return PurePosixPath(*parts)


def _on_the_site(found: PurePosixPath, here: PurePosixPath, config: Any, files: Any) -> str:
    """What a link to this file of the repository is, on a page in the folder `here`."""
    names = {source: name for name, source in COPIED.items()}
    inside = names.get(str(found))
    if inside is None and found.is_relative_to("docs"):
        inside = str(found.relative_to("docs"))
        inside = f"{inside}/README.md" if (ROOT / found / "README.md").is_file() else inside
    file = None if inside is None else files.get_file_from_path(inside)
    if inside is not None and file is not None and file.inclusion.is_included():
        up = "../" * len(here.parts)
        return f"{up}{inside}"
    kind = "tree" if (ROOT / found).is_dir() else "blob"
    return f"{config['extra']['repository']}/{kind}/main/{found}"


def homes() -> dict[str, str]:
    """Each public name with its package, and the module that it is defined in."""
    loader = griffe.GriffeLoader(search_paths=PATHS)
    for package in ("codex_oauth_core", "codex_oauth"):
        loader.load(package)
    loader.resolve_aliases(implicit=False, external=False)
    found: dict[str, str] = {}
    seen: set[str] = set()
    for root, names in EXPORTED.items():
        for name in names:
            member = loader.modules_collection[f"{root}.{name}"]
            target = member.final_target if member.is_alias else member
            if target.path not in seen:
                seen.add(target.path)
                found[f"{root}.{name}"] = target.parent.path
    return found
