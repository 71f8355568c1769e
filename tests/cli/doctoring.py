"""Examinations for the tests of `codex-oauth doctor`: one check, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from codex_oauth.doctor.context import Context, Finding, Verdict
from codex_oauth.transport.protocol import SendOutcome
from codex_oauth_core import CODEX, Provider, ResponseReceived, SendRequest

__all__ = ["WALL", "always", "case", "found", "of", "responding", "verdicts", "with_ports"]

WALL = 1_800_000_000.0


def case(home: Path | None = None, **changes: object) -> Context:
    """An examination of a store in `home`, that asks nobody unless it is given a transport."""
    fields: dict[str, object] = {"chosen_store": None if home is None else str(home), "offline": True}
    return attrs.evolve(Context(), **{**fields, **changes})  # type: ignore[arg-type]  # fields of a Case


def always(value: object) -> Callable[..., Any]:
    """A function that gives one value, whatever it is given."""

    def answer(*arguments: object, **named: object) -> object:
        return value

    return answer


def with_ports(*ports: int) -> Provider:
    return attrs.evolve(CODEX, redirect_ports=ports)


def found(check: Callable[[Context], Iterable[Finding]], examined: Context) -> list[Finding]:
    return list(check(examined))


def of(findings: Iterable[Finding], name: str, subject: str | None = None) -> Finding:
    """The one finding of a name, and of a subject if that is given."""
    (one,) = [row for row in findings if row.name == name and subject in (None, row.subject)]
    return one


def verdicts(findings: Iterable[Finding]) -> set[Verdict]:
    return {row.verdict for row in findings}


@attrs.define
class responding:  # noqa: N801  # reads as the answer that it is
    """A transport that gives one answer, and keeps what was asked."""

    answer: SendOutcome
    asked: list[SendRequest] = attrs.field(factory=list[SendRequest])

    def __call__(self, effect: SendRequest, stopped: Callable[[], bool]) -> SendOutcome:
        self.asked.append(effect)
        return self.answer

    @classmethod
    def with_json(
        cls, status: int = 200, *, date: str | None = None, took: float = 0.5, **more: str
    ) -> responding:
        headers = {"content-type": "application/json", **({} if date is None else {"date": date}), **more}
        return cls(ResponseReceived(100.0, 100.0 + took, WALL, status, headers, b"{}"))
