"""Which URLs may be handed to another program.

Rules of this file: what is not surely harmless is refused. Other programs read a URL by rules of their own:
a dash is an option to one, `&` a separator to another, `%action` a placeholder to a third (CVE-2025-6514,
CVE-2026-4519); so only what an authorization URL needs is let through.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from codex_oauth_core.provider import is_loopback

__all__ = ["LONGEST_URL", "refusal"]

LONGEST_URL: Final = 8 * 1024
"""Characters; no authorization server takes a longer request line."""

_URL: Final = re.compile(
    r"https?://"
    r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:[/?](?:[A-Za-z0-9._~:/?&=+-]|%[0-9A-Fa-f]{2})*)?",
    re.ASCII,
)
"""A URL as `urlencode` writes it: no user, no fragment, no quotes, spaces or control characters."""

_PLACEHOLDER: Final = "%action"  # well-formed as percent encoding, and special to launchers of browsers
_PORTS: Final = {"https": 443, "http": 80}


def refusal(url: str, origin: str | None = None) -> str | None:
    """Why `url` is not opened, as a clause without any part of it; None if it may be.

    It is `https`, or `http` on a loopback address; and on `origin` (a URL, of which scheme, host and port
    count), where that is given.
    """
    if len(url) > LONGEST_URL:
        return "its address is too long"
    if not _URL.fullmatch(url) or _PLACEHOLDER in url.lower():
        return "its address holds characters that are not handed to other programs"
    try:
        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            return "its address is neither https nor on this machine"
        elsewhere = _origin(parts) != _origin(parts if origin is None else urlsplit(origin))
    except ValueError:
        return "its address is not a URL"
    return "its address is not the provider's" if elsewhere else None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Scheme, host and port (RFC 6454 §4). Raises ValueError for a port that is none."""
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    if port == 0:
        raise ValueError("port 0 is no port")
    return parts.scheme, parts.hostname, port
