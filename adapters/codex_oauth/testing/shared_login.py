"""One login that several hosts share: its token server, all that befalls it, and what must hold in the end.

Rules of this file: the token server has real rules, and ends a login whose refresh token comes twice; what is
judged is what it saw, and what is stored; whoever must tell what is wrong tells all steps that led there.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Self

import attrs

from codex_oauth.authority import Account, Approve, Authority, Policy
from codex_oauth.clock import now
from codex_oauth.stores.store import Store
from codex_oauth.testing.answering import answered_by
from codex_oauth.testing.checking import locked, same, true
from codex_oauth.testing.fake_world import FakeWorld, Lost, Reply
from codex_oauth.testing.hosts import Guise, Host, RenewalStep, opened
from codex_oauth.worlds.world import run
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Request
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.record import Record
from codex_oauth_core.renewal_times import INTENT_LIFE
from codex_oauth_core.secret import Secret

__all__ = ["LIFETIME", "SharedLogin", "StoreFaults"]

LIFETIME: Final = 10 * 86_400.0
"""Seconds that an access token lives."""


@attrs.frozen(kw_only=True)
class StoreFaults:
    """The faults that the author of a store can cause in its database. A fault that it cannot have is None.

    `advance(seconds)`: make all that the store notes about holders and intents older by `seconds` of the
    store's own clock, as if that time had passed. The stored login stays as it is. It must not wait for a
    lock that a holder has. `restart()`: the server stops, and runs again when this returns. `end_backends()`:
    the server ends all its connections, and goes on. `cut_connections()`: the network cuts all connections;
    the server may not have noticed yet. `lose_next_answer()`: the next statement that reaches the server is
    carried out, COMMIT included, and its connection is cut before the answer. `standby()`: during the `with`
    block, the server that answers accepts no writes.
    """

    advance: Callable[[float], None]
    restart: Callable[[], None] | None = None
    end_backends: Callable[[], None] | None = None
    cut_connections: Callable[[], None] | None = None
    lose_next_answer: Callable[[], None] | None = None
    standby: Callable[[], AbstractContextManager[None]] | None = None


class SharedLogin:
    """One login that must be renewed, and all that happens to it. Use it in a `with` block."""

    def __init__(self, make: Callable[[], Store], faults: StoreFaults, age: float) -> None:
        self.faults = faults
        self._make = make
        self._hosts: list[Host] = []
        self._lines: list[str] = []
        account = Account(account_id=str(uuid.uuid4()))
        self._authority = Authority(
            policy=Policy(approve=Approve.AUTO, account=account, access_lifetime=int(LIFETIME))
        )
        self._server = answered_by(self._authority)
        self._newest = ""  # the fingerprint of the refresh token that was issued last
        credential = self._signed_in(age)
        self._key = credential.key
        with opened(make) as store, locked(store.slot(self._key)) as held:
            same(type(held.save(Record(credential), None)).__name__, "Saved", "the answer to the first save")

    def _signed_in(self, age: float) -> Credential:
        """What a person got who signed in `age` seconds ago."""
        outcome = run(DeviceFlow(), FakeWorld(self._server, wall=time.time() - age))
        assert isinstance(outcome, Credential)
        self._newest = Record(outcome).fingerprint
        return outcome

    def host(self, guise: Guise | None = None) -> Host:
        """One more host, before its first step."""
        number = len(self._hosts) + 1
        host = Host(
            self._make, self._key, self._respond, lambda what: self.log(f"host {number} {what}"), guise
        )
        self._hosts.append(host)
        return host

    def host_before(self, step: RenewalStep, guise: Guise | None = None) -> Host:
        """One more host, that stands before a step."""
        host = self.host(guise)
        if host.step is not step:
            host.go(step)
        true(host.step is step, f"a host that nothing befell must come to its {step.value}{self._told()}")
        return host

    def log(self, what: str) -> None:
        """Note what happens."""
        self._lines.append(what)

    def advance(self, seconds: float) -> None:
        """Set the store's clock forward."""
        self.faults.advance(seconds)
        self.log(f"{seconds:g} s pass")

    def visit(self) -> None:
        """Somebody takes the lock, which must be free, and gives it back, and nothing else."""
        with opened(self._make) as store:
            locked(store.slot(self._key)).release()
        self.log("somebody takes the lock, and gives it back")

    def end(self) -> None:
        """Everybody goes on to the end; then comes one more, who must find a good login."""
        for host in self._hosts:
            host.go()
        if any(host.end is None for host in self._hosts):
            self.advance(INTENT_LIFE + 1)
        for host in self._hosts:
            host.go()
            true(host.end is not None, f"a lock must be free again after {INTENT_LIFE:g} s{self._told()}")

    def judge(self, *, answer_lost: bool = False) -> None:
        """What must hold at the end. `answer_lost`: it may be that nobody has what the server issued last."""
        sent = Counter(
            token.fingerprint()
            for received in self._authority.received("refresh")
            if isinstance(token := received.fields.get("refresh_token"), Secret)
        )
        times = max(sent.values(), default=0)
        true(times <= 1, f"a refresh token was sent {times} times, which ends the login{self._told()}")
        same(sum(sent.values()), 1, f"the requests that reached the token server{self._told()}")
        for host in self._hosts:
            end = host.end
            assert end is not None
            true(
                not end.raised, f"no exception may leave a store but SignInError and SaveFailed{self._told()}"
            )
            true(not end.login_over, f"no host may be told that nobody is signed in{self._told()}")
        with opened(self._make) as store:
            stored = store.slot(self._key).load()
        true(stored is not None, f"the login must still be stored{self._told()}")
        if stored is not None and not answer_lost:
            is_newest = stored.fingerprint == self._newest
            true(is_newest, f"what is stored must be what the server issued last{self._told()}")
        if stored is not None and answer_lost and stored.fingerprint != self._newest:
            true(stored.in_doubt, f"that the refresh token may be spent must stay noted{self._told()}")
        last = self._hosts[-1].end
        true(
            last is not None and last.served, f"who comes last must get a token that is usable{self._told()}"
        )

    def _respond(self, request: Request) -> Reply | Lost:
        at, wall = now()
        reply = self._server(request, at, wall)
        if isinstance(reply, Reply) and reply.status == 200:
            self._newest = Secret(str(json.loads(reply.body)["refresh_token"])).fingerprint()
        return reply

    def _told(self) -> str:
        return "".join(f"\n  {line}" for line in ("", *self._lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for host in self._hosts:
            host.close()
