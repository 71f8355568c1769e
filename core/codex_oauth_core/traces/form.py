"""The form of a trace: one JSON object a line, a header first (`docs/traces.md` explains each field).

Rules of this file: what is written here can be read again, byte for byte; no number is infinite or NaN;
`VERSION` grows when an older reader could misunderstand a line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Any, Final

import attrs

__all__ = ["FLOWS", "FORMAT", "VERSION", "Gap", "Header", "TraceError", "as_line"]

FORMAT: Final = "codex-oauth-trace"
VERSION: Final = 1
FLOWS: Final = ("device", "browser")
"""The kinds of flow that traces have."""


class TraceError(ValueError):
    """A text that is no trace, or one that this version cannot read. It repeats nothing of the text."""


@unique
class Gap(StrEnum):
    """Why a trace stops before the end of its sign-in."""

    UNSUPPORTED = "unsupported"
    """A kind of flow, or of event, that traces do not have."""
    BEGUN = "begun"
    """The flow had begun before it was recorded."""
    NO_RENDERERS = "no_renderers"
    """The dialect has no inverse of its readers."""
    UNREADABLE = "unreadable"
    """The dialect's reader failed."""
    NOT_RENDERED = "not_rendered"
    """No answer made of fakes means the same."""
    DIFFERS = "differs"
    """The shadow went another way than the real flow."""
    FAILED = "failed"
    """Anything else went wrong with the recording."""


@attrs.frozen(kw_only=True)
class Header:
    """The first line: what it takes to build the same flow again.

    `issuer` says no more than `default`, `loopback` or `other`. `lifetime` and `request_timeout` are seconds.
    `workspaces` are fakes.
    """

    library: str
    flow: str
    dialect: str
    issuer: str
    lifetime: float
    request_timeout: float
    workspaces: tuple[str, ...]

    def line(self) -> str:
        """The header as its line, without a line end."""
        return as_line({"format": FORMAT, "version": VERSION, **attrs.asdict(self)})


def as_line(fields: Mapping[str, Any]) -> str:
    """One object as one line. Raises ValueError for a number that is not finite."""
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)
