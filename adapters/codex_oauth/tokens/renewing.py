"""One renewal from beginning to end: which login, whose, and what came of it.

Rules of this file: it blocks, and knows no threads; how a renewal ends is a value; a failure is answered
from memory while the very same login is stored, so that a hopeless one is not tried at every call. A store
that cannot be read takes no token away that still lives. Nothing is loaded or opened for a renewal that
turns out to be not due.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

import attrs

from codex_oauth.clock import Clock
from codex_oauth.loading import loading
from codex_oauth.stores.find import find_logins, login_in_use, named_login, same_place
from codex_oauth.stores.store import Store
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Started
from codex_oauth_core.flows.renewal_policy import (
    Freshness,
    RenewalPolicy,
    RenewalRequest,
    freshness,
    not_signed_in,
)
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.provider import Provider, use_is_off
from codex_oauth_core.providers import for_login, identified, provider_of
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth.worlds.lazy_world import LazyWorld
    from codex_oauth_core.flows.renewal import Renewal

__all__ = ["Failure", "Landing", "Outcome", "Place", "Renewer", "Seen"]


Outcome = Renewed | Adopted | NotRenewed | SignInError

Place = tuple[str | None, Record]
"""The name under which a login is kept, and what is there."""


@attrs.frozen
class Seen:
    """What a store held when a renewal began: enough to tell one login from another."""

    key: str | None
    fingerprint: str | None


@attrs.frozen
class Failure:
    """A renewal that failed, and until when (an instant) it is not tried again with the same login."""

    error: SignInError
    seen: Seen
    until: float


@attrs.frozen
class Landing:
    """How a renewal ended. `recalled`: nothing was tried."""

    outcome: Outcome
    seen: Seen
    rejected: Secret[str] | None
    recalled: bool = False


@attrs.frozen(kw_only=True)
class Renewer:
    """Renews one login of `store`: the one that people call `account` (with `whole_name`, not only so at its
    beginning), or else the store's current one.

    `provider`: None for the one that the login is bound to, of those that are known and of `providers`.
    """

    store: Store
    account: str | None
    provider: Provider | None
    policy: RenewalPolicy
    now: Clock
    providers: tuple[Provider, ...] = ()
    whole_name: bool = False

    def look(self, jitter: float) -> Landing | Place | None:
        """What is stored, if there is nothing to do about it; else where it is, for a renewal to judge; None
        if that is not known. Only reads.
        """
        try:
            place, record = self._stored(None)
        except SignInError:
            return None
        if isinstance(kept := self._elsewhere(record, None), NotRenewed):
            return Landing(kept, Seen(place, kept.record.fingerprint), None)
        asked = RenewalRequest(
            provider=self.provider_for(record), policy=self.policy, jitter=jitter, rejected=None, forced=False
        )
        verdict = asked.decide(record, self.now()[1], None)
        if (
            record is None
            or not isinstance(verdict, NotRenewed)
            or verdict.why is not NotRenewedReason.CURRENT
        ):
            return None if record is None else (place, record)
        return Landing(verdict, Seen(place, record.fingerprint), None)

    def renew(
        self,
        world: LazyWorld,
        *,
        known: Record | None,
        rejected: Secret[str] | None,
        failure: Failure | None,
        jitter: float,
        had: Record | None = None,
        seen: Place | None = None,
        meanwhile: Callable[[Landing], None] | None = None,
    ) -> Landing:
        """Renew the login if it is due. `known` is what was had the last time, `had` the same, also if it was
        gone since then; `seen` is where it was seen just now. What was renewed and cannot be stored for 30 s
        is given to `meanwhile`, and saving it goes on, with the lock; without `meanwhile` it ends.
        """
        landing = self._renewed(
            world, known, rejected, failure, had=known or had, seen=seen, jitter=jitter, meanwhile=meanwhile
        )
        outcome = landing.outcome
        if not isinstance(outcome, SignInError) or outcome.kind not in _UNREADABLE:
            return landing
        if known is None or rejected is not None:
            return landing
        if freshness(known, self.now()[1], self.policy, jitter) is Freshness.EXPIRED:
            return landing
        return attrs.evolve(landing, outcome=NotRenewed(known, NotRenewedReason.FAILED, outcome))

    def _renewed(
        self,
        world: LazyWorld,
        known: Record | None,
        rejected: Secret[str] | None,
        failure: Failure | None,
        *,
        had: Record | None,
        seen: Place | None,
        jitter: float,
        meanwhile: Callable[[Landing], None] | None,
    ) -> Landing:
        """The login is renewed where it is kept; and once more, if that was another place at the end."""
        landing = Landing(not_signed_in(), Seen(None, None), rejected)
        with world:
            for _ in range(_MOST_PLACES):
                try:
                    place, record = seen or self._stored(had)
                except SignInError as error:
                    return Landing(error, Seen(None, None), rejected)
                seen = None
                landing = self._renewed_at(
                    (place, record), world, known, rejected, failure, jitter=jitter, meanwhile=meanwhile
                )
                known = known or record
                had = had or record
                if had is None or not self.has_moved(landing, had):
                    break
        return landing

    def has_moved(self, landing: Landing, had: Record) -> bool:
        """Whether a renewal ended so because the login that was `had` was not at its place any more: somebody
        signed in, and it is kept under its key now; or an earlier release has put another person's there.
        """
        outcome = landing.outcome
        if not isinstance(outcome, SignInError):
            now, before = outcome.record.credential, had.credential
            return now != before and not identified(now, self.providers).identity.continues(
                identified(before, self.providers).identity
            )
        if outcome.kind is not ErrorKind.LOGIN_REQUIRED or landing.recalled:
            return False
        try:
            place, found = self._stored(had)
        except SignInError:
            return False
        return found is not None and place != landing.seen.key

    def _renewed_at(
        self,
        stored: tuple[str | None, Record | None],
        world: LazyWorld,
        known: Record | None,
        rejected: Secret[str] | None,
        failure: Failure | None,
        *,
        jitter: float,
        meanwhile: Callable[[Landing], None] | None,
    ) -> Landing:
        place, record = stored
        seen = Seen(place, None if record is None else record.fingerprint)
        if failure is not None and failure.seen == seen and self.now()[0] < failure.until:
            return Landing(failure.error, seen, rejected, recalled=True)
        if place is None:
            return Landing(not_signed_in(), seen, rejected)
        if record is not None and (off := self.why_off(record)) is not None:
            return Landing(off, seen, rejected)
        if (elsewhere := self._elsewhere(record, rejected)) is not None:
            return Landing(elsewhere, seen, rejected)
        with loading("codex_oauth.worlds.storing"):
            from codex_oauth.worlds.storing import StoringWorld

        flow = self._flow(known, record, rejected, jitter, keep_saving=meanwhile is not None)
        with StoringWorld(world, self.store, place) as storing:
            effect: Effect = flow.receive(Started(*storing.now()))
            while not isinstance(effect, Finished):
                if meanwhile is not None and (outcome := flow.meanwhile) is not None:
                    meanwhile(Landing(outcome, seen, rejected))
                    meanwhile = None
                effect = flow.receive(storing.perform(effect))
            return Landing(cast("Outcome", effect.outcome), seen, rejected)

    def _elsewhere(
        self, record: Record | None, rejected: Secret[str] | None
    ) -> NotRenewed | SignInError | None:
        """What becomes of a login that nobody known here renews: it is used while its token lives."""
        bound = None if record is None else record.credential
        if record is None or bound is None or self.provider is not None:
            return None
        if (bound.issuer, bound.client_id) == _USUAL:
            return None
        with loading("codex_oauth.elsewhere"):
            from codex_oauth.elsewhere import is_elsewhere, not_renewed_here

        if not is_elsewhere(bound, self.providers):
            return None
        asked = RenewalRequest(
            provider=CODEX, policy=self.policy, jitter=0.0, rejected=rejected, forced=False
        )
        if asked.is_usable(record, self.now()[1]):
            return NotRenewed(record, NotRenewedReason.CURRENT)
        return not_renewed_here(bound)

    def _stored(self, before: Record | None) -> tuple[str | None, Record | None]:
        """Where the login is kept, and what is there: the one that was had before, once there was one. Who is
        called alike is not taken for it, when it is gone: that may be another person, or of another server.
        """
        if before is not None:
            whose = identified(before.credential, self.providers).identity
            if (found := same_place(self.store, before.credential)) is not None:
                return found
            for login in find_logins(self.store, self.account or "", whole=True):
                if isinstance(login.found, Record) and identified(
                    login.found.credential, self.providers
                ).identity.continues(whose):
                    return login.place, login.found
            return whose.key, None
        if self.account is None:
            meant = login_in_use(self.store)
        else:
            meant = named_login(self.store, self.account, whole=self.whole_name)
        if meant is None:
            return None, None
        if isinstance(meant.found, SignInError):
            raise meant.found
        return meant.place, meant.found  # by the look that told whose it is

    def _flow(
        self,
        known: Record | None,
        record: Record | None,
        rejected: Secret[str] | None,
        jitter: float,
        *,
        keep_saving: bool,
    ) -> Renewal:
        with loading("codex_oauth_core.flows.renewal"):
            from codex_oauth_core.flows.renewal import Renewal

        return Renewal(
            provider=self.provider_for(record),
            rejected=rejected,
            policy=self.policy,
            jitter=jitter,
            known=known,
            keep_saving=keep_saving,
        )

    def why_off(self, record: Record | None) -> SignInError | None:
        """Why a login that is good may not be used, if its person has not allowed it; None if it may, or if
        there is none.
        """
        provider, kind = self.provider_for(record), ErrorKind.PLAN_USE_OFF
        if record is None or not use_is_off(record.credential, provider):
            return None
        return SignInError.by(provider.texts.facts(kind), kind)

    def whose(self, known: Record | None) -> Provider:
        """Who the login is bound to: the `known` one, or else the one that is stored."""
        if self.provider is None and known is None and (known := self._stored(None)[1]) is None:
            raise not_signed_in()
        return self.provider_for(known)

    def provider_for(self, record: Record | None) -> Provider:
        """Who renews this record."""
        if self.provider is not None:
            return self.provider if record is None else for_login(self.provider, record.credential)
        if record is None:
            return CODEX
        if not self.providers and (record.credential.issuer, record.credential.client_id) == _USUAL:
            return CODEX
        return provider_of(record.credential, self.providers) or CODEX


_MOST_PLACES: Final = 3
"""How often a renewal begins anew because the login was moved."""

_UNREADABLE: Final = (ErrorKind.AUTH_READ_FAILED, ErrorKind.CORRUPT_AUTH)
_USUAL: Final = (CODEX.issuer, CODEX.client_id)
