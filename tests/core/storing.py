"""One stored login, in virtual time: what the flows about stored logins are driven against.

Rules of this file: the store keeps its promises and checks that the flow keeps its own (no change without the
lock, no request with it but after a reservation, no wait with it but for the disk, the lock free at the end);
what a test wants otherwise it says with `answers`, kind of effect by kind of effect, or with `before`, a look
at each effect in advance.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, Final, assert_never

import attrs
import pytest

from codex_oauth.testing import FakeWorld, Lost, Reply
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished, Request, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    Resumed,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.flows import machine as base
from codex_oauth_core.flows import machine as table
from codex_oauth_core.outcomes import NotRenewed
from codex_oauth_core.reading.times import rfc3339
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Deleted,
    Find,
    Found,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Locked,
    Register,
    Registered,
    Release,
    Released,
    Rescue,
    Rescued,
    Reserve,
    Reserved,
    Save,
    Saved,
    Select,
    Selected,
    StorageAnswer,
    StorageEffect,
    StoreFailed,
)
from tests.support import T0, W0, account_token, as_json, code, page, response, tokens

ACCOUNT: Final = "acct_fake"
DAY: Final = 86_400.0
LIFE: Final = 10 * DAY
"""Seconds that the logins here live, as those of the real server do."""
ME: Final = Intent(4711, "here", W0, "me")
THEM: Final = Intent(815, "there", W0, "them")
NOT_SENT: Final = Lost(Cause.CONNECT, Phase.NOT_SENT)
MAYBE_SENT: Final = Lost(Cause.RESET, Phase.MAYBE_SENT)
WRITE_FAILED: Final = SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="ENOSPC")
READ_FAILED: Final = SignInError.of(ErrorKind.AUTH_READ_FAILED, reason="EIO")
LOCK_LOST: Final = SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="lock_lost")
CORRUPT: Final = SignInError.of(ErrorKind.CORRUPT_AUTH, reason="not_json")


def login(left: float | None = 0.0, *, number: Any = 1, life: Any = LIFE, **changes: Any) -> Record:
    """A login whose access token lives for `left` more seconds at `W0` (None: nobody knows) and was
    obtained `life` before its end. `changes` are fields of the record, or of its credential.
    """
    credential = Credential(
        access_token=Secret(account_token(marker=f"old-access-{number}")),
        refresh_token=Secret(f"canary-old-refresh-{number}"),
        account_id=ACCOUNT,
        issuer=CODEX.issuer,
        client_id=CODEX.client_id,
        obtained_at=rfc3339(W0 - life + (left or 0.0)),
        id_token=Secret(account_token(marker="old-id")),
        expires_at=None if left is None else round((W0 + left) * 1000),
    )
    inner = {name: changes.pop(name) for name in list(changes) if hasattr(credential, name)}
    return attrs.evolve(Record(attrs.evolve(credential, **inner), generation=7), **changes)


def borrowed(left: float | None = 0.0, **changes: Any) -> Record:
    """A login whose access token was copied from another program."""
    return login(left, refresh_token=None, **changes)


CURRENT: Final = login(5 * DAY)
ADVISORY: Final = login(0.5 * DAY)
MANDATORY: Final = login(200.0)
EXPIRED: Final = login(-60.0)
ANOTHER: Final = login(9 * DAY, number=2)
"""What comes of another sign-in of the same account."""


def token_of(request: Request) -> str:
    """What a request was signed with, in a form that a test can compare."""
    return request.body.reveal().decode()


Step = Callable[["StoreWorld", Effect], None]


@attrs.define(eq=False)
class StoreWorld:
    """Performs the effects of one flow. `server` is what the server answers, in order; `busy_until` is
    when another process gives the lock back; `answers` are what the store says, in order and before it does
    anything itself; `before` is called with each effect, and may change anything; `refuse` is how many
    requests the store does not let go out.
    """

    stored: Record | None = None
    server: Iterable[Reply | Lost] = ()
    busy_until: float = T0
    answers: dict[type[StorageEffect], list[StorageAnswer | None]] = attrs.field(
        factory=dict[type[StorageEffect], list[StorageAnswer | None]]
    )
    before: Step | None = None
    refuse: int = 0
    net: FakeWorld = attrs.field(init=False)
    effects: list[Effect] = attrs.field(factory=list[Effect], init=False)
    asked_at: list[float] = attrs.field(factory=list[float], init=False)
    """When each effect was asked for, in seconds after `T0`."""
    sent: list[Request] = attrs.field(factory=list[Request], init=False)
    """What the store let go out, in order."""
    former: dict[str, Record] = attrs.field(factory=dict[str, Record])
    """What is kept under other names than the flow's own login."""
    beside: list[Record] = attrs.field(factory=list[Record], init=False)
    selected: bool = attrs.field(default=False, init=False)
    held: bool = attrs.field(default=False, init=False)
    turned_to: str | None = attrs.field(default=None, init=False)
    """The name of the login that the effects are about, if it is not the flow's own."""
    _marked_over: Record | None = attrs.field(default=None, init=False)
    _reserved: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        script = iter(self.server)

        def respond(request: Request, at: float, wall: float) -> Reply | Lost:
            answer = next(script, None)
            assert answer is not None, "one request more than the script has answers"
            return answer

        self.net = FakeWorld(respond, at=T0, wall=W0)

    @property
    def here(self) -> Record | None:
        """What is stored of the login that the effects are about."""
        return self.stored if self.turned_to is None else self.former.get(self.turned_to)

    @here.setter
    def here(self, record: Record | None) -> None:
        if self.turned_to is None:
            self.stored = record
        elif record is None:
            self.former.pop(self.turned_to, None)
        else:
            self.former[self.turned_to] = record

    @property
    def order(self) -> list[str]:
        """The kinds of effects performed, in order."""
        return [type(effect).__name__ for effect in self.effects]

    @property
    def saves(self) -> list[Save]:
        """What was to be saved, in order."""
        return [effect for effect in self.effects if isinstance(effect, Save)]

    @property
    def requests(self) -> list[Request]:
        """What was to be sent, in order."""
        return [effect.request for effect in self.effects if isinstance(effect, SendRequest)]

    def when(self, kind: type[Effect]) -> list[float]:
        """When the effects of this kind were asked for, in seconds after `T0`."""
        return [at for effect, at in zip(self.effects, self.asked_at, strict=True) if type(effect) is kind]

    def run(self, flow: base.Flow[Any, Any]) -> Any:
        """Drive `flow` to its end, and return its outcome."""
        effect: Effect = flow.receive(Started(*self.net.now()))
        while not isinstance(effect, Finished):
            assert len(self.effects) < 50_000, "this never ends"
            effect = flow.receive(self.perform(effect))
        assert not self.held, "the lock was not given back"
        return effect.outcome

    def perform(self, effect: SendRequest | Wait | StorageEffect) -> Event:
        """The answer to one effect."""
        self.effects.append(effect)
        self.asked_at.append(self.net.at - T0)
        if self.before is not None:
            self.before(self, effect)
        if isinstance(effect, Wait):
            assert not self.held or effect.why is Why.SAVING, "a wait with the lock"
            return self.net.perform(effect)
        if isinstance(effect, SendRequest):
            return self._send(effect)
        said = self.answers.get(type(effect))
        told = said.pop(0) if said else None
        answer = self._answer(effect) if told is None else told
        if isinstance(effect, Save):
            self._marked_over = None  # from now on the intent stays
        if isinstance(effect, Release):
            self.held = False
        if isinstance(answer, Locked):
            self.held = True
        return StoreAnswered(*self.net.now(), answer)

    def _send(self, effect: SendRequest) -> Event:
        assert self.held is self._reserved, "sent with the lock and no reservation, or the other way round"
        assert self.held or effect.write_by is None, "a last moment of nothing that was reserved"
        if self.refuse or (effect.write_by is not None and self.net.at >= effect.write_by):
            self.refuse = max(0, self.refuse - 1)
            return RequestFailed(self.net.at, Phase.NOT_SENT, Cause.TIMEOUT)
        self.sent.append(effect.request)
        return self.net.perform(effect)

    def _answer(self, effect: StorageEffect) -> StorageAnswer:
        match effect:
            case Load():
                return Loaded(self.here)
            case Lock():
                assert not self.held, "locked twice"
                return LockBusy(THEM) if self.net.at < self.busy_until else Locked(self.here)
            case Reserve():
                self._reserve(effect)
                return Reserved()
            case Save() | Delete():
                return self._change(effect)
            case Rescue():
                self.beside.append(effect.record)
                return Rescued()
            case Release():
                self._reserved = False
                if self._marked_over is not None:
                    self.here, self._marked_over = self._marked_over, None
                return Released()
            case Select():
                self.selected = True
                return Selected()
            case Find():
                assert not self.held, "turned to another login with the lock"
                self.turned_to = next((name for name in effect.names if name in self.former), None)
                return Found(self.turned_to, None if self.turned_to is None else self.here)
            case Register():
                return Registered()
            case _:
                assert_never(effect)

    def _reserve(self, effect: Reserve) -> None:
        assert self.held, "reserved without the lock"
        assert effect.record.intent is None, "the store marks whose intent it is"
        self._marked_over, self._reserved = self.here, True
        self.here = attrs.evolve(effect.record, intent=attrs.evolve(ME, at=self.net.wall))

    def _change(self, effect: Save | Delete) -> Saved | Deleted | Conflict:
        assert self.held, "changed without the lock"
        if (None if self.here is None else self.here.fingerprint) != effect.expected:
            self._marked_over = None  # what is there is not what was marked
            return Conflict(self.here)
        self._marked_over = None
        self.here = effect.record if isinstance(effect, Save) else None
        return Saved() if isinstance(effect, Save) else Deleted()


