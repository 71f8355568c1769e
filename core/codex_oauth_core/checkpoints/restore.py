"""From a checkpoint to the flow that was put down.

Rules of this file: a checkpoint is hostile input, sealed or not; whatever is wrong with it is a
CheckpointError, and a traceback shows nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from codex_oauth_core.checkpoints.codec import CheckpointError
from codex_oauth_core.checkpoints.layout import CHECKPOINT_VERSION
from codex_oauth_core.flows.browser import BrowserFlow
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.provider import Provider
from codex_oauth_core.secret import without_traceback

__all__ = ["restore"]

_KINDS: Final[Mapping[object, type[DeviceFlow | BrowserFlow]]] = {
    flow.layout.kind: flow for flow in (DeviceFlow, BrowserFlow)
}


def restore(mapping: Mapping[str, object], provider: Provider) -> DeviceFlow | BrowserFlow:
    """The flow whose `checkpoint()` made the mapping. Feed it `Resumed` first: `receive()` returns the
    outstanding effect.

    The flow repeats a poll. If a `once` request was outstanding and was not handed over, the server may have
    received it: the flow then ends with `token_request_failed` and `details.uncertain`. Time limits continue
    by the wall clock; if that clock was set back, the flow has the time that was left at the checkpoint.

    Endpoints come only from `provider`. Raises CheckpointError: `not_a_checkpoint`, `too_new`,
    `other_provider` (another issuer or client), `malformed`.
    """
    return without_traceback(lambda: _restore(mapping, provider))


def _restore(mapping: object, provider: Provider) -> DeviceFlow | BrowserFlow:
    if not isinstance(mapping, Mapping):
        raise CheckpointError("not_a_checkpoint")
    found = cast("Mapping[object, object]", mapping)
    named = {name: value for name, value in found.items() if isinstance(name, str)}
    version, kind = named.get("version"), named.get("flow")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise CheckpointError("not_a_checkpoint")
    if version > CHECKPOINT_VERSION:
        raise CheckpointError("too_new")
    flow = _KINDS.get(kind) if isinstance(kind, str) else None
    if flow is None or len(named) != len(found):
        raise CheckpointError("malformed", "flow")
    return flow.from_mapping(named, provider)
