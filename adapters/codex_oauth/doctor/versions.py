"""Which Python and which packages run.

Rules of this file: versions are read from what is installed, and nothing is imported for them.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from codex_oauth.doctor.context import Area, Context, Finding, ok, problem, warn
from codex_oauth_core._version import __version__

__all__ = ["check"]

_PACKAGE: Final = "codex-oauth"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_FOR_PEOPLE: Final = ("aiohttp", "authority", "chatgpt", "cli", "keyring", "openai", "postgres")
_AREA: Final = Area.ITSELF


def check(context: Context) -> Iterator[Finding]:
    """Python, this package, what it needs, and its extras."""
    where = f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield ok("python", _AREA, f"{platform.python_implementation()} {platform.python_version()} on {where}")
    yield ok("version", _AREA, f"codex-oauth {__version__}")
    yield from _packages()


def _packages() -> Iterator[Finding]:
    try:
        needed = requires(_PACKAGE) or []
    except PackageNotFoundError:
        yield warn("packages", _AREA, "codex-oauth runs, but is not installed as a package")
        return
    rows = [(_extra_of(row), _name(row)) for row in needed]
    yield _needed([name for extra, name in rows if extra is None])
    for extra in _FOR_PEOPLE:
        if names := [name for wanted, name in rows if wanted == extra]:
            yield _extra(extra, names)


def _needed(names: list[str]) -> Finding:
    found = {name: _version(name) for name in names}
    missing = [name for name, has in found.items() if has is None]
    if missing:
        again = f"Install codex-oauth again: {_program()} -m pip install --force-reinstall codex-oauth"
        return problem("packages", _AREA, f"missing: {', '.join(missing)}", again)
    return ok("packages", _AREA, ", ".join(f"{name} {has}" for name, has in found.items()))


def _extra(extra: str, names: list[str]) -> Finding:
    found = {name: _version(name) for name in names}
    missing = [name for name, has in found.items() if has is None]
    if missing:  # an extra is a choice, and not to have it no fault
        text = f"not there: {', '.join(missing)}; pip install 'codex-oauth[{extra}]' would add it"
        return ok("extra", _AREA, text, extra)
    return ok("extra", _AREA, ", ".join(f"{name} {has}" for name, has in found.items()), extra)


def _extra_of(requirement: str) -> str | None:
    match = _EXTRA.search(requirement)
    return match[1] if match else None


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    return match[0] if match else requirement


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _program() -> str:
    return "py" if sys.platform == "win32" else "python3"
