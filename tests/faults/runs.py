"""Renewals over real HTTP, against servers that count what they get; and what became of the login.

Rules of this file: requests go over loopback in real time, waits are skipped; a server counts the refresh
token where it reads bytes, so that a second copy is seen however the request was cut; every run is held
against what must be true of all of them.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum, unique
from typing import Any, Final, cast

import attrs

from codex_oauth import FileStore, Store, StoringWorld, run
from codex_oauth_core import (
    CODEX,
    Adopted,
    Credential,
    NotRenewed,
    Record,
    Renewal,
    RenewalPolicy,
    Renewed,
    Secret,
    SignInError,
    Wait,
)
from codex_oauth_core.reading.times import rfc3339
from tests.adapters import virtual_time
from tests.support import account_token
from tests.transport.servers import Script, Server, answering, over_tls

__all__ = [
    "ACCOUNT",
    "NEW",
    "OLD",
    "Fate",
    "Peer",
    "Ran",
    "SkippingClock",
    "answer",
    "granting",
    "in_turn",
    "login",
    "place_at",
    "put",
    "renew",
]

ACCOUNT: Final = "acct_fake"
OLD: Final = "rt-canary-old-0123456789"
NEW: Final = "rt-canary-new-9876543210"
SECRETS: Final = (
    *(OLD, NEW, account_token(), account_token(marker="new"), account_token(marker="id")),
    *("canary", "<html"),
)
"""What no outcome may repeat: tokens, and the prose of a server."""


class SkippingClock(virtual_time.SkippingClock):
    """A clock that can be set forward, or wrong. While a wait is skipped, `meanwhile` is called."""

    wrong = 0.0
    """Seconds by which the calendar is ahead of everybody else's."""
    meanwhile: Callable[[], None] | None = None

    def wall(self) -> float:
        """Unix time, as this machine sees it."""
        return self.right() + self.wrong

    def right(self) -> float:
        """Unix time, as everybody else sees it."""
        return super().wall()

    def skip(self, wait: Wait) -> None:
        if self.meanwhile is not None:
            self.meanwhile()
        super().skip(wait)

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._skipped += seconds


Outcome = Renewed | Adopted | NotRenewed | SignInError


@unique
class Fate(StrEnum):
    """What became of the stored login."""

    INTACT = "intact"
    UNCERTAIN = "uncertain"
    DEAD = "dead"
    SPENT = "spent"
    RENEWED = "renewed"


class Peer(Server):
    """A server that counts how often the refresh token `OLD` reached it; with `tls`, it is `https`.

    `heard_it` is called when the token has come.
    """

    def __init__(
        self,
        script: Script,
        tls: ssl.SSLContext | None = None,
        heard_it: Callable[[], None] = lambda: None,
    ) -> None:
        self._heard: list[bytearray] = []

        def tapped(sock: socket.socket) -> None:
            heard = bytearray()
            self._heard.append(heard)
            script(cast("socket.socket", _Tap(sock, heard, heard_it)))

        super().__init__(tapped if tls is None else over_tls(tapped, tls))
        self.issuer = f"http{'' if tls is None else 's'}://127.0.0.1:{self.port}"

    @property
    def sent(self) -> int:
        """How many copies of the refresh token were read."""
        return self.count(OLD)

    def count(self, text: str) -> int:
        """How often a text was read."""
        return sum(heard.count(text.encode()) for heard in self._heard)


class _Tap:
    """A socket that notes what is received."""

    def __init__(self, sock: socket.socket, heard: bytearray, heard_it: Callable[[], None]) -> None:
        self._sock = sock
        self._heard = heard
        self._heard_it = heard_it

    def recv(self, size: int) -> bytes:
        data = self._sock.recv(size)
        before = OLD.encode() in self._heard
        self._heard.extend(data)
        if not before and OLD.encode() in self._heard:
            self._heard_it()
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def in_turn(*scripts: Script) -> Script:
    """Each connection meets the next of these."""
    left = iter(scripts)

    def script(sock: socket.socket) -> None:
        next(left)(sock)

    return script


