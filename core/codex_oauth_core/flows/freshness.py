"""Whether an access token is still good, and how pressing it is to renew it.

Rules of this file: pure arithmetic over a record and Unix time; it knows no server and no store. All spans
are seconds; `expires_at` is by the clock of the machine that stored it.

                      10 % of the lifetime left   `skew` or 10 % left       expiry
    ---- CURRENT -----------|------ ADVISORY -----------|---- MANDATORY ------|---- EXPIRED
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final

import attrs

from codex_oauth_core.credential import REFRESH_SKEW
from codex_oauth_core.reading.http_time import iso_date
from codex_oauth_core.record import Record

__all__ = ["RenewalPolicy", "Standing", "age", "standing"]

_SHARE: Final = 0.1
_JITTER: Final = 0.2


@unique
class Standing(StrEnum):
    """How an access token stands."""

    CURRENT = "current"
    ADVISORY = "advisory"
    """Worth renewing, by one process; all others go on with the old token."""
    MANDATORY = "mandatory"
    """Usable, and so near its end that everybody waits for the new one."""
    EXPIRED = "expired"


def _positive(_policy: object, field: attrs.Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{field.name}: more than 0 seconds")


@attrs.frozen(kw_only=True)
class RenewalPolicy:
    """When a login is renewed, and how long that may take. All spans are seconds; ValueError for one that
    is not positive.

    `skew`: an access token must be renewed within `skew` of its expiry, or within the last tenth of its
    life if that is shorter. `max_age`: one whose expiry is unknown is renewed after this. `spacing`: no
    login is renewed twice within this, unless its token was rejected. `lock_limit` bounds the wait for
    another process, `request_timeout` one request, `retry_limit` all tries of a request that was surely
    not acted upon.
    """

    skew: float = attrs.field(default=REFRESH_SKEW, validator=_positive)
    max_age: float = attrs.field(default=8 * 86_400.0, validator=_positive)
    spacing: float = attrs.field(default=60.0, validator=_positive)
    lock_limit: float = attrs.field(default=20.0, validator=_positive)
    request_timeout: float = attrs.field(default=12.0, validator=_positive)
    retry_limit: float = attrs.field(default=30.0, validator=_positive)


def standing(record: Record, wall: float, policy: RenewalPolicy, jitter: float = 0.5) -> Standing:
    """How the record's access token stands at `wall` (Unix seconds).

    `jitter`, from 0 to 1 and the same for the life of a process, moves the start of the advisory window, so
    that not all processes begin at once. A token whose expiry is unknown is only ever advisory, by its age.
    """
    expires_at = record.credential.expires_at
    if expires_at is None:
        unknown_for = age(record, wall)
        return Standing.CURRENT if unknown_for is None or unknown_for < policy.max_age else Standing.ADVISORY
    left = expires_at / 1000 - wall + _moved(record, wall, policy)
    if left <= 0:
        return Standing.EXPIRED
    lifetime = _lifetime(record, expires_at)
    tenth = policy.skew if lifetime is None else _SHARE * lifetime
    if left <= min(policy.skew, tenth):
        return Standing.MANDATORY
    early = tenth * (1 + _JITTER * jitter)
    return Standing.ADVISORY if left <= early and _may_begin(record, wall) else Standing.CURRENT


def age(record: Record, wall: float) -> float | None:
    """Seconds since the tokens were obtained; None if that is unknown, or in the future."""
    obtained = iso_date(record.credential.obtained_at)
    return None if obtained is None or obtained > wall else wall - obtained


def _lifetime(record: Record, expires_at: int) -> float | None:
    obtained = iso_date(record.credential.obtained_at)
    lifetime = None if obtained is None else expires_at / 1000 - obtained
    return lifetime if lifetime is not None and lifetime > 0 else None


def _moved(record: Record, wall: float, policy: RenewalPolicy) -> float:
    """How far this machine's clock was off when it dated the tokens, if it has been set right since: they
    were obtained in the future then.
    """
    obtained = iso_date(record.credential.obtained_at)
    if obtained is None or record.server_offset is None or obtained - wall <= policy.skew:
        return 0.0
    return record.server_offset


def _may_begin(record: Record, wall: float) -> bool:
    earliest = record.credential.earliest_refresh_at
    return earliest is None or wall * 1000 >= earliest
