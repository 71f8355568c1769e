"""Worlds that go another way than they should, or twice, or with what is no request: a row for each.

Rules of this file: as in `broken_on_the_wire`: each row is one thing that somebody writes by mistake.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Any, Final
from unittest import mock
from urllib.parse import urlsplit

import attrs
import httpcore
import httpx

from codex_oauth import HttpxWorld
from codex_oauth.transport import httpx_transport
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.protocol import SendOutcome
from codex_oauth_core import (
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInEffect,
)
from tests.conformance.breakage import GoOn, WithClient, broken, failing, performing

SENT, NOT_SENT = Phase.MAYBE_SENT, Phase.NOT_SENT


# -- bugs ----------------------------------------------------------------------------------------------


def at_a_bug(answer: Callable[[SendRequest, ValueError, float], Event]) -> type[HttpxWorld]:
    """A world that does something of its own with what is no request."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        try:
            return go_on(effect)
        except ValueError as error:
            assert isinstance(effect, SendRequest)
            return answer(effect, error, world.now()[0])

    return performing(do)


class Unchecked(HttpxWorld):
    """Leaves it to its library to see what is no request."""

    def perform(self, effect: SignInEffect) -> Event:
        with mock.patch.object(httpx_transport, "check_writable"):
            return super().perform(effect)


def _raise(error: BaseException) -> Any:
    raise error


BUGS: Final = ("what_is_no_url_is_a_bug", "what_is_no_header_is_a_bug", "what_is_no_method_is_a_bug")
broken(
    "says that a bug is a failure",
    at_a_bug(lambda _, error, at: RequestFailed(at, NOT_SENT, Cause.CONNECT)),
    *BUGS,
)
broken("raises what its library raises", at_a_bug(lambda _, error, at: _raise(TypeError(str(error)))), *BUGS)
broken("leaves it to its library to see a bug", Unchecked, *BUGS)
broken(
    "shows the request in an error",
    at_a_bug(lambda effect, error, at: _raise(ValueError(f"cannot send {effect.request!r}"))),
    *BUGS[::2],
)
broken(
    "shows the headers behind an error",
    at_a_bug(
        lambda effect, error, at: _raise(
            ValueError(*(str(header) for header in effect.request.plain_headers()))
        )
    ),
    BUGS[1],
)


# -- names ---------------------------------------------------------------------------------------------


def calling(found: Cause, **other: Any) -> type[HttpxWorld]:
    """A world that calls one cause something else."""
    return failing(lambda event: attrs.evolve(event, **other) if event.cause is found else event)


def raising(found: Cause, error: BaseException) -> type[HttpxWorld]:
    """A world that raises in place of telling a cause."""
    return failing(lambda event: _raise(error) if event.cause is found else event)


NAMES: Final = "a_name_that_is_not_found_was_not_sent"
broken("calls a name unreachable", calling(Cause.DNS, cause=Cause.CONNECT), NAMES)
broken("is not sure whether a name was found", calling(Cause.DNS, phase=SENT), NAMES)
broken("raises for a name", raising(Cause.DNS, UnicodeError("label too long")), NAMES)
broken("takes a name for a time limit", calling(Cause.DNS, cause=Cause.TIMEOUT), NAMES)


def _long_labels(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
    if isinstance(effect, SendRequest):
        (urlsplit(effect.request.url).hostname or "").encode("idna")
    return go_on(effect)


broken("raises for a name that can be none", performing(_long_labels), NAMES)
REACHED: Final = "what_is_not_reached_was_not_sent"
broken("is not sure whether it was reached", calling(Cause.CONNECT, phase=SENT), REACHED)
broken("raises where nobody listens", raising(Cause.CONNECT, ConnectionRefusedError()), REACHED)
broken("calls who refuses slow", calling(Cause.CONNECT, cause=Cause.TIMEOUT), REACHED)


# -- proxies -------------------------------------------------------------------------------------------


class Proxied(WithClient):
    """Asks the proxy that the environment names, for some hosts."""

    schemes: tuple[str, ...] = ("http", "https")
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "127.0.0.2", "::1")

    def client(self) -> httpx.Client:
        return httpx.Client(proxy=os.environ.get("https_proxy"), trust_env=False)

    def request(self, effect: SendRequest) -> SendOutcome:
        parts = urlsplit(effect.request.url)
        if "https_proxy" in os.environ and parts.scheme in self.schemes and parts.hostname in self.hosts:
            return super().request(effect)
        return HttpxTransport(now=self.now)(effect)


