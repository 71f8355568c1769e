"""The times of a renewal, all shorter by one factor: so that a storm of seconds sees leases and intents run out.

Rules of this file: only a process of the storms is hurried, and before it has loaded what reads the times; their
ratios stay, because it is these that keep a login. What waits for a server and for nothing else is not shortened.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["hurry"]


def hurry(factor: float) -> None:
    """Let all times of a renewal pass `factor` times as fast, in this process and those that it forks."""
    times: Any = import_module("codex_oauth_core.renewal_times")
    for name in times.__all__:
        setattr(times, name, getattr(times, name) / factor)
    pace: Any = import_module("codex_oauth_core.flows.pace")
    assert pace.SAVE_WITHIN == times.SAVE_WITHIN, "the times were read before"
    first, most = pace.SAVE_PAUSES
    pace.SAVE_PAUSES = (first, max(first, most / factor))
    rows: Any = import_module("codex_oauth.fleet.rows")
    assert f"< {times.INTENT_LIFE}" in rows.LOCK, "the times were read before"
    lease, rows.LEASE = rows.LEASE, rows.LEASE / factor
    rows.RESTART_GRACE = max(rows.RESTART_GRACE / factor, 2 * pace.SAVE_PAUSES[1])
    long, short = (f"interval '{each} s'" for each in (lease, rows.LEASE))
    assert rows.LOCK.count(long) == 2, "the lease stands elsewhere"
    rows.LOCK = rows.LOCK.replace(long, short)
