"""What the shadow is told: each event of a sign-in, again, from fakes and in its own time.

Rules of this file: instants are seconds since the first event, to the microsecond, and never run backwards;
no text of an event passes: an answer is read and rendered again, a redirect is judged and written again.
"""

from __future__ import annotations

from typing import Final, Self
from urllib.parse import urlencode, urlsplit

import attrs

from codex_oauth_core._version import __version__
from codex_oauth_core.callback import Accepted, Redirect, read_redirect
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effects import Effect, Wait
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Event,
    RequestFailed,
    ResponseReceived,
    Started,
    TimeReached,
)
from codex_oauth_core.flows.browser import BrowserFlow
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.flows.sign_in import ExchangingFlow
from codex_oauth_core.provider import Provider, is_loopback
from codex_oauth_core.rendering import Renderers
from codex_oauth_core.secret import Secret
from codex_oauth_core.traces.blinding import FAKE_STATE, Blinder
from codex_oauth_core.traces.form import Gap, Header
from codex_oauth_core.traces.legs import LEGS, Stop
from codex_oauth_core.traces.shadow import Shadow

__all__ = ["Teller", "header_of"]

_NOT_OURS: Final = "state=fake-other"


def header_of(flow: ExchangingFlow, blinder: Blinder, renderers: Renderers) -> Header:
    """The header of a trace of `flow`. Raises Stop for a kind of flow that traces do not have."""
    kind, lifetime = _kind(flow)
    return Header(
        library=__version__,
        flow=kind,
        dialect=renderers.name,
        issuer=_where(flow.provider),
        lifetime=float(lifetime),
        request_timeout=float(flow.request_timeout),
        workspaces=tuple(blinder.fake("account", name) for name in flow.workspaces),
    )


def _kind(flow: ExchangingFlow) -> tuple[str, float]:
    match flow:
        case DeviceFlow():
            return "device", flow.max_lifetime
        case BrowserFlow():
            return "browser", flow.lifetime
        case _:
            raise Stop(Gap.UNSUPPORTED)


def _where(provider: Provider) -> str:
    if provider.issuer == CODEX.issuer:
        return "default"
    return "loopback" if is_loopback(urlsplit(provider.issuer).hostname or "") else "other"


@attrs.define(eq=False)
class Teller:
    """Tells events again. It knows the real provider, whose dialect reads the answers."""

    provider: Provider
    renderers: Renderers
    blinder: Blinder
    start: float
    last: float = 0.0

    @classmethod
    def of(cls, flow: ExchangingFlow, first: Event) -> Self:
        """The teller of a flow that begins with this event. Raises Stop for a dialect without renderers."""
        renderers = flow.provider.dialect.render
        if renderers is None:
            raise Stop(Gap.NO_RENDERERS)
        return cls(flow.provider, renderers, Blinder(renderers), first.at)

    def tell(self, event: Event, before: Effect | None, after: Effect, shadow: Shadow) -> Event:
        """`event` for the shadow; the real flow went from one effect to the other by it. Raises Stop."""
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
            case Cancelled():
                return Cancelled(self._instant(event.at))
            case _:
                raise Stop(Gap.UNSUPPORTED)

    def _answer(self, event: ResponseReceived, shadow: Shadow) -> ResponseReceived:
        leg = LEGS.get(shadow.state)
        if leg is None:
            raise Stop(Gap.UNSUPPORTED)
        rendered = leg.rebuild(self.provider, self.renderers, self.blinder, event)
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
        said: dict[str, str] = {}
        if redirect.error is not None:
            said["error"] = self.blinder.code(redirect.error)
            if (description := self._description(redirect)) is not None:
                said["error_description"] = description
        elif redirect.code is not None:
            said["code"] = self.blinder.fake("code", redirect.code.reveal())
        return urlencode({**said, "state": FAKE_STATE})

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
