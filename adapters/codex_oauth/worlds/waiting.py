"""The former place of these names, for one release: they are in `codex_oauth.worlds.callbacks`."""

from __future__ import annotations

from codex_oauth.worlds.callbacks import Heard, Sources, answer_of

__all__ = ["Heard", "Sources", "answer_of"]
