"""The moves of a revocation, and nothing else: `docs/diagrams/revocation.mmd` is drawn from this table.

Rules of this file: every move is a row; whatever the server says or does not say, the login is deleted.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final

from codex_oauth_core.flows.table import FlowMachine, Move

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "State", "Trigger"]


@unique
class State(Enum):
    """Where a revocation stands."""

    IDLE = "idle"
    LOCKING = "locking"
    QUEUED = "queued"
    READING = "reading"
    REVOKING = "revoking"
    DELETING = "deleting"
    RELEASING = "releasing"
    REVOKING_UNSTORED = "revoking_unstored"
    DONE = "done"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    START_UNSTORED = "start_unstored"
    LOCKED = "locked"
    BUSY = "busy"
    DUE = "due"
    EXHAUSTED = "exhausted"
    LOADED = "loaded"
    NOTHING_TO_REVOKE = "nothing_to_revoke"
    ANSWERED = "answered"
    DELETED = "deleted"
    CONFLICT = "conflict"
    STORE_FAILED = "store_failed"
    RELEASED = "released"
    CANCEL = "cancel"


FINAL: Final = (State.DONE,)
LIVE: Final = tuple(state for state in State if state not in FINAL)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.LOCKING),
    (Trigger.START_UNSTORED, State.IDLE, State.REVOKING_UNSTORED),
    (Trigger.LOCKED, State.LOCKING, State.READING),
    (Trigger.BUSY, State.LOCKING, State.QUEUED),
    (Trigger.STORE_FAILED, State.LOCKING, State.DONE),
    (Trigger.DUE, State.QUEUED, State.LOCKING),
    (Trigger.EXHAUSTED, State.QUEUED, State.DONE),
    (Trigger.LOADED, State.READING, State.REVOKING),
    (Trigger.NOTHING_TO_REVOKE, State.READING, State.DELETING),
    (Trigger.ANSWERED, State.REVOKING, State.DELETING),
    (Trigger.CONFLICT, State.DELETING, State.RELEASING),
    (Trigger.DELETED, State.DELETING, State.RELEASING),
    (Trigger.STORE_FAILED, State.DELETING, State.RELEASING),
    (Trigger.RELEASED, State.RELEASING, State.DONE),
    (Trigger.ANSWERED, State.REVOKING_UNSTORED, State.DONE),
    *((Trigger.CANCEL, state, State.DONE) for state in (State.IDLE, State.QUEUED)),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)
