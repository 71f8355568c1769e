"""What stands in for a flow and writes what happens, and can tell no secret.

Rules of this file: every event goes to the real flow, and its effect comes back untouched; whatever goes
wrong with the recording ends the recording and nothing else. What is written is what a shadow, which has
been told only fakes, did: instants are seconds since the first event, to the microsecond, and never run
backwards; no text of an event passes: an answer is read and rendered again, a redirect is judged and written
again. See ADR 0016.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, Self
from urllib.parse import urlencode, urlsplit

import attrs

from codex_oauth_core._version import __version__
from codex_oauth_core.callback import Accepted, Redirect, read_client_id, read_redirect
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import Effect, SignInEffect
from codex_oauth_core.effects import Finished, Wait
from codex_oauth_core.errors import IllegalEvent, SignInError
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Event,
    RequestFailed,
    ResponseReceived,
    Resumed,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.flows.browser import BrowserFlow
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.flows.machine import Drivable, take_turn
from codex_oauth_core.flows.sign_in import SignInFlow
from codex_oauth_core.provider import CodeInHand, Provider, is_loopback
from codex_oauth_core.providers import KNOWN
from codex_oauth_core.rendering import Renderers
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Registered, StorageAnswer, StoreFailed
from codex_oauth_core.traces.blinder import Blinder
from codex_oauth_core.traces.format import Gap, Header, as_line
from codex_oauth_core.traces.shadow import (
    FAKE_STATE,
    REQUEST_KINDS,
    Answered,
    Shadow,
    StopRecording,
    at_nowhere,
    shadow_of,
)

__all__ = ["Anonymizer", "Recorder", "header_of"]


# -- each event again, from fakes ----------------------------------------------------------------------


_NOT_OURS: Final = "state=fake-other"
_LOADED: Final = tuple(each.dialect.render for each in KNOWN)
"""The renderers load with this module, and not in the middle of a sign-in."""


def header_of(flow: SignInFlow, blinder: Blinder, renderers: Renderers) -> Header:
    """The header of a trace of `flow`. Raises StopRecording for a kind of flow that traces do not have."""
    kind, lifetime = _kind(flow)
    return Header(
        library=__version__,
        flow=kind,
        dialect=renderers.name,
        issuer=_where(flow.provider),
        lifetime=float(lifetime),
        request_timeout=float(flow.request_timeout),
        workspaces=tuple(blinder.fake("account", name) for name in flow.workspaces),
        client_id=_issued(flow.provider, blinder),
    )


def _issued(provider: Provider, blinder: Blinder) -> str | None:
    return blinder.fake("client", provider.client_id) if provider.issues(provider.client_id) else None


def _kind(flow: SignInFlow) -> tuple[str, float]:
    match flow:
        case DeviceFlow():
            return "device", flow.max_lifetime
        case BrowserFlow():
            return "browser", flow.lifetime
        case _:
            raise StopRecording(Gap.UNSUPPORTED)


def _where(provider: Provider) -> str:
    if provider.issuer == CODEX.issuer:
        return "default"
    return "loopback" if is_loopback(urlsplit(provider.issuer).hostname or "") else "other"


@attrs.define(eq=False)
class Anonymizer:
    """Tells events again. It knows the real provider, whose dialect reads the answers."""

    provider: Provider
    renderers: Renderers
    blinder: Blinder
    start: float
    last: float = 0.0
    code: CodeInHand | None = None
    """What the real flow held before the event."""

    @classmethod
    def of(cls, flow: SignInFlow, first: Event) -> Self:
        """The anonymizer of a flow that begins with this event. Raises StopRecording where a dialect has no
        renderers.
        """
        renderers = flow.provider.dialect.render
        if renderers is None:
            raise StopRecording(Gap.NO_RENDERERS)
        return cls(flow.provider, renderers, Blinder(renderers, flow.provider.scopes), first.at)

    def event(self, event: Event, before: Effect | None, after: Effect, shadow: Shadow) -> Event:
        """`event` for the shadow; the real flow went from one effect to the other by it.

        Raises StopRecording.
        """
        match event:
            case Started():
                return Started(self._instant(event.at), round(float(event.wall), 3))
            case ResponseReceived():
                return self._answer(event, shadow)
            case RequestFailed():
                return RequestFailed(self._instant(event.at), event.phase, event.cause)
            case TimeReached():
                return TimeReached(self._woken(event, shadow.effect, early=after is before))
            case CallbackReceived():
                return CallbackReceived(self._instant(event.at), Secret(self._redirect(event, before)))
            case StoreAnswered(answer=Registered() | StoreFailed() as answer):
                at, wall = self._instant(event.at), round(float(event.wall), 3)
                return StoreAnswered(at, wall, _unsaid(answer))
            case Cancelled():
                return Cancelled(self._instant(event.at))
            case _:
                raise StopRecording(Gap.UNSUPPORTED)

    def _answer(self, event: ResponseReceived, shadow: Shadow) -> ResponseReceived:
        kind = REQUEST_KINDS.get(shadow.state)
        if kind is None:
            raise StopRecording(Gap.UNSUPPORTED)
        about = Answered(self.provider, event, self.code)
        rendered = kind.rebuild(about, self.renderers, self.blinder)
        sent_at = self._instant(event.sent_at)
        return rendered.received(sent_at, self._instant(event.at), round(float(event.wall), 3))

    def _woken(self, event: TimeReached, wait: Effect | None, *, early: bool) -> float:
        """The instant of a wake-up: as early, or as late, for the shadow as it was for the real flow.

        The shadow may wait a little longer, because a server's wait is told in whole seconds.
        """
        before, until = self.last, wait.until if isinstance(wait, Wait) else self.last
        instant = self._instant(event.at)
        if early and instant >= until:
            self.last = before
        elif not early:
            self.last = max(instant, until)
        return self.last

    def _redirect(self, event: CallbackReceived, before: Effect | None) -> str:
        rule = before.callback if isinstance(before, Wait) else None
        if rule is None or not isinstance(rule.judge_redirect(f"?{event.query.reveal()}"), Accepted):
            return _NOT_OURS
        redirect = read_redirect(event.query)
        said = {"iss": at_nowhere(self.provider).issuer} if self.provider.names_itself else {}
        if redirect.error is not None:
            said["error"] = self.blinder.code(redirect.error)
            if (description := self._description(redirect)) is not None:
                said["error_description"] = description
        elif redirect.code is not None:
            said["code"] = self.blinder.fake("code", redirect.code.reveal())
            if (client_id := read_client_id(event.query)) is not None:
                said["client_id"] = self._client(client_id)
        return urlencode({**said, "state": FAKE_STATE})

    def _client(self, client_id: str) -> str:
        """The fake of a client id; of one that the provider issues to nobody, what it issues to nobody."""
        return self.blinder.fake("client", client_id) if self.provider.issues(client_id) else "fake client"

    def _description(self, redirect: Redirect) -> str | None:
        """A description of our own that means what the redirect's means to the dialect."""
        why, again = self.provider.dialect.why_denied, self.renderers.denial
        if why is None or again is None or redirect.error is None or redirect.description is None:
            return None
        reason = why(redirect.error, redirect.description)
        return None if reason is None else again(reason)

    def _instant(self, at: float) -> float:
        self.last = max(self.last, round(float(at - self.start), 6))
        return self.last


