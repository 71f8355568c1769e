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
    READING = "reading"
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
    LOADED = "loaded"
    CONFLICT = "conflict"
    SAVED = "saved"
    REFUSED = "refused"
    STORE_FAILED = "store_failed"
    EXHAUSTED = "exhausted"
    RESCUED = "rescued"
    RELEASED = "released"
    CANCEL = "cancel"


FINAL: Final = (State.DONE,)
LIVE: Final = tuple(state for state in State if state not in FINAL)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.LOCKING),
    (Trigger.LOCKED, State.LOCKING, State.READING),
    (Trigger.BUSY, State.LOCKING, State.QUEUED),
    (Trigger.STORE_FAILED, State.LOCKING, State.DONE),
    (Trigger.DUE, State.QUEUED, State.LOCKING),
    (Trigger.EXHAUSTED, State.QUEUED, State.RESCUING),
    (Trigger.REFUSED, State.QUEUED, State.DONE),
    (Trigger.LOADED, State.READING, State.SAVING),
    (Trigger.REFUSED, State.READING, State.RELEASING),
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
