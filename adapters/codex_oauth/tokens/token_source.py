"""A token that is always good: from memory while it is fresh, else renewed once for all who ask.

Rules of this file: a fresh token costs a look at the clock; one renewal at a time, on a thread of its own,
which no caller can cut; callers wait for it, or go on with the old token where that is good enough. What is
remembered is judged in `memory`, and a renewal is done in `renewing`. A forked child begins anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, Final, Self, TypeVar

import attrs

from codex_oauth.clock import Clock, now, wall_of
from codex_oauth.loading import loading
from codex_oauth.stores.store import Store
from codex_oauth.tokens.forks import begin_again_in_children
from codex_oauth.tokens.hosts import Hosts, shared_hosts
from codex_oauth.tokens.memory import Memory, Step
from codex_oauth.tokens.notes import Notes, print_note
from codex_oauth.tokens.renewing import Landing, Renewer
from codex_oauth.worlds.lazy_world import LazyWorld, UsualWorld
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Wait, plain
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.renewal_policy import RenewalPolicy
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import KNOWN
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth.tokens.flight import Job
    from codex_oauth.worlds.world import World

__all__ = ["TokenSource"]


T = TypeVar("T")
_FOR_A_RENEWAL: Final = (
    "codex_oauth.tokens.flight",
    "codex_oauth.worlds.storing",
    "codex_oauth_core.flows.renewal",
    "filelock",
)
_USUAL_POLICY: Final = RenewalPolicy()


class TokenSource:
    """The access token of a stored login, renewed whenever that is due. For any number of threads, tasks
    and event loops at once; `token` fits `OpenAI(api_key=...)`, and `atoken` fits `AsyncOpenAI`. Use it in a
    `with` or `async with` block, or call `close()` or `aclose()` at the end.

    `store`: the store that holds the login. `account`: which login, by an e-mail address, an account id, a
    user id, or the beginning of a key; by default the store's current one. The source stays with the login
    that it found first. `account_id` is the former name of `account`, and takes whole names only.

    `provider`: by default the login's own, one of `providers` or of those that codex-oauth knows. A login is
    renewed at the server that granted it, whatever `CODEX_OAUTH_ISSUER` says. `hosts`: the hosts that may get
    the token, each `HOST` or `HOST:PORT`; by default the hosts of the login's provider. See `HostNotAllowed`.

    `policy` says when a login is renewed. `make_world` makes the world of one renewal, by default an
    `HttpxWorld`; its clock is `now`. `jitter`, from 0 to 1, spreads the renewals of several processes; by
    default it is drawn at random. On a renewal's thread `on_note` gets one line about a login that works and
    needs attention, by default as a `CodexOAuthWarning`, and `on_wait` every `Wait`.

    Raises ValueError for an empty `account` and for an invalid host. Every method but `close` and `stop`
    raises SignInError if no login is usable: `login_required` (sign in again), `plan_use_off` (the person has
    not allowed requests; none is sent), `network` and its like (the token has expired, and no renewal
    succeeded), `auth_read_failed`, `corrupt_auth`. A signal handler may ask for a token after a renewal has
    loaded all modules.
    """

    def __init__(
        self,
        store: Store,
        *,
        account: str | None = None,
        account_id: str | None = None,
        provider: Provider | None = None,
        providers: Iterable[Provider] = (),
        policy: RenewalPolicy = _USUAL_POLICY,
        hosts: Iterable[str] | None = None,
        make_world: Callable[[], World] | None = None,
        now: Clock = now,
        jitter: float | None = None,
        on_note: Callable[[str], None] | None = None,
        on_wait: Callable[[Wait], None] | None = None,
    ) -> None:
        whose = account if account_id is None else account_id
        if whose == "" or None not in (account, account_id):
            raise ValueError("account: one name that is not empty")
        self._renewer = Renewer(
            store=store,
            account=whose,
            provider=provider,
            policy=policy,
            now=now,
            providers=tuple(providers),
            whole_name=account_id is not None,
        )
        by_provider = (provider,) if provider is not None else (*self._renewer.providers, *KNOWN)
        self._hosts = (
            Hosts(hosts) if hosts is not None else shared_hosts(*(each.hosts for each in by_provider))
        )
        self._hosts_differ = hosts is None and len(by_provider) > 1
        self._hosts_of: dict[tuple[str, str], Hosts] = {}
        self._make_world = make_world or UsualWorld(now)
        self._now = now
        self._on_wait = on_wait
        self._wall = wall_of(now)
        self._jitter = jitter
        self._notes = Notes(on_note or print_note)
        self._closed = False
        self._seen: tuple[Credential, tuple[tuple[str, str], ...]] | None = None
        self._memory = Memory(
            policy=policy,
            jitter=_drawn() if jitter is None else jitter,
            is_off=lambda record: self._renewer.why_off(record) is not None,
        )
        self.begin()
        begin_again_in_children(self)

    def begin(self) -> None:
        """Forget a renewal that is under way: for a forked child, which does not have its thread."""
        self._lock = RLock()  # reentrant: a signal handler may ask for a token
        self._flight: Job[Landing] | None = None
        self._landings: list[tuple[Landing, float]] = []  # an empty deque has 700 bytes
        self._looking = RLock()  # reentrant as well
        self._looked = self._memory.record is not None
        self._look_aside: Job[Landing | None] | None = None
        if self._jitter is None:
            self._memory.jitter = _drawn()

    # -- what callers want ------------------------------------------------------------------------------

    def token(self) -> str:
        """An access token to use now. Nothing checks where you send it: give it to clients of the login's
        provider alone, or use `headers()`, `TokenAuth` or `openai_client()`, which check the host.

        After a 401 ask `rejected(token)`. Blocks while a renewal is under way and no token is usable.
        """
        fresh, wall = self._memory.fresh, self._wall
        if fresh is not None and fresh.since <= (at := wall()) and at < fresh.until:  # _fresh(), unrolled
            return fresh.token.reveal()
        return self._record().credential.access_token.reveal()

    async def atoken(self) -> str:
        """`token()` for asyncio and trio."""
        if (fresh := self._fresh()) is not None:
            return fresh.credential.access_token.reveal()
        return (await self._arecord()).credential.access_token.reveal()

    def credential(self, *, rejected: Secret[str] | None = None) -> Credential:
        """The login to use now: its account, its expiry, its tokens. `rejected` is an access token that a
        server refused with 401 (RFC 6750 §3.1): another one is renewed, at most once a minute.
        """
        if rejected is None and (fresh := self._fresh()) is not None:
            return fresh.credential
        return self._record(rejected).credential

    async def acredential(self, *, rejected: Secret[str] | None = None) -> Credential:
        """`credential()` for asyncio and trio."""
        return (await self._arecord(rejected)).credential

    def rejected(self, token: str) -> str:
        """The access token to use instead of `token`, which a server refused with 401 (RFC 6750 §3.1). The
        same token comes back if there is no other: a refusal begins at most one renewal a minute.
        """
        secret = Secret(token)
        del token  # not in the frame of an error
        return self._record(secret).credential.access_token.reveal()

    async def arejected(self, token: str) -> str:
        """`rejected()` for asyncio and trio."""
        secret = Secret(token)
        del token  # not in the frame of an error
        return (await self._arecord(secret)).credential.access_token.reveal()

    def headers(self, url: str) -> dict[str, str]:
        """The headers for a request to `url`: the token (RFC 6750 §2.1), and the other headers that the API
        of the login's provider needs. Raises HostNotAllowed, a ValueError, for a URL that must not have the
        token.
        """
        self.check(url)
        credential = self._record().credential
        self.check(url, credential)
        return self.headers_of(credential)

    async def aheaders(self, url: str) -> dict[str, str]:
        """`headers()` for asyncio and trio."""
        self.check(url)
        credential = (await self._arecord()).credential
        self.check(url, credential)
        return self.headers_of(credential)

    def check(self, url: str, credential: Credential | None = None) -> None:
        """Raise HostNotAllowed unless the token may be sent to `url`. Give `credential` if it is known: each
        provider has its own hosts.
        """
        if credential is None or not self._hosts_differ:
            self._hosts.check(url)
            return
        bound = credential.issuer, credential.client_id
        if (allowed := self._hosts_of.get(bound)) is None:
            hosts = self._renewer.provider_for(Record(credential)).hosts
            allowed = self._hosts_of[bound] = shared_hosts(hosts)
        allowed.check(url)

    def headers_of(self, credential: Credential) -> dict[str, str]:
        """The headers that carry a login of this source."""
        seen = self._seen
        if seen is None or seen[0] is not credential:  # a token is decoded once, and not at every request
            seen = None  # if a dialect fails, its traceback shows no header of before
            provider = self._renewer.provider_for(Record(credential))
            seen = self._seen = (credential, plain(provider.dialect.headers(provider, credential)))
        return dict(seen[1])

    def provider(self) -> Provider:
        """The provider of the login; this renews nothing. Its `model_api` says which API gives model
        answers.
        """
        return self._renewer.whose(self._memory.record)

    @property
    def is_idle(self) -> bool:
        """Whether no renewal is under way and every token is stored. Such a source can be dropped without
        loss.
        """
        with self._lock:
            self._settle()
            return self._under_way is None and self._memory.unsaved is None

    def stop(self) -> None:
        """Begin no new renewal, and tell the current one to end, without waiting for it."""
        self._end()

    def close(self) -> None:
        """Begin no new renewal, and end the current one: at once if it waits, or after it is stored if its
        request was sent (at most about 80 s). A token that could not be stored is tried once more. The source
        still gives out a token that is fresh.
        """
        if flight := self._end():
            with suppress(Exception):  # those who asked are told
                flight.wait(until_over=True)

    async def aclose(self) -> None:
        """`close()` for asyncio and trio."""
        if flight := self._end():
            with suppress(Exception):  # those who asked are told
                await flight.wait_async(until_over=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    # -- how they get it --------------------------------------------------------------------------------

    def _record(self, rejected: Secret[str] | None = None) -> Record:
        found = self._fresh() if rejected is None else None
        if not self._looked:
            self._look()
        while found is None:
            step = self._next(rejected)
            found = step if isinstance(step, Record) else self._landed(step.wait(), rejected)
        return found

    async def _arecord(self, rejected: Secret[str] | None = None) -> Record:
        found = self._fresh() if rejected is None else None
        if not self._looked and (landing := await self._looked_aside().wait_async()) is not None:
            found = found or self._landed(landing, rejected)
        while found is None:
            step = self._next(rejected)
            found = step if isinstance(step, Record) else self._landed(await step.wait_async(), rejected)
        return found

    def _look(self) -> None:
        """See once for all who ask whether what is stored is good as it is: then no renewal is loaded."""
        with self._looking:
            if not self._looked:
                found = self._renewer.look(self._memory.jitter)
                if isinstance(found, tuple):
                    self._memory.see(found, self._now()[0])
                else:
                    self._hand_in(found)
                self._looked = True

    def _looked_aside(self) -> Job[Landing | None]:
        """The same on a thread, which waits for a renewal that is due: tasks wake once for both (P11)."""
        if (flight := self._look_aside) is not None and not flight.landed:
            return flight
        with loading("codex_oauth.tokens.flight"):
            from codex_oauth.tokens.flight import Job

        with self._lock:
            flight = self._look_aside
            if flight is not None and not flight.landed:
                return flight

            def work() -> Landing | None:
                self._look()
                landing = None
                with suppress(SignInError):  # those who asked are told when they ask again
                    step = self._next(None) if job.on_thread else None
                    landing = step.wait() if isinstance(step, Job) else None
                self._look_aside = None  # nobody looks again
                return landing

            job = Job(work, after=_nothing, cancel=lambda: None)
            if job.start():
                self._look_aside = job
                return job
        job.run()
        return job

    def _fresh(self) -> Record | None:
        """The record in memory, if it was found current a moment ago."""
        fresh = self._memory.fresh
        if fresh is None or not fresh.since <= self._wall() < fresh.until:
            return None
        return fresh.record

    def _next(self, rejected: Secret[str] | None) -> Record | Job[Landing]:
        """What to use, or the renewal to wait for."""
        if self._memory.record is None and (flight := self._flight) is not None and not flight.landed:
            return flight  # thousands may ask while there is nothing yet: they keep nobody from renewing
        with self._lock:
            self._settle()
            step, record = self._memory.step(rejected, *self._now()), self._memory.record
            usable = None if step is Step.RENEW else record
            flight = self._under_way
            if usable is not None and (step is Step.USE or flight is not None or self._closed):
                return usable
            if flight is not None and flight.landed and (off := self._renewer.why_off(record)) is not None:
                raise off
            if flight is not None and flight.landed:  # its result cannot be stored: nothing else is begun
                raise attrs.evolve(self._memory.unsaved or SignInError.of(ErrorKind.AUTH_WRITE_FAILED))
            if flight is not None:
                return flight
            if self._closed:
                raise SignInError.of(ErrorKind.CANCELLED, "The token source is closed.")
            flight = self._prepared(rejected)
            if flight.start():
                # only now: an interrupt before this leaves nothing that others would wait for
                self._flight = flight
                return usable or flight
        flight.run()  # without threads everybody renews for himself; the store lets one do it
        return flight

    @property
    def _under_way(self) -> Job[Landing] | None:
        flight = self._flight
        return None if flight is None or flight.over else flight

    def _prepared(self, rejected: Secret[str] | None) -> Job[Landing]:
        with loading(*_FOR_A_RENEWAL):
            for name in _FOR_A_RENEWAL:
                import_module(name)
            if isinstance(self._make_world, UsualWorld):
                self._make_world.load()
            from codex_oauth.tokens.flight import Job

        memory, (at, _) = self._memory, self._now()
        refused, seen = memory.begin(rejected, at), memory.seen_just_now(at)
        known, had, failure, jitter = memory.record, memory.had, memory.failure, memory.jitter
        world = LazyWorld(self._make_world, self._now, self._on_wait)

        def work() -> Landing:
            if flight.on_thread:  # first, for whoever closes after Ctrl-C has ended `start()` early
                self._flight = flight
            landing = self._renewer.renew(
                world,
                known=known,
                rejected=refused,
                failure=failure,
                jitter=jitter,
                had=had,
                seen=seen,
                meanwhile=meanwhile if flight.on_thread else None,
            )
            self._hand_in(landing)
            return landing

        def meanwhile(landing: Landing) -> None:
            self._hand_in(landing)
            flight.land(landing)

        flight = Job(work, after=lambda landing: self._notes.hear(landing.outcome), cancel=world.cancel)
        return flight

    def _hand_in(self, landing: Landing | None) -> None:
        """Have it remembered. It waits for no lock, whose holder may be a caller that waits for us because a
        signal handler asked again: whoever asks next takes it in first.
        """
        if landing is not None:
            self._landings.append((landing, self._now()[0]))
            if self._lock.acquire(blocking=False):
                try:
                    self._settle()
                finally:
                    self._lock.release()

    def _settle(self) -> None:
        while self._landings:
            self._memory.learn(*self._landings.pop(0))

    def _landed(self, landing: Landing, rejected: Secret[str] | None) -> Record | None:
        """What came of a renewal; None to ask again, because it began before our token was refused."""
        outcome = landing.outcome
        if isinstance(outcome, SignInError):
            raise attrs.evolve(outcome)  # one of its own for everybody: a traceback grows with each raise
        record = outcome.record
        if (off := self._renewer.why_off(record)) is not None:  # what was renewed is stored all the same
            raise off
        if rejected is not None and landing.rejected is None and record.credential.access_token == rejected:
            return None
        return record

    def _end(self) -> Job[Landing] | None:
        with self._lock:
            self._closed = True
            flight = self._under_way
        if flight is not None:
            flight.cancel()
        return flight


def _nothing(_: Landing | None) -> None:
    """What is done when nobody waits any more."""


def _drawn() -> float:
    """A random number from 0 to 1."""
    return int.from_bytes(os.urandom(4)) / 2**32
