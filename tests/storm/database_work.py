"""What a process does in the storm over a database: it asks for tokens, and writes down what it is about to do.

Rules of this file: a line is written before the step that it names could be cut short, with one `write` to a file
that outlives the process; it names tokens by their fingerprints. What is watched is the store in PostgreSQL itself.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs

from codex_oauth import HttpxWorld, StoringWorld, TokenSource, run
from codex_oauth.fleet import rows
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_lock import PostgresLockedLogin
from codex_oauth.fleet.postgres_store import PostgresSlot, PostgresStore
from codex_oauth.sealing import Keys
from codex_oauth.stores.store import Conflict, Saved, SaveFailed
from codex_oauth_core import CODEX, NotRenewed, Record, Renewal, RenewalPolicy, Secret, SignInError
from codex_oauth_core.flows.storing import StoringFlow
from codex_oauth_core.providers import provider_of
from codex_oauth_core.renewal_times import INTENT_LIFE
from tests.storm.nursery import Link

__all__ = ["AFTER_RESERVE", "POINTS", "Orders", "ask_on", "renew_all"]

AFTER_RESERVE: Final = "after reserve"
POINTS: Final = ("before reserve", AFTER_RESERVE, "after send", "before save", "after save")
"""Where a process may end or stop itself."""

_SPACING: Final = 0.01


@attrs.frozen
class Orders:
    """What a process is to do: `act` (kill or stop) at `point` of its renewal number `turn`.

    `log`: the file that it writes to. `answers_in`: seconds that the authority takes. `patience`: seconds that it
    waits for another's lock. `sends_anyway`: it looks at no clock before it sends. `ignores_intents`: to it
    a login is another's as long as a lease lasts, whatever is under way.
    """

    dsn: str
    key: bytes
    owners: tuple[str, ...]
    log: Path
    seed: int
    answers_in: float = 0.0
    patience: float | None = None
    act: str = ""
    point: str = ""
    turn: int = 1
    keeps_sources: bool = False
    sends_anyway: bool = False
    ignores_intents: bool = False


@attrs.define
class Watch:
    """Writes down what happens, and acts at the point that was ordered."""

    link: Link
    orders: Orders
    fd: int = attrs.field(init=False)
    _reservations: int = 0

    def __attrs_post_init__(self) -> None:
        self.fd = os.open(self.orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, what: str, owner: str, mark: str | None = None, **more: Any) -> None:
        """One line."""
        line = {
            "at": time.monotonic(),
            "pid": os.getpid(),
            "what": what,
            "owner": owner,
            "mark": mark,
            **more,
        }
        os.write(self.fd, json.dumps(line).encode() + b"\n")

    def reach(self, point: str) -> None:
        """Be at a point."""
        self._reservations += point == POINTS[0]
        orders = self.orders
        if orders.point != point or self._reservations != orders.turn:
            return
        if orders.act == "stop":
            self.link.send(("word", "stopping"))
            os.kill(os.getpid(), signal.SIGSTOP)
        elif point == "after send":
            threading.Timer(orders.answers_in / 2, os.kill, (os.getpid(), signal.SIGKILL)).start()
        else:
            os.kill(os.getpid(), signal.SIGKILL)


_WATCH: list[Watch] = []
"""This process's, once it is at work."""


class WatchedLogin(PostgresLockedLogin):
    """The lock of a login, watched."""

    __slots__ = ()

    def _told(self, what: str, **more: Any) -> None:
        _WATCH[0].note(what, self._row.owner, self._expected, **more)

    def reserve(self, record: Record) -> None:
        _WATCH[0].reach("before reserve")
        super().reserve(record)
        self._told("reserved")
        _WATCH[0].reach(AFTER_RESERVE)

    def sending(self) -> bool:
        may = super().sending() or (_WATCH[0].orders.sends_anyway and self._expected is not None)
        self._told("looked" if may else "late")
        if may:
            _WATCH[0].reach("after send")
        return may

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        whose, watch = self._row.owner, _WATCH[0]
        watch.note(
            "saving", whose, expected, over=bool(record.dead_code), lost=record.uncertain_at is not None
        )
        watch.reach("before save")
        try:
            answer = super().save(record, expected, replace_corrupt=replace_corrupt)
        except SaveFailed as failed:
            watch.note("unsaved", whose, expected, why=failed.error.details.get("reason"))
            raise
        watch.note("saved" if isinstance(answer, Saved) else "conflict", whose, expected)
        watch.reach("after save")
        return answer


