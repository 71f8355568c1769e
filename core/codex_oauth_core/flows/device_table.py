"""The moves of the device flow, and nothing else: `docs/diagrams/device.mmd` is drawn from this table.

Rules of this file: a state and a trigger bear the protocol's words (RFC 8628); every move is a row.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final

from codex_oauth_core.flows.table import FlowMachine, Move

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "State", "Trigger"]


@unique
class State(Enum):
    """Where a device login stands."""

    IDLE = "idle"
    REQUESTING_CODE = "requesting_code"
    POSTPONED = "postponed"
    WAITING = "waiting"
    POLLING = "polling"
    EXCHANGING = "exchanging"
    HOLDING_CODE = "holding_code"
    REVOKING = "revoking"
    SIGNED_IN = "signed_in"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    CODE_ISSUED = "code_issued"
    RETRY_LATER = "retry_later"
    DUE = "due"
    PENDING = "pending"
    SLOW_DOWN = "slow_down"
    APPROVED = "approved"
    GRANTED = "granted"
    UNWANTED = "unwanted"
    DENY = "deny"
    EXPIRE = "expire"
    CANCEL = "cancel"
    FAIL = "fail"


FINAL: Final = (State.SIGNED_IN, State.DENIED, State.EXPIRED, State.CANCELLED, State.FAILED)
LIVE: Final = tuple(state for state in State if state not in FINAL)

_ENDS: Final = (
    (Trigger.DENY, State.DENIED),
    (Trigger.EXPIRE, State.EXPIRED),
    (Trigger.CANCEL, State.CANCELLED),
    (Trigger.FAIL, State.FAILED),
)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.REQUESTING_CODE),
    (Trigger.CODE_ISSUED, State.REQUESTING_CODE, State.WAITING),
    (Trigger.RETRY_LATER, State.REQUESTING_CODE, State.POSTPONED),
    (Trigger.DUE, State.POSTPONED, State.REQUESTING_CODE),
    (Trigger.DUE, State.WAITING, State.POLLING),
    (Trigger.PENDING, State.POLLING, State.WAITING),
    (Trigger.SLOW_DOWN, State.POLLING, State.WAITING),
    (Trigger.RETRY_LATER, State.POLLING, State.WAITING),
    (Trigger.APPROVED, State.POLLING, State.EXCHANGING),
    (Trigger.GRANTED, State.POLLING, State.SIGNED_IN),  # dialects without an exchange
    (Trigger.UNWANTED, State.POLLING, State.REVOKING),
    (Trigger.RETRY_LATER, State.EXCHANGING, State.HOLDING_CODE),
    (Trigger.DUE, State.HOLDING_CODE, State.EXCHANGING),
    (Trigger.GRANTED, State.EXCHANGING, State.SIGNED_IN),
    (Trigger.UNWANTED, State.EXCHANGING, State.REVOKING),
    *((trigger, state, end) for trigger, end in _ENDS for state in LIVE),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)
