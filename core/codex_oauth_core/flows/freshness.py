"""Whether a login's access token is still good, and how pressing it is to renew it.

Rules of this file: it is about a record and Unix time, and knows no server and no store; the arithmetic is
`lifetime`'s. All spans are seconds.
"""

from __future__ import annotations

import attrs

from codex_oauth_core.credential import REFRESH_SKEW
from codex_oauth_core.flows.lifetime import USUAL_MAX_AGE, Standing, age_of, standing_of
from codex_oauth_core.record import Record
from codex_oauth_core.renewal_times import REQUEST_TIMEOUT, WAIT_EXPIRED, WAIT_USABLE

__all__ = ["RenewalPolicy", "Standing", "age", "standing"]


def _positive(_policy: object, field: attrs.Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{field.name}: more than 0 seconds")


def _at_most_a_minute(_policy: object, field: attrs.Attribute[float], value: float) -> None:
    if value > REQUEST_TIMEOUT:
        raise ValueError(f"{field.name}: at most {REQUEST_TIMEOUT:g} seconds")


@attrs.frozen(kw_only=True)
class RenewalPolicy:
    """When a login is renewed, and how long that may take. All spans are seconds; ValueError for one that
    is not positive.

    `skew`: an access token must be renewed within `skew` of its expiry, or within the last tenth of its
    life if that is shorter. `max_age`: one whose expiry is unknown is renewed after this. `spacing`: no
    login is renewed twice within this, unless its token was rejected. `lock_limit` bounds the wait for
    another process while the old access token is usable, `expired_lock_limit` where it is not,
    `request_timeout` the wait for an answer (at most 60 s, which others count on), `retry_limit` all tries
    of a request that was surely not acted upon.
    """

    skew: float = attrs.field(default=REFRESH_SKEW, validator=_positive)
    max_age: float = attrs.field(default=USUAL_MAX_AGE, validator=_positive)
    spacing: float = attrs.field(default=60.0, validator=_positive)
    lock_limit: float = attrs.field(default=WAIT_USABLE, validator=_positive)
    expired_lock_limit: float = attrs.field(default=WAIT_EXPIRED, validator=_positive)
    request_timeout: float = attrs.field(default=REQUEST_TIMEOUT, validator=(_positive, _at_most_a_minute))
    retry_limit: float = attrs.field(default=30.0, validator=_positive)


def standing(record: Record, wall: float, policy: RenewalPolicy, jitter: float = 0.5) -> Standing:
    """How the record's access token stands at `wall` (Unix seconds): see `standing_of`."""
    credential = record.credential
    return standing_of(
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
