"""The mutator finds what it says, changes nothing else, and draws the same again; and the tests notice what they should."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

from tests.mutation.killing import CORE, Stage, TestsFailed, baseline, killer
from tests.mutation.mutants import Mutant, drawn, mutants


def told(source: str) -> set[tuple[str, str]]:
    return {(each.old, each.new) for each in mutants("a.py", textwrap.dedent(source).encode())}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", {("a < b", "(a <= b)")}),
        ("x = a is None", {("a is None", "(a is not None)")}),
        ("x = a in b", {("a in b", "(a not in b)")}),
        ("x = a < b == c", {("a < b == c", "(a <= b == c)"), ("a < b == c", "(a < b != c)")}),
        ("x = a and b", {("a and b", "(a or b)")}),
        ("x = not a", {("not a", "(a)")}),
        ("x = a + b", {("a + b", "(a - b)")}),
        ("x = 5", {("5", "(6)"), ("5", "(4)")}),
        ("x = True", {("True", "(False)")}),
        ("x = min(a)", {("min", "(max)")}),
        ("f(a, b=c, d=e)", {("f(a, b=c, d=e)", "pass"), ("b=c, ", ""), ("d=e", "")}),
        ("self.x = a", {("self.x = a", "pass")}),
        ("x += a", {("x += a", "pass")}),
        ("raise x", {("raise x", "pass")}),
        ("if a: f", {("a", "(not a)")}),
        ("if a < b: f", {("a < b", "(a <= b)")}),
        ("def f(): return a", {("a", "(None)")}),
        ("def f(): return True", {("True", "(False)")}),
        ("x = K.A, K.B", {("K.A", "(K.B)"), ("K.B", "(K.A)")}),
        ("é = 'ä', 5", {("5", "(6)"), ("5", "(4)")}),
    ],
)
def test_what_is_put_in(source: str, expected: set[tuple[str, str]]) -> None:
    assert told(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""5 < 6"""',
        "assert a < b",
        "assert_never(a)",
        "x: Literal[5]",
        "def f(a: K[5]) -> K[6]: g",
        "@f(a=5)\ndef f(): g",
        "__all__ = ['a', *b]",
        "if TYPE_CHECKING: f",
        "def f(): return",
    ],
)
def test_what_is_left_alone(source: str) -> None:
    assert told(source) == set()


def test_a_mutant_of_the_core_is_another_program() -> None:
    for each in drawn(CORE, 0, 100):
        source = (CORE / each.name).read_bytes()
        assert ast.dump(ast.parse(each.applied(source))) != ast.dump(ast.parse(source)), each


def test_the_same_seed_draws_the_same() -> None:
    assert drawn(CORE, 1, 20) == drawn(CORE, 1, 20) != drawn(CORE, 2, 20)
    assert len(set(drawn(CORE, 1, 20))) == 20


@pytest.fixture
def project(tmp_path: Path) -> tuple[Path, Stage]:
    """A core of one module, and a test that holds one of its two limits."""
    core = tmp_path / "core"
    core.mkdir()
    (core / "limited.py").write_text("def limited(x):\n    return x < 5 and x > -7\n")
    test = tmp_path / "test_limited.py"
    test.write_text(
        "from limited import limited\n\ndef test_limit():\n    assert limited(4)\n    assert not limited(5)\n"
    )
    return core, Stage("quick", (str(test),))


def test_what_a_test_notices_and_what_none_does(project: tuple[Path, Stage]) -> None:
    core, stage = project
    before = (core / "limited.py").read_bytes()
    stage = baseline(stage, core)
    said = {
        (each.old, each.new): killer(each, (stage,), core)
        for each in mutants("limited.py", before)
        if each.old in ("x < 5", "x > -7")
    }
    noticed = said.pop(("x < 5", "(x <= 5)"))
    assert noticed is not None
    assert noticed.startswith("quick: ")
    assert noticed.endswith("test_limited.py::test_limit")
    assert said == {("x > -7", "(x >= -7)"): None}
    assert (core / "limited.py").read_bytes() == before


def test_a_fault_that_hangs_is_noticed(project: tuple[Path, Stage]) -> None:
    core, stage = project
    hangs = Mutant("limited.py", 2, 20, 26, "return", "while 1: pass\n    return")
    said = killer(hangs, (Stage(stage.name, stage.tests, limit=3.0),), core)
    assert said == "quick: a time limit"


def test_tests_that_are_red_anyway_judge_nothing(project: tuple[Path, Stage]) -> None:
    core, stage = project
    (core / "limited.py").write_text("def limited(x):\n    return False\n")
    with pytest.raises(TestsFailed, match="red without a fault"):
        baseline(stage, core)
    with pytest.raises(TestsFailed, match="red without a fault: exit 4"):
        baseline(Stage("quick", ("tests/nothing/of_this_name.py",)), core)
