"""The former place of these names, for one release: they are in `codex_oauth.stores.locks`."""

from __future__ import annotations

from codex_oauth.stores.locks import draw_owner, is_alive, is_pending, our_intent

__all__ = ["draw_owner", "is_alive", "is_pending", "our_intent"]
