"""What is not cut, what is put aside, and what wakes an event loop, on asyncio and trio."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint

from codex_oauth.event_loops import Scheduler, on_this_loop, run_blocking, shielded
from tests.asynchronous.running import each_backend, run
from tests.transport.servers import at_most


class Work:
    """Takes three naps, and says how far it came."""

    def __init__(self) -> None:
        self.naps = 0

    async def __call__(self) -> str:
        for _ in range(3):
            await anyio.sleep(0.02)
            self.naps += 1
        return "done"


@each_backend
def test_a_scope_that_is_cancelled_gets_the_result_and_is_cut_by_the_next_await(backend: str) -> None:
    async def main() -> None:
        work = Work()
        with anyio.move_on_after(0.03) as scope:
            assert await shielded(work) == "done"
            await checkpoint()
            raise AssertionError("it was cancelled")
        assert (work.naps, scope.cancelled_caught) == (3, True)

    run(main, backend)


@each_backend
def test_a_scope_that_was_cancelled_before_changes_nothing(backend: str) -> None:
    async def main() -> None:
        work = Work()
        with anyio.CancelScope() as scope:
            scope.cancel()
            assert await shielded(work) == "done"
        assert work.naps == 3
        await checkpoint()  # nothing is left of the cancellation

    run(main, backend)


@pytest.mark.parametrize("cancels", [1, 2, 5])
def test_a_task_that_asyncio_cancels_gets_the_result_and_is_cut_by_the_next_await(cancels: int) -> None:
    order: list[str] = []

    async def caller() -> None:
        order.append(await shielded(Work()))
        await asyncio.sleep(0)
        order.append("never")

    async def main() -> None:
        task = asyncio.create_task(caller())
        for _ in range(cancels):
            await asyncio.sleep(0.005)
            task.cancel("why")
        with pytest.raises(asyncio.CancelledError, match="why"):
            await task
        assert task.cancelling() == cancels

    run(main, "asyncio")
    assert order == ["done"]


def test_a_task_that_was_cancelled_before_changes_nothing() -> None:
    async def caller() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        found.append(await shielded(Work()))
        found.append(await shielded(Work()))
        await asyncio.sleep(0)

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(caller())

    found: list[str] = []
    run(main, "asyncio")
    assert found == ["done", "done"]


def test_a_task_that_ends_at_once_is_cancelled_all_the_same() -> None:
    async def main() -> None:
        task = asyncio.create_task(_result_of(Work()))
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main, "asyncio")


async def _result_of(work: Work) -> str:
    return await shielded(work)


def test_the_end_of_asyncio_run_waits_for_it() -> None:
    work = Work()
    tasks: list[asyncio.Task[str]] = []

    async def main() -> None:
        tasks.append(asyncio.create_task(_result_of(work)))
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert work.naps == 3
    assert tasks[0].cancelled()


@each_backend
def test_an_exception_comes_out_as_it_is_and_one_at_a_time(backend: str) -> None:
    async def broken() -> None:
        await checkpoint()
        raise LookupError("of the work")

    async def main() -> None:
        with pytest.raises(LookupError, match="of the work"):
            await shielded(broken)

    run(main, backend)


@each_backend
def test_what_blocks_runs_on_a_thread_while_others_go_on(backend: str) -> None:
    async def main() -> None:
        release = threading.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_later, 0.05, release.set)
            assert (
                await run_blocking(lambda: (release.wait(5), threading.current_thread().name)[1])
                != "MainThread"
            )

    run(main, backend)


async def _later(seconds: float, call: Callable[[], None]) -> None:
    await anyio.sleep(seconds)
    call()


@each_backend
def test_what_blocks_is_never_abandoned(backend: str) -> None:
    done: list[str] = []

    def work() -> None:
        threading.Event().wait(0.1)
        done.append("done")

    async def main() -> None:
        with anyio.move_on_after(0.02) as scope:
            await run_blocking(work)
            assert done == ["done"]
            await checkpoint()
        assert scope.cancelled_caught

    run(main, backend)


# F35
@each_backend
def test_where_no_thread_can_be_had_it_blocks(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            patch.setattr("trio._core._thread_cache.THREAD_CACHE._idle_workers", {})
            assert await run_blocking(lambda: threading.current_thread().name) == "MainThread"

    run(main, backend)


@each_backend
def test_a_runtime_error_of_what_blocks_is_its_own(backend: str) -> None:
    calls: list[str] = []

    def work() -> None:
        calls.append("called")
        raise RuntimeError("of the work")

    async def main() -> None:
        with pytest.raises(RuntimeError, match="of the work"):
            await run_blocking(work)

    run(main, backend)
    assert calls == ["called"]


@each_backend
def test_a_loop_is_woken_from_another_thread_and_not_after_its_end(backend: str) -> None:
    kept: list[Scheduler] = []

    async def main() -> None:
        soon, woken = on_this_loop(), anyio.Event()
        kept.append(soon)
        timer = threading.Timer(0.05, lambda: soon(woken.set))
        timer.start()
        with anyio.fail_after(5):
            await woken.wait()
        timer.join()

    with at_most(3):
        run(main, backend)
    with contextlib.ExitStack() as stack:
        kept[0](stack.close)  # raises nothing
