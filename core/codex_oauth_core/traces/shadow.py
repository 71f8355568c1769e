"""The shadow of a flow: of the same kind, with the same limits, at a server that does not exist.

Rules of this file: a shadow is built from a header and a dialect alone, so that the one that is recorded
and the one that is replayed are the same; a step's line is made here and nowhere else; nothing here knows a
dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, assert_never

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Finished, SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Event,
    RequestFailed,
    ResponseReceived,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.flows.browser import BrowserFlow
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.pkce import Pkce, s256
from codex_oauth_core.provider import CodeInHand, Provider
from codex_oauth_core.rendering import FAKE_ISSUER, FAKE_NONCE, Rendered, Renderers
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Register, Registered, StoreFailed
from codex_oauth_core.traces.blinder import FAKE_PAGE, Blinder
from codex_oauth_core.traces.format import Gap, Header

__all__ = [
    "FAKE_NONCE",
    "FAKE_STATE",
    "FAKE_VERIFIER",
    "REQUEST_KINDS",
    "Answered",
    "RequestKind",
    "Shadow",
    "StopRecording",
    "at_nowhere",
    "shadow_of",
]


FAKE_VERIFIER: Final = "fake-verifier".ljust(43, "-")
FAKE_STATE: Final = "fake-state".ljust(43, "-")


# -- requests ------------------------------------------------------------------------------------------


Fact = TypeVar("Fact")


@attrs.frozen
class Answered:
    """An answer that is to be rebuilt: who gave it, and for an exchange the code that it is about."""

    provider: Provider
    response: ResponseReceived
    code: CodeInHand | None


Rebuild = Callable[[Answered, Renderers, Blinder], Rendered]


class StopRecording(Exception):
    """The recording ends with this gap."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.value)
        self.gap = gap


@attrs.frozen
class RequestKind:
    """One kind of request: its name in a trace, and how its answers are rebuilt. Raises StopRecording."""

    name: str
    rebuild: Rebuild


def _device_answer(to: Answered, renderers: Renderers, blinder: Blinder) -> Rendered:
    fact = _read(lambda: to.provider.dialect.read_device_authorization(to.provider, to.response))
    return _rendered(lambda: renderers.device_authorization(blinder.device(fact)))


def _poll_answer(to: Answered, renderers: Renderers, blinder: Blinder) -> Rendered:
    fact = _read(lambda: to.provider.dialect.read_poll(to.provider, to.response))
    return _rendered(lambda: renderers.poll(blinder.poll(fact)))


def _exchange_answer(to: Answered, renderers: Renderers, blinder: Blinder) -> Rendered:
    code = to.code
    if code is None:
        raise StopRecording(Gap.UNSUPPORTED)
    fact = _read(lambda: to.provider.dialect.read_exchange(to.provider, code, to.response))
    return _rendered(lambda: renderers.exchange(blinder.exchange(fact)))


def _metadata_answer(to: Answered, renderers: Renderers, blinder: Blinder) -> Rendered:
    render = renderers.metadata
    if render is None:
        raise StopRecording(Gap.NO_RENDERERS)
    fact = _read(lambda: to.provider.dialect.read_metadata(to.provider, to.response))
    return _rendered(lambda: render(blinder.metadata(fact)))


def _keys_answer(to: Answered, renderers: Renderers, blinder: Blinder) -> Rendered:
    render = renderers.keys
    if render is None:
        raise StopRecording(Gap.NO_RENDERERS)
    fact = _read(lambda: to.provider.dialect.read_keys(to.provider, to.response))
    return _rendered(lambda: render(blinder.keys(fact)))


def _revocation_answer(to: Answered, renderers: Renderers, _: Blinder) -> Rendered:
    fact = _read(lambda: to.provider.dialect.read_revocation(to.provider, to.response))
    return _rendered(lambda: renderers.revocation(fact is True))


