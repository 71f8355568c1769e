"""Worlds that take callbacks and handle their sources wrongly, each in one way: to test the checks with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from codex_oauth import HttpxWorld
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core import (
    CallbackReceived,
    CallbackRule,
    Event,
    Secret,
    SignInEffect,
    SignInError,
    Wait,
)
from codex_oauth_core.callback import Accepted
from tests.conformance.breakage import breaks


class Passed:
    """Passes all on to the source within."""

    def __init__(self, within: CallbackSource) -> None:
        self.within = within

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        self.within.start(rule, accept)

    def stop(self) -> None:
        self.within.stop()


class Listening(HttpxWorld):
    """A world whose sources are wrapped by `kind`."""

    kind: type[Passed] = Passed

    def __init__(self, *, callbacks: Iterable[CallbackSource], **options: Any) -> None:
        self.sources = [self.kind(source) for source in callbacks]
        super().__init__(callbacks=self.sources, **options)


@breaks("sources_start_before_the_wait_is_shown_and_stop_at_its_end", "an_exception_stops_the_sources")
class StartsLate(HttpxWorld):
    def __init__(self, *, on_wait: Callable[[Wait], None], **options: Any) -> None:
        self._show = on_wait
        super().__init__(on_wait=None, **options)

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait):
            self._show(effect)
        return super().perform(effect)


class _Endless(Passed):
    def stop(self) -> None:
        pass


@breaks(
    "sources_start_before_the_wait_is_shown_and_stop_at_its_end",
    "a_redirect_ends_the_wait",
    "a_cancel_stops_the_sources",
    "an_exception_stops_the_sources",
    "a_source_that_cannot_start_is_told_and_the_others_stop",
)
class NeverStops(Listening):
    kind = _Endless


class _Deaf(Passed):
    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        self.within.start(rule, lambda _: None)


@breaks("a_redirect_ends_the_wait", "the_first_redirect_of_any_source_counts")
class HearsNothing(Listening):
    kind = _Deaf


@breaks("a_redirect_ends_the_wait")
class DeliversTheCodeAlone(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        return (
            CallbackReceived(event.at, Secret("code=fake-code"))
            if isinstance(event, CallbackReceived)
            else event
        )


@breaks("the_first_redirect_of_any_source_counts")
class HearsOneSource(HttpxWorld):
    def __init__(self, *, callbacks: Iterable[CallbackSource], **options: Any) -> None:
        super().__init__(callbacks=tuple(callbacks)[:1], **options)


@breaks("a_wait_without_a_callback_starts_no_source")
class AlwaysStarts(Listening):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait) and effect.callback is None:
            for source in self.sources:
                source.start(CallbackRule("", Secret(""), (), ""), lambda _: None)
        return super().perform(effect)


class _Tolerant(Passed):
    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        with contextlib.suppress(SignInError):
            self.within.start(rule, accept)


@breaks("a_source_that_cannot_start_is_told_and_the_others_stop")
class WaitsInVain(Listening):
    kind = _Tolerant
