"""Worlds that send or deliver something else, each in one way: to test the checks with."""

from __future__ import annotations

import gzip
import netrc
import os

import attrs
import httpx

from codex_oauth import HttpxWorld
from codex_oauth.transport.protocol import SendOutcome
from codex_oauth_core import (
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    Secret,
    SendRequest,
    SignInEffect,
)
from codex_oauth_core.reading.json_body import MAX_BODY
from tests.conformance.breakage import Altered, WithClient, breaks


def _with_headers(effect: SendRequest, *more: tuple[str, str]) -> SendRequest:
    names = {name.lower() for name, _ in more}
    kept = tuple(header for header in effect.request.headers if header[0].lower() not in names)
    return attrs.evolve(effect, request=attrs.evolve(effect.request, headers=(*kept, *more)))


@breaks("a_request_goes_out_as_it_is")
class NamesItself(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            effect = _with_headers(effect, ("User-Agent", "my-world/1.0"))
        return super().perform(effect)


@breaks("a_request_goes_out_as_it_is")
class RepeatsHeaders(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            headers = (*effect.request.headers, ("accept", "*/*"))
            effect = attrs.evolve(effect, request=attrs.evolve(effect.request, headers=headers))
        return super().perform(effect)


@breaks("a_header_that_is_secret_is_sent")
class ShowsNoSecretToTheServerEither(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            headers = tuple((name, str(value)) for name, value in effect.request.headers)
            effect = attrs.evolve(effect, request=attrs.evolve(effect.request, headers=headers))
        return super().perform(effect)


@breaks("a_request_goes_out_as_it_is")
class LosesTheQuery(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            url = effect.request.url.partition("?")[0]
            effect = attrs.evolve(effect, request=attrs.evolve(effect.request, url=url))
        return super().perform(effect)


@breaks("a_request_goes_out_as_it_is")
class SendsText(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            body = Secret(effect.request.body.reveal().decode("utf-8", "replace").encode())
            effect = attrs.evolve(effect, request=attrs.evolve(effect.request, body=body))
        return super().perform(effect)


@breaks("a_request_without_a_body_has_none")
class AlwaysAForm(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            effect = _with_headers(effect, ("Content-Type", "application/x-www-form-urlencoded"))
        return super().perform(effect)


@breaks("the_environment_adds_nothing")
class UsesProxies(WithClient):
    def client(self) -> httpx.Client:
        return httpx.Client()


@breaks("the_environment_adds_nothing")
class LogsIn(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and "NETRC" in os.environ:
            found = netrc.netrc(os.environ["NETRC"]).authenticators("127.0.0.1")
            effect = _with_headers(effect, ("Authorization", f"Basic {found}"))
        return super().perform(effect)


@breaks(
    "every_status_is_an_answer",
    "expired by the server",
    "approved after a pending",
    "gone twice is expired",
    "gone as the first answer is pending once",
    "gone after a pending is expired",
    "gone after a 5xx: the approval was lost",
    "no poll at or after the deadline",
    "the deadline after failures names the last cause",
    "no device login here",
    "device login disabled",
    "a firewall page instead of a code",
    "region blocked in a poll",
    "the code is refused",
    "denied",
)
class RaisesForStatus(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        if event.status >= 400:
            raise OSError(event.status)
        return event


@breaks("every_status_is_an_answer", "a rate limit with a name ends nothing", "503 with Retry-After")
class StatusIsAFailure(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        ours = event.status != 429 and event.status < 500
        return event if ours else RequestFailed(event.at, Phase.MAYBE_SENT, Cause.RESET)


@breaks("a_redirect_is_not_followed")
class Follows(WithClient):
    def request(self, effect: SendRequest) -> SendOutcome:
        answer = super().request(effect)
        if isinstance(answer, ResponseReceived) and "location" in answer.headers:
            request = attrs.evolve(effect.request, url=answer.headers["location"])
            return self.request(attrs.evolve(effect, request=request))
        return answer


@breaks("no_cookie_is_kept")
class KeepsCookies(Altered):
    cookie = ""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and self.cookie:
            effect = _with_headers(effect, ("Cookie", self.cookie))
        return super().perform(effect)

    def answered(self, event: ResponseReceived) -> Event:
        self.cookie = event.headers.get("set-cookie", "").partition(";")[0]
        return event


@breaks(
    "headers_are_delivered",
    "429 slows down and keeps its Retry-After once",
    "Retry-After is capped at a minute",
    "503 with Retry-After",
    "a rate limit before the code",
    "a rate limit longer than we try for a code",
)
class DropsHeaders(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        return attrs.evolve(event, headers={})


@breaks("odd_headers_are_no_exception")
class ReadsHeadersAsText(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        for value in event.headers.values():
            value.encode("latin-1", "replace").decode("ascii")
        return event


@breaks("a_body_is_delivered_byte_for_byte")
class DeliversText(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        return attrs.evolve(event, body=event.body.reveal().decode("utf-8", "replace").encode())


@breaks("a_body_is_delivered_byte_for_byte")
class Strips(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        return attrs.evolve(event, body=event.body.reveal().strip())


@breaks(
    "a_body_is_delivered_byte_for_byte",
    "an interval of our own",
    "a code at the third try",
    "another workspace than asked for",
    "no account in the token",
    "no token at all",
    "an unusable poll answer",
    "a mismatching challenge",
)
class DeliversNoBody(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        return attrs.evolve(event, body=b"")


@breaks("a_body_is_not_decoded")
class Unpacks(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        body = event.body.reveal()
        packed = event.headers.get("content-encoding") == "gzip"
        return attrs.evolve(event, body=gzip.decompress(body) if packed else body)


@breaks("a_body_of_the_largest_size_is_delivered")
class HasASmallLimit(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        if len(event.body.reveal()) >= MAX_BODY:
            return RequestFailed(event.at, Phase.MAYBE_SENT, Cause.TOO_BIG)
        return event


@breaks("a_larger_body_is_too_big")
class HasNoLimit(WithClient):
    def request(self, effect: SendRequest) -> SendOutcome:
        at, wall = self.now()
        found = httpx.post(effect.request.url, content=effect.request.body.reveal(), trust_env=False)
        return ResponseReceived(at, at, wall, found.status_code, dict(found.headers), found.content)
