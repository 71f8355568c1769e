"""What people read: no phrase that was met and found hard to read, and no line that a terminal folds.

Rules of this file: this finds what was met before; it does not replace reading. A phrase is an expression, so that it
finds its kind too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth_core import CODEX, ErrorKind
from codex_oauth_core.chatgpt import CHATGPT
from codex_oauth_core.errors import KINDS, PARTICULAR, KindFacts
from tests.house.tree import ROOT, own_files

WIDEST: Final = 80

PHRASES: Final = (
    r"say nothing but",
    r"stands? in the way",
    r"on any device: with a code to type|with a code to type on any device",
    r"whose login:",
    r"gravest",
    r"serves nobody",
    r"\"is not there\"|\} is not there\b|nosuchcmd is not there",
    r"not renewed: that is not due",
    r"as good as it was",
    r"on their way are awaited",
    r"is awaited and stored\.?\"",
    r"means well",
    r"for what there is not",
    r"needs? nobody",
    r"counts as no use",
    r"fixtures more",
    r"there is a file already",
    r"no problems, no warnings",
    r"1 seconds",
    r"what is to be run",
    r"had looked at",
)
"""As people met them, in any case of letters."""

TURNED: Final = (
    r"\b(?:no|some|any)body\b",
    r"\bwhoever\b",
    r"\bwhose login\b",
    r"(?:^|[.;:] |- )who [a-z]+",
    r"\bto be had\b",
    r"\b(?:that|which) is none\b",
    r"\bof one's own\b",
    r"\bcannot help\b(?![-`\])])",
    r"\bholds? (?:\w+ ){1,3}to it\b|\bare held to\b",
    r"\bthree methods more\b|\bchecks more\b",
    r"\bis told (?:as|with|by)\b",
)
"""What begins with a person without a name, or says a sentence the other way round: for the pages, by the words."""

_EXEMPT: Final = ("adr", "seed.md")
"""What is not told to users: decisions, and the words of the seed."""

_BESIDE: Final = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_FIGURES: Final = ("faults.md", "performance.md", "reliability.md")
"""Pages that are tables of faults, figures and cases: the second list does not hold them yet."""


def _pages() -> Iterator[Path]:
    for path in own_files():
        where = path.relative_to(ROOT).parts
        is_ours = where[0] in ("adapters", "core") or where[0] in _BESIDE or where[0] == "docs"
        is_told = path.suffix in (".py", ".md", ".json", ".1", ".bash", ".fish", "")
        if is_ours and is_told and not set(where) & set(_EXEMPT):
            yield path


PAGES: Final = sorted(_pages())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_phrase_that_was_met_is_told_again(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":  # a phrase may stand in two lines
        text = " ".join(text.split())
    found = [phrase for phrase in PHRASES if re.search(phrase, text, re.IGNORECASE | re.MULTILINE)]
    assert found == []


def _sentences(path: Path) -> Iterator[str]:
    """The paragraphs, items and rows of a page, without its blocks of code."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n\n|\n(?=\||\s*[-*] |\s*\d+\. )", text):
        yield " ".join(block.split())


TOLD: Final = [
    *(path for path in PAGES if path.suffix == ".md" and path.name not in _FIGURES),
    ROOT / "docs" / "seed.md",
]


@pytest.mark.parametrize("path", TOLD, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_of_a_page_is_turned_round(path: Path) -> None:
    found = [
        (phrase, text)
        for text in _sentences(path)
        for phrase in TURNED
        if re.search(phrase, text, re.IGNORECASE)
    ]
    assert found == []


def test_what_is_turned_round_would_be_found() -> None:
    met = (
        "Renewals nobody asks for",
        "when somebody signs out",
        "Whoever uses it twice ends the login for everybody.",
        "the error says whose login it is",
        "- Who waits is put down at once",
        "The name is drawn at random. Who knows it may ask.",
        "a step that is not to be had at the provider",
        "a port that is none",
        "for stores of one's own",
        "What two of them cannot help:",
        "`check_registrations` holds a store to it",
        "a store needs three methods more",
        "what your store raised is told with the line",
    )
    for text in met:
        assert any(re.search(phrase, text, re.IGNORECASE) for phrase in TURNED), text


def test_what_is_looked_for_would_be_found() -> None:
    met = (
        "say nothing but results and errors",
        "look for what stands in the way of a sign-in",
        "with a code to type on any device",
        "whose login: an email address, else the one in use",
        "else the gravest problem's",
        "the server serves nobody here",
        "nosuchcmd is not there.",
        "Not renewed: that is not due.",
        "A login stored before is as good as it was.",
        "tokens that are on their way are awaited",
        "Nobody who asks you for it means well.",
        "usage: the command line asks for what there is not",
        "the ways that need nobody",
        "a request that counts as no use",
        "pytest has five fixtures more",
        "There is a file already.",
        "No problems, No warnings.",
    )
    for text in met:
        assert any(re.search(phrase, text, re.IGNORECASE | re.MULTILINE) for phrase in PHRASES), text


# -- how long ------------------------------------------------------------------------------------------------


def _facts() -> Iterator[tuple[str, KindFacts]]:
    for provider in (CODEX, CHATGPT):
        for kind in ErrorKind:
            yield f"{provider.texts.title}: {kind.value}", provider.texts.facts(kind)
        for kind, why, facts in provider.texts.errors:
            yield f"{provider.texts.title}: {kind.value} {why}", facts
    for (kind, reason), facts in PARTICULAR.items():
        yield f"{kind.value} {reason}", facts
    for kind, facts in KINDS.items():
        yield kind.value, facts


@pytest.mark.parametrize(("name", "facts"), sorted(dict(_facts()).items()))
def test_every_message_and_next_action_is_a_sentence_and_short(name: str, facts: KindFacts) -> None:
    for text in (facts.message, *facts.next_actions):
        assert text[0].isupper(), text
        assert text.endswith((".", "?")) or re.search(r": \S.*$", text), text
        assert len(text) <= 2 * WIDEST - 20, text  # two lines
    assert (
        facts.login in ("", "Nothing was deleted.", "What was stored before is kept.")
        or "{name}" in facts.login
    )


SHOWN: Final = [
    path
    for folder in ("screens", "errors")
    for path in sorted((ROOT / "tests" / "cli" / folder).glob("*.txt"))
]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_every_screen_that_is_kept_fits(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > WIDEST] == []


_SAYING: Final = ("hint", "hint_in_lines", "result", "complain", "detail", "say_action", "complain_in_lines")
_FOLDED: Final = ("say_action", "hint_in_lines", "complain_in_lines")
"""What folds by itself, in two lines at most."""


def _said() -> Iterator[tuple[str, str]]:
    """Each literal that the command line prints as a line."""
    for path in sorted((ROOT / "adapters" / "codex_oauth" / "cli").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SAYING
            ):
                continue
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    limit = 2 * WIDEST if node.func.id in _FOLDED else WIDEST
                    if len(argument.value) > limit:
                        yield f"{path.name}:{node.lineno}", argument.value


def test_every_line_that_is_printed_fits() -> None:
    assert dict(_said()) == {}
