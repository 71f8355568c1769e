"""The usual provider: the issuer and the client id that its logins are bound to, and what people call it.

Rules of this file: a few names, and cheap to load; everything else about the provider is in `codex`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = ["CLIENT_ID", "ISSUER", "SERVICE", "TITLE"]

ISSUER: Final = "https://auth.openai.com"
CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
SERVICE: Final = "ChatGPT"
"""What people know it as."""
TITLE: Final = "Sign in with ChatGPT (Codex)"
