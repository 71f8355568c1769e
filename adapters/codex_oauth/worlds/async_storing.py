"""The former place of these names, for one release: they are in `codex_oauth.worlds.storing`."""

from __future__ import annotations

from codex_oauth.worlds.storing import AsyncStoringWorld

__all__ = ["AsyncStoringWorld"]
