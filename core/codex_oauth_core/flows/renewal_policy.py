"""How pressing it is to renew a login, and whether it is renewed now; if not, how the renewal ends.

Rules of this file: pure judgement over a record, Unix time and what was asked for, which knows no store; the
arithmetic is `lifetime`'s; the rows of the judgement stand in the order in which they count. A refresh token
is spent only when it must be while its fate is in doubt. All spans are seconds.
"""

from __future__ import annotations

from typing import Any, Final, Self

import attrs

from codex_oauth_core.credential import REFRESH_SKEW
from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind, SignInError
from codex_oauth_core.facts import Tokens, TryAgain
from codex_oauth_core.flows.lifetime import USUAL_MAX_AGE, Freshness, age_of, freshness_of
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import OWN_WORDS, Intent, Record
from codex_oauth_core.renewal_times import INTENT_LIFE, REQUEST_TIMEOUT, WAIT_EXPIRED, WAIT_USABLE
from codex_oauth_core.secret import Secret
from codex_oauth_core.short_repr import changed_fields

__all__ = [
    "Freshness",
    "RenewalPolicy",
    "RenewalRequest",
    "age",
    "expired_at_birth",
    "freshness",
    "not_signed_in",
]


# -- how pressing it is --------------------------------------------------------------------------------


