"""The figures of the last release, beside which a page shows today's.

Rules of this file: a figure is found again by its row and by what its target is called; one that is not there was not
measured then. Slower is what is worse in spite of its spread: the better quartile of today is worse than the worse one
of then, and the medians are a tenth apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import attrs

from tests.bench.ratios import Result, Spread, Target

__all__ = ["FILE", "Released"]

FILE: Final = "released.json"
"""Beside the charts."""

_WORSE: Final = 1.1
_LINE: Final = re.compile(
    r"\| (?P<row>P\d+\w?) \| .* \| (?P<target>.*): [≤≥] \S+(?: \S+)? \| (?P<measured>[^|]*) \|"
)
_NUMBER: Final = r"[\d.,]+(?: \d{3})*(?:e[+-]\d+)?"
_SPREAD: Final = re.compile(
    rf"(?P<median>{_NUMBER})(?: [^\d(]*)?(?:\((?P<low>{_NUMBER}) to (?P<high>{_NUMBER})\))?"
)


@attrs.frozen
class Released:
    """`called` says which release they are of."""

    called: str
    figures: Mapping[tuple[str, str], Spread]

    @classmethod
    def of_page(cls, called: str, page: str) -> Self:
        """What a page tells, with three digits each."""
        found: dict[tuple[str, str], Spread] = {}
        for line in page.splitlines():
            told = _LINE.match(line)
            spread = told and _SPREAD.match(told["measured"])
            if told and spread:
                low, median, high = (
                    float((spread[name] or spread["median"]).replace(" ", ""))
                    for name in ("low", "median", "high")
                )
                found[told["row"], told["target"]] = Spread(low, median, high)
        return cls(called, found)

    @classmethod
    def read(cls, charts: Path) -> Self | None:
        """Those that are kept in this folder; None if there are none."""
        try:
            kept: Any = json.loads((charts / FILE).read_text())
        except FileNotFoundError:
            return None
        return cls(
            kept["called"], {(row, text): Spread(*measured) for row, text, *measured in kept["figures"]}
        )

    def write(self, charts: Path) -> None:
        """Keep them in this folder."""
        lines = (
            json.dumps([*key, each.low, each.median, each.high], ensure_ascii=False)
            for key, each in self.figures.items()
        )
        figures = ",\n".join(lines)
        text = f'{{"called": {json.dumps(self.called)}, "figures": [\n{figures}\n]}}\n'
        (charts / FILE).write_text(text)

    def then(self, row: str, target: Target) -> Spread | None:
        """What the same target measured then."""
        return self.figures.get((row, target.text))

    def slower(self, results: Iterable[Result]) -> Iterator[tuple[str, Target, Spread]]:
        """The targets that are further from being met than they were: row, target, and what it was."""
        for result in results:
            for target in result.targets:
                then = self.then(result.number, target)
                if then is not None and _is_worse(target, then):
                    yield result.number, target, then


def _is_worse(target: Target, then: Spread) -> bool:
    now = target.measured
    if target.at_least:
        return now.high < then.low and now.median * _WORSE < then.median
    return now.low > then.high and now.median > then.median * _WORSE
