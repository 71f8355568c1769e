"""`TableEvent` against the stock `Event` of `transitions`, and what must hold of every table (ADR 0004)."""

from __future__ import annotations

import itertools
import pickle
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum, StrEnum
from types import ModuleType
from typing import Any

import attrs
import pytest
from transitions import Machine, MachineError
from transitions.core import Event

from codex_oauth_core.flows import browser, device, finish_sign_in, renewal, revoke_login, store_login
from codex_oauth_core.flows.machine import CANCEL, FlowMachine, TableEvent, fire
from codex_oauth_core.flows.sign_in import SignInTrigger

SIGN_INS = (device, browser)
STORED = (renewal, store_login, revoke_login)


def _each(*tables: ModuleType) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("table", tables, ids=lambda table: table.__name__.rpartition(".")[2])


each_table = _each(*SIGN_INS, *STORED, finish_sign_in)
each_sign_in = _each(*SIGN_INS)
each_stored = _each(*STORED)


@attrs.define(eq=False)
class Model:
    """What a flow is to its machine: a slotted object with a state."""

    state: Any


def _stock_twin(table: ModuleType) -> Machine:
    rows = [[trigger.value, source.name, dest.name] for trigger, source, dest in table.TABLE]
    return Machine(
        model=None, states=table.State, initial=table.State.IDLE, transitions=rows, auto_transitions=False
    )


def _outcome(machine: Machine, trigger: StrEnum, state: Enum) -> tuple[Enum, object]:
    """Where the model stands afterwards, and what the trigger answered or raised."""
    model = Model(state)
    try:
        answer: object = machine.events[trigger].trigger(model)
    except Exception as exc:  # noqa: BLE001  # whatever it is, both must raise the same
        answer = type(exc)
    return model.state, answer


@each_table
def test_table_event_does_what_the_stock_event_does(table: ModuleType) -> None:
    stock = _stock_twin(table)
    assert type(stock.events[next(iter(table.Trigger))]) is Event
    for trigger, state in itertools.product(table.Trigger, table.State):
        assert _outcome(table.MACHINE, trigger, state) == _outcome(stock, trigger, state), (trigger, state)


@each_table
def test_a_move_outside_the_table_raises_and_changes_nothing(table: ModuleType) -> None:
    allowed = {(trigger, source): dest for trigger, source, dest in table.TABLE}
    for trigger, state in itertools.product(table.Trigger, table.State):
        model = Model(state)
        if (trigger, state) in allowed:
            fire(table.MACHINE, trigger, model)
            assert model.state is allowed[trigger, state]
        else:
            with pytest.raises(MachineError):
                fire(table.MACHINE, trigger, model)
            assert model.state is state


@each_table
def test_flows_are_never_registered(table: ModuleType) -> None:
    machine: FlowMachine = table.MACHINE
    fire(machine, table.TABLE[0][0], Model(table.TABLE[0][1]))
    assert machine.models == []
    assert {type(event) for event in machine.events.values()} == {TableEvent}


@each_table
def test_the_machine_has_no_callbacks_guards_or_queue(table: ModuleType) -> None:
    machine: FlowMachine = table.MACHINE
    moves = [
        move for event in machine.events.values() for moves in event.transitions.values() for move in moves
    ]
    assert moves
    assert not any([*move.conditions, *move.before, *move.after, *move.prepare] for move in moves)
    assert not any([*state.on_enter, *state.on_exit] for state in machine.states.values())
    assert not machine.has_queue
    assert not machine.send_event


def test_an_unknown_trigger_is_a_key_error() -> None:
    class Other(StrEnum):
        NOT_THERE = "not_there"

    with pytest.raises(KeyError):
        fire(device.MACHINE, Other.NOT_THERE, Model(device.State.IDLE))


@each_table
def test_every_table_has_the_trigger_of_a_cancelled_flow(table: ModuleType) -> None:
    assert CANCEL in set(table.Trigger)
    assert table.MACHINE.events[CANCEL] is table.MACHINE.events[table.Trigger.CANCEL]


@each_sign_in
def test_every_table_of_a_sign_in_has_the_triggers_that_all_sign_ins_share(table: ModuleType) -> None:
    assert set(SignInTrigger) <= set(table.Trigger)


def test_a_state_is_one_enum_member_and_survives_pickling() -> None:
    model = Model(device.State.IDLE)
    fire(device.MACHINE, device.Trigger.START, model)
    copy = pickle.loads(pickle.dumps(model.state))
    assert copy is model.state is device.State.REQUESTING_CODE


# -- the table itself ----------------------------------------------------------------------------------


@each_table
def test_no_trigger_has_two_moves_from_one_state(table: ModuleType) -> None:
    starts = [(trigger, source) for trigger, source, _ in table.TABLE]
    assert len(starts) == len(set(starts))


