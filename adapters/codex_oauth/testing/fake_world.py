"""A world in virtual time: nothing is sent, nobody waits, and every run is the same.

Rules of this file: the clock starts at an odd large number, so that a mix-up of absolute and relative
times shows; the network takes time; the server is a function, so that it can check what it receives.

Answers in the shapes that the server of ChatGPT sign-ins gives them, with plainly fake tokens.

Rules of this file: no more than scenarios need; an authority of your own, with its own rules, is
`codex_oauth.authority`.

A clock that a test moves by hand: for worlds over real HTTP whose waits are to take no time.

Rules of this file: time stands still until somebody moves it; it is the time of a `FakeWorld`, so that a fake
world, a server and a test can share one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Self, assert_never

import attrs

from codex_oauth_core.codex.render import unsigned_token
from codex_oauth_core.codex.token_answers import CLAIMS
from codex_oauth_core.effect_unions import Effect, SignInEffect
from codex_oauth_core.effects import Request, SendRequest, Wait
from codex_oauth_core.events import (
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.pkce import s256
from codex_oauth_core.storage import Register, Registered

__all__ = [
    "PENDING",
    "SLOW_DOWN",
    "FakeWorld",
    "Lost",
    "Reply",
    "Server",
    "VirtualClock",
    "approved",
    "as_json",
    "issued",
    "page",
    "refusal",
    "scripted",
    "tokens",
]


START: Final = 1_000_003.25
WALL: Final = 1_800_000_007.5


@attrs.frozen
class Reply:
    """An answer of the fake network. `delay` is the number of seconds that it takes beyond the round trip."""

    status: int
    body: bytes = attrs.field(default=b"", repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    delay: float = 0.0


@attrs.frozen
class Lost:
    """A request that the fake network loses."""

    cause: Cause = Cause.RESET
    phase: Phase = Phase.MAYBE_SENT
    delay: float = 0.0


Server = Callable[[Request, float, float], Reply | Lost]
"""A fake server: takes the request, the instant and the Unix time at which it arrives."""


def scripted(replies: Iterable[Reply | Lost]) -> Server:
    """A server that gives these answers in this order, whatever the request is, and then answers no more."""
    script = iter(replies)

    def respond(request: Request, at: float, wall: float) -> Reply | Lost:
        answer = next(script, None)
        if answer is None:
            raise AssertionError("the script has no answer for one more request")
        return answer

    return respond


@attrs.define(eq=False)
class FakeWorld:
    """Performs effects at once, and moves its clock to the instant when they would have been done.

    `server` answers requests. A request takes `connecting` seconds to connect, and then `round_trip` seconds
    to the answer. `cancel_at` cancels at that instant, as a call of `cancel()` would. `performed` is the list
    of effects, each with its instant.
    """

    server: Server = attrs.field(repr=False)
    round_trip: float = 0.25
    cancel_at: float | None = None
    at: float = START
    wall: float = WALL
    connecting: float = 0.0
    performed: list[tuple[float, Effect]] = attrs.field(factory=list[tuple[float, Effect]], init=False)

    @property
    def waits(self) -> list[Wait]:
        """The waits that were performed, in order."""
        return [effect for _, effect in self.performed if isinstance(effect, Wait)]

    @property
    def requests(self) -> list[SendRequest]:
        """The requests that were performed, in order."""
        return [effect for _, effect in self.performed if isinstance(effect, SendRequest)]

    def now(self) -> tuple[float, float]:
        """The virtual instant and Unix time."""
        return self.at, self.wall

    def cancel(self) -> None:
        """Cancel now, if the next effect allows it."""
        self.cancel_at = self.at

    def perform(self, effect: SignInEffect) -> Event:
        """Answer an effect, at the instant when it would have been done."""
        self.performed.append((self.at, effect))
        match effect:
            case Wait():
                return self._wait(effect)
            case SendRequest():
                return self._send(effect)
            case Register():
                return StoreAnswered(*self.now(), Registered())
            case _:
                assert_never(effect)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    def _wait(self, wait: Wait) -> Event:
        if self._cancelled_by(wait.until):
            return Cancelled(self.at)
        self._advance(wait.until)
        return TimeReached(self.at)

    def _send(self, effect: SendRequest) -> Event:
        sent_at = self.at
        if not effect.once and self._cancelled_by(sent_at):
            return Cancelled(self.at)
        if (refused := self._connect(effect)) is not None:
            return refused
        reply = self.server(effect.request, self.at, self.wall)
        done = self.at + self.round_trip + reply.delay
        ends_at = effect.timeout + (sent_at if effect.write_by is None else self.at)
        late = done > ends_at
        done = min(done, ends_at)
        if not effect.once and self._cancelled_by(done):
            return Cancelled(self.at)
        self._advance(done)
        if late:
            return RequestFailed(self.at, Phase.MAYBE_SENT, Cause.TIMEOUT)
        if isinstance(reply, Lost):
            return RequestFailed(self.at, reply.phase, reply.cause)
        return ResponseReceived(sent_at, self.at, self.wall, reply.status, reply.headers, reply.body)

    def _connect(self, effect: SendRequest) -> Event | None:
        """Go to the first byte; or to the end of a request that was not sent."""
        first_byte = self.at + self.connecting
        by = self.at + effect.timeout if effect.write_by is None else effect.write_by
        late = first_byte > by or first_byte == effect.write_by
        done = min(first_byte, by) if late else first_byte
        if not effect.once and self._cancelled_by(done):
            return Cancelled(self.at)
        self._advance(done)
        return RequestFailed(self.at, Phase.NOT_SENT, Cause.TIMEOUT) if late else None

    def _cancelled_by(self, instant: float) -> bool:
        if self.cancel_at is None or self.cancel_at > instant:
            return False
        self._advance(self.cancel_at)
        return True

    def _advance(self, instant: float) -> None:
        step = max(0.0, instant - self.at)
        self.at += step
        self.wall += step


# -- answers of a server -------------------------------------------------------------------------------


_VERIFIER: Final = "fake-verifier-0123456789-0123456789-0123456789"
_JSON: Final = {"Content-Type": "application/json"}


def as_json(status: int, value: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Any answer in JSON."""
    return Reply(status, json.dumps(value).encode(), {**_JSON, **(headers or {})})


