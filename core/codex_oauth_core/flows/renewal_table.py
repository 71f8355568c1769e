"""The moves of a renewal, and nothing else: `docs/diagrams/renewal.mmd` is drawn from this table.

Rules of this file: every move is a row; from `LOCKING` to `RELEASING` the lock of the login is held, and in
no other state; the refresh token is sent in one state only, and what comes of it is saved in the next.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final

from codex_oauth_core.flows.machine import FlowMachine, Move

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "State", "Trigger"]


@unique
class State(Enum):
    """Where a renewal stands."""

    IDLE = "idle"
    READING = "reading"
    LOCKING = "locking"
    QUEUED = "queued"
    RESERVING = "reserving"
    SENDING = "sending"
    RESCUING = "rescuing"
    SAVING = "saving"
    SAVING_LATER = "saving_later"
    RELEASING = "releasing"
    RELEASING_TO_RETRY = "releasing_to_retry"
    BACKING_OFF = "backing_off"
    DONE = "done"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    CURRENT = "current"
    STALE = "stale"
    BUSY = "busy"
    QUEUE = "queue"
    UNREADABLE = "unreadable"
    UNSAVED = "unsaved"
    DUE = "due"
    RESERVED = "reserved"
    ANSWERED = "answered"
    UNCERTAIN = "uncertain"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    OTHER_ACCOUNT = "other_account"
    RESCUED = "rescued"
    SAVED = "saved"
    CONFLICT = "conflict"
    STORE_FAILED = "store_failed"
    TRY_LATER = "try_later"
    RESTORED = "restored"
    RELEASED = "released"
    EXHAUSTED = "exhausted"
    CANCEL = "cancel"


FINAL: Final = (State.DONE,)
LIVE: Final = tuple(state for state in State if state not in FINAL)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.READING),
    (Trigger.CURRENT, State.READING, State.DONE),
    (Trigger.STALE, State.READING, State.LOCKING),
    (Trigger.STORE_FAILED, State.READING, State.DONE),
    (Trigger.BUSY, State.LOCKING, State.DONE),
    (Trigger.EXHAUSTED, State.LOCKING, State.DONE),
    (Trigger.QUEUE, State.LOCKING, State.QUEUED),
    (Trigger.STORE_FAILED, State.LOCKING, State.DONE),
    (Trigger.DUE, State.QUEUED, State.READING),
    (Trigger.UNREADABLE, State.LOCKING, State.RELEASING),
    (Trigger.CURRENT, State.LOCKING, State.RELEASING),
    (Trigger.UNSAVED, State.LOCKING, State.SAVING),
    (Trigger.STALE, State.LOCKING, State.RESERVING),
    (Trigger.RESERVED, State.RESERVING, State.SENDING),
    (Trigger.STORE_FAILED, State.RESERVING, State.RELEASING),
    (Trigger.ANSWERED, State.SENDING, State.SAVING),
    (Trigger.UNCERTAIN, State.SENDING, State.SAVING),
    (Trigger.OTHER_ACCOUNT, State.SENDING, State.RESCUING),
    (Trigger.REFUSED, State.SENDING, State.RELEASING),
    (Trigger.NOT_SENT, State.SENDING, State.RELEASING_TO_RETRY),
    (Trigger.RESCUED, State.RESCUING, State.SAVING),
    (Trigger.STORE_FAILED, State.RESCUING, State.SAVING),
    (Trigger.SAVED, State.SAVING, State.RELEASING),
    (Trigger.CONFLICT, State.SAVING, State.RELEASING),
    (Trigger.RESTORED, State.SAVING, State.RELEASING_TO_RETRY),
    (Trigger.STORE_FAILED, State.SAVING, State.RELEASING),
    (Trigger.TRY_LATER, State.SAVING, State.SAVING_LATER),
    (Trigger.DUE, State.SAVING_LATER, State.SAVING),
    (Trigger.CANCEL, State.SAVING_LATER, State.SAVING),
    (Trigger.RELEASED, State.RELEASING, State.DONE),
    (Trigger.RELEASED, State.RELEASING_TO_RETRY, State.BACKING_OFF),
    (Trigger.DUE, State.BACKING_OFF, State.READING),
    (Trigger.EXHAUSTED, State.BACKING_OFF, State.DONE),
    *((Trigger.CANCEL, state, State.DONE) for state in (State.IDLE, State.QUEUED, State.BACKING_OFF)),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)
