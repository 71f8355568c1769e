"""Tens of thousands of sign-ins in one asyncio or trio program.

Rules of this file: a flow is told that its time has come only when a request slot is free, so that what it
asks for is sent at once; who is due first is served first; nobody is early. One task waits for all flows,
and there is one more for each request in flight. All of them are shielded: they end because the pool ends
them, when its `async with` block is left, and never in the middle of a `once` request. What is kept for a
flow is small, because there are as many, and lets go of the flow when that is over.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar, cast

import anyio
from anyio.lowlevel import checkpoint

from codex_oauth.clock import Clock, now
from codex_oauth.event_loops import load_anyio, shielded
from codex_oauth.pool.deadlines import AsyncWaker, Beginning, CalledBack, Deadlines, Due, drawn
from codex_oauth.pool.handle import Handle, Running, SignIn, alive, prompt_of, unsent
from codex_oauth.pool.put_down import (
    Checkpoint,
    check_that_it_can_be_put_down,
    checkpoint_of,
    each_put_down,
)
from codex_oauth.transport.protocol import AsyncTransport
from codex_oauth_core.callback import Accepted
from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Finished, Prompt, SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cancelled, Cause, Event, Phase, RequestFailed, Started, StoreAnswered
from codex_oauth_core.registration import Registration
from codex_oauth_core.storage import Register, Registered, StorageAnswer, StoreFailed

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["FlowPool", "Handle", "Running", "SignIn"]


K = TypeVar("K")

_Step = SendRequest | Wait | Finished

POOL_SLICE: Final = 5.0
"""Seconds that the pool sleeps at most, so that a resume from suspend is noticed."""

GRAIN: Final = 0.001
"""Seconds that it sleeps at least: an event loop that wakes a little early is not asked again and again."""

FLOWS_A_TURN: Final = 32
"""Steps after which other tasks of the program come to their turn."""

SPREAD: Final = 0.1
"""The part of a wait that jitter adds to it at most."""


class FlowPool(Generic[K]):
    """Drives sign-ins to their ends. Add flows inside the `async with` block, and iterate over the outcomes.

        async with FlowPool(send) as pool:
            pool.add(DeviceFlow(), "ada")
            async for key, outcome in pool: ...

    `send` carries requests, at most `max_requests` at a time. `on_prompt(key, prompt)` is called for each new
    prompt, and `on_wait(key, wait)` for each wait. `on_end(key, outcome)`, if given, gets the outcomes
    instead of the iteration. `on_register(key, registration)` keeps a client id that a server issued, before
    its code is exchanged; if it raises SignInError, that sign-in ends. `before_once(key, flow)` is awaited
    right before each `once` request, with nothing in between. If it returns False, the request is not sent:
    the flow is told that its time was over (`not_sent`, `timeout`), and may ask again. Any other exception of
    these functions ends the pool; the `async with` block raises it in an exception group. `jitter`: a wait
    gets longer at random by at most this many seconds and at most a tenth; `draw` gives random numbers from 0
    to 1.

    When the block ends, it cancels the flows that are left; after `put_down_all()` none is left. A `once`
    request in flight is finished first, and its outcome counts. Iterate over the remaining outcomes after it.

    Call everything here from the event loop's thread.
    """

    def __init__(
        self,
        send: AsyncTransport,
        *,
        max_requests: int = 64,
        on_prompt: Callable[[K, Prompt], None] | None = None,
        on_wait: Callable[[K, Wait], None] | None = None,
        on_end: Callable[[K, Credential | SignInError], None] | None = None,
        on_register: Callable[[K, Registration], None] | None = None,
        before_once: Callable[[K, SignIn], Awaitable[bool]] | None = None,
        jitter: float = 0.5,
        draw: Callable[[], float] = drawn,
        now: Clock = now,
    ) -> None:
        if max_requests < 1:
            raise ValueError("max_requests: at least 1")
        if jitter < 0:
            raise ValueError("jitter: 0 or more seconds; a wait is never shortened")
        self._send = send
        self._slots = max_requests  # that are free
        self._on_prompt = on_prompt
        self._on_wait = on_wait
        self._on_end = on_end
        self._on_register = on_register
        self._before_once = before_once
        self._jitter = jitter
        self._draw = draw
        self._now = now
        self._deadlines = Deadlines[Handle[K]]()
        self._running: set[Handle[K]] = set()
        self._outcomes: deque[tuple[K, Credential | SignInError]] = deque()
        self._live = 0
        self._news = AsyncWaker()  # rung for whoever waits for outcomes
        self._work = AsyncWaker()  # rung for the task that waits for deadlines
        self._wakes_at = -math.inf
        self._tasks: TaskGroup | None = None
        self._closed = False
        self._put_down = False

    # -- for the user ------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many flows are not over."""
        return self._live

    @property
    def in_flight(self) -> int:
        """The number of requests in flight; never more than `max_requests`."""
        return len(self._running)

    @property
    def late(self) -> float:
        """The seconds that a flow has waited for a request slot; 0 while the pool keeps up."""
        return max(0.0, self._now()[0] - self._deadlines.next)

    def add(self, flow: SignIn, key: K, *, begin: Callable[[float, float], Event] = Started) -> Handle[K]:
        """Take a flow that has not begun; `begin` makes its first event from the instant and Unix time.

        The flow's prompts and its outcome come with `key`; two flows may have the same key. Raises
        RuntimeError outside the `async with` block, and after `put_down_all()`.
        """
        if self._tasks is None or self._closed or self._put_down:
            raise RuntimeError("a pool takes flows inside its `async with` block, until all are put down")
        handle = Handle(self, flow, key)
        due = Beginning(self._now()[0])
        due.begin = begin
        self._live += 1
        self._put(due, handle)
        return handle

    def cancel(self, handle: Handle[K]) -> None:
        """The same as `handle.cancel()`."""
        if isinstance(handle.at, Running):
            handle.at.cancel()
        elif (flow := handle.flow) is not None:
            effect: SignInEffect | Finished | None = None
            if isinstance(handle.at, Beginning) and handle.at.begin is not Started:  # it was restored
                effect = unsent(flow, self._told(handle, handle.at), self._now()[0])
            self._deadlines.drop(handle)
            if not isinstance(effect, Finished):
                effect = flow.receive(Cancelled(self._now()[0]))
            self._settle(handle, effect, None)

    async def cancel_all(self) -> None:
        """Cancel every flow. At the end, one exception group has all that `on_end` raised."""
        await self._cancel_each((*self._running, *self._deadlines))

    async def _cancel_each(self, handles: tuple[Handle[K], ...]) -> None:
        failed: list[Exception] = []
        for count, handle in enumerate(handles, start=1):
            try:
                self.cancel(handle)
            except Exception as error:  # noqa: BLE001  # raised below; the others are to be cancelled too
                failed.append(error)
            if count % FLOWS_A_TURN == 0:
                await checkpoint()
        if failed:
            raise ExceptionGroup("flows were cancelled", failed)

    async def put_down(self, handle: Handle[K]) -> Checkpoint | None:
        """The same as `handle.put_down()`."""
        at = handle.at
        if isinstance(at, Running):
            check_that_it_can_be_put_down(alive(handle))
            first = at.over is None
            await shielded((at.over or at.put_down()).wait)
            return at.checkpoint if first else None
        return None if handle.flow is None else self._put_down_waiting(handle)

    async def put_down_all(self) -> list[tuple[K, Checkpoint]]:
        """Put every flow down, as `handle.put_down()` does, and return pairs of a key and a checkpoint. The
        pool takes no more flows. A flow that ends in the meantime gives its outcome as usual.

        No cancellation interrupts it: it lasts as long as the longest `once` request in flight. At the end,
        one `UnfinishedPutDown` has all exceptions, and the checkpoints of the other flows.
        """
        self._put_down = True
        busy, waiting = tuple(self._running), tuple(self._deadlines)
        return await shielded(lambda: each_put_down(busy, waiting, self.put_down, FLOWS_A_TURN))

    def accept(self, handle: Handle[K], accepted: Accepted) -> bool:
        """The same as `handle.accept(accepted)`."""
        wait = handle.flow and handle.flow.effect
        if not isinstance(wait, Wait) or wait.callback is None or isinstance(handle.at, CalledBack):
            return False
        due = CalledBack(self._now()[0])
        due.query = accepted.query
        self._put(due, handle)
        return True

    async def join(self) -> None:
        """Return when no flow is left."""
        while self._live:
            await self._news.wait()

    def __aiter__(self) -> Self:
        """Iterates over `(key, outcome)` as flows end, until no flow is left."""
        return self

    async def __anext__(self) -> tuple[K, Credential | SignInError]:
        while not self._outcomes:
            if not self._live:
                raise StopAsyncIteration
            await self._news.wait()
        return self._outcomes.popleft()

    # -- the task that waits -----------------------------------------------------------------------

    async def _dispatch(self, tasks: TaskGroup) -> None:
        with anyio.CancelScope(shield=True):
            while not self._closed:
                if self._slots and (handle := self._take(FLOWS_A_TURN)):
                    self._slots -= 1
                    tasks.start_soon(self._serve, handle)
                await self._rest()

    async def _rest(self) -> None:
        """Sleep until a slot is free and somebody is due. If that is so now, let others have a turn."""
        self._wakes_at = self._deadlines.next if self._slots else -math.inf
        left = self._wakes_at - self._now()[0] if self._slots and not self._put_down else POOL_SLICE
        if left <= 0:
            await checkpoint()
            return
        with anyio.move_on_after(min(max(left, GRAIN), POOL_SLICE)):
            await self._work.wait()

    def _take(self, steps: int) -> Handle[K] | None:
        """The first flow that is due and has something to send, if it is found within so many steps. Whoever
        calls this has a slot for it.
        """
        for _ in range(0 if self._closed or self._put_down else steps):
            due = self._deadlines.take(self._now()[0])
            if due is None:
                return None
            handle: Handle[K] = due.handle
            shown = prompt_of(alive(handle))
            effect = self._told(handle, due)
            if isinstance(effect, SendRequest):
                handle.at = Running(effect, shown)
                self._running.add(handle)
                return handle
            self._settle(handle, effect, shown)
        return None

    def _told(self, handle: Handle[K], due: Due) -> _Step:
        """What a flow asks for that is told what it waits for."""
        flow = alive(handle)
        return self._kept(handle, flow, flow.receive(due.event(*self._now())))

    def _put(self, due: Due, handle: Handle[K]) -> None:
        self._deadlines.put(due, handle)
        if due < self._wakes_at:
            self._work.ring()

    # -- the tasks that send -----------------------------------------------------------------------

    async def _serve(self, first: Handle[K]) -> None:
        """Use one request slot for as long as the next that is due has something to send."""
        handle: Handle[K] | None = first
        try:
            with anyio.CancelScope(shield=True):
                while handle is not None:
                    await self._perform(handle)
                    await checkpoint()  # `send` may have answered without one
                    handle = self._take(1)
        finally:
            self._slots += 1
            self._work.ring()

    async def _perform(self, handle: Handle[K]) -> None:
        """Send for one flow, until it waits or is over."""
        flow, running = alive(handle), handle.at
        assert isinstance(running, Running)
        effect: SignInEffect | Finished = running.effect
        try:
            try:
                while isinstance(effect, SendRequest) and not running.stops:
                    running.effect = effect
                    event = await self._answer(handle, running)
                    if event is not None:
                        effect = self._kept(handle, flow, flow.receive(event))
            except anyio.get_cancelled_exc_class():  # asyncio goes through shields when its loop ends
                self._settle(handle, flow.receive(Cancelled(self._now()[0])), None)
                raise
            finally:
                self._running.discard(handle)
            if running.cancelled and isinstance(effect, Wait):
                effect = flow.receive(Cancelled(self._now()[0]))
            if running.stops and not isinstance(effect, Finished):
                running.checkpoint = self._handed_over(handle, flow)
            else:
                self._settle(handle, effect, running.shown)
        finally:
            if running.over is not None:
                running.over.set()
        if running.failed is not None:
            raise running.failed

    async def _answer(self, handle: Handle[K], running: Running) -> Event | None:
        """What came of the request; None if it was cut for the flow to be put down."""
        if running.effect.once:
            return await shielded(lambda: self._request(handle, running))
        return Cancelled(self._now()[0]) if running.cancelled else await self._request(handle, running)

    async def _request(self, handle: Handle[K], running: Running) -> Event | None:
        effect = running.effect
        phase = Phase.NOT_SENT
        with anyio.CancelScope() as running.scope:
            if self._closed or running.over is not None:
                running.bound()
            if not effect.once or self._before_once is None or await self._may_send(handle, running):
                phase = Phase.MAYBE_SENT
                return await self._send(effect)
        at = self._now()[0]
        if effect.once:
            return RequestFailed(at, phase, Cause.TIMEOUT)
        return None if running.stops else Cancelled(at)

    async def _may_send(self, handle: Handle[K], running: Running) -> bool:
        assert self._before_once is not None
        try:
            return await self._before_once(handle.key, alive(handle))
        except Exception as error:  # noqa: BLE001  # raised when the flow has been told that nothing was sent
            running.failed = running.failed or error
            return False

    def _kept(self, handle: Handle[K], flow: SignIn, effect: SignInEffect | Finished) -> _Step:
        """What is asked for after a registration was kept, if one is to be."""
        while isinstance(effect, Register):
            answer: StorageAnswer = Registered()
            try:
                if self._on_register is not None:
                    self._on_register(handle.key, effect.registration)
            except SignInError as error:
                answer = StoreFailed(error)
            effect = flow.receive(StoreAnswered(*self._now(), answer))
        return effect

    # -- what comes of it --------------------------------------------------------------------------

    def _settle(self, handle: Handle[K], effect: SignInEffect | Finished, shown: Prompt | None) -> None:
        """Let the flow wait, or end it. `shown` is the prompt of its last wait."""
        assert not isinstance(effect, SendRequest | Register)
        if isinstance(effect, Finished):
            self._end(handle, cast("Credential | SignInError", effect.outcome))
            return
        until = effect.until
        if self._jitter:
            until += self._draw() * max(0.0, min(self._jitter, SPREAD * (until - self._now()[0])))
        self._put(Due(until), handle)
        prompt = effect.prompt
        if prompt is not None and prompt is not shown and self._on_prompt is not None:
            self._on_prompt(handle.key, prompt)
        if self._on_wait is not None and not handle.over:
            self._on_wait(handle.key, effect)

    def _put_down_waiting(self, handle: Handle[K]) -> Checkpoint | None:
        """Put a flow down that waits. One that has not begun begins, and a redirect that came in counts."""
        flow, due = alive(handle), handle.at
        check_that_it_can_be_put_down(flow)
        assert isinstance(due, Due)
        self._deadlines.drop(handle)
        told = self._told(handle, due) if isinstance(due, Beginning | CalledBack) else None
        if isinstance(told, Finished):
            self._settle(handle, told, None)
            return None
        return self._handed_over(handle, flow)

    def _handed_over(self, handle: Handle[K], flow: SignIn) -> Checkpoint:
        """The flow, which the pool does not know any more."""
        found = checkpoint_of(flow, *self._now())
        self._forget(handle)
        return found

    def _forget(self, handle: Handle[K]) -> None:
        handle.flow = handle.at = None
        self._live -= 1
        self._news.ring()

    def _end(self, handle: Handle[K], outcome: Credential | SignInError) -> None:
        self._forget(handle)
        if self._on_end is None:
            self._outcomes.append((handle.key, outcome))
        else:
            self._on_end(handle.key, outcome)

    # -- beginning and end -------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._tasks is not None or self._closed:
            raise RuntimeError("a pool is used for one `async with` block")
        load_anyio()
        tasks = self._tasks = await anyio.create_task_group().__aenter__()
        tasks.start_soon(self._dispatch, tasks)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        tasks = self._tasks
        assert tasks is not None
        self._closed = True
        tasks.start_soon(self._finish)
        try:
            return await tasks.__aexit__(exc_type, exc, traceback)
        except BaseExceptionGroup as group:
            if group.exceptions == (exc,):
                return False  # the block's own comes out as it is
            raise
        finally:
            self._live = 0
            self._news.ring()

    async def _finish(self) -> None:
        """End every flow; nothing is left then but `once` requests, each in its task."""
        with anyio.CancelScope(shield=True):
            self._work.ring()
            for handle in self._running:
                if isinstance(handle.at, Running):
                    handle.at.leave()
            await self._cancel_each(tuple(self._deadlines))