@each_table
def test_every_trigger_is_used(table: ModuleType) -> None:
    assert {trigger for trigger, _, _ in table.TABLE} == set(table.Trigger)


@each_table
def test_every_state_is_live_or_final(table: ModuleType) -> None:
    assert sorted([*table.LIVE, *table.FINAL], key=list(table.State).index) == list(table.State)


@each_table
def test_every_state_is_reachable(table: ModuleType) -> None:
    assert _closure(table.State.IDLE, _steps(table.TABLE)) == set(table.State)


@each_table
def test_every_live_state_can_end(table: ModuleType) -> None:
    steps = _steps(table.TABLE)
    for state in table.LIVE:
        assert _closure(state, steps) & set(table.FINAL), state


@each_sign_in
def test_every_live_state_can_reach_success(table: ModuleType) -> None:
    steps = _steps(table.TABLE)
    doomed = {state for state in table.LIVE if table.State.SIGNED_IN not in _closure(state, steps)}
    assert doomed == {table.State.REVOKING}  # what is revoked is not kept


@each_table
def test_nothing_leads_out_of_an_end(table: ModuleType) -> None:
    assert not {source for _, source, _ in table.TABLE} & set(table.FINAL)


@each_sign_in
def test_every_live_state_can_be_denied_expired_cancelled_and_failed(table: ModuleType) -> None:
    for state in table.LIVE:
        ends = {dest for _, source, dest in table.TABLE if source is state and dest in table.FINAL}
        assert ends >= set(table.FINAL) - {table.State.SIGNED_IN}, state


@each_stored
def test_a_flow_about_a_stored_login_has_one_end(table: ModuleType) -> None:
    """How it ended is in its outcome."""
    assert table.FINAL == (table.State.DONE,)


@each_stored
def test_what_takes_the_lock_gives_it_back_before_the_end(table: ModuleType) -> None:
    """From the lock on no way leads to an end, or to a wait for others, but out of a state of releasing."""
    without = {"idle", "reading", "queued", "backing_off", "backing_off_unstored", "locking", "done"}
    without |= {"rescuing", "revoking_unstored"} if table is not renewal else set[str]()
    entered = [dest for _, source, dest in table.TABLE if source.value == "locking"]
    inside = [dest for dest in entered if dest.value not in without]
    within = [row for row in table.TABLE if not row[1].value.startswith("releasing")]
    held = set[object]().union(*(_closure(dest, _steps(within)) for dest in inside))
    assert inside
    assert not {str(getattr(state, "value", state)) for state in held} & without
    assert {source for trigger, source, _ in table.TABLE if trigger == "released"} <= held


@each_stored
def test_nothing_is_cancelled_while_the_lock_is_held(table: ModuleType) -> None:
    cancelled = {source.value for trigger, source, _ in table.TABLE if trigger == "cancel"}
    assert "idle" in cancelled
    # a renewal that cannot be saved is saved once more, and a deletion goes on
    assert cancelled <= {"idle", "queued", "backing_off", "backing_off_unstored", "saving_later"}


def test_a_renewal_saves_whatever_came_of_a_token_that_may_be_spent() -> None:
    """The one state in which it is sent leads on to a save, unless the server said that it is as it was."""
    states, triggers = renewal.State, renewal.Trigger
    unspent = {triggers.REFUSED, triggers.NOT_SENT}
    after = {
        dest for trigger, source, dest in renewal.TABLE if source is states.SENDING and trigger not in unspent
    }
    assert after == {states.SAVING, states.RESCUING}
    assert {dest for _, source, dest in renewal.TABLE if source is states.RESCUING} == {states.SAVING}


def test_a_granted_login_is_ended_only_after_a_look_and_never_once_it_is_stored() -> None:
    states, steps = finish_sign_in.State, _steps(finish_sign_in.TABLE)
    assert {source for source, dests in steps.items() if states.REVOKING_GRANTED in dests} == {states.LOOKING}
    stored = _closure(states.SELECTING, steps)
    assert not stored & {states.LOOKING, states.REVOKING_GRANTED}
    assert states.REVOKING_REPLACED in stored
    assert states.DONE not in _closure(states.LOOKING, steps)


def _steps(rows: Iterable[tuple[StrEnum, Enum, Enum]]) -> dict[Enum, set[Enum]]:
    steps: defaultdict[Enum, set[Enum]] = defaultdict(set)
    for _, source, dest in rows:
        steps[source].add(dest)
    return steps


def _closure(start: Enum, steps: dict[Enum, set[Enum]]) -> set[Enum]:
    seen, todo = {start}, [start]
    while todo:
        new = steps.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return seen
