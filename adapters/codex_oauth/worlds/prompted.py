"""Showing prompts: wrappers for any world, blocking or not, that call back once for each new prompt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Self

from codex_oauth.event_loops import maybe_await
from codex_oauth.worlds.world import AsyncWorld, World
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Prompt, Wait
from codex_oauth_core.events import Event

__all__ = ["AsyncPromptedWorld", "PromptedWorld"]


class PromptedWorld:
    """`world`, with `on_prompt` called before the first wait with a new prompt.

    Each `Wait` repeats its prompt. A prompt is new if it `is not` the one shown last.
    """

    def __init__(self, world: World, on_prompt: Callable[[Prompt], None]) -> None:
        self._world = world
        self._on_prompt = on_prompt
        self._shown: Prompt | None = None

    def now(self) -> tuple[float, float]:
        """The wrapped world's clocks."""
        return self._world.now()

    def perform(self, effect: SignInEffect) -> Event:
        """Show a new prompt, then perform the effect. Raises what `on_prompt` raises."""
        prompt = effect.prompt if isinstance(effect, Wait) else None
        if prompt is not None and prompt is not self._shown:
            self._shown = prompt
            self._on_prompt(prompt)
        return self._world.perform(effect)

    def cancel(self) -> None:
        """Cancel the wrapped world's run."""
        self._world.cancel()

    def __enter__(self) -> Self:
        self._world.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._world.__exit__(*exc_info)


# -- with await ----------------------------------------------------------------------------------------


class AsyncPromptedWorld:
    """`world`, with `on_prompt` called before the first wait with a new prompt. `on_prompt` may be a plain
    function or a coroutine function, which is awaited.

    Each `Wait` repeats its prompt. A prompt is new if it `is not` the one shown last.
    """

    def __init__(self, world: AsyncWorld, on_prompt: Callable[[Prompt], Awaitable[None] | None]) -> None:
        self._world = world
        self._on_prompt = on_prompt
        self._shown: Prompt | None = None

    def now(self) -> tuple[float, float]:
        """The wrapped world's clocks."""
        return self._world.now()

    async def perform(self, effect: SignInEffect) -> Event:
        """Show a new prompt, then perform the effect. Raises what `on_prompt` raises."""
        prompt = effect.prompt if isinstance(effect, Wait) else None
        if prompt is not None and prompt is not self._shown:
            self._shown = prompt
            await maybe_await(self._on_prompt(prompt))
        return await self._world.perform(effect)

    def cancel(self) -> None:
        """Cancel the wrapped world's run."""
        self._world.cancel()

    async def __aenter__(self) -> Self:
        await self._world.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._world.__aexit__(*exc_info)
