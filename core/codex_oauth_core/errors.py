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
    """What is true of every error of one kind."""

    message: str
    next_actions: tuple[str, ...]
    retryable: bool = False
    """Whether the same operation, started again with nothing changed, can succeed."""
    login: str = "A login stored before is as good as it was."
    """What has become of a stored login. Empty where the message says it."""


_AGAIN: Final = "Start the sign-in again."
_LATER: Final = "Try again in a few minutes."
_ENABLE_DEVICE: Final = "Enable sign-in with a device code in the settings of the account."
_CHECK_NETWORK: Final = "Check the network connection, VPN and proxy settings."
_STORE_RIGHTS: Final = "Check the owner, the permissions and the free space of the login's directory."

KINDS: Final[Mapping[ErrorKind, KindFacts]] = {
    ErrorKind.DENIED: KindFacts(
        "The sign-in was denied.", ("Start the sign-in again and approve it.",), True
    ),
    ErrorKind.OAUTH_ERROR: KindFacts("The sign-in server ended the sign-in with an error.", (_AGAIN,), True),
    ErrorKind.EXPIRED: KindFacts("The code expired before the sign-in was approved.", (_AGAIN,), True),
    ErrorKind.TIMEOUT: KindFacts("Nobody finished the sign-in in the browser in time.", (_AGAIN,), True),
    ErrorKind.APPROVAL_LOST: KindFacts(
        "The approval did not reach us: an answer was lost on the way.", (_AGAIN,), True
    ),
    ErrorKind.DEVICE_CODE_UNSUPPORTED: KindFacts(
        "Sign-in with a device code is not available here.", (_ENABLE_DEVICE, "Or sign in with the browser.")
    ),
    ErrorKind.DEVICE_AUTH_FAILED: KindFacts(
        "The sign-in server refused the device code.",
        (_ENABLE_DEVICE, "Or sign in with the browser."),
    ),
    ErrorKind.TOKEN_REQUEST_FAILED: KindFacts(
        "The sign-in was approved, but no token was issued for it.", (_AGAIN,), True
    ),
    ErrorKind.NO_ACCOUNT_ID: KindFacts(
        "The issued token names no account.",
        ("Sign in with another account.",),
    ),
    ErrorKind.MISSING_AUTHORIZATION_CODE: KindFacts(
        "The browser came back without an authorization code.", (_AGAIN,), True
    ),
    ErrorKind.INVALID_STATE: KindFacts(
        "The pasted address belongs to another sign-in.", ("Paste the address of the sign-in just started.",)
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
        login="The stored login works until its access token expires.",
    ),
    ErrorKind.WORKSPACE_RESTRICTED: KindFacts(
        "The account that signed in is not in a workspace that was asked for.",
        ("Start the sign-in again and choose an allowed workspace.",),
    ),
    ErrorKind.CLIENT_REJECTED: KindFacts(
        "The sign-in server does not accept this client.",
        ("Update codex-oauth.", "Check the configured issuer."),
    ),
    ErrorKind.PLAN_USE_OFF: KindFacts(
        "Somebody is signed in, but has not allowed this application to use the plan.",
        ("Sign in again, and allow it.",),
        login="The login itself is good.",
    ),
    ErrorKind.LOGIN_REQUIRED: KindFacts("There is no usable login.", ("Sign in.",), login=""),
    ErrorKind.NETWORK: KindFacts(
        "No answer came from the sign-in server: it could not be reached, or it failed.",
        (_CHECK_NETWORK, _LATER),
        True,
    ),
    ErrorKind.TLS_UNTRUSTED: KindFacts(
        "The server's certificate is not trusted.",
        (
            "On a company network, point SSL_CERT_FILE at the company's root certificate.",
            "Check this machine's date and time.",
        ),
    ),
    ErrorKind.BLOCKED: KindFacts(
        "A web page came instead of an answer: a captive portal, a proxy or a firewall is in between.",
        ("Open a web page in a browser to pass the network's own sign-in.", _CHECK_NETWORK),
        True,
    ),
    ErrorKind.RATE_LIMITED: KindFacts("The sign-in server asks for fewer requests.", (_LATER,), True),
    ErrorKind.INVALID_RESPONSE: KindFacts(
        "The sign-in server's answer could not be used.",
        (_LATER, "If it stays so, update codex-oauth."),
        True,
    ),
    ErrorKind.CALLBACK_PORT_UNAVAILABLE: KindFacts(
        "No port for the browser's answer is free.", ("Sign in with a device code instead.",), True
    ),
    ErrorKind.CALLBACK_SERVER_FAILED: KindFacts(
        "The receiver of the browser's answer failed.", ("Sign in with a device code instead.",), True
    ),
    ErrorKind.MISCONFIGURED: KindFacts(
        "A setting of this machine cannot be used.",
        (
            "Correct the setting, or unset it.",
            "To have all settings looked at, run codex-oauth doctor.",
        ),
    ),
    ErrorKind.CORRUPT_AUTH: KindFacts(
        "The stored login cannot be read as a login.",
        ("Sign in again.",),
        login="It cannot be used as it is. Nothing was deleted.",
    ),
    ErrorKind.AUTH_READ_FAILED: KindFacts(
        "The stored login could not be read.",
        (_STORE_RIGHTS,),
        login="Whether it is good could not be seen. Nothing was deleted.",
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
        "The service is not enabled for this account; its administrator can change that.",
        ("Ask the account's administrator to enable it.", "Or sign in with another account."),
    ),
    (ErrorKind.DEVICE_CODE_UNSUPPORTED, NO_ENDPOINT): KindFacts(
        "This provider has no sign-in with a device code.", ("Sign in with the browser.",)
    ),
    (ErrorKind.OAUTH_ERROR, NO_ENDPOINT): KindFacts(
        "This provider has no sign-in with the browser.", ("Sign in with a device code.",)
    ),
    (ErrorKind.TOKEN_REQUEST_FAILED, NO_ENDPOINT): KindFacts(
        "This provider exchanges no code for a token.", ("Sign in in another way.",)
    ),
    (ErrorKind.LOGIN_REQUIRED, NO_ENDPOINT): KindFacts(
        "This provider renews no login.", ("Sign in again.",), login=""
    ),
    (ErrorKind.ACCOUNT_CHANGED, OTHER_PERSON): KindFacts(
        "Somebody else signed in than was asked for. Nothing was stored.",
        ("Start the sign-in again, and sign in with the account that was asked for.",),
    ),
}
"""Kinds with a `details.reason` of which more is true than of the kind."""


@attrs.define(eq=False, repr=False)
class SignInError(Exception):
    """A failed operation: a value in `Finished`, raised only by front doors such as `login()`.

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
        """The error of one kind, with that kind's message unless another fixed text is given.

        Details that are None are left out. A `reason` of `PARTICULAR` brings facts of its own.
        """
        facts = PARTICULAR.get((kind, details.get("reason")), KINDS[kind])
        return cls.by(facts, kind, message, **details)

    @classmethod
    def by(
        cls, facts: KindFacts, kind: ErrorKind, message: str | None = None, /, **details: Detail
    ) -> SignInError:
        """The same by other facts than the kind's: those of a provider, say."""
        known = {name: value for name, value in details.items() if value is not None}
        return cls(kind, message or facts.message, known, facts.retryable, facts.next_actions)

    def to_dict(self) -> dict[str, Any]:
        """`{"ok": false, "error": {...}}` with stable keys: what the command line prints as JSON."""
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
    """An event that does not answer the outstanding effect: the driver's bug, never a server's.

    The flow is unchanged. It names the state and the type of the event, and no value of either.
    """
