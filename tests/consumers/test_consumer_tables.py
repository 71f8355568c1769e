"""That `make consumers` leaves nothing out: every lock file, environment and function is in its table."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.clients.page import of
from tests.clients.test_consumers_page import HEAVY
from tests.consumers.check_consumers import USES
from tests.house.tree import ROOT

HERE = Path(__file__).parent
LOCKS = HERE / "locks"


def functions(path: Path) -> set[str]:
    """The functions of a module that need nothing but a stub: the ways of use."""
    return {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and [argument.arg for argument in node.args.args] == ["stub"]
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "str"
        and all(default is not None for default in node.args.kw_defaults)
    }


def test_every_way_of_use_is_a_row() -> None:
    ways = {f"{path.stem}.{name}" for path in (HERE / "uses").glob("*.py") for name in functions(path)}
    assert {use.name for use in USES} == ways
    assert len(USES) == len(ways)


def test_every_environment_has_a_lock_with_hashes_and_its_source() -> None:
    environments = {use.environment for use in USES}
    assert {path.stem for path in LOCKS.glob("*.lock")} == environments
    assert {path.stem for path in LOCKS.glob("*.in")} == environments
    for path in LOCKS.glob("*.lock"):
        text = path.read_text(encoding="utf-8")
        pins = re.findall(r"^[a-z0-9][\w.-]*==.*(?:\n {4}--hash=.*)*", text, re.MULTILINE)
        assert len(pins) > 10
        assert [pin for pin in pins if "--hash=sha256:" not in pin] == []
        assert not re.search(r"^\s*--(?:extra-)?(?:index-url|find-links)", text, re.MULTILINE)
        for line in (LOCKS / f"{path.stem}.in").read_text(encoding="utf-8").splitlines():
            assert re.search(rf"^{re.escape(re.split('[>=[]', line)[0])}==", text, re.MULTILINE), line


def test_the_locks_hold_what_codex_oauth_itself_needs() -> None:
    for path in LOCKS.glob("*.lock"):
        text = path.read_text(encoding="utf-8")
        for name in ("attrs", "transitions", "h11", "httpx", "anyio", "platformdirs", "filelock"):
            assert re.search(rf"^{name}==", text, re.MULTILINE), (path.name, name)


def test_every_environment_that_the_page_names_is_there() -> None:
    assert {use.environment for use in USES} == {*HEAVY}
    assert {block.runs_in for block in of(*HEAVY)} == {*HEAVY}


def test_make_runs_them() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "tests/consumers/check_consumers.py" in makefile
