"""The shadow of a flow: of the same kind, with the same limits, at a server that does not exist.

Rules of this file: a shadow is built from a header and a dialect alone, so that the one that is recorded
and the one that is replayed are the same; a step's line is made here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, assert_never

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Effect, Finished, SendRequest, Wait
from codex_oauth_core.errors import SignInError
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
from codex_oauth_core.pkce import Pkce, s256
from codex_oauth_core.provider import Provider
from codex_oauth_core.secret import Secret
from codex_oauth_core.traces.blinding import FAKE_STATE, FAKE_VERIFIER
from codex_oauth_core.traces.form import Header
from codex_oauth_core.traces.legs import LEGS

__all__ = ["Shadow", "shadow_of"]

_NOWHERE: Final = "https://issuer.invalid"
_REDIRECT_URI: Final = "http://localhost:1455/callback"


@attrs.define(eq=False, kw_only=True)
class _ShadowDevice(DeviceFlow):
    triggers: list[str] = attrs.field(factory=list[str], init=False)

    def _move(self, trigger: StrEnum) -> None:
        super()._move(trigger)
        self.triggers.append(trigger.value)


@attrs.define(eq=False, kw_only=True)
class _ShadowBrowser(BrowserFlow):
    triggers: list[str] = attrs.field(factory=list[str], init=False)

    def _move(self, trigger: StrEnum) -> None:
        super()._move(trigger)
        self.triggers.append(trigger.value)


def _device(header: Header, provider: Provider) -> _ShadowDevice:
    return _ShadowDevice(
        provider=provider,
        workspaces=header.workspaces,
        request_timeout=header.request_timeout,
        max_lifetime=header.lifetime,
    )


def _browser(header: Header, provider: Provider) -> _ShadowBrowser:
    return _ShadowBrowser(
        provider=provider,
        workspaces=header.workspaces,
        request_timeout=header.request_timeout,
        lifetime=header.lifetime,
        redirect_uri=_REDIRECT_URI,
        pkce=Pkce(Secret(FAKE_VERIFIER), s256(FAKE_VERIFIER)),
        state=Secret(FAKE_STATE),
    )


_SHADOWS: Final[Mapping[str, Callable[[Header, Provider], _ShadowDevice | _ShadowBrowser]]] = {
    "device": _device,
    "browser": _browser,
}
"""By the kind of flow, each of `FLOWS`."""


@attrs.frozen
class Shadow:
    """A flow that is told only fakes, and says in a line what it does with each."""

    flow: _ShadowDevice | _ShadowBrowser

    @property
    def effect(self) -> Effect | None:
        """The outstanding effect."""
        return self.flow.effect

    @property
    def state(self) -> str:
        """The name of the state."""
        return str(self.flow.state.value)

    def take(self, event: Event) -> dict[str, Any]:
        """Take an event; the step as the fields of a line. Raises IllegalEvent as a flow does."""
        self.flow.triggers.clear()
        effect = self.flow.receive(event)
        return {
            "event": told(event),
            "trigger": " ".join(self.flow.triggers) or None,
            "state": self.state,
            "effect": self._asked(effect),
        }

    def _asked(self, effect: Effect) -> dict[str, Any]:
        match effect:
            case SendRequest():
                name = LEGS[self.state].name
                return {"kind": "send", "request": name, "timeout": effect.timeout, "once": effect.once}
            case Wait():
                return _waiting(effect)
            case Finished(outcome=Credential() as credential):
                return {"kind": "finished", "outcome": "credential", **_granted(credential)}
            case Finished(outcome=SignInError() as error):
                details = dict(error.details)
                return {"kind": "finished", "outcome": "error", "error": error.kind.value, "details": details}
            case _:
                raise ValueError("a sign-in asks for nothing else")


def shadow_of(header: Header, provider: Provider) -> Shadow:
    """The shadow that a header describes, in the provider's dialect. Raises ValueError for bad limits."""
    return Shadow(_SHADOWS[header.flow](header, provider.at(_NOWHERE)))


def _waiting(wait: Wait) -> dict[str, Any]:
    return {
        "kind": "wait",
        "until": wait.until,
        "why": wait.why.value,
        "cause": None if wait.cause is None else wait.cause.value,
        "prompt": _shown(wait),
    }


def _shown(wait: Wait) -> str | None:
    match wait.prompt:
        case None:
            return None
        case DevicePrompt():
            return "device"
        case BrowserPrompt():
            return "browser"
        case _:
            assert_never(wait.prompt)


def _granted(credential: Credential) -> dict[str, Any]:
    return {
        "account": credential.account_id,
        "expires_at": credential.expires_at,
        "earliest_refresh_at": credential.earliest_refresh_at,
        "id_token": credential.id_token is not None,
    }


def told(event: Event) -> dict[str, Any]:
    """An event of a shadow as the fields of a line: all that it takes to tell it again."""
    match event:
        case Started():
            return {"kind": "started", "at": event.at, "wall": event.wall}
        case ResponseReceived():
            return {
                "kind": "response",
                "at": event.at,
                "sent_at": event.sent_at,
                "wall": event.wall,
                "status": event.status,
                "headers": dict(event.headers),
                "body": event.body.reveal().decode("ascii"),
            }
        case RequestFailed():
            return {
                "kind": "failed",
                "at": event.at,
                "phase": event.phase.value,
                "cause": event.cause.value,
            }
        case TimeReached():
            return {"kind": "time_reached", "at": event.at}
        case CallbackReceived():
            return {"kind": "callback", "at": event.at, "query": event.query.reveal()}
        case Cancelled():
            return {"kind": "cancelled", "at": event.at}
        case _:
            raise ValueError("traces have no such event")