class WatchedSlot(PostgresSlot):
    """A login, whose lock is watched."""

    __slots__ = ()

    def lock(self) -> PostgresLockedLogin | None:
        held = super().lock()
        if held is not None:
            held.__class__ = WatchedLogin
        return held


class WatchedStore(PostgresStore):
    """A store, whose locks are watched."""

    __slots__ = ()

    def slot(self, key: str) -> PostgresSlot:
        slot = super().slot(key)
        slot.__class__ = WatchedSlot
        return slot


def _stores(link: Link, orders: Orders) -> Callable[[str], WatchedStore]:
    _WATCH.append(Watch(link, orders))
    if orders.ignores_intents:
        _believe_in_the_lease_alone(rows)
    if orders.sends_anyway:
        StoringFlow._write_by = lambda self: None  # type: ignore[method-assign]
    database, keys = Database(orders.dsn), Keys(Secret(orders.key))
    return lambda owner: WatchedStore(database, keys=keys, owner=owner)


def _believe_in_the_lease_alone(statements: Any) -> None:
    lease = f"'{statements.LEASE} s'"
    statements.LOCK = statements.LOCK.replace(f"AND NOT {statements._PENDING}", "")
    statements.RESERVE = statements.RESERVE.replace(f"'{INTENT_LIFE} s'", lease)
    assert "intent_owner <>" not in statements.LOCK
    assert lease in statements.RESERVE


def ask_on(link: Link, orders: Orders) -> int:
    """Ask for the token of one owner after the other until a word comes; how often."""
    store_of, draw, asked = _stores(link, orders), random.Random(orders.seed), 0
    policy = RenewalPolicy(spacing=_SPACING)
    if orders.patience is not None:
        policy = attrs.evolve(policy, expired_lock_limit=orders.patience)
    link.send(("word", "ready"))
    link.recv()
    kept: dict[str, TokenSource] = {}
    while not link.poll():
        owner = draw.choice(orders.owners)
        source = kept.pop(owner, None) or TokenSource(
            store_of(owner), policy=policy, on_note=lambda note: None
        )
        _ask(source, owner)
        asked += 1
        if orders.keeps_sources:
            kept[owner] = source
        else:
            source.close()
        time.sleep(draw.uniform(0.0, 0.02))
    for source in kept.values():
        source.close()
    return asked


def _ask(source: TokenSource, owner: str) -> None:
    watch, began, wall = _WATCH[0], time.monotonic(), time.time()
    watch.note("ask", owner)
    try:
        credential = source.credential()
    except SignInError as error:
        why: dict[str, Any] = {"kind": error.kind.value, "reason": error.details.get("reason")}
        watch.note("told", owner, took=time.monotonic() - began, **why)
        return
    left = None if credential.expires_at is None else credential.expires_at / 1000 - wall
    watch.note("served", owner, took=time.monotonic() - began, left=left)


def renew_all(link: Link, orders: Orders, key: str) -> dict[str, str]:
    """Renew the login `key` of each owner once more, though it is not due: how that ends, by owner."""
    store_of, ends = _stores(link, orders), dict[str, str]()
    for owner in orders.owners:
        store = store_of(owner)
        record = store.slot(key).load()
        assert record is not None
        provider, policy = provider_of(record.credential) or CODEX, RenewalPolicy(spacing=_SPACING)
        flow = Renewal(provider=provider, policy=policy, forced=True)
        with HttpxWorld() as web, StoringWorld(web, store, key) as world:
            outcome = run(flow, world)
        error = outcome.error if isinstance(outcome, NotRenewed) else outcome  # its last token may live yet
        ends[owner] = error.kind.value if isinstance(error, SignInError) else type(outcome).__name__
    return ends
