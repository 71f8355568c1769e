"""Where the project is, for those who want to read on or to report a fault. pyproject.toml says the same.

Rules of this file: texts only, and cheap to load.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = ["HOME_URL", "ISSUES_URL"]

HOME_URL: Final = "https://github.com/codex-oauth/codex-oauth"
ISSUES_URL: Final = f"{HOME_URL}/issues"
