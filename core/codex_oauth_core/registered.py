"""The providers of this library by a few names: whose logins are whose, and what people call them.

Rules of this file: it is cheap to load, because commands that only print a token start with it; everything
else about the two is in `codex` and `chatgpt`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = [
    "CLIENT_ID",
    "ISSUED_CLIENT_IDS",
    "ISSUER",
    "OFFICIAL",
    "PLAN_USE_SCOPE",
    "SERVICE",
    "TITLE",
    "USUAL",
]

ISSUER: Final = "https://auth.openai.com"
CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
USUAL: Final = "codex"
"""What the usual provider is called in options, output and documents."""
OFFICIAL: Final = "chatgpt"
"""What the provider of the official sign-in is called there."""
ISSUED_CLIENT_IDS: Final = r"(?!dynamic_agent_client\Z)[A-Za-z0-9_-]{1,200}"
"""The client ids that the official sign-in issues, as a regular expression."""
PLAN_USE_SCOPE: Final = "chatgpt.tokens.use.direct"
"""What a person grants who lets a program use the plan."""
SERVICE: Final = "ChatGPT"
"""What people know it as."""
TITLE: Final = "Sign in with ChatGPT (Codex)"