def page(status: int) -> Reply:
    """A page for people, as firewalls and proxies put in the place of an answer."""
    return Reply(status, b"<!doctype html><title>Blocked</title>", {"Content-Type": "text/html"})


def issued(**fields: Any) -> Reply:
    """A device authorization (RFC 8628 §3.2)."""
    return as_json(
        200, {"device_auth_id": "fake-device", "user_code": "ABCD-12345", "interval": "5", **fields}
    )


def refusal(code: str, status: int = 403, **beside: Any) -> Reply:
    """An error code (RFC 8628 §3.5), and fields beside it."""
    return as_json(status, {"error": {"code": code, "message": "prose"}, **beside})


def approved(**fields: Any) -> Reply:
    """The authorization code of an approved device login."""
    proof = {"code_verifier": _VERIFIER, "code_challenge": s256(_VERIFIER)}
    return as_json(200, {"authorization_code": "fake-code", **proof, **fields})


def tokens(**fields: Any) -> Reply:
    """Tokens (RFC 6749 §5.1); a field that is `...` is left out."""
    body = {
        "access_token": _account_token("access"),
        "refresh_token": "fake-refresh",
        "id_token": _account_token("id"),
        "expires_in": 864_000,
        "token_type": "Bearer",
        **fields,
    }
    return as_json(200, {name: value for name, value in body.items() if value is not ...})


def _account_token(kind: str) -> str:
    return unsigned_token({CLAIMS: {"chatgpt_account_id": "acct_fake"}, "kind": kind}).reveal()


PENDING: Final = refusal("deviceauth_authorization_pending")
SLOW_DOWN: Final = refusal("slow_down", 400)


# -- a clock moved by hand -----------------------------------------------------------------------------


class VirtualClock:
    """The instant and Unix time of `world`, which moves them when it performs effects. Without a world, the
    clock moves only by `step()` and `skip()`.

    Use it as any `Clock`: `now=virtual_clock`.
    """

    def __init__(self, world: FakeWorld | None = None) -> None:
        self._world = world or FakeWorld(scripted(()))

    def __call__(self) -> tuple[float, float]:
        """The instant and Unix time, both in seconds."""
        return self._world.now()

    def instant(self) -> float:
        """The instant, in seconds: for `serve(clock=...)`."""
        return self._world.at

    def wall(self) -> float:
        """Unix time, in seconds: for `serve(wall=...)`."""
        return self._world.wall

    def step(self, seconds: float) -> None:
        """Move the clock forward by `seconds`. ValueError for a negative number."""
        if seconds < 0:
            raise ValueError("a clock never goes back")
        self._world.at += seconds
        self._world.wall += seconds

    def skip(self, wait: Wait) -> None:
        """Move the clock to the end of a wait: for `HttpxWorld(on_wait=...)`. A wait for a redirect is not
        skipped.
        """
        if wait.callback is None:
            self.step(max(0.0, wait.until - self.instant()))
