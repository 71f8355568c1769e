"""The page about stores: its contract names every method, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

from codex_oauth.stores import store as protocols
from codex_oauth.stores.store import KeepsRegistrations
from codex_oauth.testing import (
    REGISTRATION_CHECKS,
    SHARED_STORE_CHECKS,
    STORE_CHECKS,
    StoreCheck,
    StoreFaults,
)
from codex_oauth.testing.checking import ACCOUNT, put, sample
from tests.house.tree import ROOT
from tests.stores.breakage import in_one_file
from tests.stores.broken_stores import BROKEN
from tests.stores.sentences import SENTENCES

PAGE = (ROOT / "docs" / "stores.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def _methods(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


@pytest.mark.parametrize("protocol", [protocols.Store, protocols.Slot, protocols.LockedLogin])
def test_the_contract_names_every_method_once(protocol: type) -> None:
    table = PAGE.partition(f"**`{protocol.__name__}`**")[2].partition("\n**`")[0].partition("\n\nWhat")[0]
    listed = re.findall(r"^\| `(\w+)[`(]", table, re.MULTILINE)
    assert sorted(listed) == sorted(_methods(protocol))


def test_the_page_names_every_method_of_a_store_that_keeps_registrations() -> None:
    section = PAGE.partition("### Registrations")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)\(", section, re.MULTILINE)
    assert sorted(listed) == sorted(_methods(KeepsRegistrations))


def test_the_page_says_where_each_store_is() -> None:
    for dotted in re.findall(r"^\| `(codex_oauth[\w.]+)`", PAGE, re.MULTILINE):
        module, _, name = dotted.rpartition(".")
        assert hasattr(__import__(module, fromlist=[name]), name)


def test_the_short_example_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKS[0]],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_example_of_a_shared_store_runs(tmp_path: Path) -> None:
    script = tmp_path / "shared.py"
    script.write_text(BLOCKS[1], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stdout) == (0, "20 rows held, 20 not run\n"), done.stderr
    assert (
        "UserWarning: not run: the_server_ends_its_connections_before_the_reservation (faults.end_backends is None)"
        in (done.stderr)
    )


def test_the_page_names_every_fault_of_a_shared_store() -> None:
    listed = re.findall(
        r"^\| `(\w+)\((?:seconds)?\)` \|", PAGE.partition("supply a `StoreFaults`")[2], re.MULTILINE
    )
    assert listed == [field.name for field in attrs.fields(StoreFaults)]


def test_the_page_says_how_many_rows_there_are() -> None:
    assert f" runs {len(SHARED_STORE_CHECKS)} more rows." in " ".join(PAGE.split())


@pytest.fixture(scope="module")
def example() -> Any:
    """The store of the page, as a module."""
    module = ModuleType("example")
    exec(compile(BLOCKS[2], "docs/stores.md", "exec"), module.__dict__)  # the page's own code
    return module


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_the_example_passes(check: StoreCheck, example: Any, tmp_path: Path) -> None:
    check(example.TableStore(tmp_path / "logins"))


def test_the_examples_lock_holds_among_processes_and_ends_with_its_holder(
    example: Any, tmp_path: Path
) -> None:
    code = (
        BLOCKS[2]
        + """
import sys
from collections import Counter
held = TableStore(Path(sys.argv[1])).slot("acct_1").lock()
print(held is not None, flush=True)
sys.stdin.readline()
"""
    )
    slot = example.TableStore(tmp_path).slot("acct_1")
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert slot.lock() is None
        other.kill()
    with slot.lock() as held:
        assert held.load() is None


def test_the_example_passes_what_may_befall_one_machine(tmp_path: Path) -> None:
    script = tmp_path / "store.py"
    script.write_text(
        BLOCKS[2]
        + """
import sys
from collections import Counter
from functools import partial
from codex_oauth.testing import StoreFaults, check_shared_store

def advance(folder, seconds):
    with Database(folder).open(WRITE) as table:
        table.execute("UPDATE kept SET intent_at = intent_at - ?", (seconds,))

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    report = check_shared_store(partial(TableStore, folder), StoreFaults(advance=partial(advance, folder)))
    print(len(report.held))
"""
    )
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "logins")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, "20\n"), done.stderr


def test_marking_an_intent_does_not_write_the_record_again(example: Any, tmp_path: Path) -> None:
    store, written = example.TableStore(tmp_path), list[str]()
    put(store, sample())
    with store.slot(ACCOUNT).lock() as held:
        connect = held._database.connect

        def watched(name: str, timeout: float) -> Any:
            connection = connect(name, timeout)
            connection.set_trace_callback(written.append)
            return connection

        held._database.connect = watched
        held.reserve(sample())
    assert len([statement for statement in written if "UPDATE" in statement]) == 2  # and its end
    assert not any("telltale" in statement or "REPLACE" in statement for statement in written)


def test_the_page_has_the_three_examples_that_are_run() -> None:
    assert len(BLOCKS) == PAGE.count("```python") == 3


def test_each_sentence_that_has_checks_stands_on_the_page() -> None:
    flat = " ".join(PAGE.split())
    assert [sentence for sentence in SENTENCES if sentence not in flat] == []


def test_each_check_holds_a_sentence() -> None:
    checks = {check.__name__ for check in (*STORE_CHECKS, *REGISTRATION_CHECKS)}
    assert {name for names in SENTENCES.values() for name in names} == checks


def test_each_sentence_is_broken_by_stores_that_are_caught() -> None:
    breaking = {
        sentence: [what for what, broken in BROKEN.items() if set(broken.caught_by) & set(names)]
        for sentence, names in SENTENCES.items()
    }
    assert {sentence: stores for sentence, stores in breaking.items() if len(stores) < 2} == {}


def test_stores_of_three_kinds_are_broken_in_many_ways() -> None:
    kinds = Counter(broken.make.__name__ for broken in BROKEN.values())
    assert kinds["in_memory"] >= 80
    assert kinds["in_one_file"] >= 35
    assert kinds["in_tables"] >= 12


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_what_broken_stores_are_made_of_is_right(check: StoreCheck, tmp_path: Path) -> None:
    check(in_one_file(tmp_path))
