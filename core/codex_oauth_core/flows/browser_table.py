"""The moves of the browser flow, and nothing else: `docs/diagrams/browser.mmd` is drawn from this table.

Rules of this file: a state and a trigger bear the protocol's words (RFC 6749 §4.1, RFC 8252); every move is
a row.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final

from codex_oauth_core.flows.table import FlowMachine, Move

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "State", "Trigger"]


@unique
class State(Enum):
    """Where a browser login stands."""

    IDLE = "idle"
    AWAITING_CALLBACK = "awaiting_callback"
    EXCHANGING = "exchanging"
    HOLDING_CODE = "holding_code"
    REVOKING = "revoking"
    SIGNED_IN = "signed_in"
    DENIED = "denied"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    FAILED = "failed"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    CALLBACK_ACCEPTED = "callback_accepted"
    RETRY_LATER = "retry_later"
    DUE = "due"
    GRANTED = "granted"
    UNWANTED = "unwanted"
    DENY = "deny"
    EXPIRE = "expire"
    CANCEL = "cancel"
    FAIL = "fail"


FINAL: Final = (State.SIGNED_IN, State.DENIED, State.TIMED_OUT, State.CANCELLED, State.FAILED)
LIVE: Final = tuple(state for state in State if state not in FINAL)

_ENDS: Final = (
    (Trigger.DENY, State.DENIED),
    (Trigger.EXPIRE, State.TIMED_OUT),
    (Trigger.CANCEL, State.CANCELLED),
    (Trigger.FAIL, State.FAILED),
)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.AWAITING_CALLBACK),
    (Trigger.CALLBACK_ACCEPTED, State.AWAITING_CALLBACK, State.EXCHANGING),
    (Trigger.RETRY_LATER, State.EXCHANGING, State.HOLDING_CODE),
    (Trigger.DUE, State.HOLDING_CODE, State.EXCHANGING),
    (Trigger.GRANTED, State.EXCHANGING, State.SIGNED_IN),
    (Trigger.UNWANTED, State.EXCHANGING, State.REVOKING),
    *((trigger, state, end) for trigger, end in _ENDS for state in LIVE),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)
