"""`core/` does no I/O: by what it imports and calls, and by what Python has loaded afterwards (ADR 0003)."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT, libraries, python_files

ALLOWED = frozenset(
    {
        "__future__",
        "abc",
        "attrs",
        "base64",
        "binascii",
        "codex_oauth_core",
        "collections.abc",
        "datetime",
        "enum",
        "functools",  # what a pure function gave is remembered
        "h11",  # the callback receiver's, and nobody else's
        "hashlib",
        "hmac",
        "importlib",  # lazy names (PEP 562)
        "ipaddress",
        "json",
        "math",
        "re",
        "transitions",
        "typing",
        "urllib.parse",
        "zlib",  # bytes in, bytes out; it touches no file
    }
)
"""All that the core may import: no module of the standard library that does I/O, and three libraries."""

FORBIDDEN_NAMES = frozenset(
    {"open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__", "globals"}
)
FORBIDDEN_METHODS = frozenset({"now", "utcnow", "today", "astimezone", "utcfromtimestamp", "localtime"})
"""They read the clock, or this machine's time zone."""

NEVER_LOADED = frozenset(
    {
        "_asyncio",
        "_random",
        "_socket",
        "_ssl",
        "_sqlite3",
        "anyio",
        "asyncio",
        "concurrent.futures",
        "ctypes",
        "email.utils",
        "ftplib",
        "getpass",
        "h11",
        "http.client",
        "httpcore",
        "httpx",
        "logging.handlers",
        "multiprocessing",
        "queue",
        "random",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "trio",
        "urllib.request",
        "uuid",
        "webbrowser",
    }
)
"""Modules that nothing below a flow may load, the libraries of the core included."""

CORE = python_files("core")
RECEIVER = ROOT / "core" / "codex_oauth_core" / "receiver"


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "the core imports by full names"
            yield node.module or ""


def _entry(module: str) -> str | None:
    """The entry of the allow-list that lets `module` in."""
    return next((name for name in ALLOWED if module == name or module.startswith(f"{name}.")), None)


def _bad_calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_NAMES:
                yield name
            case ast.Call(func=ast.Attribute(attr=name)) if name in FORBIDDEN_METHODS:
                yield name
            case ast.Call(func=ast.Attribute(attr="fromtimestamp"), args=[_], keywords=[]):
                yield "fromtimestamp without a time zone"
            case ast.Call(func=ast.Name(id="import_module")):
                yield "import_module"
            case _:
                pass


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT / "core")))
def test_the_core_imports_nothing_that_does_io(path: Path) -> None:
    assert [module for module in _imports(_parse(path)) if _entry(module) is None] == []


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT / "core")))
def test_the_core_calls_nothing_that_does_io_or_reads_a_clock(path: Path) -> None:
    is_loader = path == ROOT / "core" / "codex_oauth_core" / "_lazy.py"
    allowed = {"import_module"} if is_loader else set[str]()  # the names of packages load on first use
    assert set(_bad_calls(_parse(path))) <= allowed


def test_only_the_receiver_imports_h11() -> None:
    users = {path.parent for path in CORE if "h11" in _imports(_parse(path))}
    assert users == {RECEIVER}


def test_the_allow_list_holds_nothing_unused() -> None:
    used = {_entry(module) for path in CORE for module in _imports(_parse(path))}
    assert used == ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from time import monotonic",
        "import os.path",
        "from collections import deque",
        "from urllib import request",
        "from random import random",
    ],
)
def test_the_import_rule_sees_what_it_forbids(line: str) -> None:
    assert [module for module in _imports(ast.parse(line)) if _entry(module) is None]


@pytest.mark.parametrize(
    "line",
    [
        "print(1)",
        "x = open('f').read()",
        "datetime.now()",
        "datetime.datetime.now(UTC)",
        "date.today()",
        "datetime.fromtimestamp(0)",
        "moment.astimezone()",
        "import_module('time')",
    ],
)
def test_the_call_rule_sees_what_it_forbids(line: str) -> None:
    assert list(_bad_calls(ast.parse(line)))


# -- what is loaded ------------------------------------------------------------------------------------


def _loaded_by(*modules: str) -> set[str]:
    """The modules that a fresh interpreter, without `site`, has loaded after these imports."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; before = set(sys.modules)\n"
        "for name in sys.argv[3:]: __import__(name)\n"
        "loaded = sorted(set(sys.modules) - before); import json; print(json.dumps(loaded))"
    )
    paths = [str(ROOT / "core"), str(libraries())]
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", code, *paths, *modules], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT / "core").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_a_flow_loads_no_module_that_does_io() -> None:
    loaded = _loaded_by("codex_oauth_core.flows.device")
    assert "codex_oauth_core.flows.device" in loaded
    assert loaded & NEVER_LOADED == set()


def test_no_sign_in_loads_what_only_a_trace_or_a_server_writes_with() -> None:
    loaded = _loaded_by("codex_oauth_core.flows.device", "codex_oauth_core.providers")
    assert {name for name in loaded if "render" in name} == set()
    assert "codex_oauth_core.codex.render" in _loaded_by("codex_oauth_core.traces.recorder")


def test_a_sign_in_with_a_device_code_loads_no_class_that_only_a_store_needs() -> None:
    loaded = _loaded_by("codex_oauth_core.flows.device", "codex_oauth_core.providers")
    not_needed = {
        f"codex_oauth_core.{name}"
        for name in ("storage", "outcomes", "effect_unions", "record", "registration")
    }
    assert loaded & not_needed == set()
    assert not_needed <= _loaded_by("codex_oauth_core.flows.finish_sign_in", "codex_oauth_core.flows.browser")


def test_the_whole_core_loads_no_module_that_does_io() -> None:
    modules = [_module_name(path) for path in CORE]
    loaded = _loaded_by(*modules)
    assert set(modules) <= loaded
    assert loaded & NEVER_LOADED == {"h11"}


def test_only_the_receiver_loads_h11() -> None:
    others = [_module_name(path) for path in CORE if RECEIVER not in path.parents]
    assert "h11" not in _loaded_by(*others)


def test_threads_and_logging_come_from_transitions_alone() -> None:
    """`transitions` imports `logging`, which imports `threading`, `time` and `os`; we use none of them."""
    only_ours = _loaded_by(*(_module_name(path) for path in CORE)) - _loaded_by("attrs", "transitions")
    assert only_ours & {"logging", "threading", "time", "os", "io", "contextvars"} == set()


def test_the_root_loads_nothing_until_a_name_is_used() -> None:
    ours = {name for name in _loaded_by("codex_oauth_core") if name.startswith("codex_oauth_core")}
    assert ours == {"codex_oauth_core", "codex_oauth_core._lazy"}
    assert not _loaded_by("codex_oauth_core") & {"attrs", "transitions"}


@pytest.mark.parametrize("package", ["codex_oauth_core", "codex_oauth"])
def test_importing_a_package_loads_next_to_nothing(package: str) -> None:
    code = f"import {package}, sys; print({{'typing', 'attr', 'attrs', 'httpx', 'ssl'}} & set(sys.modules))"
    path = os.pathsep.join((str(ROOT / "core"), str(ROOT / "adapters")))
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
