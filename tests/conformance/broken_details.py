"""Worlds that break in what is seldom looked at: a row for each way.

Rules of this file: as in `broken_on_the_wire`: each row is one thing that somebody writes by mistake.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs
import httpx

from codex_oauth import HttpxWorld
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core import (
    CallbackRule,
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInEffect,
    Wait,
)
from tests.conformance.breakage import GoOn, broken, failing, performing
from tests.conformance.broken_listening import Listening

SENT, NOT_SENT = Phase.MAYBE_SENT, Phase.NOT_SENT


# -- cancels -------------------------------------------------------------------------------------------


class CancelsSlowly(HttpxWorld):
    """Waits a moment for what it cancels."""

    def cancel(self) -> None:
        super().cancel()
        time.sleep(0.7)


broken("cancels slowly", CancelsSlowly, "a_cancel_does_not_block")

TIME: Final = "a_cancel_leaves_a_once_request_its_time"


def _cut_before_it_is_sent(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
    if not isinstance(effect, SendRequest) or not effect.once:
        return go_on(effect)
    return HttpxTransport(now=world.now)(attrs.evolve(effect, once=False), lambda: world._cancelled)


def _cancelled_at_its_limit(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
    event = go_on(effect)
    return Cancelled(event.at) if world._cancelled and isinstance(event, RequestFailed) else event


broken("cuts what was not sent", performing(_cut_before_it_is_sent), TIME)
broken("calls a limit a cancel", performing(_cancelled_at_its_limit), TIME)


# -- what is sent --------------------------------------------------------------------------------------

KEPT: Final = "nothing_is_sent_again_on_another_connection"
UPLOAD: Final = "what_is_lost_in_an_upload_may_have_been_sent"


class KeepsAndRepeats(HttpxWorld):
    """Keeps its connections, and sends again what one of them lost."""

    safe: tuple[str, ...] = ("GET", "HEAD", "PUT", "POST")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._client = httpx.Client(trust_env=False)

    def perform(self, effect: SignInEffect) -> Event:
        if not isinstance(effect, SendRequest) or effect.once:
            return super().perform(effect)
        (at, wall), asked = self.now(), effect.request
        for _ in range(2 if asked.method in self.safe else 1):
            try:
                found = self._client.request(asked.method, asked.url, content=asked.body.reveal())
            except httpx.HTTPError:
                continue
            return ResponseReceived(at, self.now()[0], wall, found.status_code, {}, found.content)
        return RequestFailed(self.now()[0], SENT, Cause.RESET)

    def __exit__(self, *exc_info: object) -> None:
        self._client.close()
        super().__exit__(*exc_info)


broken("keeps connections and repeats", KeepsAndRepeats, KEPT)
broken("keeps connections and repeats GET", type("Safe", (KeepsAndRepeats,), {"safe": ("GET",)}), KEPT)
broken(
    "is sure when it could not write all",
    failing(lambda event: attrs.evolve(event, phase=NOT_SENT) if event.cause is Cause.RESET else event),
    UPLOAD,
)


def _broken_pipe(event: RequestFailed) -> Event:
    if event.cause is Cause.RESET:
        raise BrokenPipeError
    return event


broken("raises when it could not write all", failing(_broken_pipe), UPLOAD)


class KeepsForAll(HttpxWorld):
    """Remembers for all of its kind, in every world."""

    told: list[str] = []  # noqa: RUF012  # the mistake itself

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and self.told and self._begun:
            headers = (*effect.request.headers, ("Cookie", self.told[0]))
            effect = attrs.evolve(effect, request=attrs.evolve(effect.request, headers=headers))
        return super().perform(effect)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._begun = bool(self.told)

    def __exit__(self, *exc_info: object) -> None:
        self.told.append("sid=1")
        super().__exit__(*exc_info)


broken("remembers for all worlds", KeepsForAll, "nothing_is_remembered_for_the_next_request")


# -- limits --------------------------------------------------------------------------------------------


def later(seconds: float, *, tls: bool) -> type[HttpxWorld]:
    """A world whose limit begins when it has connected."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        if isinstance(effect, SendRequest) and effect.request.url.startswith("https:") is tls:
            effect = attrs.evolve(effect, timeout=effect.timeout + seconds)
        return go_on(effect)

    return performing(do)


LOOKUP: Final = "the_time_limit_begins_before_the_lookup"
HANDSHAKE: Final = "the_time_limit_begins_before_the_handshake"
broken("begins to count after the lookup", later(0.6, tls=False), LOOKUP)
broken("begins to count after the handshake", later(0.6, tls=True), HANDSHAKE)


def _answers_at_its_limit(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
    event = go_on(effect)
    late = isinstance(event, RequestFailed) and event.cause in (Cause.TIMEOUT, Cause.TLS_CERTIFICATE)
    return ResponseReceived(event.at, event.at, event.at, 504, {}, b"") if late else event


broken("answers at its limit", performing(_answers_at_its_limit), LOOKUP, HANDSHAKE)


# -- redirects -----------------------------------------------------------------------------------------

RULE: Final = "a_rule_starts_its_sources_once"
DISPLAY: Final = "a_cancel_by_the_display_ends_the_wait"


class StartsAtEveryWait(Listening):
    """Takes each wait for a new one."""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait) and isinstance(effect.callback, CallbackRule):
            effect = attrs.evolve(effect, callback=attrs.evolve(effect.callback))
        return super().perform(effect)


class StartsAfterEveryWait(Listening):
    """Is ready for the next."""

    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(effect, Wait) and effect.callback is not None:
            for source in self.sources:
                source.start(effect.callback, lambda _: None)
                source.stop()
        return event


broken("starts sources at every wait", StartsAtEveryWait, RULE)
broken("starts sources after every wait", StartsAfterEveryWait, RULE)


class IsNotCancelledByItsDisplay(HttpxWorld):
    """Begins a wait when it has been shown."""

    def __init__(
        self, *, on_wait: Callable[[Wait], None], callbacks: Iterable[CallbackSource], **options: Any
    ) -> None:
        def shown(wait: Wait) -> None:
            on_wait(wait)
            self._cancelled = False

        super().__init__(on_wait=shown, callbacks=callbacks, **options)


class CannotBeCancelledByItsDisplay(HttpxWorld):
    """Holds a lock while it shows."""

    def __init__(
        self, *, on_wait: Callable[[Wait], None], callbacks: Iterable[CallbackSource], **options: Any
    ) -> None:
        self._showing = False

        def shown(wait: Wait) -> None:
            self._showing = True
            on_wait(wait)

        super().__init__(on_wait=shown, callbacks=callbacks, **options)

    def cancel(self) -> None:
        if self._showing:
            raise RuntimeError("it is locked")
        super().cancel()


broken("is not cancelled by its display", IsNotCancelledByItsDisplay, DISPLAY)
broken("cannot be cancelled by its display", CannotBeCancelledByItsDisplay, DISPLAY)
