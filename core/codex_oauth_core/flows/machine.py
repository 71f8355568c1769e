"""What every flow is: a table of moves, and the rules of `receive()` before an event means anything.

Rules of this file: one event in, one effect out; an event that does not answer the outstanding effect, or
has a field that is not what its type says, raises `IllegalEvent` and changes nothing; time never runs
backwards; waking early changes nothing. A table knows no flow: it is shared, and without callbacks (see ADR
0004). An error repeats a server's error code only after a check that no secret is in it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Protocol, Self, TypeVar, assert_never, cast

import attrs
from transitions import Machine, MachineError
from transitions.core import Event as StockEvent

from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.errors import ErrorKind, IllegalEvent, SignInError
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    Resumed,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.facts import Refusal, TryAgain
from codex_oauth_core.flows.event_fields import invalid_field
from codex_oauth_core.flows.no_answer import kind_told, told_with, why_no_answer
from codex_oauth_core.flows.pace import Pace
from codex_oauth_core.secret import Secret, leaks
from codex_oauth_core.texts import NO_TEXTS, Texts

if TYPE_CHECKING:
    from codex_oauth_core.effect_unions import Effect
    from codex_oauth_core.storage import StorageAnswer, StorageEffect

__all__ = [
    "CANCEL",
    "HOPELESS",
    "Drivable",
    "Flow",
    "FlowMachine",
    "Move",
    "TableEvent",
    "error_of",
    "fire",
    "refusal_of",
    "safe_code",
    "take_turn",
    "transient_of",
]


S = TypeVar("S", bound=Enum)

Move = tuple[StrEnum, S, S]
"""A row of a table: trigger, source, destination."""

CANCEL: Final = "cancel"
"""The trigger that every table has."""


class TableEvent(StockEvent):
    """A trigger as a plain table look-up.

    The stock event costs twelve times as much for callbacks, guards and queues that no table here has.
    """

    def trigger(self, model: Any, *args: Any, **kwargs: Any) -> bool:
        """Move `model` along the table. Raises MachineError, and moves nothing, where there is no row."""
        moves = self.transitions.get(model.state._name_)
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


def fire(machine: FlowMachine, trigger: str, flow: Any) -> None:
    """Move `flow` along the table, or raise `transitions.MachineError` and leave it as it is."""
    machine.events[trigger].trigger(flow)


# -- from facts to errors ------------------------------------------------------------------------------


_KINDS: Final[Mapping[Cause, ErrorKind]] = {
    Cause.DNS: ErrorKind.NETWORK,
    Cause.CONNECT: ErrorKind.NETWORK,
    Cause.PROXY: ErrorKind.NETWORK,
    Cause.PROXY_AUTH: ErrorKind.NETWORK,
    Cause.MISCONFIGURED: ErrorKind.MISCONFIGURED,
    Cause.TLS_CERTIFICATE: ErrorKind.TLS_UNTRUSTED,
    Cause.TLS_EOF: ErrorKind.NETWORK,
    Cause.TIMEOUT: ErrorKind.NETWORK,
    Cause.RESET: ErrorKind.NETWORK,
    Cause.TRUNCATED: ErrorKind.NETWORK,
    Cause.TOO_BIG: ErrorKind.INVALID_RESPONSE,
}

HOPELESS: Final = frozenset({ErrorKind.TLS_UNTRUSTED, ErrorKind.MISCONFIGURED})
"""What does not become better by trying once more."""


def transient_of(event: RequestFailed) -> TryAgain:
    """The fact of a request that brought no whole answer."""
    kind, lost = _KINDS[event.cause], event.phase is Phase.MAYBE_SENT
    return TryAgain(kind, lost, cause=event.cause.value, setting=event.setting)


def refusal_of(failure: TryAgain) -> Refusal:
    """The fact of a failure that was the last one."""
    return Refusal(failure.kind, failure.code, failure.status, cause=failure.cause, setting=failure.setting)


def error_of(
    fact: Refusal,
    secrets: Iterable[Secret[str]] = (),
    *,
    texts: Texts = NO_TEXTS,
    revoked: bool | None = None,
) -> SignInError:
    """The error for a refusal, in the provider's texts. `secrets` are never repeated, even where a server
    echoes one as a code.
    """
    setting = fact.setting
    return SignInError.by(
        texts.facts(fact.kind, fact.reason),
        fact.kind,
        fact.message or (None if setting is None else str(setting)),
        code=safe_code(fact.code, secrets),
        status=fact.status,
        reason=fact.reason or (None if setting is None else setting.fault.value),
        cause=fact.cause,
        setting=None if setting is None else setting.name,
        uncertain=True if fact.uncertain else None,
        revoked=revoked,
        signed_in_as=fact.signed_in,
    )


def safe_code(code: str | None, secrets: Iterable[Secret[str]]) -> str | None:
    """An error code, or `other` where it repeats a part of a secret."""
    if code is None:
        return None
    return "other" if any(leaks(code, secret) for secret in secrets) else code


# -- the rules of receive() ----------------------------------------------------------------------------


E_co = TypeVar("E_co", bound="SendRequest | Wait | StorageEffect", covariant=True)
T_co = TypeVar("T_co", covariant=True)


class Drivable(Protocol[E_co, T_co]):
    """What a driver needs from a flow, or from an object that replaces one: `receive()` returns for each
    event an effect of the types `E_co`, and at the end a `T_co` or a `SignInError`.
    """

    __slots__ = ()

    @property
    def effect(self) -> Effect | None:
        """The outstanding effect; None before the first event."""
        ...

    def receive(self, event: Event) -> E_co | Finished:
        """Take the answer to the outstanding effect, and return the next effect. Raises IllegalEvent."""
        ...


@attrs.define(eq=False, kw_only=True)
class Flow(Drivable[E_co, T_co], ABC):
    """A machine that emits effects of the types `E_co` and ends with a `T_co` or a `SignInError`.

    One driver uses it at a time; it needs no lock for that. Where two drivers race, each event is taken once,
    and whoever comes second gets `IllegalEvent`. A copy is whole: the two go on apart. Flows are not pickled.
    """

    machine: ClassVar[FlowMachine]

    state: Any  # each flow narrows it to its own State
    _effect: Effect | None = attrs.field(default=None, init=False, repr=False)
    _now: float = attrs.field(default=-math.inf, init=False, repr=False)
    _seq: int = attrs.field(default=0, init=False, repr=False)  # events received
    _turn: None = attrs.field(default=None, init=False, repr=False)  # absent while a driver has it
    _trouble: str | None = attrs.field(default=None, init=False, repr=False)  # of the last request, in words

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
        take_turn(self)
        try:
            if not self._welcomes(event):
                raise IllegalEvent(f"{type(event).__name__} is no answer in state {self.state.name}")
            if (wrong := invalid_field(event)) is not None:
                raise IllegalEvent(f"{type(event).__name__}: {wrong}")
            self._now = max(self._now, event.at)
            before, effect = self._effect, self._next(event)
            if isinstance(before, SendRequest):
                self._trouble = _trouble_of(before, event, effect)
            if self._trouble is not None and isinstance(effect, Wait | Finished) and kind_told(effect):
                effect = told_with(self._trouble, effect)
            self._effect = effect
            self._seq += 1
            return cast("E_co | Finished", self._effect)
        finally:
            self._turn = None

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
                return wait if isinstance(wait, Wait) and self._now < wait.until else self._on_time()
            case ResponseReceived():
                return self._on_response(event)
            case RequestFailed():
                return self._on_request_failed(transient_of(event))
            case Started():
                return self._start(event)
            case Cancelled():
                return self._end(CANCEL, SignInError.of(ErrorKind.CANCELLED))
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
    def _on_response(self, response: ResponseReceived) -> Effect: ...

    @abstractmethod
    def _on_request_failed(self, failure: TryAgain) -> Effect: ...

    @abstractmethod
    def _on_time(self) -> Effect: ...

    def _called_back(self, event: CallbackReceived) -> Effect:
        raise IllegalEvent(f"{type(event).__name__} is no answer in state {self.state.name}")

    def _stored(self, answer: StorageAnswer) -> Effect:
        raise IllegalEvent(f"{type(answer).__name__} is no answer in state {self.state.name}")

    def _resumed(self, event: Resumed) -> Effect:
        raise IllegalEvent(f"{type(event).__name__} is no answer in state {self.state.name}")

    def _move(self, trigger: str) -> None:
        fire(self.machine, trigger, self)

    def _end(self, trigger: str, error: SignInError) -> Finished:
        self._move(trigger)
        return Finished(error)


def _trouble_of(request: SendRequest, event: Event, effect: Effect) -> str | None:
    """What was wrong with the last request, in words; None if nothing was, as far as is known by now."""
    if isinstance(event, RequestFailed):
        return why_no_answer(request, event, _KINDS[event.cause])
    kind = kind_told(effect) if isinstance(effect, Wait | Finished) else None
    return None if kind is None else why_no_answer(request, None, kind)


def take_turn(driven: Any) -> None:
    """Raise IllegalEvent if another driver is in the middle of an event; until `_turn` is set again."""
    try:
        # one step of the interpreter, which only one thread can do, and cheaper than a lock
        del driven._turn  # noqa: SLF001  # of a flow, or of what stands in for one
    except AttributeError:
        raise IllegalEvent(f"another driver is at work in state {driven.state.name}") from None


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
        case _:  # a storage effect names its answers itself, so that a sign-in needs none of their classes
            return isinstance(event, StoreAnswered) and isinstance(event.answer, effect.answers)
