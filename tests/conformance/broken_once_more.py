"""Worlds that break in another way what one world breaks already: for each check there are two at least.

Rules of this file: as in `broken_on_the_wire`. Scenarios are broken here by worlds that end none of them
as they should; what breaks one alone is in the other files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import httpx

from codex_oauth import HttpxWorld
from codex_oauth.testing import SCENARIOS
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.worlds.callbacks import CallbackSource, Heard
from codex_oauth_core import (
    CallbackReceived,
    CallbackRule,
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    Secret,
    SendRequest,
    SignInEffect,
    TimeReached,
    Wait,
)
from codex_oauth_core.callback import Accepted
from codex_oauth_core.events import StoreAnswered
from codex_oauth_core.reading.json_body import MAX_BODY
from codex_oauth_core.storage import Register, Reserved
from tests.conformance.breakage import GoOn, answering, broken, failing, performing, sending
from tests.conformance.broken_in_time import LimitsEachStep
from tests.conformance.broken_listening import Listening, Passed

SENT = Phase.MAYBE_SENT
EVERY_SCENARIO = tuple(scenario.name for scenario in SCENARIOS)


# -- scenarios, clocks and waits -----------------------------------------------------------------------


def _cancelled(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
    event = go_on(effect)
    return (
        Cancelled(event.at) if isinstance(effect, SendRequest) and not isinstance(event, Cancelled) else event
    )


broken("says that every request was cancelled", performing(_cancelled), *EVERY_SCENARIO)


class AsksTheTimeOnce(HttpxWorld):
    """Its clock is that of its constructor."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._fixed = super().now()

    def now(self) -> tuple[float, float]:
        return self._fixed[0] + 1e-3, self._fixed[1]


broken("asks the time once", AsksTheTimeOnce, "the_clocks_are_the_ones_given", *EVERY_SCENARIO)
broken(
    "fails at the beginning of time",
    failing(lambda event: attrs.evolve(event, at=0.0)),
    "a_failure_says_when_it_happened",
)


