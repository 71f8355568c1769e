"""Both event loops in virtual time: whoever sleeps is woken at once, and the clock says that it slept.

Rules of this file: time moves only while every task sleeps, so each run is the same; one second of a test
takes no time at all.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import pytest
import trio.testing

from codex_oauth.testing.fake_world import START, WALL

__all__ = ["each_backend", "now", "run"]

each_backend: Final = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class _SkippingSelector(selectors.DefaultSelector):
    """Blocks for nobody's sake but a thread's."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self.skipped += max(0.0, timeout)
        return ready


class _SkippingLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop whose time is what its selector skipped."""

    def __init__(self) -> None:
        self.selector = _SkippingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.skipped


def run(main: Callable[[], Awaitable[None]], backend: str) -> None:
    """Run it from the instant START on."""
    options: dict[str, Any] = {"loop_factory": _SkippingLoop}
    if backend == "trio":
        options = {"clock": trio.testing.MockClock(autojump_threshold=0)}
    anyio.run(main, backend=backend, backend_options=options)


def now() -> tuple[float, float]:
    """The virtual instant and Unix time, as those of a fake world."""
    passed = anyio.current_time()
    return START + passed, WALL + passed
