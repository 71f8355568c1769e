"""Runs the published checks against a port of docs/examples/ports, in the environment of that port alone.

Rules of this file: nothing but the product, its checks and the port's own library is imported; a line for each
check; the end is 0 if all hold. What a port says that its stack cannot help is tolerated, and nothing else.

    PYTHONPATH=core:adapters:. .venv/ports/pycurl/bin/python -m tests.ports.gallery pycurl
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from codex_oauth import testing
from codex_oauth.testing.checking import same
from codex_oauth.worlds.world import arun, run
from codex_oauth_core import CODEX, Credential, DeviceFlow

__all__ = ["main", "port"]

_FOLDER = Path(__file__).parents[2] / "docs" / "examples" / "ports"


def port(name: str) -> ModuleType:
    """The port's module."""
    spec = importlib.util.spec_from_file_location(f"{name}_world", _FOLDER / f"{name}_world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _checks(make: Any, *, awaits: bool) -> dict[str, Callable[[], object]]:
    blocking: tuple[Any, ...] = (*testing.WORLD_CHECKS, *testing.LISTENING_CHECKS)
    if not awaits:
        return {check.__name__: partial(check, make) for check in blocking}
    checks: tuple[Any, ...] = (
        *testing.ASYNC_WORLD_CHECKS,
        *testing.TASK_CHECKS,
        *testing.ASYNC_LISTENING_CHECKS,
    )
    return {check.__name__: partial(_awaited, check, make) for check in checks}


def _awaited(check: Any, make: Any) -> None:
    asyncio.run(check(make))


def _sign_in(make: Any, issuer: str, *, awaits: bool) -> None:
    """A person who signs in by a device code; the authority approves by itself."""
    shown: list[object] = []

    def show(wait: Any) -> None:
        if wait.prompt is not None and wait.prompt not in shown:
            shown.append(wait.prompt)

    async def signs_in() -> object:
        async with make(on_wait=show) as world:
            return await arun(DeviceFlow(provider=CODEX.at(issuer)), world)

    if awaits:
        outcome: object = asyncio.run(signs_in())
    else:
        with make(on_wait=show) as world:
            outcome = run(DeviceFlow(provider=CODEX.at(issuer)), world)
    same(type(outcome), Credential, "what came of the sign-in")
    same(len(shown), 1, "the number of prompts that were shown")


def main() -> int:
    """Run the checks that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("name", help="as in docs/examples/ports/NAME_world.py")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="by name; all if none is named")
    parser.add_argument("--sign-in", metavar="ISSUER", help="sign in there instead")
    asked = parser.parse_args()
    module = port(asked.name)
    make, awaits = module.make, getattr(module, "AWAITS", False)
    works = _checks(make, awaits=awaits)
    if asked.sign_in:
        works = {"signs_in": partial(_sign_in, make, asked.sign_in, awaits=awaits)}
    elif asked.checks:
        works = {name: works[name] for name in asked.checks}
    with testing.tolerating(getattr(module, "TOLERATED", testing.Tolerance())):
        ends = Counter(_end(name, work) for name, work in works.items())
    print(", ".join(f"{number} {end}" for end, number in ends.items()))
    return 1 if ends["FAILED"] else 0


def _end(name: str, work: Callable[[], object]) -> str:
    """How a check ended."""
    begun = time.monotonic()
    try:
        work()
        end, why = "held", ""
    except Exception as error:  # noqa: BLE001  # a check fails as it likes
        end, why = "FAILED", f": {str(error) or type(error).__name__}"
        traceback.print_exc()
    print(f"{end} {name} ({time.monotonic() - begun:.1f} s){why}", flush=True)
    return end


if __name__ == "__main__":
    sys.exit(main())
