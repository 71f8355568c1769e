"""A flow around the real one that writes what happens, and can tell no secret.

Rules of this file: every event goes to the real flow, and its effect comes back untouched; whatever goes
wrong with the recording ends the recording and nothing else. What is written is what a shadow, which has
been told only fakes, did. See ADR 0016.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Effect, Finished, SendRequest, Wait
from codex_oauth_core.errors import IllegalEvent, SignInError
from codex_oauth_core.events import Event, ResponseReceived, Resumed, Started
from codex_oauth_core.facts import TryAgain
from codex_oauth_core.flows.machine import Flow
from codex_oauth_core.flows.sign_in import ExchangingFlow
from codex_oauth_core.traces.form import Gap, as_line
from codex_oauth_core.traces.legs import Stop
from codex_oauth_core.traces.shadow import Shadow, shadow_of
from codex_oauth_core.traces.telling import Teller, header_of

__all__ = ["Recorder"]


@attrs.define(eq=False, kw_only=True)
class Recorder(Flow[SendRequest | Wait, Credential]):
    """A sign-in that leaves a trace. Drive it in place of `flow`: a device or browser flow, not yet begun.

    `write` gets one line of JSON at a time, with its line end. If it raises, the recording is over.
    """

    flow: ExchangingFlow
    write: Callable[[str], object] = attrs.field(repr=False)
    state: Any = attrs.field(init=False)
    _tape: _Tape = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.state, self._effect = self.flow.state, self.flow.effect
        self._tape = _Tape(self.flow, self.write)

    def receive(self, event: Event) -> SendRequest | Wait | Finished:
        """As the real flow, and by it."""
        self._take_turn()
        try:
            before = self.flow.effect
            effect = self.flow.receive(event)
            self.state, self._effect = self.flow.state, effect
            self._tape.note(event, before, effect)
            return effect
        finally:
            self._turn = None

    def __copy__(self) -> NoReturn:
        raise TypeError("a Recorder is not copied: two sign-ins would write one trace")

    # What an event means is for the real flow to say; a base class asks for these, and nobody calls them.

    def _start(self, event: Started) -> Effect:
        return self.flow._start(event)  # noqa: SLF001  # a flow's, as this is

    def _responded(self, response: ResponseReceived) -> Effect:
        return self.flow._responded(response)  # noqa: SLF001  # a flow's, as this is

    def _unanswered(self, failure: TryAgain) -> Effect:
        return self.flow._unanswered(failure)  # noqa: SLF001  # a flow's, as this is

    def _due(self) -> Effect:
        return self.flow._due()  # noqa: SLF001  # a flow's, as this is


@attrs.define(eq=False)
class _Tape:
    """Follows a flow with a shadow, and writes what the shadow does."""

    flow: ExchangingFlow
    write: Callable[[str], object]
    shadow: Shadow | None = None
    teller: Teller | None = None
    over: bool = False

    def note(self, event: Event, before: Effect | None, effect: Effect) -> None:
        """An event took the flow from one effect to another. Never raises."""
        if self.over:
            return
        try:
            self._follow(event, before, effect)
        except Stop as stop:
            self._stop(stop.gap)
        except Exception:  # noqa: BLE001  # a sign-in does not fail for its trace
            self._stop(Gap.FAILED)

    def _follow(self, event: Event, before: Effect | None, effect: Effect) -> None:
        shadow, teller = self._begun(event, before)
        told = teller.tell(event, before, effect, shadow)
        try:
            fields = shadow.take(told)
        except IllegalEvent:
            raise Stop(Gap.DIFFERS) from None
        if _standing(self.flow) != _standing(shadow.flow):
            raise Stop(Gap.DIFFERS)
        self._put(as_line(fields))

    def _begun(self, event: Event, before: Effect | None) -> tuple[Shadow, Teller]:
        if self.shadow is None or self.teller is None:
            if before is not None or isinstance(event, Resumed):
                raise Stop(Gap.BEGUN)
            self.teller = Teller.of(self.flow, event)
            header = header_of(self.flow, self.teller.blinder, self.teller.renderers)
            self.shadow = shadow_of(header, self.flow.provider)
            self._put(header.line())
        return self.shadow, self.teller

    def _stop(self, gap: Gap) -> None:
        self._put(as_line({"gap": gap.value}))
        self.over = True

    def _put(self, line: str) -> None:
        if self.over:
            return
        try:
            self.write(f"{line}\n")
        except Exception:  # noqa: BLE001  # a full disk, a closed file: the sign-in goes on
            self.over = True


def _standing(flow: ExchangingFlow) -> tuple[object, ...]:
    """What must be the same of the real flow and its shadow."""
    effect = flow.effect
    if not isinstance(effect, Finished):
        return flow.state, type(effect)
    outcome = effect.outcome
    return flow.state, outcome.kind if isinstance(outcome, SignInError) else type(outcome)
