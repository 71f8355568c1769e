"""How the `transitions` package is used here: one shared, callback-free machine per kind of flow.

Rules of this file: a machine never knows its flows (they are never registered), and only
`TableEvent.trigger` changes a flow's state. See ADR 0004.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, StrEnum
from typing import Any, TypeVar

from transitions import Machine, MachineError
from transitions.core import Event

__all__ = ["FlowMachine", "Move", "TableEvent", "fire"]

S = TypeVar("S", bound=Enum)

Move = tuple[StrEnum, S, S]
"""A row of a table: trigger, source, destination."""


class TableEvent(Event):
    """A trigger as a plain table look-up.

    The stock event costs twelve times as much for callbacks, guards and queues that no table here has.
    """

    def trigger(self, model: Any, *args: Any, **kwargs: Any) -> bool:
        """Move `model` along the table. Raises MachineError, and moves nothing, where there is no row."""
        moves = self.transitions.get(model.state.name)
        if not moves:
            raise MachineError(f"Can't trigger event {self.name} from state {model.state.name}!")
        model.state = self.machine.states[str(moves[0].dest)].value
        return True


class FlowMachine(Machine):
    """A machine built from the rows of one table and shared by all flows of that kind."""

    event_cls = TableEvent

    def __init__(self, states: type[S], initial: S, table: Iterable[Move[S]]) -> None:
        rows = [[trigger.value, source.name, dest.name] for trigger, source, dest in table]
        super().__init__(model=None, states=states, initial=initial, transitions=rows, auto_transitions=False)


def fire(machine: FlowMachine, trigger: StrEnum, flow: Any) -> None:
    """Move `flow` along the table, or raise `transitions.MachineError` and leave it as it is."""
    machine.events[trigger].trigger(flow)
