"""What a store of one's own needs beside its storage: keys, owners, intents, the reading of what it keeps.

Rules of this file: stores of others import from here and from `store`, and from nowhere else in this folder;
what it names stays.
"""

from __future__ import annotations

from codex_oauth.clock import instant
from codex_oauth.stores.locks import draw_owner, is_pending, our_intent
from codex_oauth.stores.names import login_name
from codex_oauth_core.leftovers import best_leftover
from codex_oauth_core.record import Intent, Record, read_record, write_record
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY
from codex_oauth_core.secret import without_traceback

__all__ = [
    "INTENT_LIFE",
    "SEND_BY",
    "Intent",
    "Record",
    "best_leftover",
    "check_key",
    "draw_owner",
    "instant",
    "is_pending",
    "is_young",
    "our_intent",
    "read_record",
    "without_traceback",
    "write_record",
]


def check_key(key: str) -> None:
    """Raise ValueError for an invalid key of a login: a key has letters, digits, `_` and `-`, at most 128."""
    login_name(key)


def is_young(intent: Intent, at: float) -> bool:
    """Whether a holder may still act on `intent` at `at`, in Unix seconds by the store's clock, which also
    marked the intent. Use this in every store that has locks which do not end with their process; for the
    others see `is_pending`.
    """
    return abs(at - intent.at) < INTENT_LIFE
