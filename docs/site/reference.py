"""The pages of the reference: which public name is on which page.

Rules of this file: what is public is what the packages export, and the text is their docstrings; a name is on
one page, by the module that it is defined in, and a name that no row takes is on the last page. No library is
needed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

__all__ = ["INDEX", "PAGES", "ROOTS", "Page", "page_of", "placed", "texts"]

ROOTS: Final = (
    "codex_oauth",
    "codex_oauth.testing",
    "codex_oauth.authority",
    "codex_oauth.fleet",
    "codex_oauth_core",
)
"""The packages that export names. A name that two of them export belongs to the first."""

INDEX: Final = "index"


class Page(NamedTuple):
    """A page: the modules whose names it has, by the beginning of their names."""

    name: str
    title: str
    about: str
    modules: tuple[str, ...]


PAGES: Final = (
    Page(
        "sign-in",
        "Sign in",
        "Functions that sign a person in, and what they need.",
        (
            "codex_oauth.sign_in",
            "codex_oauth.asign_in",
            "codex_oauth.stored_login",
            "codex_oauth.browser",
            "codex_oauth.listener",
            "codex_oauth.entropy",
        ),
    ),
    Page(
        "tokens",
        "Use a login",
        "A token that is good, for HTTP clients and for libraries that call a model.",
        ("codex_oauth.tokens", "codex_oauth.clients", "codex_oauth.elsewhere"),
    ),
    Page("stores", "Stores", "Where logins are kept.", ("codex_oauth.stores", "codex_oauth_core.record")),
    Page(
        "many-people",
        "Many people, many machines",
        "Many sign-ins at once, and logins that several machines share.",
        ("codex_oauth.pool", "codex_oauth.fleet"),
    ),
    Page(
        "machines",
        "Machines",
        "State machines that take one event and return one effect.",
        (
            "codex_oauth_core.flows",
            "codex_oauth_core.effects",
            "codex_oauth_core.events",
            "codex_oauth_core.outcomes",
            "codex_oauth_core.storage",
        ),
    ),
    Page("worlds", "Worlds", "What performs effects.", ("codex_oauth.worlds", "codex_oauth.transport")),
    Page(
        "checkpoints",
        "Checkpoints and traces",
        "A sign-in put down and picked up, and what happened in one.",
        ("codex_oauth_core.checkpoints", "codex_oauth_core.traces"),
    ),
    Page("testing", "Testing", "Fakes and published checks, for your tests.", ("codex_oauth.testing",)),
    Page(
        "authority",
        "The authority",
        "An authorization server with fake tokens, for tests.",
        ("codex_oauth.authority",),
    ),
    Page("values", "Values and errors", "Everything else: credentials, providers, secrets, errors.", ("",)),
)
"""In the order of the navigation. The last page takes what no other takes."""


def page_of(module: str) -> Page:
    """The page of a name that is defined in `module`."""
    return next(page for page in PAGES if any(_is_within(module, each) for each in page.modules))


def _is_within(module: str, package: str) -> bool:
    return not package or module == package or module.startswith(f"{package}.")


def placed(homes: Mapping[str, str]) -> dict[Page, list[str]]:
    """The public names of each page. `homes` has the module that each name (`package.Name`) is defined in."""
    found: dict[Page, list[str]] = {page: [] for page in PAGES}
    for name, module in homes.items():
        page = page_of(module)
        found[page_of(name) if page == PAGES[-1] else page].append(name)
    return {page: sorted(names, key=_by_name) for page, names in found.items() if names}


def _by_name(name: str) -> tuple[str, str]:
    last = name.rpartition(".")[2]
    return last.lower(), last


def texts(homes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The name and the Markdown text of each page of the reference."""
    pages = placed(homes)
    rows = (f"| [{page.title}]({page.name}.md) | {page.about} |" for page in pages)
    yield INDEX, "\n".join(("# Reference", "", "| page | what is on it |", "|---|---|", *rows, ""))
    for page, names in pages.items():
        blocks = (f"::: {name}\n" for name in names)
        yield page.name, "\n".join((f"# {page.title}", "", page.about, "", *blocks))
