"""What an authority is told to do, as data: who signs in, who approves, and how long things live."""

from __future__ import annotations

import math
from enum import StrEnum, unique
from typing import Any, Final

import attrs

__all__ = ["Account", "Approve", "Policy"]

TEN_DAYS: Final = 864_000


def _positive(_policy: object, field: Any, value: float | None) -> None:
    if value is not None and not 0 < value < math.inf:
        raise ValueError(f"{field.name}: more than 0")


def _not_negative(_policy: object, field: Any, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{field.name}: 0 or more")


def _whole(_policy: object, field: Any, value: float) -> None:
    if value < 1 or value != int(value):
        raise ValueError(f"{field.name}: a whole number, at least 1")


@unique
class Approve(StrEnum):
    """Who decides a sign-in."""

    ASK = "ask"
    """A person decides on the pages, or a test by `Authority.decide`."""
    AUTO = "auto"
    """The sign-in is approved after `Policy.approve_after` seconds, if nobody decided before."""
    DENY = "deny"
    """The sign-in is denied after `Policy.approve_after` seconds, if nobody decided before."""
    NEVER = "never"
    """Nobody decides: the sign-in stays pending until it expires."""


@attrs.frozen(kw_only=True)
class Account:
    """The made-up person who signs in. The tokens leave out every field that is None; a personal account, for
    example, may have no `account_id`.
    """

    account_id: str | None = "00000000-0000-4000-8000-0000000000fa"
    user_id: str | None = "user-fake"
    email: str | None = "somebody@example.com"
    name: str | None = "Some Body"
    plan: str | None = "plus"


@attrs.frozen(kw_only=True)
class Policy:
    """The authority's settings. All times are seconds. ValueError for an impossible one.

    `interval` is the whole number of seconds between polls (RFC 8628 §3.2), and `lifetime` is that of a
    device login. With `strict_pace` a poll that comes too early is answered with `slow_down`; set it to false
    for clients that poll at once and after every wake-up. `any_redirect_port`: accept every port, not only
    the registered ones. `refresh_lifetime` None: a refresh token is valid until it is used. `accounts`:
    several people. Each approves one sign-in, in this order, and then again from the first; without them
    `account` approves every sign-in. A login stays with the person who approved it.
    """

    interval: int = attrs.field(default=5, validator=_whole)
    lifetime: float = attrs.field(default=900.0, converter=float, validator=_positive)
    approve: Approve = attrs.field(default=Approve.ASK, converter=Approve)
    approve_after: float = attrs.field(default=0.0, validator=_not_negative)
    strict_pace: bool = True
    any_redirect_port: bool = False
    code_lifetime: float = attrs.field(default=60.0, validator=_positive)
    access_lifetime: int = attrs.field(default=TEN_DAYS, validator=_whole)
    refresh_lifetime: float | None = attrs.field(default=None, validator=_positive)
    account: Account = attrs.field(factory=Account)
    accounts: tuple[Account, ...] = attrs.field(default=(), converter=tuple[Account, ...])

    def who_approves(self, number: int) -> Account:
        """The person who approves sign-in number `number`, counted from 0."""
        return self.accounts[number % len(self.accounts)] if self.accounts else self.account
