"""One renewal from beginning to end: which login, whose, and what came of it.

Rules of this file: it blocks, and knows no threads; how a renewal ends is a value; a failure is answered
from memory while the very same login is stored, so that a hopeless one is not tried at every call.
"""

from __future__ import annotations

import attrs

from codex_oauth.clock import Clock
from codex_oauth.stores.store import Store
from codex_oauth.tokens.run_world import RunWorld
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import SignInError
from codex_oauth_core.flows.freshness import RenewalPolicy
from codex_oauth_core.outcomes import Adopted, Kept, Renewed
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret

__all__ = ["Failure", "Landing", "Outcome", "Renewer", "Seen"]

Outcome = Renewed | Adopted | Kept | SignInError


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

    def renew(
        self,
        world: RunWorld,
        *,
        usual: str | None,
        rejected: Secret[str] | None,
        failure: Failure | None,
        jitter: float,
    ) -> Landing:
        """Renew the login if it is due. `usual` is the account of the last time."""
        seen = Seen(None, None)
        try:
            account_id = self.account_id or usual or self.store.current()
            record = None if account_id is None else self.store.slot(account_id).load()
        except SignInError as error:
            return Landing(error, seen, rejected)
        seen = Seen(account_id, None if record is None else record.fingerprint)
        if failure is not None and failure.seen == seen and self.now()[0] < failure.until:
            return Landing(failure.error, seen, rejected, recalled=True)
        if account_id is None:
            return Landing(_nobody(), seen, rejected)
        return Landing(self._run(world, account_id, record, rejected, jitter), seen, rejected)

    def _run(
        self,
        world: RunWorld,
        account_id: str,
        record: Record | None,
        rejected: Secret[str] | None,
        jitter: float,
    ) -> Outcome:
        from codex_oauth.worlds.storing import StoringWorld
        from codex_oauth.worlds.world import run
        from codex_oauth_core.flows.renewal import Renewal

        flow = Renewal(
            provider=self.provider_for(record), rejected=rejected, policy=self.policy, jitter=jitter
        )
        with world, StoringWorld(world, self.store, account_id) as storing:
            return run(flow, storing)

    def provider_for(self, record: Record | None) -> Provider:
        """Who renews this record."""
        if self.provider is not None:
            return self.provider
        from codex_oauth.keeping import provider_of

        return (record and provider_of(record.credential)) or CODEX


def _nobody() -> SignInError:
    from codex_oauth_core.flows.verdict import not_signed_in

    return not_signed_in()