def _positive(_policy: object, field: attrs.Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{field.name}: more than 0 seconds")


def _at_most_a_minute(_policy: object, field: attrs.Attribute[float], value: float) -> None:
    if value > REQUEST_TIMEOUT:
        raise ValueError(f"{field.name}: at most {REQUEST_TIMEOUT:g} seconds")


@attrs.frozen(kw_only=True, repr=False)
class RenewalPolicy:
    """When a login is renewed, and how long a renewal may take. All spans are seconds; ValueError for one
    that is not positive.

    `skew`: renew an access token within `skew` of its expiry, or within the last tenth of its life if that is
    shorter. `max_age`: renew a token with an unknown expiry after this. `spacing`: never renew a login twice
    within this, unless a server rejected its token. `lock_limit` limits the wait for another process while
    the old access token is usable, and `expired_lock_limit` while it is not. `request_timeout` limits the
    wait for an answer (at most 60 s: other processes rely on that). `retry_limit` limits all attempts of a
    request that certainly had no effect.
    """

    skew: float = attrs.field(default=REFRESH_SKEW, validator=_positive)
    max_age: float = attrs.field(default=USUAL_MAX_AGE, validator=_positive)
    spacing: float = attrs.field(default=60.0, validator=_positive)
    lock_limit: float = attrs.field(default=WAIT_USABLE, validator=_positive)
    expired_lock_limit: float = attrs.field(default=WAIT_EXPIRED, validator=_positive)
    request_timeout: float = attrs.field(default=REQUEST_TIMEOUT, validator=(_positive, _at_most_a_minute))
    retry_limit: float = attrs.field(default=30.0, validator=_positive)

    def __repr__(self) -> str:
        return changed_fields(self)


def freshness(record: Record, wall: float, policy: RenewalPolicy, jitter: float = 0.5) -> Freshness:
    """How the record's access token stands at `wall` (Unix seconds): see `freshness_of`."""
    credential = record.credential
    return freshness_of(
        wall,
        expires_at=credential.expires_at,
        obtained_at=credential.obtained_at,
        earliest_refresh_at=credential.earliest_refresh_at,
        server_offset=record.server_offset,
        skew=policy.skew,
        max_age=policy.max_age,
        jitter=jitter,
    )


def age(record: Record, wall: float) -> float | None:
    """Seconds since the tokens were obtained; None if that is unknown, or in the future."""
    return age_of(record.credential.obtained_at, wall)


# -- what is to be done --------------------------------------------------------------------------------


_MOST_TIMES: Final = 4


def not_signed_in() -> SignInError:
    """The error where nothing is stored."""
    return SignInError.of(ErrorKind.LOGIN_REQUIRED, "No one is signed in.")


@attrs.frozen(kw_only=True)
class RenewalRequest:
    """What a renewal was asked for.

    `rejected`: an access token that a server refused with 401; a login that still has it is renewed
    whatever its expiry says. `forced`: renew even what is current.
    """

    provider: Provider
    policy: RenewalPolicy
    jitter: float
    rejected: Secret[str] | None
    forced: bool

    @classmethod
    def by(cls, renewal: Any) -> Self:
        """What a renewal was asked for when it was made."""
        names = (field.name for field in attrs.fields(cls))
        return cls(**{name: getattr(renewal, name) for name in names})

    def is_rejected(self, record: Record) -> bool:
        """Whether the record's access token is the one that was refused."""
        return self.rejected is not None and record.credential.access_token == self.rejected

    def freshness(self, record: Record, wall: float) -> Freshness:
        """How the record's access token stands; a refused one has expired."""
        if self.is_rejected(record):
            return Freshness.EXPIRED
        return freshness(record, wall, self.policy, self.jitter)

    def is_usable(self, record: Record, wall: float) -> bool:
        """Whether the access token is not known to be dead."""
        return self.freshness(record, wall) is not Freshness.EXPIRED

    def is_pressing(self, record: Record, wall: float) -> bool:
        """Whether it is worth waiting for another process."""
        return self.forced or self.freshness(record, wall) in (Freshness.MANDATORY, Freshness.EXPIRED)

    def not_renewed_or(
        self, error: SignInError, record: Record | None, wall: float
    ) -> NotRenewed | SignInError:
        """The end of a renewal that failed: with the old access token, while it lives."""
        usable = record is not None and self.is_usable(record, wall)
        return NotRenewed(record, NotRenewedReason.FAILED, error) if record and usable else error

    def decide(
        self, record: Record | None, wall: float, first_seen: Record | None
    ) -> NotRenewed | Adopted | SignInError | None:
        """How the renewal ends with what is stored now; None if it is to be renewed.

        `first_seen` is what was stored when the renewal began, None if this is its first look.
        """
        if record is None:
            return not_signed_in()
        if error := self._not_ours(record):
            return error
        if self._is_done(record, wall, first_seen):
            return Adopted(record)
        if self.freshness(record, wall) is Freshness.CURRENT and not self.forced:
            return NotRenewed(record, NotRenewedReason.CURRENT)
        if error := self._not_renewable(record):
            return self.not_renewed_or(error, record, wall)
        return self._not_yet(record, wall)

    # -- and on the way ----------------------------------------------------------------------------

    def lock_limit(self, record: Record, wall: float) -> float:
        """Seconds to wait for another process at the most."""
        usable = self.is_usable(record, wall)
        return self.policy.lock_limit if usable else self.policy.expired_lock_limit

    def may_repeat(self, times: int) -> bool:
        """Whether what was done so many times is done once more: sending, or storing what was forgotten."""
        return times < _MOST_TIMES

    def pause_before_retry(self, record: Record, wall: float, failure: TryAgain, tries: int) -> float | None:
        """Seconds until what was surely not acted upon is tried once more, after so many tries; None if it is
        not: it was tried often enough, or the old access token does.
        """
        if not self.may_repeat(tries):
            return None
        if not self.forced and self.is_usable(record, wall):
            return None
        return max(2.0 ** (tries - 1) * (0.75 + 0.5 * self.jitter), failure.retry_after or 0.0)

    def is_of_its_account(self, record: Record, tokens: Tokens) -> bool:
        """Whether new tokens are of the record's account and person, as far as they say. A moved login may be
        kept, and used, by the id of another workspace than its tokens are of, and a person may bear another
        id in each token: what the old ones name counts too.
        """
        old, identify = record.credential, self.provider.dialect.identify
        account, _ = identify(old.access_token, old.id_token)
        users = (identify(old.access_token, None)[1], identify(None, old.id_token)[1])
        is_its_account = _may_be(tokens.account_id, (old.account_id, account))
        return is_its_account and _may_be(tokens.user_id, (old.user_id, *users))

    def after_grant(self, renewed: Record, tokens: Tokens, wall: float) -> Renewed | SignInError:
        """The end of a renewal whose answer made this record."""
        if tokens.access_token is None:
            return SignInError.of(ErrorKind.INVALID_RESPONSE, reason=tokens.problem)
        return Renewed(renewed) if self.is_usable(renewed, wall) else expired_at_birth()

    def after_conflict(self, stored: Record | None, wall: float) -> Adopted | SignInError:
        """The end where somebody signed in or out meanwhile: that counts, and not what was renewed."""
        if stored is None:
            return not_signed_in()
        if self.is_usable(stored, wall):
            return Adopted(stored)
        return SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="contended")

    def login_over(
        self, error: SignInError, record: Record, wall: float, crash: Intent | None
    ) -> NotRenewed | SignInError:
        """The end where the server says that the login is over, with the earlier renewal that may be why:
        `crash` is the intent that one left.
        """
        if record.uncertain_at is None:
            return self.not_renewed_or(error, record, wall)
        what = "was interrupted" if crash else "lost its answer"
        told = {**error.details, "uncertain_at": record.uncertain_at}
        if crash is not None:
            told |= {"pid": crash.pid, "host": crash.host}
        text = (
            f"{error.message} An earlier renewal {what} after the refresh token was sent, or may have been."
        )
        return self.not_renewed_or(attrs.evolve(error, message=text, details=told), record, wall)

    # -- the rows ----------------------------------------------------------------------------------

    def _not_ours(self, record: Record) -> SignInError | None:
        bound = record.credential
        if (bound.issuer, bound.client_id) == (self.provider.issuer, self.provider.client_id):
            return None
        text = "The stored login belongs to another authorization server or client."
        return SignInError.of(ErrorKind.CLIENT_REJECTED, text, reason="other_issuer", issuer=bound.issuer)

    def _is_done(self, record: Record, wall: float, first_seen: Record | None) -> bool:
        """Whether somebody else has done what was asked for."""
        if self.rejected is not None:
            return not self.is_rejected(record) and self.is_usable(record, wall)
        moved = first_seen is not None and (
            record.credential.access_token != first_seen.credential.access_token
        )
        return moved and self.freshness(record, wall) is Freshness.CURRENT

    def _not_renewable(self, record: Record) -> SignInError | None:
        over = ErrorKind.LOGIN_REQUIRED
        if record.credential.refresh_token is None:
            text = "The access token was copied from another program. It cannot be renewed here."
            return SignInError.of(over, text, reason="borrowed")
        if record.dead_code is not None:
            said = OWN_WORDS.get(record.dead_code) or self.provider.dialect.login_over_message(
                record.dead_code
            )
            return SignInError.of(over, said, code=record.dead_code)
        if record.spent:
            text = "The server answered with another account when this login was renewed."
            return SignInError.of(over, text, reason="account_changed")
        if self.provider.dialect.refresh_request(self.provider, record.credential.refresh_token) is None:
            return SignInError.of(over, reason=NO_ENDPOINT)
        return None

    def _not_yet(self, record: Record, wall: float) -> NotRenewed | SignInError | None:
        """Whether it is too early to spend the refresh token."""
        pressing = self.freshness(record, wall) in (Freshness.MANDATORY, Freshness.EXPIRED)
        if record.in_doubt and not pressing:
            live = record.intent is not None and abs(wall - record.intent.at) < INTENT_LIFE
            return NotRenewed(record, NotRenewedReason.BUSY if live else NotRenewedReason.UNCERTAIN)
        if _within(record.uncertain_at, wall, self.policy.spacing):
            text = "The answer to the last renewal was lost. The next one must wait a minute."
            lost = SignInError.of(ErrorKind.NETWORK, text, reason="uncertain")
            return self._spaced(record, wall, lost)
        if self.is_rejected(record):
            return None
        obtained = age(record, wall)
        if obtained is None or obtained >= self.policy.spacing:
            return None
        if self.is_usable(record, wall) or _born_expired(record, wall, obtained):
            return self._spaced(record, wall, expired_at_birth())
        return None

    def _spaced(self, record: Record, wall: float, error: SignInError) -> NotRenewed | SignInError:
        return NotRenewed(record, NotRenewedReason.SPACED) if self.is_usable(record, wall) else error


def expired_at_birth() -> SignInError:
    """The error of an access token that is of no use from the start."""
    text = "The new access token has already expired. The clock of this machine may be wrong."
    return SignInError.of(ErrorKind.INVALID_RESPONSE, text, reason="expired_token")


def _may_be(named: str | None, known: tuple[str | None, ...]) -> bool:
    """Whether an id is one of those that are known, where both say something."""
    return named is None or named in known or not any(known)


def _within(moment: float | None, wall: float, span: float) -> bool:
    """Whether a moment is less than `span` seconds away, on either side: the clocks of two hosts differ."""
    return moment is not None and abs(wall - moment) < span


def _born_expired(record: Record, wall: float, obtained: float) -> bool:
    expires_at = record.credential.expires_at
    return expires_at is not None and expires_at / 1000 <= wall - obtained
