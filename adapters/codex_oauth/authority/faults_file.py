"""The faults of an authority that speaks the Codex dialect, as a JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_oauth.authority.faults import Fault, read_rows
from codex_oauth.authority.models.misfortunes import ModelFault

__all__ = ["codex_fault", "read_faults"]


def read_faults(text: str | bytes) -> tuple[Fault | ModelFault, ...]:
    """The faults of a JSON file `{"faults": [{"endpoint": "poll", "requests": "1-3", …}]}`.

    The keys are the fields of `Fault`; `body` may be text or any JSON value, and `body_base64` is for bytes.
    A row with `answer` is a `ModelFault`, for requests to the model stub. For anything else, ValueError with
    the place and the field.
    """
    return read_rows(text, codex_fault)


def codex_fault(row: Mapping[str, Any]) -> Fault | ModelFault:
    """The fault of one row. ValueError, with the field, for one that makes no sense."""
    return ModelFault.of_row(row) if "answer" in row else Fault.of_row(row)
