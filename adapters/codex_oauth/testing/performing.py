"""What the checks of a world are made of: one request, one wait, in blocking and asynchronous worlds alike.

Rules of this file: a check is written once, with `await`; a blocking world is awaited through `Awaited`,
which never gives control away; nothing here needs an event loop of a certain kind.

The clock that checks of a world hand over: real time, plus what was stepped over; and it can stand still.

Rules of this file: it never goes back; it starts at an odd large number, so that a mix-up with a clock of the
world's own shows.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import Any, Final, Protocol, Self, TypeVar, cast

from codex_oauth.clock import Clock
from codex_oauth.testing.checking import fail
from codex_oauth.testing.loopback import Act, LoopbackServer
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.world import AsyncWorld, World
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Request, SendRequest, Wait, Why
from codex_oauth_core.events import Cause, Event, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.secret import Secret

__all__ = [
    "BODY",
    "HEADERS",
    "Awaited",
    "CheckedClock",
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


CHECK_START: Final = 1_000_003.25
CHECK_WALL: Final = 1_800_000_007.5


class CheckedClock:
    """Gives the instant and Unix time when it is called, as a `Clock` does. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = CHECK_START - time.monotonic()
        self._standing_at: float | None = None

    def __call__(self) -> tuple[float, float]:
        """The instant and Unix time, both in seconds."""
        instant = self.instant()
        return instant, CHECK_WALL - CHECK_START + instant

    def instant(self) -> float:
        """The instant, in seconds."""
        with self._lock:
            return self._instant()

    def step(self, seconds: float) -> None:
        """Go forward by so much at once; not at all if it is less than nothing."""
        with self._lock:
            self._offset += max(0.0, seconds)
            if self._standing_at is not None:
                self._standing_at += max(0.0, seconds)

    @contextlib.contextmanager
    def stopped(self, seconds: float) -> Generator[None]:
        """Whoever asks waits until the block ends, and finds that so much time has passed: as if the machine
        were suspended. What happens in the block has happened when it wakes.
        """
        with self._lock:
            yield
            self._offset += seconds

    @contextlib.contextmanager
    def standing(self) -> Generator[None]:
        """Time passes by `step` alone until the block ends, or in a block of `running` within it."""
        self._stand()
        try:
            yield
        finally:
            self._run()

    @contextlib.contextmanager
    def running(self) -> Generator[None]:
        """Real time passes until the block ends; then it stands again."""
        self._run()
        try:
            yield
        finally:
            self._stand()

    def _stand(self) -> None:
        with self._lock:
            self._standing_at = self._instant()

    def _run(self) -> None:
        with self._lock:
            self._offset = self._instant() - time.monotonic()
            self._standing_at = None

    def _instant(self) -> float:
        return time.monotonic() + self._offset if self._standing_at is None else self._standing_at


# -- one effect in any world ---------------------------------------------------------------------------


_T = TypeVar("_T")

BODY: Final = bytes(range(256))
HEADERS: Final = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", "codex-oauth/check"),
    ("Content-Type", "application/octet-stream"),
)


class MakeAsyncWorld(Protocol):
    """Makes a new asynchronous world. Usually the class of the world."""

    def __call__(self, *, now: Clock) -> AsyncWorld:
        """Return a world that has not been entered, on the clock `now`."""
        ...


class MakeAsyncListeningWorld(Protocol):
    """Makes a new asynchronous world that takes callbacks. Usually the class of the world."""

    def __call__(
        self, *, now: Clock, callbacks: Iterable[CallbackSource], on_wait: Callable[[Wait], None]
    ) -> AsyncWorld:
        """Return a world that has not been entered. The parameters mean the same as those of `SyncWorld`."""
        ...


class Awaited:
    """A blocking world with a `perform` that can be awaited. It still blocks."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> tuple[float, float]:
        """The world's clocks."""
        return self._world.now()

    async def perform(self, effect: SignInEffect) -> Event:
        """Return the answer of the world."""
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
