"""What the checks of a world are made of: one request, one wait, in blocking and asynchronous worlds alike.

Rules of this file: a check is written once, with `await`; a blocking world is awaited through `Awaited`,
which never gives control away; nothing here needs an event loop of a certain kind.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import Any, Final, Protocol, Self, TypeVar, cast

from codex_oauth.clock import Clock
from codex_oauth.testing.checked_clock import CheckedClock
from codex_oauth.testing.checking import fail
from codex_oauth.testing.loopback import Act, LoopbackServer
from codex_oauth.worlds.async_world import AsyncWorld
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.world import World
from codex_oauth_core.effects import Request, SendRequest, Wait, Why
from codex_oauth_core.events import Cause, Event, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.secret import Secret

__all__ = [
    "BODY",
    "HEADERS",
    "Awaited",
    "MakeAsyncListeningWorld",
    "MakeAsyncWorld",
    "answered",
    "completed",
    "event_of",
    "failed",
    "failure",
    "post",
    "response",
    "soon",
    "wait",
]

_T = TypeVar("_T")

BODY: Final = bytes(range(256))
HEADERS: Final = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", "codex-oauth/check"),
    ("Content-Type", "application/octet-stream"),
)


class MakeAsyncWorld(Protocol):
    """Makes a new asynchronous world. Often its class."""

    def __call__(self, *, now: Clock) -> AsyncWorld:
        """A world that has not been entered, on the clock `now`."""
        ...


class MakeAsyncListeningWorld(Protocol):
    """Makes a new asynchronous world that takes callbacks. Often its class."""

    def __call__(
        self, *, now: Clock, callbacks: Iterable[CallbackSource], on_wait: Callable[[Wait], None]
    ) -> AsyncWorld:
        """A world that has not been entered; its parameters mean what those of `SyncWorld` mean."""
        ...


class Awaited:
    """A blocking world whose `perform` can be awaited: it blocks all the same."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> tuple[float, float]:
        """The world's clocks."""
        return self._world.now()

    async def perform(self, effect: SendRequest | Wait) -> Event:
        """What the world answers."""
        return self._world.perform(effect)

    def cancel(self) -> None:
        """Cancel the world's run."""
        self._world.cancel()

    async def __aenter__(self) -> Self:
        self._world.__enter__()
        return self

    async def __aexit__(self, *exc_info: object) -> Any:
        # what a world returns against its protocol would swallow an exception: a check asks
        leave: Callable[..., Any] = self._world.__exit__
        return leave(*exc_info)


def completed(work: Coroutine[Any, Any, _T]) -> _T:
    """The result of a coroutine that never gives control away."""
    try:
        work.send(None)
    except StopIteration as end:
        return cast("_T", end.value)
    work.close()
    raise RuntimeError("a blocking world gave control away")


def post(url: str, timeout: float = 3.0, *, once: bool = False, write_by: float | None = None) -> SendRequest:
    """A request with a body of every byte."""
    return SendRequest(Request("POST", url, HEADERS, Secret(BODY)), timeout, once, write_by)


def wait(clock: CheckedClock, seconds: float) -> Wait:
    """A wait of so many seconds from now."""
    return Wait(clock.instant() + seconds, Why.PENDING)


@contextlib.contextmanager
def soon(call: Callable[[], None], seconds: float = 0.1) -> Generator[None]:
    """Call it that much later, from another thread."""
    timer = threading.Timer(seconds, call)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


async def event_of(make: MakeAsyncWorld, act: Act) -> Event:
    """What a new world makes of one request to a new server."""
    with LoopbackServer(act) as server:
        async with make(now=CheckedClock()) as world:
            return await world.perform(post(server.url))


def response(event: Event) -> ResponseReceived:
    """The event, which must be a whole answer."""
    if not isinstance(event, ResponseReceived):
        fail(f"a whole answer was sent, and the event is {event!r}")
    return event


async def answered(make: MakeAsyncWorld, act: Act) -> ResponseReceived:
    """The answer that a new world gets from a new server."""
    return response(await event_of(make, act))


def failure(event: Event) -> RequestFailed:
    """The event, which must be a failure."""
    if not isinstance(event, RequestFailed):
        fail(f"no whole answer was sent, and the event is {type(event).__name__}")
    return event


def failed(event: Event, phase: Phase, *causes: Cause) -> None:
    """The event must be this failure."""
    found = failure(event)
    if found.phase is not phase or found.cause not in causes:
        wanted = " or ".join(causes)
        fail(f"expected a failure {phase}, {wanted}; found {found.phase}, {found.cause}")
