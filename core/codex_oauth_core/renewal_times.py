"""The times of a renewal, in one place and derived from each other: no limit is longer than what it guards.

Rules of this file: all spans are seconds. A refresh token is spent by sending it, so a holder of the lock has
a last moment to send, and others believe its mark until it can neither send nor save any more.

    reserve asked for    SEND_BY    WRITE_BY                      WRITE_BY + REQUEST_TIMEOUT    INTENT_LIFE
    ------------------------|----------|-----------------------------------|-------------------------|
      sending() says yes ->                answered, or the answer is lost ->   saved ->     others may lock
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = [
    "INTENT_LIFE",
    "REQUEST_TIMEOUT",
    "REVOKE_WITHIN",
    "SAVE_WITHIN",
    "SEND_BY",
    "WAIT_EXPIRED",
    "WAIT_USABLE",
    "WRITE_BY",
]

SEND_BY: Final = 5.0
"""Seconds from the moment before the reservation: after them, `LockedLogin.sending()` says no."""

WRITE_BY: Final = 15.0
"""From the same moment: the first byte of the request goes out before it, or not at all. The holder may be
stopped while it connects.
"""

REQUEST_TIMEOUT: Final = 60.0
"""From the first byte of the request. A refresh is sent once: a late answer is still the only one."""

SAVE_WITHIN: Final = 30.0
"""From the answer: so long a save that fails is repeated before the caller is answered."""

INTENT_LIFE: Final = WRITE_BY + REQUEST_TIMEOUT + SAVE_WITHIN
"""Seconds from the mark: other processes believe for so long that its owner may still send or save."""

WAIT_USABLE: Final = 20.0
"""For another process, while the old access token is usable."""

WAIT_EXPIRED: Final = 2 * INTENT_LIFE
"""For another process, where there is no usable access token; also of a sign-in and of a sign-out. It is one
total, whoever holds the lock meanwhile: one holder that was stopped, and one that renews after it.
"""

REVOKE_WITHIN: Final = 10.0
"""From the first request to revoke a login: all tries together (RFC 7009)."""
