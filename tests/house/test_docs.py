"""The documentation against the code: errors, exit codes, the seed's names, decisions, links, targets."""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth.cli import errors
from codex_oauth_core import CODEX, ErrorKind, SignInError
from codex_oauth_core.errors import KINDS
from tests.house.tree import ROOT, own_files

DOCS = ROOT / "docs"
ADRS = sorted((DOCS / "adr").glob("[0-9]*.md"))
PAGES = sorted(path for path in own_files() if path.suffix == ".md")


def _page(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row, heads and rules included."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def _section(text: str, heading: str) -> str:
    return re.split(r"^## ", text.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


# -- errors.md -----------------------------------------------------------------------------------------

ERRORS = _page(DOCS / "errors.md")
ERROR_ROWS = {row[0].strip("`"): row for row in _rows(_section(ERRORS, "Kinds")) if row[0].startswith("`")}


def test_errors_md_explains_each_kind_once_and_in_order() -> None:
    assert list(ERROR_ROWS) == [kind.value for kind in ErrorKind]


@pytest.mark.parametrize("kind", ErrorKind)
def test_errors_md_says_what_the_error_says(kind: ErrorKind) -> None:
    error = SignInError.by(CODEX.texts.facts(kind), kind)
    _, happened, still_good, to_do, retryable, code = ERROR_ROWS[kind.value]
    assert happened == error.message
    assert still_good == (KINDS[kind].login or "No, or there is none.")
    assert to_do == " ".join(error.next_actions)
    assert retryable == ("yes" if error.retryable else "no")
    assert code == str(errors.EXIT_CODES[kind])


def test_every_kind_has_its_facts_and_its_exit_code() -> None:
    assert set(KINDS) == set(errors.EXIT_CODES) == set(ErrorKind)


def test_errors_md_lists_the_exit_codes() -> None:
    listed = [int(row[0]) for row in _rows(_section(ERRORS, "Exit codes")) if row[0].isdigit()]
    names = {name for name in errors.__all__ if name.isupper()} - {"EXIT_CODES"}
    assert listed == sorted(getattr(errors, name) for name in names)
    assert set(errors.EXIT_CODES.values()) <= set(listed)


def test_errors_md_shows_the_json_that_is_printed() -> None:
    (shown,) = re.findall(r"```json\n(.*?)\n```", ERRORS, re.DOTALL)
    keys = re.findall(r'"(\w+)":', shown)
    error = SignInError.of(ErrorKind.EXPIRED).to_dict()
    assert keys == [*error, *error["error"]]


def test_errors_md_lists_the_details_that_a_flow_gives() -> None:
    listed = {row[0].strip("`") for row in _rows(_section(ERRORS, "Details"))}
    assert {"code", "status", "reason", "cause", "uncertain", "revoked", "schema_version"} <= listed


# -- seed.md -------------------------------------------------------------------------------------------

SEED = _page(DOCS / "seed.md")
_DOTTED = re.compile(r"`(codex_oauth(?:_core)?(?:\.\w+)+)`(?: = `([^`]+)`)?")

SEED_NAMES = (
    "generate_pkce",
    "generate_state",
    "build_authorize_url",
    "browser_redirect_uri",
    "start_callback_server(host, port)",
    "wait_for_callback(state, timeout_ms)",
    "close_callback_server",
    "start_device_auth",
    "poll_for_authorization(device, sleep)",
    "exchange_for_credential(code, verifier, redirect_uri)",
    "refresh",
    "refresh_skew_ms",
    "account_id_from_token",
    "credential",
    "device",
    "oauth_denied",
    "oauth_cancelled",
    "not_authenticated",
)


def find_spec_or_none(name: str) -> object:
    """The spec of a module, None for what is no module."""
    try:
        return find_spec(name)
    except ModuleNotFoundError:  # its parent is a module and no package
        return None


def _look_up(dotted: str) -> Any:
    """The value of a dotted name; of a field of an attrs class: its default."""
    parts = dotted.split(".")
    value, at = import_module(parts[0]), 1
    while at < len(parts) and find_spec_or_none(".".join(parts[: at + 1])):
        value, at = import_module(".".join(parts[: at + 1])), at + 1
    result: Any = value
    for part in parts[at:]:
        fields = attrs.fields_dict(result) if isinstance(result, type) and attrs.has(result) else {}
        result = fields[part].default if part in fields else getattr(result, part)
    return result


@pytest.mark.parametrize(("dotted", "value"), sorted(set(_DOTTED.findall(SEED))))
def test_seed_md_names_what_exists(dotted: str, value: str) -> None:
    found = _look_up(dotted)
    if value:
        expected = ast.literal_eval(value)
        plain = found.value if isinstance(found, enum.Enum) else found
        assert (type(plain), plain) == (type(expected), expected)


@pytest.mark.parametrize("name", SEED_NAMES)
def test_seed_md_maps_every_name_of_the_seed(name: str) -> None:
    (row,) = (row for row in _rows(SEED) if row[0] == f"`{name}`")
    ours, difference = row[1:]
    assert _DOTTED.search(ours) or (ours == "not in this release" and difference)


def test_seed_md_maps_every_error_kind() -> None:
    named = {name.rpartition(".")[2] for name, _ in _DOTTED.findall(SEED) if ".ErrorKind." in name}
    assert named == {kind.name for kind in ErrorKind}


# -- decisions -----------------------------------------------------------------------------------------

HEADINGS = (
    "## Context and Problem Statement",
    "## Considered Options",
    "## Decision Outcome",
    "### Consequences",
    "### Confirmation",
)


def test_the_decisions_are_numbered_without_a_gap() -> None:
    assert [path.name[:5] for path in ADRS] == [f"{n:04}-" for n in range(1, len(ADRS) + 1)]
    assert len(ADRS) >= 8


def test_the_index_lists_each_decision_by_its_title() -> None:
    index = re.findall(r"^- \[(\d{4})\]\((.+?)\): (.+)$", _page(DOCS / "adr" / "README.md"), re.MULTILINE)
    titles = [re.search(r"^# (.+)$", _page(path), re.MULTILINE) for path in ADRS]
    assert index == [(p.name[:4], p.name, title and title[1]) for p, title in zip(ADRS, titles, strict=True)]


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_has_the_headings_of_madr_in_order(path: Path) -> None:
    headings = re.findall(r"^###? .+$", _page(path), re.MULTILINE)
    assert tuple(headings) == HEADINGS
    assert re.match(r"---\nstatus: (accepted|superseded by \d{4})\ndate: \d{4}-\d\d-\d\d\n---\n", _page(path))


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_is_confirmed_by_a_test_that_exists(path: Path) -> None:
    confirmation = _page(path).partition("### Confirmation")[2]
    named = re.findall(r"`(tests/[\w./]+)`", confirmation)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


# -- every page ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", _page(path))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_that_a_page_names_exist(path: Path) -> None:
    targets = set(re.findall(r"^\.PHONY: ([a-z-]+) ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^\$ |^)make ([a-z-]+)", _page(path), re.MULTILINE))
    assert named <= targets


def test_each_make_target_explains_itself() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = re.findall(r"^\.PHONY: ([a-z-]+) ## \S.+$", text, re.MULTILINE)
    targets = re.findall(r"^([a-z-]+):(?! *=)", text, re.MULTILINE)
    assert explained == targets
    assert {
        "help",
        "install",
        "demo",
        "demo-fleet",
        "test",
        "check",
        "fmt",
        "props",
        "diagrams",
        "interop",
        "build",
        "clean",
    } <= set(targets)
