"""Whether the sign-in server answers, and how far our clock is from its own (RFC 9110 §6.6.1).

Rules of this file: one request, without credentials, to the issuer and to nobody else; what came is named
and never shown; a page of somebody in between says nothing about the server's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

import attrs

from codex_oauth.doctor.context import Area, Context, Finding, ok, problem, skipped, warn
from codex_oauth.transport.protocol import Transport, never
from codex_oauth_core.codex.answers import Answer, no_answer
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Cancelled, RequestFailed, ResponseReceived
from codex_oauth_core.flows.machine import error_of, refusal_of, transient_of
from codex_oauth_core.flows.no_answer import naming, why_no_answer
from codex_oauth_core.provider import Provider
from codex_oauth_core.reading.times import http_date
from codex_oauth_core.secret import Secret

__all__ = ["MUCH", "SOME", "check"]

SOME: Final = 60.0
"""Seconds that our clock may differ before it is worth saying."""

MUCH: Final = 300.0
"""Seconds from which on codes and tokens are taken for expired, or for good, when they are not."""

_LIMIT: Final = 15.0
_PATH: Final = "/.well-known/openid-configuration"
_AREA: Final = Area.NETWORK
_SET_CLOCK: Final = "Let this machine set its clock from the network (NTP). Check its time zone."


def check(context: Context) -> Iterator[Finding]:
    """Ask the server once; not at all where that is not wanted."""
    if context.offline:
        yield skipped("server", _AREA, "not asked: --offline", context.provider.issuer)
        yield skipped("clock", _AREA, "not compared: --offline")
        return
    request = _request(context.provider)
    answer = (context.transport or _usual())(request, never)
    match answer:
        case RequestFailed():
            error = error_of(refusal_of(transient_of(answer)))
            yield _unreached(context, naming(why_no_answer(request, answer, error.kind), error))
            yield _no_clock()
        case Cancelled():
            yield _unreached(context, SignInError.of(ErrorKind.CANCELLED))
            yield _no_clock()
        case ResponseReceived():
            yield from _answered(context, Answer(answer))
        case _:
            assert_never(answer)


def _usual() -> Transport:
    from codex_oauth.transport.httpx_transport import HttpxTransport

    return HttpxTransport()


def _request(provider: Provider) -> SendRequest:
    request = Request("GET", f"{provider.issuer}{_PATH}", provider.headers, Secret(b""))
    return SendRequest(request, _LIMIT)


def _answered(context: Context, answer: Answer) -> Iterator[Finding]:
    if answer.region_blocked:
        error = SignInError.of(ErrorKind.REGION_BLOCKED, status=answer.status)
        yield attrs.evolve(_unreached(context, error), area=Area.REFUSED)
    elif answer.is_page or answer.status >= 500 or answer.status in (407, 408, 429) or _leads_away(answer):
        error = SignInError.of(no_answer(answer).kind, status=answer.status)
        yield _unreached(context, naming(why_no_answer(_request(context.provider), None, error.kind), error))
    else:
        took = max(0.0, answer.response.at - answer.response.sent_at)
        yield ok("server", _AREA, f"answers, in {took:.1f} s", context.provider.issuer)
        yield _clock(answer.response, answer.header("date"))
        return
    yield _no_clock()


def _leads_away(answer: Answer) -> bool:
    return 300 <= answer.status < 400


def _unreached(context: Context, error: SignInError) -> Finding:
    details = ", ".join(f"{name}: {value}" for name, value in error.details.items())
    found = f"{error.message} ({details})" if details else error.message
    return problem("server", _AREA, found, *error.next_actions, subject=context.provider.issuer)


def _no_clock() -> Finding:
    return skipped("clock", _AREA, "not compared: the server did not answer")


def _clock(response: ResponseReceived, date: str | None) -> Finding:
    """The server's time was written between the sending and the end of its answer, to the second."""
    then = http_date(date)
    if then is None:
        return skipped("clock", _AREA, "not compared: the answer has no date")
    earliest, latest = then, then + 1 + max(0.0, response.at - response.sent_at)
    off = response.wall - min(max(response.wall, earliest), latest)
    text = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the server's"
    if abs(off) > MUCH:
        return problem("clock", _AREA, f"{text}; more than {MUCH:.0f} s is too much", _SET_CLOCK)
    if abs(off) > SOME:
        return warn("clock", _AREA, f"{text}; up to {SOME:.0f} s is usual", _SET_CLOCK)
    return ok("clock", _AREA, f"as the server's, within {SOME:.0f} s")
