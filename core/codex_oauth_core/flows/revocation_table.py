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
    RESERVING = "reserving"
    REVOKING = "revoking"
    DELETING = "deleting"
    RELEASING = "releasing"
    RELEASING_TO_RETRY = "releasing_to_retry"
    BACKING_OFF = "backing_off"
    REVOKING_UNSTORED = "revoking_unstored"
    BACKING_OFF_UNSTORED = "backing_off_unstored"
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
    NOTHING_TO_REVOKE = "nothing_to_revoke"
    RESERVED = "reserved"
    ANSWERED = "answered"
    RETRY_LATER = "retry_later"
    DELETED = "deleted"
    CONFLICT = "conflict"
    RENEWED = "renewed"
    LOCK_LOST = "lock_lost"
    STORE_FAILED = "store_failed"
    RELEASED = "released"
    CANCEL = "cancel"


FINAL: Final = (State.DONE,)
LIVE: Final = tuple(state for state in State if state not in FINAL)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.LOCKING),
    (Trigger.START_UNSTORED, State.IDLE, State.REVOKING_UNSTORED),
    (Trigger.BUSY, State.LOCKING, State.QUEUED),
    (Trigger.EXHAUSTED, State.LOCKING, State.DONE),
    (Trigger.STORE_FAILED, State.LOCKING, State.DONE),
    (Trigger.DUE, State.QUEUED, State.LOCKING),
    (Trigger.LOCKED, State.LOCKING, State.RESERVING),
    (Trigger.NOTHING_TO_REVOKE, State.LOCKING, State.DELETING),
    (Trigger.CONFLICT, State.LOCKING, State.RELEASING),
    (Trigger.RESERVED, State.RESERVING, State.REVOKING),
    (Trigger.LOCK_LOST, State.RESERVING, State.RELEASING_TO_RETRY),
    (Trigger.STORE_FAILED, State.RESERVING, State.DELETING),
    (Trigger.ANSWERED, State.REVOKING, State.DELETING),
    (Trigger.RETRY_LATER, State.REVOKING, State.RELEASING_TO_RETRY),
    (Trigger.CONFLICT, State.DELETING, State.RELEASING),
    (Trigger.RENEWED, State.DELETING, State.RELEASING_TO_RETRY),
    (Trigger.LOCK_LOST, State.DELETING, State.RELEASING_TO_RETRY),
    (Trigger.DELETED, State.DELETING, State.RELEASING),
    (Trigger.STORE_FAILED, State.DELETING, State.RELEASING),
    (Trigger.RELEASED, State.RELEASING, State.DONE),
    (Trigger.START_UNSTORED, State.RELEASING, State.REVOKING_UNSTORED),
    (Trigger.RELEASED, State.RELEASING_TO_RETRY, State.BACKING_OFF),
    (Trigger.DUE, State.BACKING_OFF, State.LOCKING),
    (Trigger.CANCEL, State.BACKING_OFF, State.LOCKING),
    (Trigger.ANSWERED, State.REVOKING_UNSTORED, State.DONE),
    (Trigger.RETRY_LATER, State.REVOKING_UNSTORED, State.BACKING_OFF_UNSTORED),
    (Trigger.DUE, State.BACKING_OFF_UNSTORED, State.REVOKING_UNSTORED),
    (Trigger.CANCEL, State.BACKING_OFF_UNSTORED, State.DONE),
    *((Trigger.CANCEL, state, State.DONE) for state in (State.IDLE, State.QUEUED)),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)