@contextmanager
def recorded_moves() -> Generator[list[tuple[Any, Any, Any]]]:
    """Every move that any flow makes meanwhile: trigger, source, destination."""
    moves: list[tuple[Any, Any, Any]] = []
    real = table.fire

    def fire(machine: Any, trigger: Any, flow: Any) -> None:
        source = flow.state
        real(machine, trigger, flow)
        moves.append((trigger, source, flow.state))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "fire", fire)
        yield moves


def error_of(outcome: Any) -> SignInError:
    """The error of a renewal that failed, whether or not the old token is usable."""
    error = outcome.error if isinstance(outcome, NotRenewed) else outcome
    assert isinstance(error, SignInError)
    return error


def failed(error: SignInError = WRITE_FAILED, *, rescued: bool = False) -> StoreFailed:
    """A storage that fails."""
    return StoreFailed(error, rescued)


def marked(record: Record, after: float = 0.0) -> Record:
    """What is stored of `record` while its refresh token is about to be spent, `after` seconds after `W0`."""
    return attrs.evolve(record, intent=attrs.evolve(ME, at=W0 + after))


def slots_of(flow: object) -> dict[str, Any]:
    """All that a flow holds; a flow that it drives is told by what that holds."""
    names = [name for cls in type(flow).__mro__ for name in getattr(cls, "__slots__", ())]
    values = {name: getattr(flow, name) for name in names if name != "__weakref__" and hasattr(flow, name)}
    driven = [name for name, value in values.items() if isinstance(value, base.Flow)]
    return {**values, **{name: slots_of(values[name]) for name in driven}}


