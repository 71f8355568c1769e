"""Small faults put into Python source on purpose: where each stands, and the source with it.

Rules of this file: pure; a mutant replaces the text of one node, or of an argument with its comma, and leaves all other text as it is; annotations,
decorators, docstrings, asserts, `assert_never` and `__all__` are left alone, because no behaviour stands in them.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Final

import attrs

__all__ = ["Mutant", "drawn", "mutants"]

_COMPARED: Final[Mapping[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: Final[Mapping[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
_Placed = ast.expr | ast.stmt | ast.keyword
_SHOWN: Final = 90
_NAMED: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


@attrs.frozen(order=True)
class Mutant:
    """A fault: bytes `start` to `end` of the source of `name` become `new`."""

    name: str
    line: int
    start: int
    end: int
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}: {_short(self.old)}  ->  {_short(self.new)}"

    def applied(self, source: bytes) -> bytes:
        """The source with the fault."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def mutants(name: str, source: bytes) -> list[Mutant]:
    """All of one file, in the order of the text."""
    finder = _Finder(name, source)
    finder.visit(ast.parse(source))
    return sorted(finder.found)


def drawn(folder: Path, seed: int, count: int) -> list[Mutant]:
    """`count` of all mutants below the folder: the same for the same seed and source. Names are relative to it."""
    found = [
        mutant
        for path in sorted(folder.rglob("*.py"))
        for mutant in mutants(path.relative_to(folder).as_posix(), path.read_bytes())
    ]
    return sorted(random.Random(seed).sample(found, min(count, len(found))))


class _Finder(ast.NodeVisitor):
    """Collects what each node can be replaced by."""

    def __init__(self, name: str, source: bytes) -> None:
        self.found: set[Mutant] = set()
        self._name = name
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._members = _members(ast.parse(source))

    # -- what is left alone ----------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._visit_all(node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all(node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        """A fact that the types cannot say."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Before Python 3.12 nobody says where its parts stand."""

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            return
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._statement(node)
        self.visit(node.value)

    # -- statements ------------------------------------------------------------------------------------

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) != "assert_never":
            self._statement(node)
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            return
        if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool | None)):
            self._replace(node.value, "None")
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_Raise(self, node: ast.stmt) -> None:
        self._statement(node)
        self.generic_visit(node)

    visit_AugAssign = visit_Delete = visit_Continue = visit_Break = visit_Raise  # noqa: N815

    # -- expressions -----------------------------------------------------------------------------------

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, each in enumerate(node.ops):
            ops = [*node.ops[:place], _COMPARED[type(each)](), *node.ops[place + 1 :]]
            self._replace(node, ast.Compare(node.left, ops, node.comparators))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        self._replace(node, ast.BoolOp(op, node.values))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if other := _COMPUTED.get(type(node.op)):
            self._replace(node, ast.BinOp(node.left, other(), node.right))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self._replace(node, node.operand)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._replace(node, repr(not node.value))
        elif isinstance(node.value, int | float):
            self._replace(node, repr(node.value + 1))
            self._replace(node, repr(node.value - 1))

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and (other := _NAMED.get(node.func.id)):
            self._replace(node.func, other)
        given: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
        given.sort(key=self._start)
        for each, following in zip_longest(given, given[1:]):
            if isinstance(each, ast.keyword) and each.arg is not None:
                end = self._end(node) - 1 if following is None else self._start(following)
                self._put(each, "", self._start(each), end)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
            members = self._members.get(node.value.id, [])
            if node.attr in members and len(members) > 1:
                other = members[(members.index(node.attr) + 1) % len(members)]
                self._replace(node, f"{node.value.id}.{other}")
        self.generic_visit(node)

    # -- how -------------------------------------------------------------------------------------------

    def _visit_all(self, body: list[ast.stmt]) -> None:
        for each in body:
            self.visit(each)

    def _condition(self, test: ast.expr) -> None:
        """`if x` becomes `if not x`, where no other mutant of the test does the same."""
        if not isinstance(test, ast.Compare | ast.UnaryOp) and ast.unparse(test) != "TYPE_CHECKING":
            self._replace(test, ast.UnaryOp(ast.Not(), test))

    def _statement(self, node: ast.stmt) -> None:
        self._put(node, "pass", self._start(node), self._end(node))

    def _replace(self, node: ast.expr, new: ast.expr | str) -> None:
        text = new if isinstance(new, str) else ast.unparse(new)
        self._put(node, f"({text})", self._start(node), self._end(node))

    def _put(self, node: _Placed, new: str, start: int, end: int) -> None:
        old = self._source[start:end].decode()
        self.found.add(Mutant(self._name, node.lineno, start, end, old, new))

    def _start(self, node: _Placed) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: _Placed) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset


def _members(tree: ast.Module) -> dict[str, list[str]]:
    """By enumeration, as far as one can see: the members that the file names, `Kind.THIS` and `Kind.THAT`."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr.isupper():
            found.setdefault(node.value.id, set()).add(node.attr)
    return {name: sorted(members) for name, members in found.items()}


def _short(text: str) -> str:
    line = " ".join(text.split()) or "nothing"
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 2]} …"
