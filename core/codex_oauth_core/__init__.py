"""The sans-IO core of codex-oauth: sign-in flows as pure state machines.

A flow takes one event and returns one effect. It has no clock, socket, file or randomness of its own;
`codex_oauth` has worlds that perform effects. Names load on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from codex_oauth_core._version import __version__ as __version__
    from codex_oauth_core.callback import CallbackRule as CallbackRule
    from codex_oauth_core.codex import CODEX as CODEX
    from codex_oauth_core.credential import Credential as Credential
    from codex_oauth_core.credential import DeviceAuthorization as DeviceAuthorization
    from codex_oauth_core.effects import BrowserPrompt as BrowserPrompt
    from codex_oauth_core.effects import DevicePrompt as DevicePrompt
    from codex_oauth_core.effects import Effect as Effect
    from codex_oauth_core.effects import Finished as Finished
    from codex_oauth_core.effects import Request as Request
    from codex_oauth_core.effects import SendRequest as SendRequest
    from codex_oauth_core.effects import Wait as Wait
    from codex_oauth_core.effects import Why as Why
    from codex_oauth_core.errors import ErrorKind as ErrorKind
    from codex_oauth_core.errors import IllegalEvent as IllegalEvent
    from codex_oauth_core.errors import SignInError as SignInError
    from codex_oauth_core.events import CallbackReceived as CallbackReceived
    from codex_oauth_core.events import Cancelled as Cancelled
    from codex_oauth_core.events import Cause as Cause
    from codex_oauth_core.events import Event as Event
    from codex_oauth_core.events import Phase as Phase
    from codex_oauth_core.events import RequestFailed as RequestFailed
    from codex_oauth_core.events import ResponseReceived as ResponseReceived
    from codex_oauth_core.events import Started as Started
    from codex_oauth_core.events import TimeReached as TimeReached
    from codex_oauth_core.flows.browser import BrowserFlow as BrowserFlow
    from codex_oauth_core.flows.device import DeviceFlow as DeviceFlow
    from codex_oauth_core.pkce import Pkce as Pkce
    from codex_oauth_core.provider import Dialect as Dialect
    from codex_oauth_core.provider import Provider as Provider
    from codex_oauth_core.record import Record as Record
    from codex_oauth_core.secret import Secret as Secret

_HOMES: Final[dict[str, tuple[str, ...]]] = {
    "_version": ("__version__",),
    "callback": ("CallbackRule",),
    "codex": ("CODEX",),
    "credential": ("Credential", "DeviceAuthorization"),
    "effects": (
        "BrowserPrompt",
        "DevicePrompt",
        "Effect",
        "Finished",
        "Request",
        "SendRequest",
        "Wait",
        "Why",
    ),
    "errors": ("ErrorKind", "IllegalEvent", "SignInError"),
    "events": (
        "CallbackReceived",
        "Cancelled",
        "Cause",
        "Event",
        "Phase",
        "RequestFailed",
        "ResponseReceived",
        "Started",
        "TimeReached",
    ),
    "flows.browser": ("BrowserFlow",),
    "flows.device": ("DeviceFlow",),
    "pkce": ("Pkce",),
    "provider": ("Dialect", "Provider"),
    "record": ("Record",),
    "secret": ("Secret",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]  # one table serves both


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
