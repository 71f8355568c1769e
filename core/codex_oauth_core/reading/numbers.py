"""The former place of these names, for one release: they are in `codex_oauth_core.reading.times`."""

from __future__ import annotations

from codex_oauth_core.reading.times import DEFAULT_INTERVAL, read_interval, read_seconds

__all__ = ["DEFAULT_INTERVAL", "read_interval", "read_seconds"]
