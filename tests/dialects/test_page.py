"""docs/dialects.md is the dialect that is tested, and that is written with public names alone."""

from __future__ import annotations

import ast
import re
import sys

import attrs

import codex_oauth
from codex_oauth_core import Dialect
from tests.dialects import plain
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(<!-- not run[^\n]*-->\n)?```python\n(.*?)```", PAGE, re.DOTALL)
SOURCE = (ROOT / "tests" / "dialects" / "plain.py").read_text(encoding="utf-8")


def lines(text: str) -> list[str]:
    """The lines that say something, but for the headings of groups."""
    return [line for line in text.splitlines() if line and not line.startswith("# -- ")]


def test_the_page_is_the_module_from_top_to_bottom() -> None:
    body = SOURCE[SOURCE.index('"""\n', 3) + 4 :]
    assert [line for skipped, code in BLOCKS if not skipped for line in lines(code)] == lines(body)


def test_what_is_not_run_is_python_and_names_what_there_is() -> None:
    (code,) = (code for skipped, code in BLOCKS if skipped)
    tree = ast.parse(code)
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported
    for node in imported:
        module = __import__(node.module or "")
        assert all(hasattr(module, alias.name) for alias in node.names)
    assert "provider_at(" in code


def test_it_is_written_with_public_names_alone() -> None:
    modules = {
        node.module or "" for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.ImportFrom)
    } | {
        alias.name
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    strangers = {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names}
    assert strangers == {"codex_oauth"}
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.ImportFrom) and node.module == "codex_oauth":
            assert {alias.name for alias in node.names} <= set(codex_oauth.__all__)
        assert not (isinstance(node, ast.Attribute) and node.attr.startswith("_"))


def test_it_leaves_out_only_what_it_has_not_got() -> None:
    own = {name for name in vars(plain) if name in {field.name for field in attrs.fields(Dialect)}}
    assert {"read_poll", "exchange_request", "read_revocation"} <= own
    for name in own:
        assert getattr(plain.PLAIN, name) is getattr(plain, name)


def test_every_fact_that_the_page_names_is_public() -> None:
    named = set(
        re.findall(r"`(Issued|TryAgain|Refusal|Granted|Approved|Pending|SlowDown|Gone|Unrecognized)`", PAGE)
    )
    assert len(named) == 9
    assert named <= set(codex_oauth.__all__)
