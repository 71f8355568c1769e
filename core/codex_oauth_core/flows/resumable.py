"""A flow that can be put down, as a plain mapping, and picked up again elsewhere.

Rules of this file: what a checkpoint holds is a table of forms, and which of it a state needs is another; a
checkpoint has no request in it, so endpoints come from the caller's provider alone; no time limit grows while
a flow is put down, whatever happens to the wall clock.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, Final, Self

import attrs

from codex_oauth_core.checkpoints.codec import (
    COUNT,
    FLAG,
    INSTANT,
    TEXT,
    CheckpointError,
    Form,
    number,
    optional,
    record,
    table,
    word,
)
from codex_oauth_core.effects import Effect, Finished, Wait, Why
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import Event, Resumed
from codex_oauth_core.flows.machine import E_co, Flow, T_co
from codex_oauth_core.provider import Provider

__all__ = ["VERSION", "Resting", "ResumableFlow", "Waiting"]

VERSION: Final = 1
"""Of a checkpoint's layout. A newer one is not read."""

_LATEST: Final = 1e11  # Unix seconds, some three thousand years on


@attrs.frozen
class Waiting:
    """The wait that is outstanding, without what is rebuilt."""

    until: float
    why: Why
    cause: ErrorKind | None


@attrs.frozen
class Resting:
    """A flow that was put down at the Unix time `wall`. `wait` is None where a request is outstanding, which
    surely nobody performed if it was `handed_over`.
    """

    wall: float
    handed_over: bool
    wait: Waiting | None


_WAIT: Final = optional(
    record(Waiting, until=INSTANT, why=word(Why), cause=optional(word(ErrorKind))),
)
_WALL: Final = number(0.0, _LATEST)


@attrs.define(eq=False, kw_only=True)
class ResumableFlow(Flow[E_co, T_co]):
    """A flow that `checkpoint()` puts down and `restore()` makes again."""

    kind: ClassVar[str]
    """Names the kind of flow in a checkpoint."""
    kept: ClassVar[Mapping[str, Form[Any]]]
    """The attributes that a checkpoint holds."""
    needs: ClassVar[Mapping[Enum, tuple[str, ...]]]
    """The states in which it can be put down, with what is never None there: attributes, and `wait`."""

    provider: Provider
    _resting: Resting | None = attrs.field(default=None, init=False, repr=False)
    _handed_over: bool = attrs.field(default=False, init=False, repr=False)

    def checkpoint(self, *, at: float, wall: float, handed_over: bool = False) -> dict[str, Any]:
        """This flow as a plain mapping that `json.dumps` takes and `restore()` understands.

        **It holds secrets as plain text**: the device id, an authorization code, the code verifier, `state`,
        a token that is to be revoked. Seal it before it leaves memory, and never log it.

        A checkpoint moves the outstanding effect: take it before performing that, and then do not perform it
        here, or store it against a crash and restore it only if this process is gone. With `handed_over` the
        caller promises that nobody has begun the effect: only then is a `once` request sent by whoever
        restores it, and this flow takes no more events. `seq`, the number of events received, is for
        compare-and-set where there are several workers; all other keys are this release's own affair.

        `at` and `wall` are the present time, as in events. Raises CheckpointError (`nothing_outstanding`,
        `bad_time`).
        """
        if self._effect is None or isinstance(self._effect, Finished) or self._handed_over:
            raise CheckpointError("nothing_outstanding")
        if not (math.isfinite(at) and math.isfinite(wall)):
            raise CheckpointError("bad_time")
        now = max(self._now, at)
        values = {name: getattr(self, name) for name in self.kept}
        mapping = {
            "version": VERSION,
            "flow": self.kind,
            **_header(type(self)).put(
                {
                    "issuer": self.provider.issuer,
                    "client_id": self.provider.client_id,
                    "seq": self._seq,
                    "handed_over": handed_over,
                    "wall": wall,
                    "state": self.state,
                    "wait": _waiting(self._effect),
                    "fields": values,
                },
                now,
            ),
        }
        self._handed_over = handed_over
        return mapping

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], provider: Provider) -> Self:
        """What `restore()` does for one kind of flow. `version` and `flow` were looked at."""
        body = {name: value for name, value in mapping.items() if name not in ("version", "flow")}
        found = _header(cls).take(body, "checkpoint")
        if (found["issuer"], found["client_id"]) != (provider.issuer, provider.client_id):
            raise CheckpointError("other_provider")
        resting = Resting(found["wall"], found["handed_over"], found["wait"])
        about = {"state": found["state"], "_seq": found["seq"], "_resting": resting}
        flow = cls._made({**found["fields"], **about}, provider)
        if (misfit := flow.misfit()) is not None:
            raise CheckpointError("malformed", misfit)
        return flow

    @classmethod
    def _made(cls, values: Mapping[str, Any], provider: Provider) -> Self:
        given = {each.name: each.alias or each.name for each in attrs.fields(cls) if each.init}
        options = {alias: values[name] for name, alias in given.items() if name in values}
        flow = cls(provider=provider, **options)
        for name in values.keys() - given.keys():
            setattr(flow, name, values[name])
        return flow

    def misfit(self) -> str | None:
        """What a restored flow lacks, or has and should not have, in its state; None if it fits together."""
        needed = self.needs.get(self.state)
        waits = self._resting is not None and self._resting.wait is not None
        if needed is None:
            return "state"
        if waits is not ("wait" in needed):
            return "wait"
        lacking = (name for name in needed if name != "wait" and getattr(self, name) is None)
        return next(lacking, None)

    def _welcomes(self, event: Event) -> bool:
        if self._resting is not None:
            return isinstance(event, Resumed)
        return not self._handed_over and super()._welcomes(event)

    def _resumed(self, event: Resumed) -> Effect:
        resting, self._resting = self._resting, None
        assert resting is not None
        asleep = max(0.0, event.wall - resting.wall)  # a clock that was set back lengthens nothing
        by = self._now - asleep
        for name, form in self.kept.items():
            setattr(self, name, form.moved(getattr(self, name), by))
        return self._outstanding(attrs.evolve(resting, wait=_WAIT.moved(resting.wait, by)), event.wall)

    @abstractmethod
    def _outstanding(self, resting: Resting, wall: float) -> Effect:
        """The effect that was outstanding when the flow was put down, or how it ends instead."""


def _waiting(effect: Effect) -> Waiting | None:
    return Waiting(effect.until, effect.why, effect.cause) if isinstance(effect, Wait) else None


def _header(flow: type[ResumableFlow[Any, Any]]) -> Form[dict[str, Any]]:
    """The form of a whole checkpoint of one kind of flow, but for its first two fields."""
    states: type[Enum] = type(next(iter(flow.needs)))
    return table(
        {
            "issuer": TEXT,
            "client_id": TEXT,
            "seq": COUNT,
            "handed_over": FLAG,
            "wall": _WALL,
            "state": word(states),
            "wait": _WAIT,
            "fields": _fields(flow),
        }
    )


def _fields(flow: type[ResumableFlow[Any, Any]]) -> Form[dict[str, Any]]:
    """The attributes of one kind of flow, without the underscore that makes some private."""
    inner = table({name.lstrip("_"): form for name, form in flow.kept.items()})
    return Form(
        lambda values, now: inner.put({name.lstrip("_"): value for name, value in values.items()}, now),
        lambda raw, where: _under_attributes(flow, inner.take(raw, where)),
    )


def _under_attributes(flow: type[ResumableFlow[Any, Any]], values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name.lstrip("_")] for name in flow.kept}
