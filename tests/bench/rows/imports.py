"""P1 and P2: what an import costs, in a new interpreter each time, with no package that is not required.

Rules of this file: the time is that of the import statement alone; Python's own start is in no figure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench.contest import Contestant, contest, figures
from tests.bench.peers import PEERS, has
from tests.bench.processes import PYTHON, clean_packages, importing, said
from tests.bench.ratios import Result, Spread, Target

HTTPX: Final = "import httpx"
DEVICE: Final = "from codex_oauth_core import DeviceFlow"
LOGIN: Final = "from codex_oauth import login"
FLOOR: Final = "the same libraries and classes"
CORE_LIBRARIES: Final = (
    "attrs, transitions, json, re, hashlib, hmac, base64, datetime, ipaddress, zlib, urllib.parse"
)
"""What the core stands on."""
LOGIN_LIBRARIES: Final = f"{CORE_LIBRARIES}, platformdirs, tempfile, threading, contextvars, ssl, socket"
FORBIDDEN: Final = ("ssl", "socket", "asyncio", "httpx", "h11")
PEER_IMPORTS: Final = (("MSAL", "msal"), ("Authlib", "authlib.integrations.httpx_client"))


def _contestant(name: str, statement: str, path: Path, *, ours: bool = False) -> Contestant:
    return Contestant(name, f"`{statement}`", partial(importing, statement, path), ours)


def _peers() -> list[Contestant]:
    return [
        _contestant(name, f"import {module}", PEERS)
        for name, module in PEER_IMPORTS
        if has(module.partition(".")[0])
    ]


def _loaded(statement: str, path: Path) -> tuple[str, ...]:
    """Which of the modules that a core has no use for an import loads."""
    code = f"{statement}; import sys; print(*sys.modules)"
    return tuple(
        sorted(set(said([PYTHON, "-S", "-c", code], {"PYTHONPATH": str(path)}).split()) & set(FORBIDDEN))
    )


_CLASSES: Final = """
import attrs, json, sys
kinds = (value for name, module in sys.modules.items() if name.startswith("codex_oauth") for value in vars(module).values())
mine = {kind for kind in kinds if isinstance(kind, type) and kind.__module__.startswith("codex_oauth")}
mine = sorted((kind for kind in mine if "__attrs_attrs__" in vars(kind)), key=lambda kind: (len(kind.__mro__), kind.__qualname__))
def field(each):
    said = {name: False for name in ("init", "repr", "eq") if getattr(each, name) is False}
    said |= {name: name for name in ("converter", "validator") if getattr(each, name) is not None}
    return said | {"default": each.default is not attrs.NOTHING, "kw_only": each.kw_only}
def options(props):
    return {"frozen": props.is_frozen, "slots": props.is_slotted, "eq": props.added_eq, "repr": props.added_repr}
print(json.dumps([{
    "base": next((mine.index(base) for base in kind.__mro__[1:] if base in mine), None),
    "options": options(kind.__attrs_props__),
    "fields": [field(each) for each in kind.__attrs_attrs__ if not each.inherited],
} for kind in mine]))
"""
"""What the classes of attrs are like that were loaded."""


def floor(statement: str, libraries: str, path: Path, environment: Mapping[str, str] | None = None) -> Path:
    """A module in `path` that has the classes of attrs that `statement` loads, and `libraries`; and nothing more. The
    classes have the same options, bases and fields, but no method.
    """
    environment = environment or {"PYTHONPATH": str(path)}
    kinds = json.loads(said([PYTHON, "-S", "-c", f"{statement}\n{_CLASSES}"], environment).splitlines()[-1])
    lines = [f"import {libraries}", "def converter(value): return value", "def validator(*_): pass"]
    for number, kind in enumerate(kinds):
        base = "" if kind["base"] is None else f"(Kind{kind['base']})"
        options = {
            **kind["options"],
            "on_setattr": None if kind["options"]["frozen"] else "attrs.setters.NO_OP",
        }
        lines += [f"@attrs.define({_given(options)})", f"class Kind{number}{base}:", "    pass"]
        lines += [
            f"    field{number}_{place}: str{_field(each)}" for place, each in enumerate(kind["fields"])
        ]
    module = path / f"floor_of_{len(kinds)}.py"
    module.write_text("\n".join(lines))
    said([PYTHON, "-S", "-c", f"import {module.stem}"], environment)  # its byte code is kept
    return module


def _given(options: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _field(each: dict[str, object]) -> str:
    options = {name: value for name, value in each.items() if name not in ("default", "kw_only")}
    options |= {"default": None} if each["default"] else {}
    options |= {"kw_only": True} if each["kw_only"] else {}
    return f" = attrs.field({_given(options)})" if options else ""


def _count(text: str, number: int) -> Target:
    return Target(text, Spread.of([float(number)]), 0, unit="")


def core(rounds: int) -> Result:
    """P1."""
    with clean_packages() as path:
        all_of = [
            _contestant("import httpx", HTTPX, path),
            _contestant("codex-oauth, root", "import codex_oauth_core", path, ours=True),
            _contestant("codex-oauth, DeviceFlow", DEVICE, path, ours=True),
            _contestant(FLOOR, f"import {floor(DEVICE, CORE_LIBRARIES, path).stem}", path),
            _contestant("attrs", "import attrs", path),
            _contestant("attrs and transitions", "import attrs, transitions", path),
            *_peers(),
        ]
        times = contest(all_of, rounds, "import httpx")
        loaded = _loaded(DEVICE, path)
    targets = (
        Target("the root alone, of `import httpx`", times.ratio("codex-oauth, root"), 0.05),
        Target("with DeviceFlow, of the floor", times.ratio("codex-oauth, DeviceFlow", FLOOR), 1.2),
        _count("modules of I/O that it loads", len(loaded)),
    )
    notes = (
        "`ssl`, `socket`, `asyncio`, `httpx` and `h11` were looked for among the loaded modules.",
        *loaded,
    )
    return Result("P1", "import httpx", figures(all_of, times), targets, notes=notes)


def package(rounds: int) -> Result:
    """P2."""
    with clean_packages() as path:
        all_of = [
            _contestant("import httpx", HTTPX, path),
            _contestant("codex-oauth", "import codex_oauth", path, ours=True),
            _contestant("codex-oauth, FileStore", "from codex_oauth import FileStore", path, ours=True),
            _contestant("codex-oauth, login", LOGIN, path, ours=True),
            _contestant(FLOOR, f"import {floor(LOGIN, LOGIN_LIBRARIES, path).stem}", path),
        ]
        times = contest(all_of, rounds, "import httpx")
    targets = (
        Target("of `import httpx`", times.ratio("codex-oauth"), 0.05),
        Target("with login, of the floor", times.ratio("codex-oauth, login", FLOOR), 1.2),
    )
    return Result("P2", "import httpx", figures(all_of, times), targets)
