"""What people are told of the official sign-in: the only file that names its products to them."""

from __future__ import annotations

from typing import Final

from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind, KindFacts
from codex_oauth_core.texts import Texts

__all__ = ["TEXTS"]

_AGAIN: Final = "Sign in again."
_LATER: Final = "Try again in a few minutes."
_UPDATE: Final = "If it happens again, update codex-oauth."


def _unverified(what: str) -> KindFacts:
    """`what` goes on after "Its ID token"."""
    text = f"The answer is not surely ChatGPT's. Its ID token {what}. Nothing was stored."
    return KindFacts(text, (_AGAIN, _UPDATE), True)


def _redirect(what: str) -> KindFacts:
    return KindFacts(f"The browser came back, but {what}. Nothing was stored.", (_AGAIN,), True)


_ID_TOKEN: Final = {
    "id_token": "is missing or cannot be read",
    "alg": "has no signature of the kind that is needed",
    "crit": "has a part that codex-oauth does not know",
    "kid": "was signed with a key that ChatGPT has not published",
    "signature": "has a wrong signature",
    "iss": "comes from another issuer",
    "aud": "is for another application",
    "azp": "was given to another application",
    "exp": "has expired: check the clock of this machine",
    "iat": "says no time, or one in the future: check the clock of this machine",
    "sub": "names no person",
    "nonce": "belongs to another sign-in",
}

TEXTS: Final = Texts(
    service="ChatGPT",
    company="OpenAI",
    title="Continue with ChatGPT",
    end_sessions="in the settings of ChatGPT: disconnect this application",
    usage_page="https://chatgpt.com/settings/usage",
    in_use="Using ChatGPT plan",
    errors=(
        (
            ErrorKind.PLAN_USE_OFF,
            None,
            KindFacts(
                "This application may not use your ChatGPT plan.",
                ("Sign in again, and allow this application to use your plan.",),
            ),
        ),
        (
            ErrorKind.CLIENT_REJECTED,
            None,
            KindFacts(
                "ChatGPT does not accept this application's registration.",
                (
                    "Update codex-oauth.",
                    "If you have removed this application in ChatGPT, register it anew.",
                ),
            ),
        ),
        (
            ErrorKind.MISCONFIGURED,
            "extra_missing",
            KindFacts(
                "The package that checks the signatures of ChatGPT is not installed.",
                ("Install it: pip install 'codex-oauth[chatgpt]'",),
            ),
        ),
        (
            ErrorKind.MISCONFIGURED,
            "host_id",
            KindFacts(
                "The provider has no host_id, and ChatGPT asks for one.",
                ("Give the provider a host_id that stays the same on this machine.",),
            ),
        ),
        (
            ErrorKind.MISCONFIGURED,
            "application",
            KindFacts(
                "ChatGPT asks for the name of the application, and there is none.",
                ("Give the name of your application.",),
            ),
        ),
        (
            ErrorKind.INVALID_RESPONSE,
            "client_id_missing",
            _redirect("ChatGPT issued no client id"),
        ),
        (
            ErrorKind.INVALID_RESPONSE,
            "client_id_unusable",
            _redirect("its client id cannot be used"),
        ),
        (
            ErrorKind.INVALID_RESPONSE,
            "client_id_changed",
            _redirect("with the registration of another application"),
        ),
        *((ErrorKind.INVALID_RESPONSE, name, _unverified(what)) for name, what in _ID_TOKEN.items()),
        (
            ErrorKind.DEVICE_CODE_UNSUPPORTED,
            NO_ENDPOINT,
            KindFacts("The official sign-in of ChatGPT has no device code.", ("Sign in with the browser.",)),
        ),
        (
            ErrorKind.NO_ACCOUNT_ID,
            None,
            KindFacts("The issued tokens name no person.", (_AGAIN, _LATER), True),
        ),
    ),
)
