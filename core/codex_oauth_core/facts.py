"""What an answer means, free of any provider's field names and status codes.

Rules of this file: a dialect reads every answer into exactly one of these, and the flows act on
nothing else. Fields that explain (`code`, `status`, `reason`) are for people; no flow decides by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from codex_oauth_core.credential import DeviceAuthorization
    from codex_oauth_core.errors import ErrorKind
    from codex_oauth_core.secret import Secret
    from codex_oauth_core.settings import BadSetting

__all__ = [
    "Approved",
    "DeviceFact",
    "ExchangeFact",
    "Gone",
    "Granted",
    "Issued",
    "KeySet",
    "KeysFact",
    "MetadataFact",
    "Pending",
    "PollFact",
    "PublicKey",
    "RefreshFact",
    "Refusal",
    "RevocationFact",
    "ServerMetadata",
    "SlowDown",
    "Tokens",
    "TryAgain",
    "Unrecognized",
]


@attrs.frozen
class Issued:
    """A device authorization began (RFC 8628 §3.2): the flow shows the code, and polls."""

    authorization: DeviceAuthorization


@attrs.frozen
class Pending:
    """The person has not approved yet (RFC 8628 §3.5): the flow waits and polls again. `named`: the server
    said this with an error code, and not only with a status.
    """

    named: bool = True


@attrs.frozen
class Unrecognized:
    """An error with a name that the dialect does not know: it is a refusal or it is pending. The flow treats
    it as pending until the server has named a pending (`Pending.named`), and as a refusal from then on.
    """

    code: str
    status: int


@attrs.frozen
class SlowDown:
    """Poll less often from now on: 5 s slower (RFC 8628 §3.5), or every `interval` seconds if that is slower.
    Do not poll before `retry_after` seconds from now. `limited`: the server counts requests (429).
    """

    interval: float | None = None
    retry_after: float | None = None
    limited: bool = False


@attrs.frozen
class Gone:
    """The server knows no such login: not yet, not any more, or already handed out. `certain`: the dialect
    can tell that it is not "not yet".
    """

    code: str
    status: int
    certain: bool = False


@attrs.frozen
class Approved:
    """The login was approved: the flow exchanges the code next (RFC 6749 §4.1.3), with its verifier
    (RFC 7636 §4.5).
    """

    authorization_code: Secret[str]
    code_verifier: Secret[str]


@attrs.frozen
class Tokens:
    """A token answer, field by field; an unusable field is None and `problem` says what was wrong.

    `refresh_token_unusable`: the server issued a refresh token that cannot be used. If it issued none, the
    old one stays valid.

    `expires_in` is seconds from the start of the request; `token_expires_at` and `server_time` are Unix
    seconds by the server's clock, as the token itself and the answer say; `earliest_refresh_at` is Unix
    milliseconds.

    `scopes` are those that the server says it granted. None means that it does not say: then it granted those
    that were requested (RFC 6749 §5.1). `account_id` and `user_id` are 1 to 255 visible letters of ASCII,
    None if the tokens do not say them. A sign-in with any other value is refused, and a renewal ignores such
    a value. `client_id`: the client id that the redirect issued; these tokens are bound to it. `refusal`: the
    dialect refuses the grant, because of another nonce or audience for example; the flow revokes it, and ends
    with this refusal.

    `key_id` names the key that signed the ID token, as the token says. `unknown_key`: the key is not one of
    the known keys, and may be new; `refusal` applies if it is not.
    """

    access_token: Secret[str] | None
    refresh_token: Secret[str] | None = None
    id_token: Secret[str] | None = None
    expires_in: float | None = None
    token_expires_at: float | None = None
    earliest_refresh_at: int | None = None
    account_id: str | None = None
    problem: str | None = None
    server_time: float | None = None
    refresh_token_unusable: bool = False
    scopes: tuple[str, ...] | None = None
    client_id: str | None = None
    refusal: Refusal | None = None
    user_id: str | None = None
    key_id: str | None = None
    unknown_key: bool = False


@attrs.frozen
class PublicKey:
    """An RSA key that a server signs with (RFC 7517, RFC 7518 §6.3.1): its id, and its two numbers as
    base64url writes them.
    """

    key_id: str
    modulus: str
    exponent: str

    @property
    def jwk(self) -> dict[str, str]:
        """The key as a JWK, for signatures by RS256 and nothing else."""
        fixed = {"kty": "RSA", "use": "sig", "alg": "RS256"}
        return {**fixed, "kid": self.key_id, "n": self.modulus, "e": self.exponent}


@attrs.frozen
class KeySet:
    """The keys that a server signs with now."""

    keys: tuple[PublicKey, ...]


@attrs.frozen
class ServerMetadata:
    """What a server says of itself, as far as it is used; None for what it does not say."""

    revocation_endpoint: str | None = None
    jwks_uri: str | None = None


@attrs.frozen
class Granted:
    """Tokens were issued (RFC 6749 §5.1): the flow judges them, and ends."""

    tokens: Tokens


@attrs.frozen
class TryAgain:
    """No usable answer; the flow tries again if it can. `maybe_answered`: the server may have acted, and its
    answer was lost. `retry_after`: seconds that the server asked for, from the end of its answer.

    In a refresh, `maybe_answered` means that the refresh token may be spent. Without it the refresh token is
    certainly unspent, and may be sent again.
    """

    kind: ErrorKind
    maybe_answered: bool = False
    retry_after: float | None = None
    code: str | None = None
    status: int | None = None
    cause: str | None = None
    setting: BadSetting | None = None
    """The setting of this machine that caused it."""


@attrs.frozen
class Refusal:
    """The server refused (RFC 6749 §5.2), and the flow ends with an error of this `kind`. `uncertain`: the
    server may have acted all the same.

    In a refresh, `LOGIN_REQUIRED` ends the login. Any other kind leaves the login as it was, with its refresh
    token unspent; do not try again now.
    """

    kind: ErrorKind
    code: str | None = None
    status: int | None = None
    reason: str | None = None
    uncertain: bool = False
    cause: str | None = None
    message: str | None = None
    """A fixed text of the dialect, more exact than the kind's."""
    setting: BadSetting | None = None
    """The setting of this machine that caused it; `message` says what is wrong with it."""
    signed_in: str | None = None
    """The account that signed in, if it is the reason."""


DeviceFact = Issued | TryAgain | Refusal
PollFact = Approved | Granted | Pending | Unrecognized | SlowDown | Gone | TryAgain | Refusal
ExchangeFact = Granted | Refusal
RefreshFact = Granted | TryAgain | Refusal
KeysFact = KeySet | TryAgain
MetadataFact = ServerMetadata | Refusal | TryAgain
RevocationFact = bool | TryAgain
"""Whether the server confirmed; or that it could not do it now, and may be asked again."""
