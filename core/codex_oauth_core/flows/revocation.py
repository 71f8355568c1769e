"""A login is ended: lock, read, revoke at the server (RFC 7009), delete, release.

Rules of this file: one attempt to revoke, and whatever comes of it the login is deleted here; the lock is
held over both, so that no renewal can bring the login back, and what is revoked is the latest there is. A
token that was copied from another program is that program's to revoke.
"""

from __future__ import annotations

from typing import Final

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Effect, Finished, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import ResponseReceived, Started
from codex_oauth_core.facts import TryAgain
from codex_oauth_core.flows.exchange import REVOCATION_LIMIT
from codex_oauth_core.flows.revocation_table import MACHINE, State, Trigger
from codex_oauth_core.flows.storing import QUEUE_STEP, StoringFlow, busy_too_long
from codex_oauth_core.outcomes import Revoked
from codex_oauth_core.provider import Provider
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Release,
    StorageAnswer,
    StoreFailed,
)

__all__ = ["Revocation"]


@attrs.define(eq=False, kw_only=True)
class Revocation(StoringFlow[Revoked]):
    """End the stored login of one account, or with `credential` a login that is not stored.

    `provider`: where to revoke it; None asks nothing of any server. `lock_limit`: seconds to wait for
    another process. It ends with `Revoked`, or with a `SignInError` if the login could not be deleted.
    """

    machine = MACHINE
    cancel_trigger = Trigger.CANCEL

    provider: Provider | None
    credential: Credential | None = None
    lock_limit: float = 20.0
    state: State = attrs.field(default=State.IDLE, init=False)
    _queued_until: float | None = attrs.field(default=None, init=False, repr=False)
    _expected: str | None = attrs.field(default=None, init=False, repr=False)
    _confirmed: bool | None = attrs.field(default=None, init=False, repr=False)
    _error: SignInError | None = attrs.field(default=None, init=False, repr=False)

    def _start(self, event: Started) -> Effect:
        if self.credential is None:
            self._move(Trigger.START)
            return Lock()
        self._move(Trigger.START_UNSTORED)
        request = self._request(self.credential)
        if request is not None:
            return request
        self._move(Trigger.ANSWERED)
        return Finished(Revoked(confirmed=self._confirmed))

    def _request(self, credential: Credential) -> SendRequest | None:
        """The request that ends a login; None where there is nobody to ask, or nothing of ours to end."""
        provider, token = self.provider, credential.refresh_token
        if provider is None or token is None:
            return None
        if (credential.issuer, credential.client_id) != (provider.issuer, provider.client_id):
            self._confirmed = False
            return None
        request = provider.dialect.revocation_request(provider, token, "refresh_token")
        return SendRequest(request, REVOCATION_LIMIT, once=True)

    def _stored(self, answer: StorageAnswer) -> Effect:
        match self.state:
            case State.LOCKING:
                return self._locked(answer)
            case State.READING:
                return self._read(answer)
            case State.DELETING:
                return self._deleted(answer)
            case State.RELEASING:
                self._move(Trigger.RELEASED)
                return self._over()
            case _:
                return self._unexpected(answer)

    def _locked(self, answer: StorageAnswer) -> Effect:
        if isinstance(answer, StoreFailed):
            return self._fail(Trigger.STORE_FAILED, answer.error)
        if not isinstance(answer, LockBusy):
            self._move(Trigger.LOCKED)
            return Load()
        if self._queued_until is None:
            self._queued_until = self._now + self.lock_limit
        self._move(Trigger.BUSY)
        return Wait(self._now + QUEUE_STEP, Why.QUEUED)

    def _due(self) -> Effect:
        if self._queued_until is not None and self._now >= self._queued_until:
            busy = busy_too_long()
            return self._fail(Trigger.EXHAUSTED, busy)
        self._move(Trigger.DUE)
        return Lock()

    def _read(self, answer: StorageAnswer) -> Effect:
        """What cannot be read cannot be revoked, and is deleted all the same."""
        record = answer.record if isinstance(answer, Loaded) else None
        if isinstance(answer, StoreFailed) and self.provider is not None:
            self._confirmed = False
        self._expected = None if record is None else record.fingerprint
        request = None if record is None else self._request(record.credential)
        if request is None:
            self._move(Trigger.NOTHING_TO_REVOKE)
            return self._delete()
        self._move(Trigger.LOADED)
        return request

    def _responded(self, response: ResponseReceived) -> Effect:
        assert self.provider is not None  # without one nothing was sent
        return self._revoked(confirmed=self.provider.dialect.read_revocation(response))

    def _unanswered(self, failure: TryAgain) -> Effect:
        return self._revoked(confirmed=False)

    def _revoked(self, *, confirmed: bool) -> Effect:
        self._confirmed = confirmed
        self._move(Trigger.ANSWERED)
        return self._over() if self.state is State.DONE else self._delete()

    def _delete(self) -> Delete:
        return Delete(self._expected, even_corrupt=True)

    def _deleted(self, answer: StorageAnswer) -> Effect:
        trigger = Trigger.DELETED
        if (
            isinstance(answer, Conflict) and answer.record is not None
        ):  # of what is gone nothing is left to do
            trigger, self._error = Trigger.CONFLICT, _changed()
        elif isinstance(answer, StoreFailed):
            trigger, self._error = Trigger.STORE_FAILED, answer.error
        self._move(trigger)
        return Release()

    def _fail(self, trigger: Trigger, error: SignInError) -> Finished:
        self._move(trigger)
        return Finished(error)

    def _over(self) -> Finished:
        return Finished(self._error or Revoked(confirmed=self._confirmed))


def _changed() -> SignInError:
    return SignInError.of(ErrorKind.AUTH_WRITE_FAILED, _CHANGED, reason="contended")


_CHANGED: Final = "Somebody signed in meanwhile: that login was left as it is."
