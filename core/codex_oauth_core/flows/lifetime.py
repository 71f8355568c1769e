"""How an access token stands, from its dates alone.

Rules of this file: pure arithmetic on numbers; nothing heavy is loaded, because commands that only print a
token ask this first; all spans are seconds, and `expires_at` is by the clock of the machine that stored it.

                      10 % of the lifetime left   `skew` or 10 % left       expiry
    ---- CURRENT -----------|------ ADVISORY -----------|---- MANDATORY ------|---- EXPIRED
"""

from __future__ import annotations

from enum import StrEnum, unique

from codex_oauth_core.reading.iso_time import iso_date

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = [
    "CLOCK_OFF",
    "USUAL_MAX_AGE",
    "USUAL_SKEW",
    "Freshness",
    "age_of",
    "freshness_of",
    "renewal_begins",
]

CLOCK_OFF: Final = 300.0
"""Seconds by which a clock may be off before anybody is told."""
USUAL_SKEW: Final = 300.0
USUAL_MAX_AGE: Final = 8 * 86_400.0
_SHARE: Final = 0.1
_JITTER: Final = 0.2


@unique
class Freshness(StrEnum):
    """How an access token stands."""

    CURRENT = "current"
    ADVISORY = "advisory"
    """Worth renewing, by one process; all others go on with the old token."""
    MANDATORY = "mandatory"
    """Usable, and so near its end that everybody waits for the new one."""
    EXPIRED = "expired"


def freshness_of(
    wall: float,
    *,
    expires_at: int | None,
    obtained_at: str,
    earliest_refresh_at: int | None,
    server_offset: float | None,
    skew: float = USUAL_SKEW,
    max_age: float = USUAL_MAX_AGE,
    jitter: float = 0.5,
) -> Freshness:
    """How an access token stands at `wall` (Unix seconds); the fields are those of `Credential` and `Record`.

    `skew`, `max_age`: see `RenewalPolicy`. `jitter`, from 0 to 1 and the same for the life of a process,
    moves the start of the advisory window, so that not all processes begin at once. A token whose expiry is
    unknown is only ever advisory, by its age.
    """
    if expires_at is None:
        unknown_for = age_of(obtained_at, wall)
        return Freshness.CURRENT if unknown_for is None or unknown_for < max_age else Freshness.ADVISORY
    obtained = iso_date(obtained_at)
    left = expires_at / 1000 - wall + _moved(obtained, server_offset, wall, skew)
    if left <= 0:
        return Freshness.EXPIRED
    lifetime = None if obtained is None else expires_at / 1000 - obtained
    tenth = _SHARE * lifetime if lifetime is not None and lifetime > 0 else skew
    if left <= min(skew, tenth):
        return Freshness.MANDATORY
    early = tenth * (1 + _JITTER * jitter)
    may_begin = earliest_refresh_at is None or wall * 1000 >= earliest_refresh_at
    return Freshness.ADVISORY if left <= early and may_begin else Freshness.CURRENT


def renewal_begins(
    *,
    expires_at: int | None,
    obtained_at: str,
    earliest_refresh_at: int | None,
    skew: float = USUAL_SKEW,
    max_age: float = USUAL_MAX_AGE,
    jitter: float = 0.5,
) -> float | None:
    """From when on (Unix seconds) an access token is worth renewing; None if nobody can say. The fields are
    those of `freshness_of`, by which it is advisory then, for a jitter that is at least as large.
    """
    obtained = iso_date(obtained_at)
    if expires_at is None:
        return None if obtained is None else obtained + max_age
    lifetime = None if obtained is None else expires_at / 1000 - obtained
    tenth = _SHARE * lifetime if lifetime is not None and lifetime > 0 else skew
    begins = expires_at / 1000 - tenth * (1 + _JITTER * jitter)
    earliest = begins if earliest_refresh_at is None else earliest_refresh_at / 1000
    return min(max(begins, earliest), expires_at / 1000 - min(skew, tenth))


def age_of(obtained_at: str, wall: float) -> float | None:
    """Seconds since tokens were obtained; None if that is unknown, or in the future."""
    obtained = iso_date(obtained_at)
    return None if obtained is None or obtained > wall else wall - obtained


def _moved(obtained: float | None, server_offset: float | None, wall: float, skew: float) -> float:
    """How far this machine's clock was off when it dated the tokens, if it has been set right since: they
    were obtained in the future then.
    """
    if obtained is None or server_offset is None or obtained - wall <= skew:
        return 0.0
    return server_offset
