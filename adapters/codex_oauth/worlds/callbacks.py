"""Where redirects come in while a world waits: a listener, a paste, a scheme handler; and how the wait ends.

Rules of this file: nothing here blocks; a source judges by the rule it is given and hands over what the
rule accepted; it never ends a wait by itself, and nothing that arrives can make it raise. It is started
once for each rule, and stopped when the wait has been answered; the first redirect counts, and is told
once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Protocol

from codex_oauth_core.callback import Accepted, CallbackRule
from codex_oauth_core.effects import Wait
from codex_oauth_core.events import CallbackReceived, Cancelled, Event, TimeReached

__all__ = ["CallbackSource", "Heard", "Sources", "answer_of"]


class CallbackSource(Protocol):
    """A source that can bring the redirect of one sign-in, such as a `CallbackListener` or a
    `PasteSource`.
    """

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Begin to check what comes against `rule`, in the background. Call `accept` with the genuine
        redirect, at most once and from any thread. `accept` does not block. Raises SignInError
        (`callback_server_failed`) if it cannot begin.
        """
        ...

    def stop(self) -> None:
        """Stop listening. Clients that are still connected get their answer; the caller does not wait for
        that.
        """
        ...


# -- how a wait ends -----------------------------------------------------------------------------------


class Heard:
    """What the sources have heard by one rule: the first redirect counts. `ring` wakes whoever waits."""

    def __init__(self, rule: CallbackRule, ring: Callable[[], None]) -> None:
        self.rule = rule
        self._accepted: Accepted | None = None
        self._ring = ring

    def accept(self, accepted: Accepted) -> None:
        """End the wait. From any thread."""
        if self._accepted is None:
            self._accepted = accepted
        self._ring()

    def take(self) -> Accepted | None:
        """The redirect, once: told again, a flow that refuses it would spin."""
        accepted, self._accepted = self._accepted, None
        return accepted


class Sources:
    """The callback sources of one run."""

    def __init__(self, sources: Iterable[CallbackSource]) -> None:
        self._sources = tuple(sources)
        self._started = contextlib.ExitStack()
        self._heard: Heard | None = None

    def listen(
        self, rule: CallbackRule | None, ring: Callable[[], None], *, cancelled: bool = False
    ) -> Heard | None:
        """Start every source, once for each rule, unless the wait is over already. Returns what they have
        received for the rule.

        Raises what a source raises if it cannot start.
        """
        if rule is None:
            return None
        if self._heard is not None and self._heard.rule is rule:
            return self._heard
        heard = self._heard = Heard(rule, ring)
        for source in () if cancelled else self._sources:
            source.start(rule, heard.accept)
            self._started.callback(source.stop)
        return heard

    def stop(self) -> None:
        """Stop the sources that were started."""
        self._started.close()


def answer_of(wait: Wait, heard: Heard | None, at: float, *, cancelled: bool) -> Event | None:
    """The event that answers a wait at the instant `at`; None while the wait goes on."""
    if cancelled:
        return Cancelled(at)
    accepted = None if heard is None else heard.take()
    if accepted is not None:
        return CallbackReceived(at, accepted.query)
    return TimeReached(at) if at >= wait.until else None
