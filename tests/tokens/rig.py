"""A stored login, its authority and a token source, in virtual time; and a backend that takes tokens.

Rules of this file: a renewal is the real one, in threads of its own; only the network and the clock are
made up. A gate holds the authority's answer back, so that a test says when a renewal is done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import attrs

from codex_oauth import MemoryStore, TokenSource, run
from codex_oauth.authority import Approve, Authority, Fault, Policy
from codex_oauth.testing import FakeWorld, Lost, Reply, answered_by
from codex_oauth_core import Credential, DeviceFlow, Record, Request

__all__ = [
    "LIFETIME",
    "PATIENCE",
    "Rig",
    "eventually",
    "put",
    "renewals",
    "rig",
    "signed_in",
    "when_sent",
]

LIFETIME = 864_000.0
PATIENCE = 60.0
"""Seconds of real time after which a test gives up."""


@attrs.define(eq=False)
class Rig:
    """One login, and what a test does to it. `gate` is open unless a test closes it."""

    authority: Authority
    store: MemoryStore
    world: FakeWorld
    gate: threading.Event
    before: int = 0
    """Requests that belong to the sign-in."""
    notes: list[str] = attrs.field(factory=list[str])

    def source(self, **options: Any) -> TokenSource:
        """A token source with the rig's clock and network."""
        usual: dict[str, Any] = {
            "make_world": lambda: self.world,
            "now": self.world.now,
            "jitter": 0.5,
            "on_note": self.notes.append,
        }
        return TokenSource(self.store, **{**usual, **options})

    @property
    def refreshes(self) -> int:
        """How many refreshes the authority has seen."""
        return len(self.authority.received("refresh"))

    @property
    def sent(self) -> bool:
        """Whether a refresh was sent, answered or not."""
        return len(self.world.requests) > self.before

    @property
    def stored(self) -> Record:
        """What is stored now."""
        account_id = self.store.current()
        assert account_id is not None
        record = self.store.slot(account_id).load()
        assert record is not None
        return record

    @property
    def stored_token(self) -> str:
        """The access token that is stored now."""
        return self.stored.credential.access_token.reveal()

    def pass_time(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.world._advance(self.world.at + seconds)

    def make_due(self, left: float) -> None:
        """Let time pass until the stored access token has `left` seconds to live."""
        expires_at = self.stored.credential.expires_at
        assert expires_at is not None
        self.pass_time(expires_at / 1000 - self.world.wall - left)


def rig(*faults: Fault) -> Rig:
    """Somebody has just signed in; `faults` befall what is asked of the authority."""
    authority = Authority(policy=Policy(approve=Approve.AUTO), faults=faults)
    gate = threading.Event()
    gate.set()
    serve = answered_by(authority)

    def respond(request: Request, at: float, wall: float) -> Reply | Lost:
        assert gate.wait(PATIENCE)
        return serve(request, at, wall)

    world = FakeWorld(respond)
    store = MemoryStore()
    put(store, signed_in(world))
    made = Rig(authority, store, world, gate, len(world.requests))
    made.pass_time(3600)  # it is no news any more
    return made


def signed_in(world: FakeWorld) -> Credential:
    """What a device sign-in grants."""
    credential = run(DeviceFlow(), world)
    assert isinstance(credential, Credential)
    return credential


def put(store: MemoryStore, credential: Credential) -> None:
    """Store a login in place of what was there, and make it the current one."""
    held = store.slot(credential.key).lock()
    assert held is not None
    with held:
        before = held.load()
        held.save(Record(credential), None if before is None else before.fingerprint)
    store.select(credential.key)


def renewals() -> list[threading.Thread]:
    """The threads that renew something now."""
    return [thread for thread in threading.enumerate() if thread.name == "codex-oauth-renewal"]


def when_sent(made: Rig, call: Callable[[], object]) -> threading.Thread:
    """A thread that calls once a refresh is out. It is started already."""

    def wait() -> None:
        eventually(lambda: made.sent)
        call()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so that another thread does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.002)
