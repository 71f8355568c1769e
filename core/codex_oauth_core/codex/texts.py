"""What people who sign in with Codex are told of it: the only file that names its products to them."""

from __future__ import annotations

from typing import Final

from codex_oauth_core.errors import NOT_ENABLED, ErrorKind, KindFacts
from codex_oauth_core.registered import SERVICE, TITLE
from codex_oauth_core.texts import Texts

__all__ = ["TEXTS"]

_ENABLE_DEVICE: Final = (
    "Enable device code sign-in in ChatGPT: Settings > Security; in a workspace an administrator allows it."
)
_OR_BROWSER: Final = "Or sign in with the browser."

TEXTS: Final = Texts(
    service=SERVICE,
    title=TITLE,
    end_sessions="in ChatGPT, Settings > Security > Log out of all devices",
    errors=(
        (
            ErrorKind.DEVICE_CODE_UNSUPPORTED,
            None,
            KindFacts("Sign-in with a device code is not available here.", (_ENABLE_DEVICE, _OR_BROWSER)),
        ),
        (
            ErrorKind.DEVICE_AUTH_FAILED,
            None,
            KindFacts("The sign-in server refused the device code.", (_ENABLE_DEVICE, _OR_BROWSER)),
        ),
        (
            ErrorKind.NO_ACCOUNT_ID,
            None,
            KindFacts(
                "The issued token names no ChatGPT account.",
                ("Sign in with an account that has a ChatGPT plan.",),
            ),
        ),
        (
            ErrorKind.DENIED,
            NOT_ENABLED,
            KindFacts(
                "Codex is not enabled for this workspace; its administrator can change that.",
                ("Ask the workspace's administrator to enable Codex.", "Or sign in with another workspace."),
            ),
        ),
    ),
)
