"""Product names stand with the data of a provider: what is said to people names them from there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth_core import CHATGPT, CODEX
from tests.house.tree import ROOT, python_files

PRODUCTS = re.compile(r"\b(?:Codex|ChatGPT|OpenAI)\b|\b(?:openai|chatgpt)\.com\b")
ANOTHER_PROGRAM = re.compile(r"\bCodex CLI(?:'s)?\b")
"""Logins are taken from it and handed to it: that is its name, and not ours."""

CORE = ROOT / "core" / "codex_oauth_core"
ADAPTERS = ROOT / "adapters" / "codex_oauth"
OF_A_PROVIDER = (CORE / "codex", CORE / "chatgpt", ADAPTERS / "authority", ADAPTERS / "cli" / "authority.py")
"""The dialects, the server that speaks them, and the command that runs that."""
DATA = (CORE / "registered.py",)
SILENT = (*sorted((CORE / "flows").glob("*.py")), CORE / "errors.py", CORE / "texts.py", CORE / "provider.py")
"""What names no product at all, in comments neither."""


def _docstrings(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)


def named(text: str) -> list[str]:
    """The texts of a module, without its docstrings, that name a product."""
    tree = ast.parse(text)
    docs = set(_docstrings(tree))
    texts = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    )
    return [each for each in texts if PRODUCTS.search(ANOTHER_PROGRAM.sub("", each))]


def _is_of_a_provider(path: Path) -> bool:
    return path in DATA or any(path.is_relative_to(folder) for folder in OF_A_PROVIDER)


FILES = [path for path in python_files("core", "adapters") if not _is_of_a_provider(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_names_a_product(path: Path) -> None:
    assert named(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SILENT, ids=lambda path: path.name)
def test_the_flows_and_the_errors_know_no_product(path: Path) -> None:
    assert PRODUCTS.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"""Of ChatGPT."""\nX = 1', 0),
        ('X = "ask ChatGPT"', 1),
        ('X = f"ask {y} of OpenAI"', 1),
        ('X = "https://auth.openai.com"', 1),
        ('X = "the Codex CLI\'s login"', 0),
        ('X = "the Codex CLI of Codex"', 1),
        ('__all__ = ["CodexAuth"]', 0),
        ('X = "--from-codex"', 0),
    ],
)
def test_the_rule_sees_what_it_forbids(text: str, found: int) -> None:
    assert len(named(text)) == found


def test_the_texts_of_the_official_sign_in_are_its_own() -> None:
    texts = CHATGPT.texts
    assert (texts.service, texts.title) == ("ChatGPT", "Continue with ChatGPT")
    assert texts.usage_page == "https://chatgpt.com/settings/usage"
    told = " ".join(" ".join((facts.message, *facts.next_actions)) for _, _, facts in texts.errors)
    assert "Codex" not in told


def test_the_texts_of_codex_are_what_is_told() -> None:
    texts = CODEX.texts
    assert (texts.service, texts.title) == ("ChatGPT", "Sign in with ChatGPT (Codex)")
    assert texts.end_sessions is not None
    told = " ".join(" ".join((facts.message, *facts.next_actions)) for _, _, facts in texts.errors)
    assert PRODUCTS.search(told)