def _a_second_late(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
    event = go_on(effect)
    if isinstance(effect, Wait) and isinstance(event, Cancelled):
        time.sleep(2.1)
    return event


broken("cancels a wait two seconds late", performing(_a_second_late), "a_cancel_ends_a_wait")


# -- requests and answers ------------------------------------------------------------------------------


def _without_secrets(request: Any) -> Any:
    headers = tuple(header for header in request.headers if not isinstance(header[1], Secret))
    return attrs.evolve(request, headers=headers)


def _with_an_empty_form(request: Any) -> Any:
    more = () if request.body.reveal() else (("Transfer-Encoding", "identity"),)
    return attrs.evolve(request, headers=(*request.headers, *more))


broken("drops secret headers", sending(_without_secrets), "a_header_that_is_secret_is_sent")
broken("frames a body that is none", sending(_with_an_empty_form), "a_request_without_a_body_has_none")
broken(
    "takes a redirect for a failure",
    answering(
        lambda event: RequestFailed(event.at, SENT, Cause.RESET) if event.status in range(300, 309) else event
    ),
    "a_redirect_is_not_followed",
)


class HasACookieJar(HttpxWorld):
    """Leaves cookies to its library."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._jar = httpx.Client(trust_env=False)

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            (at, wall), request = self.now(), effect.request
            found = self._jar.request(request.method, request.url, content=request.body.reveal())
            return ResponseReceived(
                at, self.now()[0], wall, found.status_code, dict(found.headers), found.content
            )
        return super().perform(effect)

    def __exit__(self, *exc_info: object) -> None:
        self._jar.close()
        super().__exit__(*exc_info)


broken("has a cookie jar", HasACookieJar, "no_cookie_is_kept")
broken(
    "tells headers without their blanks",
    answering(
        lambda event: attrs.evolve(
            event, headers={name: value.replace(" ", "") for name, value in event.headers.items()}
        )
    ),
    "headers_are_delivered",
)


def _ascii(event: ResponseReceived) -> Event:
    if any(not value.isascii() for value in event.headers.values()):
        raise UnicodeError("a header that is not ASCII")
    return event


broken("takes no header beyond ASCII", answering(_ascii), "odd_headers_are_no_exception")
broken(
    "refuses what is packed or large",
    answering(
        lambda event: (
            RequestFailed(event.at, SENT, Cause.TOO_BIG) if "content-encoding" in event.headers else event
        )
    ),
    "a_body_is_not_decoded",
)
broken(
    "cuts at half of the largest size",
    answering(lambda event: attrs.evolve(event, body=event.body.reveal()[: MAX_BODY // 2])),
    "a_body_of_the_largest_size_is_delivered",
)
broken(
    "cuts what is too big",
    failing(
        lambda event: (
            ResponseReceived(event.at, event.at, event.at, 200, {}, b"x" * MAX_BODY)
            if event.cause is Cause.TOO_BIG
            else event
        )
    ),
    "a_larger_body_is_too_big",
)


def _raising(cause: Cause, error: type[Exception]) -> type[HttpxWorld]:
    def raised(event: RequestFailed) -> Event:
        if event.cause is cause:
            raise error
        return event

    return failing(raised)


broken(
    "raises when it is reset",
    _raising(Cause.RESET, ConnectionResetError),
    "a_reset_connection_may_have_been_sent",
)
broken("raises what is truncated", _raising(Cause.TRUNCATED, EOFError), "a_truncated_body_is_no_answer")


# -- limits and the first byte -------------------------------------------------------------------------


def _trickles(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
    event = go_on(effect)
    timed_out = isinstance(event, RequestFailed) and event.cause is Cause.TIMEOUT
    return ResponseReceived(event.at, event.at, event.at, 200, {}, b"x") if timed_out else event


broken(
    "tells what it has at its limit", performing(_trickles), "a_trickling_server_is_left_at_the_time_limit"
)


def _limited_by_write_by(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
    event = go_on(effect)
    if isinstance(effect, SendRequest) and effect.write_by is not None:
        late = world.now()[0] > effect.write_by
        return RequestFailed(world.now()[0], SENT, Cause.TIMEOUT) if late else event
    return event


broken(
    "limits the answer by write_by", performing(_limited_by_write_by), "write_by_is_no_limit_for_the_answer"
)


def _late(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
    event = go_on(effect)
    if not isinstance(effect, SendRequest) or not isinstance(event, ResponseReceived):
        return event
    return attrs.evolve(event, body=b"") if event.at > event.sent_at + effect.timeout else event


broken(
    "tells a late answer without its body",
    performing(_late),
    "what_arrived_while_the_machine_slept_is_read",
    "what_arrived_while_the_process_stood_still_is_read",
)


class ClosesWhenItIsCollected(LimitsEachStep):
    """Leaves its connections to the collector."""

    kept: list[Any] = []  # noqa: RUF012  # the mistake itself

    def request(self, effect: SendRequest) -> Any:
        client = httpx.Client(trust_env=False, verify=False)
        self.kept.append(client)
        return HttpxTransport(_keeping(client), now=self.now)(effect)


def _keeping(client: httpx.Client) -> httpx.Client:
    """A client that keeps its connections, whatever a request says."""
    theirs: Any = client.send

    def send(request: httpx.Request, **options: Any) -> httpx.Response:
        request.headers.pop("connection", None)
        found: httpx.Response = theirs(request, **options)
        return found

    client.send = send  # type: ignore[method-assign]
    return client


broken("leaves connections to the collector", ClosesWhenItIsCollected, "connections_are_closed_at_the_end")


# -- redirects -----------------------------------------------------------------------------------------


class StartsInItsBlock(Listening):
    """Listens as long as it lives."""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait) and effect.callback is None:
            effect = attrs.evolve(effect, callback=CallbackRule("http://127.0.0.1:1/", Secret("s"), (), ""))
        return super().perform(effect)


broken("starts sources for every wait", StartsInItsBlock, "a_wait_without_a_callback_starts_no_source")


class StopsByATimer(Listening):
    """Lets its sources run to their end when it is cancelled."""

    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, Cancelled):
            for source in self.sources:
                source.stop()
        return event


broken("stops sources twice at a cancel", StopsByATimer, "a_cancel_stops_the_sources")


class TellsLateRedirects(HttpxWorld):
    """What came after a wait ends the next one."""

    late: Accepted | None = None

    def __init__(self, *, callbacks: Iterable[CallbackSource], **options: Any) -> None:
        world = self

        class Late(Passed):
            def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
                def heard(accepted: Accepted) -> None:
                    world.late = accepted
                    accept(accepted)

                self.within.start(rule, heard)

        super().__init__(callbacks=[Late(source) for source in callbacks], **options)

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait) and self.late is not None:
            late, self.late = self.late, None
            return CallbackReceived(self.now()[0], late.query)
        event = super().perform(effect)
        if isinstance(event, CallbackReceived):
            return event
        return event


class CannotHearLate(HttpxWorld):
    """Raises where nobody waits any more."""

    def __init__(self, *, callbacks: Iterable[CallbackSource], **options: Any) -> None:
        world = self

        class Strict(Passed):
            def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
                def heard(accepted: Accepted) -> None:
                    if not world.waiting:
                        raise RuntimeError("nobody waits")
                    accept(accepted)

                self.within.start(rule, heard)

        self.waiting = False
        super().__init__(callbacks=[Strict(source) for source in callbacks], **options)

    def perform(self, effect: SignInEffect) -> Event:
        self.waiting = True
        try:
            return super().perform(effect)
        finally:
            self.waiting = False


LATE = "a_redirect_that_comes_late_changes_nothing"
TWICE = "a_redirect_that_comes_twice_is_told_once"
broken("tells late redirects", TellsLateRedirects, LATE, TWICE)
broken("cannot hear late", CannotHearLate, LATE)


class TellsItAgain(HttpxWorld):
    """A redirect is a level to it, and no edge."""

    def perform(self, effect: SignInEffect) -> Event:
        theirs = Heard.take
        Heard.take = lambda heard: heard._accepted  # type: ignore[method-assign, assignment]
        try:
            event = super().perform(effect)
        finally:
            Heard.take = theirs  # type: ignore[method-assign]
        if isinstance(event, CallbackReceived):
            self.again = event
        return getattr(self, "again", event)


broken("tells a redirect again", TellsItAgain, TWICE)


class ShowsOnce(HttpxWorld):
    """Shows the first wait."""

    def __init__(self, *, on_wait: Callable[[Wait], None], **options: Any) -> None:
        shown: list[Wait] = []

        def once(wait: Wait) -> None:
            if not shown:
                on_wait(wait)
            shown.append(wait)

        super().__init__(on_wait=once, **options)


class ShowsACopy(HttpxWorld):
    """Shows what it made of a wait."""

    def __init__(self, *, on_wait: Callable[[Wait], None], **options: Any) -> None:
        super().__init__(on_wait=lambda wait: on_wait(attrs.evolve(wait, until=wait.until + 1)), **options)


broken("shows the first wait", ShowsOnce, "every_wait_is_shown")
broken("shows a copy", ShowsACopy, "every_wait_is_shown")


class TellsRedirects(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, CallbackReceived):
            print("came back with", event.query.reveal())
        return event


@attrs.frozen
class Shown(CallbackReceived):
    """A redirect that can be read."""

    plain: str = ""


class ShowsRedirects(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, CallbackReceived):
            return Shown(event.at, event.query, event.query.reveal())
        return event


broken("tells redirects", TellsRedirects, "nothing_of_a_redirect_is_logged")
broken("shows redirects", ShowsRedirects, "nothing_of_a_redirect_is_logged")


def registering(answer: Callable[[HttpxWorld], Event]) -> type[HttpxWorld]:
    """A world that answers a registration in its own way."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        return answer(world) if isinstance(effect, Register) else go_on(effect)

    return performing(do)


def _knows_none(_: HttpxWorld) -> Event:
    raise TypeError("an effect that is none")


REGISTERED: dict[str, Callable[[HttpxWorld], Event]] = {
    "knows no registrations": _knows_none,
    "takes a registration for a wait": lambda world: TimeReached(world.now()[0]),
    "answers a registration as something else": lambda world: StoreAnswered(
        world.now()[0], world.now()[1], Reserved()
    ),
    "answers a registration at no time": lambda world: StoreAnswered(0.0, 0.0, Reserved()),
}
for what, answer in REGISTERED.items():
    broken(what, registering(answer), "a_registration_is_answered")