THIS_MACHINE: Final = "this_machine_is_not_asked_for_through_a_proxy"
OF_PROXIES: Final[dict[str, dict[str, Any]]] = {
    "everything": {},
    "https": {"schemes": ("https",)},
    "localhost": {"hosts": ("localhost",)},
    "all but 127.0.0.1": {"hosts": ("localhost", "127.0.0.2", "::1")},
    "127.0.0.2": {"hosts": ("127.0.0.2",)},
    "::1": {"hosts": ("::1",)},
}
for name, options in OF_PROXIES.items():
    broken(f"asks a proxy for {name}", type("Proxied", (Proxied,), options), THIS_MACHINE)

PROXY: Final = "a_proxy_that_is_not_reached_was_not_sent"
PROXIES: Final = "nothing_was_sent_where_a_proxy_fails"
broken("is not sure what a proxy did", calling(Cause.PROXY, phase=SENT), PROXY, PROXIES)
broken("raises for a proxy", raising(Cause.PROXY, httpcore.ProxyError()), PROXY, PROXIES)
broken("takes a proxy for the server", calling(Cause.PROXY, cause=Cause.RESET), PROXY, PROXIES)
broken(
    "tells a proxy's answer",
    failing(
        lambda event: (
            ResponseReceived(event.at, event.at, event.at, 407, {}, b"")
            if event.cause is Cause.PROXY_AUTH
            else event
        )
    ),
    PROXIES,
)


class ShowsTheProxy(HttpxWorld):
    """Asks a proxy for https as for http: with the request itself."""

    def perform(self, effect: SignInEffect) -> Event:
        proxy = os.environ.get("https_proxy", "")
        if isinstance(effect, SendRequest) and proxy and effect.request.url.startswith("https:"):
            request = attrs.evolve(effect.request, url=f"{proxy}/telltale")
            super().perform(attrs.evolve(effect, request=request))
            return RequestFailed(self.now()[0], NOT_SENT, Cause.PROXY)
        return super().perform(effect)


broken("shows a proxy the request", ShowsTheProxy, PROXIES, "no_certificate_is_trusted_behind_a_proxy")
broken(
    "is not sure what was sent behind a proxy",
    calling(Cause.TLS_CERTIFICATE, phase=SENT),
    "no_certificate_is_trusted_behind_a_proxy",
    "no_certificate_is_taken_for_another",
)

SETTINGS: Final = "a_setting_that_cannot_be_used_is_no_exception"
broken("raises for a setting", raising(Cause.MISCONFIGURED, ValueError("bad proxy")), SETTINGS)
broken("is not sure about a setting", calling(Cause.MISCONFIGURED, phase=SENT), SETTINGS)
broken("takes a bad setting for a reset", calling(Cause.MISCONFIGURED, cause=Cause.RESET), SETTINGS)


# -- TLS -----------------------------------------------------------------------------------------------


def _without_host_names() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


def _without_dates() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME
    return context


def _without_anything() -> ssl.SSLContext:
    context = _without_host_names()
    context.verify_mode = ssl.CERT_NONE
    return context


def trusting(made: Callable[[], ssl.SSLContext]) -> type[HttpxWorld]:
    """A world with a TLS context of its own."""

    class Trusting(WithClient):
        def request(self, effect: SendRequest) -> SendOutcome:
            if not effect.request.url.startswith("https"):
                return HttpxTransport(now=self.now)(effect)
            with httpx.Client(verify=made(), trust_env=False) as client:
                return HttpxTransport(client, now=self.now)(effect)

    return Trusting


CERTIFICATES: Final = "no_certificate_is_taken_for_another"
broken("looks at no host names", trusting(_without_host_names), CERTIFICATES)
broken("looks at no dates", trusting(_without_dates), CERTIFICATES)
broken("looks at no certificates", trusting(_without_anything), CERTIFICATES)

