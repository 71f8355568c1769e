"""The moves of a deposit, and nothing else: `docs/diagrams/deposit.mmd` is drawn from this table.

Rules of this file: every move is a row; a login that was granted is stored, or kept beside, or the failure
is told: it never just disappears.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final

from codex_oauth_core.flows.table import FlowMachine, Move

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "State", "Trigger"]


@unique
class State(Enum):
    """Where a deposit stands."""

    IDLE = "idle"
    LOCKING = "locking"
    QUEUED = "queued"
    SAVING = "saving"
    RELEASING = "releasing"
    RESCUING = "rescuing"
    DONE = "done"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    LOCKED = "locked"
    BUSY = "busy"
    DUE = "due"
    CONFLICT = "conflict"
    SAVED = "saved"
    REFUSED = "refused"
    STORE_FAILED = "store_failed"
    EXHAUSTED = "exhausted"
    GAVE_UP = "gave_up"
    RESCUED = "rescued"
    RELEASED = "released"
    CANCEL = "cancel"


FINAL: Final = (State.DONE,)
LIVE: Final = tuple(state for state in State if state not in FINAL)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.LOCKING),
    (Trigger.LOCKED, State.LOCKING, State.SAVING),
    (Trigger.REFUSED, State.LOCKING, State.RELEASING),
    (Trigger.BUSY, State.LOCKING, State.QUEUED),
    (Trigger.EXHAUSTED, State.LOCKING, State.RESCUING),
    (Trigger.GAVE_UP, State.LOCKING, State.DONE),
    (Trigger.STORE_FAILED, State.LOCKING, State.DONE),
    (Trigger.DUE, State.QUEUED, State.LOCKING),
    (Trigger.EXHAUSTED, State.QUEUED, State.RESCUING),
    (Trigger.GAVE_UP, State.QUEUED, State.DONE),
    (Trigger.CONFLICT, State.SAVING, State.SAVING),
    (Trigger.REFUSED, State.SAVING, State.RELEASING),
    (Trigger.SAVED, State.SAVING, State.RELEASING),
    (Trigger.STORE_FAILED, State.SAVING, State.RELEASING),
    (Trigger.RELEASED, State.RELEASING, State.DONE),
    (Trigger.RESCUED, State.RESCUING, State.DONE),
    (Trigger.STORE_FAILED, State.RESCUING, State.DONE),
    (Trigger.CANCEL, State.IDLE, State.DONE),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)
