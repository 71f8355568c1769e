"""The former place of these names, for one release: they are in `codex_oauth.transport.protocol`."""

from __future__ import annotations

from codex_oauth.transport.protocol import AsyncTransport

__all__ = ["AsyncTransport"]
