"""Device logins at the authority's side (RFC 8628): issued, shown to a person, decided, handed out once.

Rules of this file: one device login is approved or denied once, and its approval is handed out once;
what a poll means is told as a fact. All times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, unique
from typing import Final, assert_never

import attrs

from codex_oauth.authority.policy import Approve, Policy
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import Gone, Pending, PollFact, Refusal, SlowDown
from codex_oauth_core.pkce import base64url
from codex_oauth_core.secret import Secret

__all__ = ["Device", "Devices", "Standing", "tidy"]

PACE_TOLERANCE: Final = 0.1
"""Seconds that a poll may come early: clocks differ and timers are rough."""

SLOW_DOWN_STEP: Final = 5.0
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 §6.1: no vowels, so no words; 34 bits in eight
_CODE_LENGTH: Final = 8


@unique
class Standing(Enum):
    """How a device login stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    HANDED_OUT = "handed out"


@attrs.define(eq=False, kw_only=True)
class Device:
    """One device login."""

    user_code: str
    issued_at: float
    interval: float
    decision: bool | None = None
    handed_out: bool = False
    last_poll: float | None = None


def tidy(typed: str) -> str:
    """A code as people type it, in its one form: no case, no dash, no spaces."""
    return "".join(char for char in typed.upper() if char.isalnum())


@attrs.define(eq=False)
class Devices:
    """All device logins of one authority."""

    policy: Policy
    entropy: Callable[[int], bytes] = attrs.field(repr=False)
    _by_id: dict[str, Device] = attrs.field(factory=dict[str, Device], init=False, repr=False)
    _by_code: dict[str, Device] = attrs.field(factory=dict[str, Device], init=False, repr=False)

    def issue(self, now: float, verification_uri: str) -> DeviceAuthorization:
        """Begin a device login (RFC 8628 §3.2)."""
        device_auth_id = Secret(f"fake-deviceauth-{base64url(self.entropy(24))}")
        device = Device(user_code=self._new_code(), issued_at=now, interval=float(self.policy.interval))
        self._by_id[device_auth_id.fingerprint()] = device
        self._by_code[tidy(device.user_code)] = device
        return DeviceAuthorization(
            device_auth_id, device.user_code, device.interval, verification_uri, self.policy.lifetime
        )

    def find(self, typed: str) -> Device | None:
        """The login that a person means by what they typed."""
        return self._by_code.get(tidy(typed))

    def standing(self, device: Device, now: float) -> Standing:
        """How a login stands now, the policy's own decision included."""
        age = now - device.issued_at
        if device.handed_out:
            return Standing.HANDED_OUT
        if age >= self.policy.lifetime:
            return Standing.EXPIRED
        decision = device.decision
        if decision is None and age >= self.policy.approve_after:
            decision = {Approve.AUTO: True, Approve.DENY: False}.get(self.policy.approve)
        if decision is None:
            return Standing.PENDING
        return Standing.APPROVED if decision else Standing.DENIED

    def decide(self, device: Device, now: float, *, approve: bool) -> bool:
        """A person's decision; False, and no effect, if there is nothing to decide any more."""
        if self.standing(device, now) is not Standing.PENDING or self.policy.approve is Approve.NEVER:
            return False
        device.decision = approve
        return True

    def poll(self, device_auth_id: Secret[str], user_code: str, now: float) -> Device | PollFact:
        """The login that is to be handed out now, or what to say instead."""
        device = self._by_id.get(device_auth_id.fingerprint())
        if device is None or device.user_code != user_code:
            return Gone("deviceauth_not_found", 404)
        if self._too_fast(device, now):
            return SlowDown()
        standing = self.standing(device, now)
        match standing:
            case Standing.APPROVED:
                device.handed_out = True
                return device
            case Standing.PENDING:
                return Pending()
            case Standing.DENIED:
                return Refusal(ErrorKind.DENIED, "deviceauth_authorization_denied")
            case Standing.EXPIRED:
                return Refusal(ErrorKind.EXPIRED, "deviceauth_authorization_expired")
            case Standing.HANDED_OUT:
                return Gone("deviceauth_not_found", 404)
            case _:
                assert_never(standing)

    def _too_fast(self, device: Device, now: float) -> bool:
        """Whether a poll comes too early; then the interval is 5 s longer from now on (RFC 8628 §3.5)."""
        last, device.last_poll = device.last_poll, now
        if not self.policy.strict_pace or last is None or now - last >= device.interval - PACE_TOLERANCE:
            return False
        device.interval += SLOW_DOWN_STEP
        return True

    def _new_code(self) -> str:
        number = int.from_bytes(self.entropy(16), "big")
        while (code := _spell(number)) in self._by_code:
            number += 1
        return f"{code[:4]}-{code[4:]}"


def _spell(number: int) -> str:
    base = len(_LETTERS)
    return "".join(_LETTERS[number // base**place % base] for place in range(_CODE_LENGTH))