def answer(status: int, body: bytes | dict[str, Any] = b"", **headers: str) -> Script:
    """A whole answer, in JSON unless `body` is bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
    fields = {**kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [
        f"HTTP/1.1 {status} X",
        f"Content-Length: {len(data)}",
        *(f"{k}: {v}" for k, v in fields.items()),
    ]
    return answering("\r\n".join([*lines, "", ""]).encode() + data)


def granting(*leave_out: str, headers: Mapping[str, str] | None = None, **fields: Any) -> Script:
    """A whole answer with new tokens; some members left out, or changed."""
    body = {
        "access_token": account_token(marker="new"),
        "refresh_token": NEW,
        "expires_in": 864_000,
        "token_type": "Bearer",
        **fields,
    }
    return answer(
        200, {name: value for name, value in body.items() if name not in leave_out}, **headers or {}
    )


def login(issuer: str, wall: float, left: float) -> Record:
    """A login nine days old, whose access token has `left` seconds to live (fewer than 0: it is over)."""
    credential = Credential(
        access_token=Secret(account_token()),
        refresh_token=Secret(OLD),
        account_id=ACCOUNT,
        issuer=issuer,
        client_id=CODEX.client_id,
        obtained_at=rfc3339(wall - 9 * 86_400),
        id_token=Secret(account_token(marker="id")),
        expires_at=round((wall + left) * 1000),
    )
    return Record(credential, generation=3)


@attrs.frozen
class Ran:
    """One renewal: how it ended, what was stored before and after, and the waits in between."""

    outcome: Outcome
    before: Record
    after: Record
    waits: list[tuple[float, str]]

    @property
    def error(self) -> SignInError:
        """What went wrong, whether or not the old access token is still usable."""
        error = self.outcome.error if isinstance(self.outcome, NotRenewed) else self.outcome
        assert isinstance(error, SignInError), self.outcome
        return error

    @property
    def fate(self) -> Fate:
        """What became of the login: exactly one thing."""
        before, after = self.before, self.after
        changes: dict[Fate, dict[str, Any]] = {
            Fate.INTACT: {},
            Fate.UNCERTAIN: {"uncertain_at": after.uncertain_at},
            Fate.DEAD: {"dead_code": after.dead_code},
            Fate.SPENT: {"spent": True, "uncertain_at": None},
        }
        for fate, change in changes.items():
            if after == attrs.evolve(before, **change):
                return fate
        assert (after.generation, after.parent) == (before.generation + 1, before.fingerprint)
        return Fate.SPENT if after.spent else Fate.RENEWED

    @property
    def waited(self) -> float:
        """Seconds of waiting that were skipped."""
        return sum(seconds for seconds, _ in self.waits)


def renew(
    issuer: str,
    store: Store,
    *,
    usable: bool,
    clock: SkippingClock | None = None,
    timeout: float = 60.0,
    **asked: Any,
) -> Ran:
    """Store a login that is due, renew it once, and see what came of it.

    `usable`: its access token has 100 s to live. `timeout`: seconds for one request. A login that is stored
    already is taken as it is.
    """
    clock = clock or SkippingClock()
    place = place_at(issuer)
    slot = store.slot(place)
    before = slot.load()
    if before is None:
        before = put(store, login(issuer, clock.wall(), 100.0 if usable else -1.0))
    flow = Renewal(provider=CODEX.at(issuer), policy=RenewalPolicy(request_timeout=timeout), **asked)
    already = len(clock.waited)
    clock.meanwhile = lambda: _check_that_the_lock_is_free(store, place)  # every wait is without the lock
    with virtual_time.skipping_world(clock) as web, StoringWorld(web, store, place) as world:
        outcome = run(flow, world)
    after = slot.load()
    assert after is not None
    ran = Ran(outcome, before, after, clock.waited[already:])
    _check_what_is_always_true(ran, store, place)
    return ran


def place_at(issuer: str) -> str:
    """The name under which the login of that issuer is kept."""
    return login(issuer, 0.0, 0.0).credential.key


def put(store: Store, record: Record) -> Record:
    """Store a login, whatever is stored; and what can be read of it then."""
    held = store.slot(record.credential.key).lock()
    assert held is not None
    with held:
        stored = held.load()
        held.save(record, None if stored is None else stored.fingerprint)
    return record


def _check_what_is_always_true(ran: Ran, store: Store, place: str) -> None:
    """The lock is free, no intent is left, no secret is told, and a usable token is never withheld."""
    _check_that_the_lock_is_free(store, place)
    assert ran.after.intent is None
    if isinstance(store, FileStore):
        _check_that_nothing_else_is_left(store, place)
    told = " ".join(_told(ran.outcome))
    assert [secret for secret in SECRETS if secret in told] == []


def _check_that_the_lock_is_free(store: Store, place: str) -> None:
    held = store.slot(place).lock()
    assert held is not None
    held.release()


def _check_that_nothing_else_is_left(store: FileStore, place: str) -> None:
    """A login and its lock, private both; tokens of another account are kept beside on purpose."""
    mine = [path for path in (store.home / "logins").iterdir() if "acct_other" not in path.name]
    assert {path.name for path in mine} == {f"{place}.json", f"{place}.lock"}
    assert {path.stat().st_mode & 0o077 for path in mine} <= {0}


def _told(outcome: Outcome) -> Iterator[str]:
    """Every text form of an outcome and of its errors."""
    yield f"{outcome} {outcome!r}"
    for error in (outcome, getattr(outcome, "error", None), getattr(outcome, "unsaved", None)):
        if isinstance(error, SignInError):
            yield f"{error} {error!r} {json.dumps(error.to_dict())} {error.args}"
