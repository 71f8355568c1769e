"""Every way a sign-in can fail, as data.

Rules of this file: `ErrorKind` is closed; each kind has one row in `KINDS` with its fixed message and
what to do next; no text of a server, and no secret, ever enters an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Any, Final

import attrs

__all__ = [
    "KINDS",
    "NOT_ENABLED",
    "NO_ENDPOINT",
    "OTHER_PERSON",
    "PARTICULAR",
    "Detail",
    "ErrorKind",
    "IllegalEvent",
    "KindFacts",
    "SignInError",
]

Detail = str | int | float | bool | None


@unique
class ErrorKind(StrEnum):
    """What went wrong. `docs/errors.md` explains each kind to users."""

    # denied, expired or refused
    DENIED = "denied"
    OAUTH_ERROR = "oauth_error"
    EXPIRED = "expired"
    TIMEOUT = "timeout"
    APPROVAL_LOST = "approval_lost"
    DEVICE_CODE_UNSUPPORTED = "device_code_unsupported"
    DEVICE_AUTH_FAILED = "device_auth_failed"
    TOKEN_REQUEST_FAILED = "token_request_failed"
    NO_ACCOUNT_ID = "no_account_id"
    MISSING_AUTHORIZATION_CODE = "missing_authorization_code"
    INVALID_STATE = "invalid_state"
    INVALID_REQUEST = "invalid_request"
    REGION_BLOCKED = "region_blocked"
    ACCOUNT_CHANGED = "account_changed"
    WORKSPACE_RESTRICTED = "workspace_restricted"
    CLIENT_REJECTED = "client_rejected"
    PLAN_USE_OFF = "plan_use_off"
    # sign in (again)
    LOGIN_REQUIRED = "login_required"
    # temporary, or an unusable answer
    NETWORK = "network"
    TLS_UNTRUSTED = "tls_untrusted"
    BLOCKED = "blocked"
    RATE_LIMITED = "rate_limited"
    INVALID_RESPONSE = "invalid_response"
    CALLBACK_PORT_UNAVAILABLE = "callback_port_unavailable"
    CALLBACK_SERVER_FAILED = "callback_server_failed"
    # this machine's own settings
    MISCONFIGURED = "misconfigured"
    # storage
    CORRUPT_AUTH = "corrupt_auth"
    AUTH_READ_FAILED = "auth_read_failed"
    AUTH_WRITE_FAILED = "auth_write_failed"
    # interrupted
    CANCELLED = "cancelled"


@attrs.frozen
class KindFacts:
    """Facts that are true of every error of one kind."""

    message: str
    next_actions: tuple[str, ...]
    retryable: bool = False
    """Whether the same operation, started again with nothing changed, can succeed."""
    login: str = "You are still signed in as {name}."
    """What happened to a stored login. A text with `{name}` is shown only if that login exists."""


_AGAIN: Final = "Sign in again."
_LATER: Final = "Try again in a few minutes."
_BROWSER: Final = "Or sign in with the browser."
_DEVICE: Final = "Sign in with a device code instead."
_ENABLE_DEVICE: Final = "Allow device codes in the settings of the account."
_CHECK_NETWORK: Final = "Check the network, the VPN and the proxy settings."
_STORE_RIGHTS: Final = "Check the owner and the permissions of the directory, and the room on its disk."
_UPDATE: Final = "If it happens again, update codex-oauth."

KINDS: Final[Mapping[ErrorKind, KindFacts]] = {
    ErrorKind.DENIED: KindFacts("The sign-in was denied.", ("Sign in again, and approve it.",), True),
    ErrorKind.OAUTH_ERROR: KindFacts("The sign-in server ended the sign-in with an error.", (_AGAIN,), True),
    ErrorKind.EXPIRED: KindFacts("The code expired before the sign-in was approved.", (_AGAIN,), True),
    ErrorKind.TIMEOUT: KindFacts("The sign-in was not finished in the browser in time.", (_AGAIN,), True),
    ErrorKind.APPROVAL_LOST: KindFacts("The approval was lost on its way to this machine.", (_AGAIN,), True),
    ErrorKind.DEVICE_CODE_UNSUPPORTED: KindFacts(
        "Sign-in with a device code is not available here.", (_ENABLE_DEVICE, _BROWSER)
    ),
    ErrorKind.DEVICE_AUTH_FAILED: KindFacts(
        "The sign-in server refused the device code.", (_ENABLE_DEVICE, _BROWSER)
    ),
    ErrorKind.TOKEN_REQUEST_FAILED: KindFacts(
        "The sign-in was approved, but the server issued no token for it.", (_AGAIN,), True
    ),
    ErrorKind.NO_ACCOUNT_ID: KindFacts("The issued token names no account.", ("Use another account.",)),
    ErrorKind.MISSING_AUTHORIZATION_CODE: KindFacts(
        "The browser came back without an authorization code.", (_AGAIN,), True
    ),
    ErrorKind.INVALID_STATE: KindFacts(
        "The pasted address belongs to another sign-in.", ("Paste the address of this sign-in.",)
    ),
    ErrorKind.INVALID_REQUEST: KindFacts(
        "The pasted text is not the address of a finished sign-in.",
        ("Paste the whole address from the browser.",),
    ),
    ErrorKind.REGION_BLOCKED: KindFacts(
        "The service is not available in this country, region or territory.",
        ("Use a network connection in a supported country or region.",),
    ),
    ErrorKind.ACCOUNT_CHANGED: KindFacts(
        "The server answered with another account than the one signed in.",
        (_AGAIN,),
        login="The login of {name} works until its access token expires.",
    ),
    ErrorKind.WORKSPACE_RESTRICTED: KindFacts(
        "The account that signed in is not in the workspace that was asked for.",
        ("Sign in again, and choose that workspace.",),
    ),
    ErrorKind.CLIENT_REJECTED: KindFacts(
        "The sign-in server does not accept this program.",
        ("Update codex-oauth.", "Check the issuer, if you have named one."),
    ),
    ErrorKind.PLAN_USE_OFF: KindFacts(
        "This application may not use your plan.", ("Sign in again, and allow it.",)
    ),
    ErrorKind.LOGIN_REQUIRED: KindFacts("There is no usable login.", ("Sign in.",), login=""),
    ErrorKind.NETWORK: KindFacts(
        "The sign-in server could not be reached, or answered with an error.", (_CHECK_NETWORK, _LATER), True
    ),
    ErrorKind.TLS_UNTRUSTED: KindFacts(
        "The certificate of the server is not trusted.",
        (
            "On a company network, set SSL_CERT_FILE to the root certificate of the company.",
            "Check the date and the time of this machine.",
        ),
    ),
    ErrorKind.BLOCKED: KindFacts(
        "A web page came in place of an answer of the sign-in server.",
        (
            "Open any page in a browser: a captive portal may want you to sign in first.",
            _CHECK_NETWORK,
        ),
        True,
    ),
    ErrorKind.RATE_LIMITED: KindFacts("The sign-in server asks for fewer requests.", (_LATER,), True),
    ErrorKind.INVALID_RESPONSE: KindFacts(
        "The answer of the sign-in server could not be used.", (_LATER, _UPDATE), True
    ),
    ErrorKind.CALLBACK_PORT_UNAVAILABLE: KindFacts(
        "No port is free for the answer of the browser.", (_DEVICE,), True
    ),
    ErrorKind.CALLBACK_SERVER_FAILED: KindFacts(
        "This machine could not listen for the answer of the browser.", (_DEVICE,), True
    ),
    ErrorKind.MISCONFIGURED: KindFacts(
        "A setting of this machine cannot be used.",
        ("Correct the setting, or unset it.", "Look at all settings: codex-oauth doctor"),
    ),
    ErrorKind.CORRUPT_AUTH: KindFacts(
        "The stored login cannot be read as a login.", (_AGAIN,), login="Nothing was deleted."
    ),
    ErrorKind.AUTH_READ_FAILED: KindFacts(
        "The stored login could not be read.", (_STORE_RIGHTS,), login="Nothing was deleted."
    ),
    ErrorKind.AUTH_WRITE_FAILED: KindFacts(
        "The login could not be stored.", (_STORE_RIGHTS,), login="What was stored before is kept."
    ),
    ErrorKind.CANCELLED: KindFacts("The sign-in was cancelled.", (_AGAIN,), True),
}

NOT_ENABLED: Final = "not_enabled"
OTHER_PERSON: Final = "other_person"

NO_ENDPOINT: Final = "no_endpoint"
"""The `details.reason` of what a provider does not offer: it has no endpoint for it."""

PARTICULAR: Final[Mapping[tuple[ErrorKind, Detail], KindFacts]] = {
    (ErrorKind.DENIED, NOT_ENABLED): KindFacts(
        "The service is not enabled for this account.",
        ("Ask the administrator of the account to enable it.", "Or use another account."),
    ),
    (ErrorKind.DEVICE_CODE_UNSUPPORTED, NO_ENDPOINT): KindFacts(
        "This provider has no sign-in with a device code.", ("Sign in with the browser.",)
    ),
    (ErrorKind.OAUTH_ERROR, NO_ENDPOINT): KindFacts(
        "This provider has no sign-in with the browser.", (_DEVICE,)
    ),
    (ErrorKind.TOKEN_REQUEST_FAILED, NO_ENDPOINT): KindFacts(
        "This provider exchanges no code for a token.", ("Sign in in another way.",)
    ),
    (ErrorKind.LOGIN_REQUIRED, NO_ENDPOINT): KindFacts("This provider renews no login.", (_AGAIN,), login=""),
    (ErrorKind.ACCOUNT_CHANGED, OTHER_PERSON): KindFacts(
        "Another account signed in than the one asked for. Nothing was stored.",
        ("Sign in again, in the browser with the account that you asked for.",),
    ),
}
"""Kinds with a `details.reason` of which more is true than of the kind."""


@attrs.define(eq=False, repr=False)
class SignInError(Exception):
    """A failed operation: a value in `Finished`. Only functions such as `login()` raise it.

    `message` and `next_actions` are fixed texts for people; `details` holds facts for programs (a
    server's error code, a status) and never a secret or a server's prose. `retryable`: the same operation,
    started again with nothing changed, can succeed. A traceback ends with the kind, the message, and the next
    actions as notes (PEP 678); `str()` gives the kind and the message. docs/errors.md explains each kind.
    """

    kind: ErrorKind
    message: str
    details: Mapping[str, Detail]
    retryable: bool
    next_actions: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        for action in self.next_actions:
            self.add_note(action)

    @classmethod
    def of(cls, kind: ErrorKind, message: str | None = None, **details: Detail) -> SignInError:
        """An error of one kind, with that kind's message unless you give another fixed text.

        Details that are None are left out. A `reason` in `PARTICULAR` has its own message and next actions.
        """
        facts = PARTICULAR.get((kind, details.get("reason")), KINDS[kind])
        return cls.by(facts, kind, message, **details)

    @classmethod
    def by(
        cls, facts: KindFacts, kind: ErrorKind, message: str | None = None, /, **details: Detail
    ) -> SignInError:
        """The same error with other facts than the kind's, such as a provider's."""
        known = {name: value for name, value in details.items() if value is not None}
        return cls(kind, message or facts.message, known, facts.retryable, facts.next_actions)

    def to_dict(self) -> dict[str, Any]:
        """`{"ok": false, "error": {...}}` with stable keys. The command line prints this as JSON."""
        return {
            "ok": False,
            "error": {
                "kind": self.kind.value,
                "message": self.message,
                "details": dict(self.details),
                "retryable": self.retryable,
                "next_actions": list(self.next_actions),
            },
        }

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.message}"

    def __repr__(self) -> str:
        return f"SignInError(kind={self.kind.value!r}, details={dict(self.details)!r})"


class IllegalEvent(Exception):
    """The event does not answer the outstanding effect. This is a bug of the driver, never of a server.

    The flow is unchanged. The error names the state and the type of the event, and none of their values.
    """
