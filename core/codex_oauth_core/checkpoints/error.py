"""Why a checkpoint could not be made or taken up.

Rules of this file: a reason is a word with one fixed text; a place is named by our own field names; nothing
that stood in a checkpoint enters an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CheckpointError"]

_TEXTS: Final[Mapping[str, str]] = {
    "not_a_checkpoint": "this is no checkpoint of a sign-in",
    "too_new": "the checkpoint was made by a newer release",
    "other_provider": "the checkpoint is of another provider or client",
    "malformed": "the checkpoint is damaged",
    "nothing_outstanding": "there is nothing to put down: the flow is not started, over, or handed over",
    "bad_time": "a checkpoint takes finite times",
    "other_key": "the checkpoint was sealed with another key",
    "sealed_wrong": "the sealed checkpoint is damaged, or somebody else's",
    "extra_missing": "sealing needs the extra: pip install 'codex-oauth[keyring]'",
}


class CheckpointError(ValueError):
    """A mapping is no checkpoint that can be taken up here, or a flow cannot be put down now.

    `reason` is a word for programs: `not_a_checkpoint`, `too_new`, `other_provider` or `malformed` from
    `restore()`, `nothing_outstanding` or `bad_time` from `checkpoint()`, `other_key`, `sealed_wrong` or
    `extra_missing` from a seal. `where` names the field that is malformed, `fields.device.interval` say.
    Neither they nor the text repeat anything of the mapping.
    """

    def __init__(self, reason: str, where: str | None = None) -> None:
        super().__init__(_TEXTS[reason] if where is None else f"{_TEXTS[reason]}: {where}")
        self.reason = reason
        self.where = where