def _read(read: Callable[[], Fact]) -> Fact:
    try:
        return read()
    except Exception:  # noqa: BLE001  # whatever a dialect's reader does
        raise StopRecording(Gap.UNREADABLE) from None


def _rendered(render: Callable[[], Rendered]) -> Rendered:
    try:
        return render()
    except Exception:  # noqa: BLE001  # whatever a dialect's renderer does
        raise StopRecording(Gap.NOT_RENDERED) from None


REQUEST_KINDS: Final[Mapping[str, RequestKind]] = {
    "requesting_code": RequestKind("device_authorization", _device_answer),
    "requesting_metadata": RequestKind("metadata", _metadata_answer),
    "requesting_keys": RequestKind("keys", _keys_answer),
    "refreshing_keys": RequestKind("keys", _keys_answer),
    "polling": RequestKind("poll", _poll_answer),
    "exchanging": RequestKind("exchange", _exchange_answer),
    "revoking": RequestKind("revocation", _revocation_answer),
}
"""By the state in which the request is outstanding."""


# -- the shadow ----------------------------------------------------------------------------------------


_REDIRECT_URI: Final = "http://localhost:1455/callback"
_NAMELESS: Final = "fake"


@attrs.define(eq=False, kw_only=True)
class _ShadowDevice(DeviceFlow):
    triggers: list[str] = attrs.field(factory=list[str], init=False)

    def _move(self, trigger: str) -> None:
        super()._move(trigger)
        self.triggers.append(str(trigger))


@attrs.define(eq=False, kw_only=True)
class _ShadowBrowser(BrowserFlow):
    triggers: list[str] = attrs.field(factory=list[str], init=False)

    def _move(self, trigger: str) -> None:
        super()._move(trigger)
        self.triggers.append(str(trigger))


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
        nonce=Secret(FAKE_NONCE) if provider.has_nonce else None,
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
                name = REQUEST_KINDS[self.state].name
                return {"kind": "send", "request": name, "timeout": effect.timeout, "once": effect.once}
            case Wait():
                return _waiting(effect)
            case Register():
                return {"kind": "register"}
            case Finished(outcome=Credential() as credential):
                return {"kind": "finished", "outcome": "credential", **_granted(credential)}
            case Finished(outcome=SignInError() as error):
                details = dict(error.details)
                return {"kind": "finished", "outcome": "error", "error": error.kind.value, "details": details}
            case _:
                raise ValueError("a sign-in asks for nothing else")


def shadow_of(header: Header, provider: Provider) -> Shadow:
    """The shadow that a header describes, in the provider's dialect. Raises ValueError for bad limits."""
    return Shadow(_SHADOWS[header.flow](header, _elsewhere(header, provider)))


def _elsewhere(header: Header, provider: Provider) -> Provider:
    """The provider at a server that does not exist, as a program knows it that has no name."""
    renderers, moved = provider.dialect.render, at_nowhere(provider)
    return attrs.evolve(
        moved,
        client_id=header.client_id or moved.client_id,
        application=_NAMELESS,
        host_id=_NAMELESS,
        verify_signature=None if renderers is None else renderers.verify_signature,
    )


def at_nowhere(provider: Provider) -> Provider:
    """The provider as a shadow knows it: whatever it is called, it is at a server that does not exist."""
    moved = provider.at(FAKE_ISSUER)
    return moved if moved.verification_uri is None else attrs.evolve(moved, verification_uri=FAKE_PAGE)


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
        **({} if credential.scopes is None else {"scopes": list(credential.scopes)}),
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
        case StoreAnswered(answer=Registered() | StoreFailed()):
            failed = event.answer.error.kind.value if isinstance(event.answer, StoreFailed) else None
            return {"kind": "stored", "at": event.at, "wall": event.wall, "error": failed}
        case Cancelled():
            return {"kind": "cancelled", "at": event.at}
        case _:
            raise ValueError("traces have no such event")
