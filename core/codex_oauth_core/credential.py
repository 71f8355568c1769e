"""What a sign-in is about: the device authorization it begins with, and the credential it ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import attrs

from codex_oauth_core.dates import utc_date
from codex_oauth_core.identity import Identity
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["REFRESH_SKEW", "Credential", "DeviceAuthorization"]

REFRESH_SKEW: Final = 300.0
"""Seconds before its expiry from which an access token counts as stale."""


@attrs.frozen(weakref_slot=False)  # thousands wait in one process
class DeviceAuthorization:
    """A device authorization as issued (RFC 8628 §3.2; `device_auth_id` is its `device_code`).

    `interval` and `expires_in` are seconds. `user_code` is exactly as received. `verification_uri_complete`
    is the page for which a person types no code (§3.3.1); None if the server gives none.
    """

    device_auth_id: Secret[str]
    user_code: str
    interval: float
    verification_uri: str
    expires_in: float
    verification_uri_complete: str | None = None


@attrs.frozen
class Credential:
    """A login. It belongs to `issuer` and `client_id`: refresh and revoke it only there. `account_id` names
    the workspace and `user_id` the person, each None if the tokens do not say it.

    Without a `refresh_token` the login is borrowed from another program, and this library cannot renew or
    revoke it.

    `expires_at` is when the access token expires, and `earliest_refresh_at` is the earliest time at which the
    server wants a renewal. Both are Unix **milliseconds**, None when unknown; `expires` and
    `earliest_refresh` are the same as aware datetimes. `obtained_at` is RFC 3339 in UTC. `scopes` are the
    granted scopes (RFC 6749 §3.3), None if the server did not say them. `id_token` is the ID token (OpenID
    Connect Core §2), None if the server issued none.
    """

    access_token: Secret[str]
    refresh_token: Secret[str] | None
    account_id: str | None
    issuer: str
    client_id: str
    obtained_at: str
    id_token: Secret[str] | None = None
    expires_at: int | None = None
    earliest_refresh_at: int | None = None
    kind: Literal["subscription"] = "subscription"
    user_id: str | None = None
    scopes: tuple[str, ...] | None = None

    @property
    def identity(self) -> Identity:
        """The issuer, client, account and person of this login."""
        return Identity(self.issuer, self.client_id, self.account_id, self.user_id)

    @property
    def key(self) -> str:
        """The name of the login: see `Identity.key`."""
        return self.identity.key

    @property
    def expires(self) -> datetime | None:
        """`expires_at` as an aware datetime in UTC; None when unknown."""
        return None if self.expires_at is None else utc_date(self.expires_at / 1000)

    @property
    def earliest_refresh(self) -> datetime | None:
        """`earliest_refresh_at` as an aware datetime in UTC; None when unknown."""
        return None if self.earliest_refresh_at is None else utc_date(self.earliest_refresh_at / 1000)

    def is_stale(self, wall: float, skew: float = REFRESH_SKEW) -> bool | None:
        """Whether the access token expires within `skew` seconds of `wall`, Unix time in seconds (as
        `time.time()` gives it). None when its expiry is unknown.
        """
        return None if self.expires_at is None else wall + skew >= self.expires_at / 1000
