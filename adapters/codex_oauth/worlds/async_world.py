"""The former place of these names, for one release: they are in `codex_oauth.worlds.world`."""

from __future__ import annotations

from codex_oauth.worlds.world import AsyncPerformer, AsyncPerformerOf, AsyncWorld, arun

__all__ = ["AsyncPerformer", "AsyncPerformerOf", "AsyncWorld", "arun"]
