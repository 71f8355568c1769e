"""What a login of the usual provider is bound to: its issuer, and the client id that is registered there.

Rules of this file: two names, and cheap to load; everything else about the provider is in `codex`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = ["CLIENT_ID", "ISSUER"]

ISSUER: Final = "https://auth.openai.com"
CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