def _unsaid(answer: StorageAnswer) -> StorageAnswer:
    return StoreFailed(SignInError.of(answer.error.kind)) if isinstance(answer, StoreFailed) else answer


# -- the recorder --------------------------------------------------------------------------------------


@attrs.define(eq=False, kw_only=True)
class Recorder(Drivable[SignInEffect, Credential]):
    """A sign-in flow that writes a trace. Drive it in place of `flow`, a device or browser flow that has not
    begun.

    `write` gets one line of JSON at a time, with its line end. If it raises, the recording stops and the
    sign-in continues. Like a flow, it has one driver at a time.
    """

    flow: SignInFlow
    write: Callable[[str], object] = attrs.field(repr=False)
    _writer: _TraceWriter = attrs.field(init=False, repr=False)
    _turn: None = attrs.field(default=None, init=False, repr=False)  # absent while a driver has it

    def __attrs_post_init__(self) -> None:
        self._writer = _TraceWriter(self.flow, self.write)

    @property
    def state(self) -> Any:
        """The state of the real flow."""
        return self.flow.state

    @property
    def effect(self) -> Effect | None:
        """The real flow's outstanding effect."""
        return self.flow.effect

    def receive(self, event: Event) -> SignInEffect | Finished:
        """Pass the event to the real flow, and return its effect."""
        take_turn(self)
        try:
            before, code = self.flow.effect, self.flow.code_in_hand
            effect = self.flow.receive(event)
            self._writer.note(event, before, effect, code)
            return effect
        finally:
            self._turn = None

    def __copy__(self) -> NoReturn:
        raise TypeError("a Recorder is not copied: two sign-ins would write one trace")

    def __deepcopy__(self, memo: object) -> NoReturn:
        self.__copy__()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a Recorder is not pickled, it holds secrets; make a new one: only a sign-in has checkpoint()"
        )


@attrs.define(eq=False)
class _TraceWriter:
    """Follows a flow with a shadow, and writes what the shadow does."""

    flow: SignInFlow
    write: Callable[[str], object]
    shadow: Shadow | None = None
    anonymizer: Anonymizer | None = None
    over: bool = False

    def note(
        self, event: Event, before: Effect | None, effect: Effect, code: CodeInHand | None = None
    ) -> None:
        """An event took the flow, which held this code, from one effect to another. Never raises."""
        if self.over:
            return
        try:
            self._follow(event, before, effect, code)
        except StopRecording as stop:
            self._stop(stop.gap)
        except Exception:  # noqa: BLE001  # a sign-in does not fail for its trace
            self._stop(Gap.FAILED)

    def _follow(self, event: Event, before: Effect | None, effect: Effect, code: CodeInHand | None) -> None:
        shadow, anonymizer = self._begun(event, before)
        anonymizer.code = code
        told = anonymizer.event(event, before, effect, shadow)
        try:
            fields = shadow.take(told)
        except IllegalEvent:
            raise StopRecording(Gap.DIFFERS) from None
        if _standing(self.flow) != _standing(shadow.flow):
            raise StopRecording(Gap.DIFFERS)
        self._put(as_line(fields))

    def _begun(self, event: Event, before: Effect | None) -> tuple[Shadow, Anonymizer]:
        if self.shadow is None or self.anonymizer is None:
            if before is not None or isinstance(event, Resumed):
                raise StopRecording(Gap.BEGUN)
            self.anonymizer = Anonymizer.of(self.flow, event)
            header = header_of(self.flow, self.anonymizer.blinder, self.anonymizer.renderers)
            self.shadow = shadow_of(header, self.flow.provider)
            self._put(header.line())
        return self.shadow, self.anonymizer

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


def _standing(flow: SignInFlow) -> tuple[object, ...]:
    """What must be the same of the real flow and its shadow."""
    effect = flow.effect
    if not isinstance(effect, Finished):
        return flow.state, type(effect)
    outcome = effect.outcome
    return flow.state, outcome.kind if isinstance(outcome, SignInError) else type(outcome)
