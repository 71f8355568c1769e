"""Running asynchronous tests: on which event loop, in which time, and cut at which await.

Rules of this file: whatever runs here leaves no task and no socket; virtual time is exact, on asyncio as on trio.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, Final, Literal, TypeVar

import anyio
import anyio.lowlevel
import pytest
import trio.testing

from codex_oauth.testing.fake_world import START, WALL
from tests.transport.servers import no_new_sockets

T = TypeVar("T")


BACKENDS: Final = ("asyncio", "trio")
each_backend = pytest.mark.parametrize("backend", BACKENDS)

Way = Literal["asyncio task", "asyncio scope", "trio"]
WAYS: Final[tuple[Way, ...]] = ("asyncio task", "asyncio scope", "trio")
"""How a task is cancelled: by asyncio's `Task.cancel()`, or by a cancel scope."""


def run(main: Callable[[], Awaitable[T]], backend: str) -> T:
    """Run it in real time."""
    with no_new_sockets():
        return anyio.run(_orderly, main, backend=backend)


def run_virtual(main: Callable[[], Awaitable[T]], backend: str) -> T:
    """Run it in virtual time: where all tasks sleep, the clock jumps."""
    options: dict[str, Any] = {"loop_factory": VirtualLoop}
    if backend == "trio":
        options = {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return anyio.run(_orderly, main, backend=backend, backend_options=options)


def virtual_now() -> tuple[float, float]:
    """The clocks of a world that runs in `run_virtual`, beginning where a fake world's begin."""
    return START + anyio.current_time() - began(), WALL + anyio.current_time() - began()


_began: Final[dict[object, float]] = {}


def began() -> float:
    """When the event loop began, on its own clock."""
    return _began.setdefault(anyio.lowlevel.current_token(), anyio.current_time())


async def _orderly(main: Callable[[], Awaitable[T]]) -> T:
    began()
    try:
        async with nothing_left():
            return await main()
    finally:
        _began.clear()
    raise AssertionError


@contextlib.asynccontextmanager
async def nothing_left() -> AsyncGenerator[None]:
    """Fails if a task is left by the end of the block."""
    before = {task.id for task in anyio.get_running_tasks()}
    yield
    await anyio.lowlevel.checkpoint()
    assert [task.name for task in anyio.get_running_tasks() if task.id not in before] == []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop of asyncio whose clock jumps to the next timer as soon as there is nothing to do."""

    def __init__(self) -> None:
        self.passed = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.passed


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None else 5)
        if not ready and timeout is not None:
            self._loop.passed += timeout
        return ready


class CutAt:
    """Runs `call` as a task does, and cancels it in its await number `at`, counted from 1."""

    def __init__(self, call: Callable[[], Awaitable[None]], at: int, way: Way) -> None:
        self._call = call
        self._at = at
        self._way = way
        self.awaits = 0
        self.cancelled = False

    @property
    def over(self) -> bool:
        """Whether it has fewer awaits than that."""
        return self.awaits < self._at

    async def run(self) -> None:
        """Run it; whether it was cancelled is in `cancelled` then."""
        if self._way == "asyncio task":
            task = asyncio.create_task(self._counted(lambda: task.cancel()))  # noqa: PLW0108  # not made yet
            await asyncio.wait([task])
            self.cancelled = task.cancelled()
            if not self.cancelled:
                task.result()
            return
        with anyio.CancelScope() as scope:
            await self._counted(scope.cancel)
        self.cancelled = scope.cancelled_caught

    async def _counted(self, cancel: Callable[[], object]) -> None:
        await _drive(self._call().__await__(), lambda: self._count(cancel))

    def _count(self, cancel: Callable[[], object]) -> None:
        self.awaits += 1
        if self.awaits == self._at:
            cancel()


@types.coroutine
def _drive(steps: Generator[Any, Any, None], count: Callable[[], None]) -> Generator[Any, Any, None]:
    """What `await` does, with a look at every suspension."""
    act: Callable[[], Any] = lambda: next(steps)  # noqa: E731  # replaced in the loop
    while True:
        try:
            waiting_for = act()
        except StopIteration:
            return
        count()
        try:
            given = yield waiting_for
        except BaseException as error:  # noqa: BLE001  # handed on
            act = _thrower(steps, error)
        else:
            act = _sender(steps, given)


def _thrower(steps: Generator[Any, Any, None], error: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(error)


def _sender(steps: Generator[Any, Any, None], value: Any) -> Callable[[], Any]:
    return lambda: steps.send(value)