HANDSHAKES: Final = "nothing_was_sent_where_a_handshake_fails"
broken(
    "is not sure about handshakes",
    calling(Cause.TLS_EOF, phase=SENT),
    HANDSHAKES,
    "a_failed_handshake_is_no_exception",
)
broken("takes a handshake for a reset", calling(Cause.TLS_EOF, cause=Cause.RESET), HANDSHAKES)
broken("raises what ends a handshake", raising(Cause.TLS_EOF, ssl.SSLError("eof")), HANDSHAKES)
broken("takes a handshake for a certificate", calling(Cause.TLS_EOF, cause=Cause.TLS_CERTIFICATE), HANDSHAKES)


class FallsBack(HttpxWorld):
    """Tries without TLS what failed with it."""

    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        failed = isinstance(event, RequestFailed) and event.cause in (Cause.TLS_EOF, Cause.TLS_CERTIFICATE)
        if failed and isinstance(effect, SendRequest):
            url = effect.request.url.replace("https:", "http:")
            super().perform(attrs.evolve(effect, request=attrs.evolve(effect.request, url=url), timeout=0.3))
        return event


broken("falls back to no TLS", FallsBack, HANDSHAKES)


# -- twice ---------------------------------------------------------------------------------------------


def repeating(when: Callable[[SendRequest, Event], bool]) -> type[HttpxWorld]:
    """A world that sends again what `when` says, once."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        event = go_on(effect)
        if isinstance(effect, SendRequest) and not isinstance(event, Cancelled) and when(effect, event):
            return go_on(effect)
        return event

    return performing(do)


def _lost(*causes: Cause) -> Callable[[SendRequest, Event], bool]:
    return lambda _, event: isinstance(event, RequestFailed) and event.phase is SENT and event.cause in causes


def _answered(*statuses: int) -> Callable[[SendRequest, Event], bool]:
    return lambda _, event: isinstance(event, ResponseReceived) and event.status in statuses


def _failed_after(method: str) -> Callable[[SendRequest, Event], bool]:
    return lambda sent, event: sent.request.method == method and isinstance(event, RequestFailed)


LOST: Final = "nothing_that_was_lost_is_sent_again"
broken(
    "repeats what was reset",
    repeating(_lost(Cause.RESET)),
    LOST,
    "nothing_is_sent_twice",
    "no_method_is_repeated",
)
broken("repeats what was truncated", repeating(_lost(Cause.TRUNCATED)), LOST, "no_method_is_repeated")
broken("repeats what was too big", repeating(_lost(Cause.TOO_BIG)), LOST)
for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"):
    broken(
        f"repeats {method}",
        repeating(_failed_after(method)),
        LOST,
    )
broken(
    "repeats what is no `once` request",
    repeating(lambda sent, event: not sent.once and isinstance(event, RequestFailed)),
    LOST,
    "nothing_that_had_no_time_is_sent_again",
)
broken(
    "repeats `once` requests alone",
    repeating(lambda sent, event: sent.once and isinstance(event, RequestFailed)),
    LOST,
    "nothing_that_had_no_time_is_sent_again",
    "no_other_address_is_tried_after_it_was_sent",
)
broken("repeats what had no time", repeating(_lost(Cause.TIMEOUT)), "nothing_that_had_no_time_is_sent_again")
for status in (401, 407, 408, 417, 421, 425, 426, 429, 500, 502, 503, 504, 511, 307, 304):
    broken(f"repeats at {status}", repeating(_answered(status)), "no_answer_makes_it_send_again")
broken(
    "repeats GET at 503",
    repeating(
        lambda sent, event: (
            sent.request.method == "GET" and isinstance(event, ResponseReceived) and event.status == 503
        )
    ),
    "no_answer_makes_it_send_again",
)


def elsewhere(when: Callable[[RequestFailed], bool]) -> type[HttpxWorld]:
    """A world that tries the next address of a name."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        event = go_on(effect)
        host = urlsplit(effect.request.url).hostname if isinstance(effect, SendRequest) else None
        if isinstance(event, RequestFailed) and isinstance(effect, SendRequest) and host and when(event):
            url = effect.request.url.replace(host, "127.0.0.2")
            return go_on(attrs.evolve(effect, request=attrs.evolve(effect.request, url=url)))
        return event

    return performing(do)


broken(
    "tries the next address after a reset",
    elsewhere(lambda event: event.cause is Cause.RESET),
    "no_other_address_is_tried_after_it_was_sent",
)
broken(
    "tries the next address whatever came",
    elsewhere(lambda event: True),
    "no_other_address_is_tried_after_it_was_sent",
)
