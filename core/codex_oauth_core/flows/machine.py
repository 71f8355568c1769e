"""What every flow does with an event before it means anything: the rules of `receive()`.

Rules of this file: one event in, one effect out; an event that does not answer the outstanding effect, or
has a field that is not what its type says, raises `IllegalEvent` and changes nothing; time never runs
backwards; waking early changes nothing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any, ClassVar, Final, Generic, NoReturn, Self, TypeVar, assert_never, cast

import attrs

from codex_oauth_core.effects import Effect, Finished, SendRequest, Wait
from codex_oauth_core.errors import ErrorKind, IllegalEvent, SignInError
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Event,
    RequestFailed,
    ResponseReceived,
    Resumed,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.facts import TryAgain
from codex_oauth_core.flows.event_fields import misfit
from codex_oauth_core.flows.failures import without_answer
from codex_oauth_core.flows.pace import Pace
from codex_oauth_core.flows.table import FlowMachine, fire
from codex_oauth_core.storage import (
    ANSWERS,
    Delete,
    Load,
    Lock,
    Release,
    Rescue,
    Reserve,
    Save,
    StorageAnswer,
    StorageEffect,
)

__all__ = ["Flow"]

E_co = TypeVar("E_co", bound=SendRequest | Wait | StorageEffect, covariant=True)
T_co = TypeVar("T_co", covariant=True)


@attrs.define(eq=False, kw_only=True)
class Flow(ABC, Generic[E_co, T_co]):
    """A machine that emits effects of the types `E_co` and ends with a `T_co` or a `SignInError`.

    One driver uses it at a time; it needs no lock for that. Where two drivers race, each event is taken once,
    and whoever comes second gets `IllegalEvent`. A copy is whole: the two go on apart. Flows are not pickled.
    """

    machine: ClassVar[FlowMachine]
    cancel_trigger: ClassVar[StrEnum]

    state: Any  # each flow narrows it to its own State
    _effect: Effect | None = attrs.field(default=None, init=False, repr=False)
    _now: float = attrs.field(default=-math.inf, init=False, repr=False)
    _seq: int = attrs.field(default=0, init=False, repr=False)  # events received
    _turn: None = attrs.field(default=None, init=False, repr=False)  # absent while a driver has it

    @property
    def effect(self) -> Effect | None:
        """The outstanding effect; None before `Started` or `Resumed`."""
        return self._effect

    def receive(self, event: Event) -> E_co | Finished:
        """Take the answer to the outstanding effect (first: `Started`), and return the next effect.

        Perform that effect and call `receive` with what came of it, until it is `Finished`. Never
        blocks, and never raises for anything that a network or a person can send; raises
        `IllegalEvent` for an event that does not answer the outstanding effect, or has a field that is not
        what its type says.
        """
        self._take_turn()
        try:
            if not self._welcomes(event):
                raise IllegalEvent(f"{type(event).__name__} is no answer in state {self.state.name}")
            if (wrong := misfit(event)) is not None:
                raise IllegalEvent(f"{type(event).__name__}: {wrong}")
            self._now = max(self._now, event.at)
            self._effect = self._next(event)
            self._seq += 1
            return cast("E_co | Finished", self._effect)
        finally:
            self._turn = None

    def _take_turn(self) -> None:
        """Raise IllegalEvent if another driver is in the middle of an event; until `_turn` is set again."""
        try:
            del (
                self._turn
            )  # one step of the interpreter, which only one thread can do, and cheaper than a lock
        except AttributeError:
            raise IllegalEvent(f"another driver is at work in state {self.state.name}") from None

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        for name in (*(field.name for field in attrs.fields(type(self))), *getattr(self, "__dict__", ())):
            if name != "_turn" and hasattr(self, name):
                object.__setattr__(twin, name, _twin_of(getattr(self, name)))
        twin._turn = None
        return twin

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()  # what is not copied is frozen

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        kind = type(self).__name__
        how = (
            "store checkpoint()"
            if hasattr(self, "checkpoint")
            else "make a new one: only a sign-in has checkpoint()"
        )
        raise TypeError(f"a {kind} is not pickled, it holds secrets; {how}")

    def _welcomes(self, event: Event) -> bool:
        """Whether an event answers the outstanding effect."""
        return _answers(event, self._effect)

    def _next(self, event: Event) -> Effect:
        match event:
            case TimeReached():
                wait = self._effect
                return wait if isinstance(wait, Wait) and self._now < wait.until else self._due()
            case ResponseReceived():
                return self._responded(event)
            case RequestFailed():
                return self._unanswered(without_answer(event))
            case Started():
                return self._start(event)
            case Cancelled():
                return self._end(self.cancel_trigger, SignInError.of(ErrorKind.CANCELLED))
            case CallbackReceived():
                return self._called_back(event)
            case StoreAnswered():
                return self._stored(event.answer)
            case Resumed():
                return self._resumed(event)
            case _:
                assert_never(event)

    @abstractmethod
    def _start(self, event: Started) -> Effect: ...

    @abstractmethod
    def _responded(self, response: ResponseReceived) -> Effect: ...

    @abstractmethod
    def _unanswered(self, failure: TryAgain) -> Effect: ...

    @abstractmethod
    def _due(self) -> Effect: ...

    def _called_back(self, event: CallbackReceived) -> Effect:
        raise IllegalEvent(f"{type(event).__name__} is no answer in state {self.state.name}")

    def _stored(self, answer: StorageAnswer) -> Effect:
        raise IllegalEvent(f"{type(answer).__name__} is no answer in state {self.state.name}")

    def _resumed(self, event: Resumed) -> Effect:
        raise IllegalEvent(f"{type(event).__name__} is no answer in state {self.state.name}")

    def _move(self, trigger: StrEnum) -> None:
        fire(self.machine, trigger, self)

    def _end(self, trigger: StrEnum, error: SignInError) -> Finished:
        self._move(trigger)
        return Finished(error)


def _twin_of(value: Any) -> Any:
    """A value for a copy of its flow: the pace is all of it that is not frozen."""
    return attrs.evolve(value) if isinstance(value, Pace) else value


# named, because a union of types that is written where it is used is made anew each time (P6)
_TO_A_WAIT: Final = (TimeReached, Cancelled)
_TO_A_REQUEST: Final = (ResponseReceived, RequestFailed)


def _answers(event: Event, effect: Effect | None) -> bool:
    match effect:
        case Wait():
            welcome_callback = effect.callback is not None and isinstance(event, CallbackReceived)
            return isinstance(event, _TO_A_WAIT) or welcome_callback
        case SendRequest():
            answered = isinstance(event, _TO_A_REQUEST)
            return answered or (isinstance(event, Cancelled) and not effect.once)
        case None:
            return isinstance(event, Started | Cancelled)
        case Finished():
            return False
        case Load() | Lock() | Reserve() | Save() | Rescue() | Delete() | Release():
            return isinstance(event, StoreAnswered) and isinstance(event.answer, ANSWERS[type(effect)])
        case _:
            assert_never(effect)
