"""What stores of others import, in one place."""

from __future__ import annotations

import os
import re
import time

import attrs
import pytest

import codex_oauth
from codex_oauth.stores import locks, names, paths, toolkit
from codex_oauth.stores.toolkit import INTENT_LIFE, check_key, is_pending, is_young, our_intent
from codex_oauth_core.record import Intent
from tests.house.tree import ROOT


@pytest.mark.parametrize("key", ["", ".", "a/b", "a.json", "a b", "é", "x" * 129])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="1 to 128 letters"):
        check_key(key)


@pytest.mark.parametrize("key", ["x", "A-1_b", "x" * 128])
def test_a_key_is_taken(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    ("age", "young"),
    [
        (0.0, True),
        (INTENT_LIFE - 0.5, True),
        (INTENT_LIFE, False),
        (0.5 - INTENT_LIFE, True),
        (-INTENT_LIFE, False),
    ],
)
def test_an_intent_is_young_for_its_life_by_the_stores_clock(age: float, young: bool) -> None:
    assert is_young(Intent(1, "host", 1000.0, "somebody"), 1000.0 + age) is young


def test_where_locks_end_with_their_process_a_dead_process_has_no_intent() -> None:
    ours = our_intent("a hold")
    assert (ours.pid, ours.owner) == (os.getpid(), "a hold")
    assert is_pending(attrs.evolve(ours, pid=os.getppid()))
    assert not is_pending(attrs.evolve(ours, pid=2**22 + 1))
    assert not is_pending(attrs.evolve(ours, pid=os.getppid(), at=time.time() - INTENT_LIFE))


def test_the_names_of_earlier_pages_are_still_there() -> None:
    """What `docs/stores.md` told to import before there was one place."""
    assert locks.draw_owner is toolkit.draw_owner
    assert locks.is_pending is toolkit.is_pending
    assert locks.our_intent is toolkit.our_intent
    assert paths.login_name is names.login_name


def test_the_page_imports_what_the_toolkit_has_from_the_root() -> None:
    page = (ROOT / "docs" / "stores.md").read_text(encoding="utf-8")
    example = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[-1]
    modules = set(re.findall(r"^from (codex_oauth\S*) import", example, re.MULTILINE))
    assert modules == {"codex_oauth"}
    for name in toolkit.__all__:
        assert getattr(codex_oauth, name) is getattr(toolkit, name)