LATER: Final = T0 + 0.025
MUCH_LATER: Final = T0 + 100


def told(answer: StorageAnswer, at: float = T0) -> StoreAnswered:
    return StoreAnswered(at, W0, answer)


EVENTS: Final[Mapping[str, Event]] = {
    "Started": Started(T0, W0),
    "Resumed": Resumed(T0, W0),
    "Cancelled": Cancelled(LATER),
    "TimeReached": TimeReached(LATER),
    "TimeReached much later": TimeReached(MUCH_LATER),
    "TimeReached too early": TimeReached(T0),
    "CallbackReceived": CallbackReceived(LATER, Secret("code=x&state=y")),
    "tokens": response(tokens(), T0),
    "no access token": response(tokens(access_token=...), T0),
    "another account": response(tokens(access_token=account_token("acct_other")), T0),
    "another account, no refresh token": response(
        tokens(access_token=account_token("acct_other"), refresh_token=...), T0
    ),
    "login over": response(code("refresh_token_expired", 401), T0),
    "refused": response(code("weird", 400), T0),
    "blocked": response(page(403), T0),
    "limited": response(as_json(429, {}), T0),
    "limited for long": response(as_json(429, {}, {"retry-after": "3600"}), T0),
    "503": response(as_json(503, {}), T0),
    "NOT_SENT": RequestFailed(T0, Phase.NOT_SENT, Cause.DNS),
    "MAYBE_SENT": RequestFailed(T0, Phase.MAYBE_SENT, Cause.RESET),
    "certificate": RequestFailed(T0, Phase.NOT_SENT, Cause.TLS_CERTIFICATE),
    "Loaded": told(Loaded(EXPIRED)),
    "Loaded current": told(Loaded(CURRENT)),
    "Loaded nothing": told(Loaded(None)),
    "Locked": told(Locked(EXPIRED)),
    "Locked, current": told(Locked(CURRENT)),
    "Locked, nothing": told(Locked(None)),
    "Locked, unreadable": told(Locked(None, READ_FAILED)),
    "LockBusy": told(LockBusy()),
    "LockBusy, with whose intent": told(LockBusy(THEM)),
    "Reserved": told(Reserved()),
    "Saved": told(Saved()),
    "Conflict": told(Conflict(CURRENT)),
    "Conflict with another sign-in": told(Conflict(ANOTHER)),
    "Conflict with nothing": told(Conflict(None)),
    "Rescued": told(Rescued()),
    "Deleted": told(Deleted()),
    "Released": told(Released()),
    "Selected": told(Selected()),
    "Registered": told(Registered()),
    "Found": told(Found(ACCOUNT, EXPIRED)),
    "Found, another's": told(Found(ACCOUNT, login(account_id="acct_other"))),
    "Found under no name that was asked for": told(Found("acct_other", EXPIRED)),
    "Found nothing": told(Found()),
    "Found a name without a record": told(Found(ACCOUNT)),
    "StoreFailed": told(failed()),
    "StoreFailed, rescued": told(failed(rescued=True)),
    "StoreFailed, lock lost": told(failed(LOCK_LOST)),
}
"""One of each kind of event and of answer that a flow about a stored login can tell apart."""
