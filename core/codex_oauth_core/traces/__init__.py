"""Traces of sign-ins: what happened and when, without a secret, replayed by the code of another day.

`recorder` writes one, around the real flow; `blinding` makes fakes of what must not be in it; `shadow` is
the flow that its lines are about; `format` and `replay` take it up again.
"""

from __future__ import annotations

from codex_oauth_core.traces.form import VERSION, Gap, Header, TraceError
from codex_oauth_core.traces.format import Step, Trace, read_trace
from codex_oauth_core.traces.recorder import Recorder
from codex_oauth_core.traces.replay import Difference, Replay, replay

__all__ = [
    "VERSION",
    "Difference",
    "Gap",
    "Header",
    "Recorder",
    "Replay",
    "Step",
    "Trace",
    "TraceError",
    "read_trace",
    "replay",
]
