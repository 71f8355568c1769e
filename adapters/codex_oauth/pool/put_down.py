"""Putting flows of a pool down: a checkpoint of each, for another pool to go on.

Rules of this file: whoever asks for a checkpoint gets it, and nobody else does: what is not returned is lost
for good, so no exception of another flow takes it along.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

import anyio
from anyio.lowlevel import checkpoint

__all__ = [
    "Checkpoint",
    "UnfinishedPutDown",
    "check_that_it_can_be_put_down",
    "checkpoint_of",
    "each_put_down",
]

Checkpoint = Mapping[str, Any]
"""A flow that was put down. It holds secrets as plain text: seal it (`codex_oauth.sealing`) before it leaves
memory. `restore(checkpoint, provider)` makes the flow again; add it with `begin=Resumed`."""


class _Keyed(Protocol):
    @property
    def key(self) -> Any: ...


H = TypeVar("H", bound=_Keyed)


class _CanBePutDown(Protocol):
    def checkpoint(self, *, at: float, wall: float, handed_over: bool = False) -> dict[str, Any]: ...


def checkpoint_of(flow: object, at: float, wall: float) -> Checkpoint:
    """The flow as it stands, for somebody else to go on; it takes no more events here."""
    return cast("_CanBePutDown", flow).checkpoint(at=at, wall=wall, handed_over=True)


def check_that_it_can_be_put_down(flow: object) -> None:
    """Raises TypeError for a flow that has no `checkpoint()`: one of a program's own."""
    if not hasattr(flow, "checkpoint"):
        raise TypeError(f"a {type(flow).__name__} has no checkpoint(): it cannot be put down")


class UnfinishedPutDown(ExceptionGroup[Exception]):
    """The exceptions that callbacks raised during `FlowPool.put_down_all()`. `put_down` has the flows that
    were put down, as pairs of a key and a checkpoint: nothing else has these checkpoints.
    """

    put_down: Sequence[tuple[Any, Checkpoint]] = ()


async def each_put_down(
    busy: Iterable[H],
    waiting: Iterable[H],
    put_down: Callable[[H], Awaitable[Checkpoint | None]],
    turn: int,
) -> list[tuple[Any, Checkpoint]]:
    """Put all of them down, side by side those that are `busy`, and let others have a turn after so many.
    Raises `UnfinishedPutDown` at the end.
    """
    done: list[tuple[Any, Checkpoint]] = []
    failed: list[Exception] = []

    async def one(handle: H) -> None:
        try:
            if (found := await put_down(handle)) is not None:
                done.append((handle.key, found))
        except Exception as error:  # noqa: BLE001  # raised below; the others are to be put down too
            failed.append(error)

    async with anyio.create_task_group() as tasks:
        for handle in busy:
            tasks.start_soon(one, handle)
        for count, handle in enumerate(waiting, start=1):
            await one(handle)
            if count % turn == 0:
                await checkpoint()
    if failed:
        group = UnfinishedPutDown("flows were put down", failed)
        group.put_down = done
        raise group
    return done
