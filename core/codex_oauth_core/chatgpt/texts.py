"""What people are told of the official sign-in: the only file that names its products to them."""

from __future__ import annotations

from typing import Final

from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind, KindFacts
from codex_oauth_core.texts import Texts

__all__ = ["TEXTS"]

_AGAIN: Final = "Start the sign-in again."
_LATER: Final = "Try again in a few minutes."


def _unverified(what: str) -> KindFacts:
    text = f"The answer could not be shown to be ChatGPT's: its ID token {what}. Nothing was stored."
    return KindFacts(text, (_AGAIN, "If it stays so, update codex-oauth."), True)


def _redirect(what: str) -> KindFacts:
    text = f"The browser came back, but {what}. Nothing was exchanged, and what was stored is as it was."
    return KindFacts(text, (_AGAIN,), True)


_ID_TOKEN: Final = {
    "id_token": "is missing or cannot be read",
    "alg": "is not signed as it must be",
    "crit": "asks for what is not known here",
    "kid": "was signed with a key that ChatGPT has not published",
    "signature": "has a wrong signature",
    "iss": "is of another issuer",
    "aud": "is for another application",
    "azp": "was given to another application",
    "exp": "has expired; this machine's clock may be wrong",
    "iat": "does not say when it was made; this machine's clock may be wrong",
    "sub": "names nobody",
    "nonce": "belongs to another sign-in",
}

TEXTS: Final = Texts(
    service="ChatGPT",
    title="Continue with ChatGPT",
    end_sessions="in ChatGPT's settings, by disconnecting this application",
    usage_page="https://chatgpt.com/settings/usage",
    in_use="Using ChatGPT plan",
    errors=(
        (
            ErrorKind.PLAN_USE_OFF,
            None,
            KindFacts(
                "Signed in, but this application may not use your ChatGPT plan.",
                ("Sign in again, and allow this application to use your plan.",),
                login="The login itself is good.",
            ),
        ),
        (
            ErrorKind.CLIENT_REJECTED,
            None,
            KindFacts(
                "ChatGPT does not accept this application's registration.",
                (
                    "Update codex-oauth.",
                    "If the registration was deleted in ChatGPT's settings, register this application anew.",
                ),
            ),
        ),
        (
            ErrorKind.MISCONFIGURED,
            "extra_missing",
            KindFacts(
                "To continue with ChatGPT, signatures must be checked, and the package for that is missing.",
                ("Install it: pip install 'codex-oauth[chatgpt]'",),
            ),
        ),
        (
            ErrorKind.MISCONFIGURED,
            "host_id",
            KindFacts(
                "ChatGPT asks for an id of this installation, and none was given.",
                ("Give the provider a host_id that stays the same.",),
            ),
        ),
        (
            ErrorKind.MISCONFIGURED,
            "application",
            KindFacts(
                "ChatGPT asks what the application is called, and no name was given.",
                ("Give the application's own name.",),
            ),
        ),
        (
            ErrorKind.INVALID_RESPONSE,
            "client_id_missing",
            _redirect("the registration is incomplete: ChatGPT issued no client id"),
        ),
        (
            ErrorKind.INVALID_RESPONSE,
            "client_id_unusable",
            _redirect("the registration is incomplete: the client id is none that ChatGPT issues"),
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
            KindFacts("The official sign-in of ChatGPT has no device code.", ("Use the browser.",)),
        ),
        (
            ErrorKind.NO_ACCOUNT_ID,
            None,
            KindFacts("The issued tokens name nobody.", (_AGAIN, _LATER), True),
        ),
    ),
)
