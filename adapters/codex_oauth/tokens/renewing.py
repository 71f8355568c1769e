"""One renewal from beginning to end: which login, whose, and what came of it.

Rules of this file: it blocks, and knows no threads; how a renewal ends is a value; a failure is answered
from memory while the very same login is stored, so that a hopeless one is not tried at every call. A store
that cannot be read takes no token away that still lives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

import attrs

from codex_oauth.clock import Clock
from codex_oauth.loading import loading
from codex_oauth.stores.store import Store
from codex_oauth.tokens.run_world import RunWorld
from codex_oauth_core.codex import CODEX, provider_of
from codex_oauth_core.effects import Effect, Finished
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
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth_core.flows.renewal import Renewal

__all__ = ["Failure", "Landing", "Outcome", "Renewer", "Seen"]

Outcome = Renewed | Adopted | NotRenewed | SignInError


@attrs.frozen
class Seen:
    """What a store held when a renewal began: enough to tell one login from another."""

    account_id: str | None
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
    """Renews the login of one account of `store`: `account_id`, or else the store's current one.

    `provider`: None for the one that the login is bound to.
    """

    store: Store
    account_id: str | None
    provider: Provider | None
    policy: RenewalPolicy
    now: Clock

    def look(self, jitter: float) -> Landing | None:
        """What is stored, if there is nothing to do about it; None if a renewal is to judge. Only reads."""
        try:
            account_id, record = self._stored(None)
        except SignInError:
            return None
        if isinstance(kept := self._elsewhere(record, None), NotRenewed):
            return Landing(kept, Seen(account_id, kept.record.fingerprint), None)
        asked = RenewalRequest(
            provider=self.provider_for(record), policy=self.policy, jitter=jitter, rejected=None, forced=False
        )
        verdict = asked.decide(record, self.now()[1], None)
        if (
            record is None
            or not isinstance(verdict, NotRenewed)
            or verdict.why is not NotRenewedReason.CURRENT
        ):
            return None
        return Landing(verdict, Seen(account_id, record.fingerprint), None)

    def renew(
        self,
        world: RunWorld,
        *,
        known: Record | None,
        rejected: Secret[str] | None,
        failure: Failure | None,
        jitter: float,
        meanwhile: Callable[[Landing], None] | None = None,
    ) -> Landing:
        """Renew the login if it is due. `known` is what was had the last time. What was renewed and cannot be
        stored for 30 s is given to `meanwhile`, and saving it goes on, with the lock; without `meanwhile` it
        ends.
        """
        landing = self._renewed(world, known, rejected, failure, jitter=jitter, meanwhile=meanwhile)
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
        world: RunWorld,
        known: Record | None,
        rejected: Secret[str] | None,
        failure: Failure | None,
        *,
        jitter: float,
        meanwhile: Callable[[Landing], None] | None,
    ) -> Landing:
        try:
            account_id, record = self._stored(None if known is None else known.credential.account_id)
        except SignInError as error:
            return Landing(error, Seen(None, None), rejected)
        seen = Seen(account_id, None if record is None else record.fingerprint)
        if failure is not None and failure.seen == seen and self.now()[0] < failure.until:
            return Landing(failure.error, seen, rejected, recalled=True)
        if account_id is None:
            return Landing(not_signed_in(), seen, rejected)
        if (elsewhere := self._elsewhere(record, rejected)) is not None:
            return Landing(elsewhere, seen, rejected)
        with loading("codex_oauth.worlds.storing"):
            from codex_oauth.worlds.storing import StoringWorld

        flow = self._flow(known, record, rejected, jitter, keep_saving=meanwhile is not None)
        with world, StoringWorld(world, self.store, account_id) as storing:
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

        if not is_elsewhere(bound):
            return None
        asked = RenewalRequest(
            provider=CODEX, policy=self.policy, jitter=0.0, rejected=rejected, forced=False
        )
        if asked.is_usable(record, self.now()[1]):
            return NotRenewed(record, NotRenewedReason.CURRENT)
        return not_renewed_here(bound)

    def _stored(self, usual: str | None) -> tuple[str | None, Record | None]:
        account_id = self.account_id or usual or self.store.current()
        return account_id, None if account_id is None else self.store.slot(account_id).load()

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

    def provider_for(self, record: Record | None) -> Provider:
        """Who renews this record."""
        if self.provider is not None:
            return self.provider
        if record is None or (record.credential.issuer, record.credential.client_id) == _USUAL:
            return CODEX
        return provider_of(record.credential) or CODEX


_UNREADABLE: Final = (ErrorKind.AUTH_READ_FAILED, ErrorKind.CORRUPT_AUTH)
_USUAL: Final = (CODEX.issuer, CODEX.client_id)
