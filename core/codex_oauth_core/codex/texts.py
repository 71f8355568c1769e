"""What people who sign in with Codex are told of it: the only file that names its products to them."""

from __future__ import annotations

from typing import Final

from codex_oauth_core.errors import NOT_ENABLED, ErrorKind, KindFacts
from codex_oauth_core.registered import SERVICE, TITLE
from codex_oauth_core.texts import Texts

__all__ = ["TEXTS"]

_ENABLE_DEVICE: Final = "Allow device codes in ChatGPT: Settings > Security."
_ASK_ADMIN: Final = "In a workspace, ask an administrator to allow them."
_OR_BROWSER: Final = "Or sign in with the browser."

TEXTS: Final = Texts(
    service=SERVICE,
    company="OpenAI",
    title=TITLE,
    end_sessions="in ChatGPT: Settings > Security > Log out of all devices",
    errors=(
        (
            ErrorKind.DEVICE_CODE_UNSUPPORTED,
            None,
            KindFacts(
                "Sign-in with a device code is not available here.", (_ENABLE_DEVICE, _ASK_ADMIN, _OR_BROWSER)
            ),
        ),
        (
            ErrorKind.DEVICE_AUTH_FAILED,
            None,
            KindFacts(
                "The sign-in server refused the device code.", (_ENABLE_DEVICE, _ASK_ADMIN, _OR_BROWSER)
            ),
        ),
        (
            ErrorKind.NO_ACCOUNT_ID,
            None,
            KindFacts(
                "The issued token names no ChatGPT account.",
                ("Use an account that has a ChatGPT plan.",),
            ),
        ),
        (
            ErrorKind.DENIED,
            NOT_ENABLED,
            KindFacts(
                "Codex is not enabled for this workspace.",
                ("Ask an administrator of the workspace to enable Codex.", "Or use another workspace."),
            ),
        ),
    ),
)
